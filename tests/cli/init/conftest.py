"""An empty folder, in an environment without variables of ours."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory; what a test puts into the environment or imports from there is gone afterwards.

    So is what an app sets for the whole process: Litestar configures the root logger.
    """
    before, level, handlers = dict(os.environ), logging.root.level, list(logging.root.handlers)
    for name in before:
        if name.startswith("OIDC_"):
            del os.environ[name]
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers
    os.environ.clear()
    os.environ.update(before)
    for name in ("app", "asgi_oidc_app"):
        sys.modules.pop(name, None)
