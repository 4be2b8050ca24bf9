"""`oidc.serve`: the app and its provider on ports, for a real browser."""

import httpx
import pytest

from asgi_oidc import Provider
from asgi_oidc.pytest_plugin import NoMiddleware, OIDCTester
from asgi_oidc.testing import Browser, Persona
from tests.pytest_plugin.apps import pages, shop

PAGE = {"accept": "text/html"}


async def test_a_login_at_the_provider_on_its_own_port(oidc: OIDCTester):
    """A browser picks somebody on the login page, as people do."""
    app = shop()
    with oidc.serve(app) as url:
        oidc.provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@acme.com")
        async with httpx.AsyncHTTPTransport() as network:
            browser = Browser(network, url, {oidc.provider.issuer: network})
            page = await browser.sign_in("dana", "/me")

    assert (page.url, page.json()["claims"]["name"]) == (f"{url}/me", "Dana Doe")


def test_a_browser_that_is_signed_in_already(oidc: OIDCTester):
    """Its cookies are those of plain http on loopback."""
    app = shop()
    with oidc.serve(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        oidc.sign_in(client, "alice", app=app)

        assert app.base_url == url
        assert client.get("/me").json()["sub"] == "alice"


def test_afterwards_the_app_is_where_it_was(oidc: OIDCTester):
    """The next test may want its real addresses."""
    app = shop()
    provider = oidc.provider_of(app=app)

    with oidc.serve(app):
        there = provider.issuer

    assert there.startswith("http://127.0.0.1:")
    assert (app.base_url, provider.issuer) == ("https://shop.acme.com", "https://accounts.acme.com")


def test_of_several_providers_none_is_served_but_users_can_be_signed_in(oidc: OIDCTester):
    """Each would need an address of its own in the settings."""
    providers = {"work": Provider(issuer="https://id.acme.com", client_id="shop", client_secret="x")}
    app = shop(providers=providers, issuer=None, client_id=None, client_secret=None)
    with oidc.serve(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        redirect = client.get("/me", headers=PAGE)
        oidc.sign_in(client, "alice", app=app)

        assert redirect.headers["location"].startswith("https://id.acme.com/authorize")
        assert client.get("/me").json()["sub"] == "alice"


def test_an_app_without_a_middleware_is_named(oidc: OIDCTester):
    """Before anything is served."""
    with pytest.raises(NoMiddleware, match="pass the app as its middleware wraps it"), oidc.serve(pages()):
        pass
