"""The pytest fixtures that our users switch on."""

from asgi_oidc.testing.plugin import fake_provider, oidc_browser
from tests.testing.relying_party import RelyingParty

__all__ = ["fake_provider", "oidc_browser"]


async def test_the_fixtures_know_each_other(fake_provider, oidc_browser):  # fixtures are named twice
    """A whole login in three lines."""
    back = await oidc_browser(RelyingParty(fake_provider)).sign_in("bob", "/private")

    assert back.json()["status"] == 200


async def test_the_browser_takes_further_settings(fake_provider, oidc_browser):
    """Another origin, an older browser, further hosts."""
    app = RelyingParty(fake_provider)
    browser = oidc_browser(app, "http://localhost:8000", fetch_metadata=False, others={"http://a.test": app})

    assert browser.origin == "http://localhost:8000"
    assert sorted(browser.apps) == ["http://a.test", "http://localhost:8000", "https://id.example.com"]
