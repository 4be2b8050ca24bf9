"""The real parts: where they are, and what happens where one is missing."""

import os
import shutil
from pathlib import Path

import pytest

PROVIDER = Path(__file__).parent / "provider"


def require(found: str | None, what: str, fix: str) -> str:
    """Give back what was found; where it is missing, skip on a newcomer's machine and fail in CI."""
    if found:
        return found
    reason = f"{what} is missing: {fix}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def chromium() -> str:
    """Find Debian's Chromium."""
    return require(shutil.which("chromium"), "Chromium", "apt-get install chromium")


def provider_command() -> list[str]:
    """Find the real provider and a Node to run it: the one that came with it, else the system's."""
    installed = PROVIDER / "node_modules"
    has_provider = (installed / "oidc-provider").is_dir()
    require("yes" if has_provider else None, "oidc-provider", "npm ci --prefix tests/real/provider")
    came_along = (str(node) for node in installed.glob("node-*/bin/node"))
    node = require(next(came_along, None) or shutil.which("node"), "Node", "apt-get install nodejs")
    return [node, str(PROVIDER / "provider.mjs")]
