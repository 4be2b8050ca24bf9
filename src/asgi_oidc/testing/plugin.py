"""Pytest fixtures for apps behind sign-in; `pytest_plugins = ["asgi_oidc.testing.plugin"]` switches them on.

`fake_provider` is a new `FakeProvider`; `oidc_browser` makes a `Browser` that knows it:

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
    """Give a fake provider of this test's own."""
    return FakeProvider()


@pytest.fixture
def oidc_browser(fake_provider: FakeProvider) -> Callable[..., Browser]:
    """Give a function that opens a browser on an app; the provider is at its own origin."""

    def open_browser(app: ASGIApp, origin: str = "https://app.example.com", **settings: Any) -> Browser:
        others = {fake_provider.origin: fake_provider, **settings.pop("others", {})}
        return Browser(app, origin, others, **settings)

    return open_browser
