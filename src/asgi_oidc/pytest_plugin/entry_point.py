"""What pytest loads at start-up; it imports the library only when a test asks for the fixture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # pytest starts for people who never use the fixture: they do not wait for the library
    from asgi_oidc.pytest_plugin.tester import OIDCTester

FILL = "asgi_oidc_fill_settings"
FILLED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        FILL,
        "fill in the OIDC_... variables that are missing, and give every test the fake provider of the fixture oidc",
        type="bool",
        default=False,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Fill in missing settings before any module of the tests is imported, conftest.py included."""
    if early_config.getini(FILL):
        from asgi_oidc.pytest_plugin.missing_settings import fill_missing_settings

        early_config.stash[FILLED] = fill_missing_settings(os.environ)


def pytest_configure(config: pytest.Config) -> None:
    """Let every test have the fixture if settings are filled in: with those, nothing but the fake provider works."""
    if config.getini(FILL):
        from asgi_oidc.pytest_plugin import in_every_test

        config.pluginmanager.register(in_every_test, "asgi_oidc_in_every_test")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell which settings were filled in."""
    if not config.getini(FILL):
        return None
    filled = config.stash.get(FILLED, [])
    return f"asgi-oidc: filled in for the tests: {', '.join(filled) or 'nothing, all settings are set'}"


@pytest.fixture
def oidc() -> Iterator[OIDCTester]:
    """Sign anybody in on any client: `oidc.sign_in(client, "alice", claims={"roles": ["admin"]})`.

    During the test, every `OIDCMiddleware` calls a fake provider instead of its own.
    """
    from asgi_oidc.pytest_plugin.tester import tester

    with tester() as found:
        yield found
