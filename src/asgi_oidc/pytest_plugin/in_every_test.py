"""Gives every test the fixture `oidc`; registered only if settings are filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # as in `entry_point`
    from asgi_oidc.pytest_plugin.tester import OIDCTester


@pytest.fixture(autouse=True)
def _asgi_oidc_in_every_test(oidc: OIDCTester) -> None:
    """Let `oidc` exchange the provider, although the test does not name it."""
