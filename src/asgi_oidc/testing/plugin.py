"""Pytest fixtures for apps with sign-in; `pytest_plugins = ["asgi_oidc.testing.plugin"]` enables them.

`fake_provider` is a new `FakeProvider`; `oidc_browser` opens a `Browser` that can reach it:

    async def test_the_page_greets_alice(fake_provider, oidc_browser):
        client = fake_provider.http_client()
        app = OIDCMiddleware(my_app, issuer=fake_provider.issuer, http_client=client, ...)
        page = await oidc_browser(app).sign_in("alice", "/private")
        assert "Alice" in page.text
"""

from collections.abc import Callable
from typing import Any

import pytest

from .browser import Browser
from .fake_provider import FakeProvider
from .wire import ASGIApp


@pytest.fixture
def fake_provider() -> FakeProvider:
    """Return a new fake provider for this test."""
    return FakeProvider()


@pytest.fixture
def oidc_browser(fake_provider: FakeProvider) -> Callable[..., Browser]:
    """Return a function that opens a browser for an app; the browser can reach the provider at its own origin."""

    def open_browser(app: ASGIApp, origin: str = "https://app.example.com", **settings: Any) -> Browser:
        others = {fake_provider.origin: fake_provider, **settings.pop("others", {})}
        return Browser(app, origin, others, **settings)

    return open_browser
