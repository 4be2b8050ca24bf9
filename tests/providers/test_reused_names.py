"""A name that is given to another company with OAuth 2.0 alone: issuer and client id may be those of the old one."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from asgi_oidc import MemoryStore, OAuth2Provider, OIDCMiddleware, RefreshFailed
from asgi_oidc.provider.source_directory import OUTDATED
from asgi_oidc.testing import Browser, Network
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM, SECRET, App, Clock
from tests.providers.oauth2_site import HUB, Hub, hub_endpoints
from tests.providers.tenants import Tenants, sign_out

OTHER = "https://other.example.net"
STORES: dict[str, Callable[[], Any]] = {"cookies": lambda: None, "memory": MemoryStore}


class OtherHub(Hub):
    """Another provider, which knows the same client."""

    real_issuer = OTHER
    routes: ClassVar = {(method, url.replace(HUB, OTHER)): route for (method, url), route in Hub.routes.items()}


class ReusedName:
    """An app whose tenant `acme` has signed in at one hub, and then is another company with another hub."""

    def __init__(self, store: Any = None) -> None:
        self.clock, self.app, self.source = Clock(), App(), Tenants()
        self.hub, self.other = Hub(), OtherHub()
        self.hub.clock = self.other.clock = self.clock
        self.network = Network(self.hub, self.other)
        self.client = self.network.http_client()
        self.source.rows["acme"] = lambda: self.tenant(HUB)
        self.middleware = OIDCMiddleware(
            self.app,
            providers=self.source,
            base_url=ORIGIN,
            secret=SECRET,
            public=["/public/*"],
            store=store,
            clock=self.clock,
        )

    def tenant(self, hub: str, **changes: str) -> OAuth2Provider:
        """Make the provider of the tenant; anybody can read the client id in the URL of a login."""
        urls = {name: url.replace(HUB, hub) for name, url in hub_endpoints().items()}
        secret = {"client_id": "web", "client_secret": CLIENT_SECRET, "http_client": self.client}
        return OAuth2Provider(**{**urls, **secret, **changes})

    def give_away(self, **changes: str) -> None:
        """Give the name to the other company, unless only some settings change."""
        self.source.rows["acme"] = lambda: self.tenant(HUB if changes else OTHER, **changes)
        self.clock.advance(OUTDATED)

    async def signed_in(self) -> Browser:
        """Sign in at the tenant."""
        browser = Browser(self.middleware, ORIGIN, self.network.apps, clock=self.clock)
        page = await browser.sign_in("1000001", "/auth/login?provider=acme&return_to=/private")
        assert (page.status_code, page.path) == (200, "/private"), page.text
        return browser


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> ReusedName:
    return ReusedName(STORES[request.param]())


CHANGES = [
    {},
    {"token_endpoint": f"{HUB}/acme/token"},
    {"userinfo_endpoint": f"{HUB}/acme/user"},
]


@pytest.mark.parametrize("changes", CHANGES)
async def test_the_users_of_the_old_company_are_not_those_of_the_new_one(site, changes):
    """They would be signed in as its users."""
    browser = await site.signed_in()
    site.give_away(**changes)

    page = await browser.get("/private", follow=False)
    await browser.get("/public/x")

    assert page.status_code == 303
    assert not site.app.scope["user"].is_authenticated


async def test_the_new_company_gets_no_refresh_token_of_the_old_one(site):
    """It could use it, wherever the client has no secret."""
    browser = await site.signed_in()
    codes = []

    async def lose_the_tenant(scope: Any) -> None:
        site.clock.advance(10 * 3600)
        site.give_away()
        with pytest.raises(RefreshFailed) as caught:
            await scope["oidc"].access_token()
        codes.append(caught.value.code)

    site.app.at_work = lose_the_tenant
    await browser.get("/private")
    await sign_out(browser)

    assert (codes, site.other.calls) == (["refresh_provider_gone"], [])


async def test_the_new_company_gets_no_code_of_the_old_one(site):
    """Nor its code_verifier: a login ends where it has begun."""
    browser = Browser(site.middleware, ORIGIN, site.network.apps, clock=site.clock)
    response = await browser.get("/auth/login?provider=acme&return_to=/private", follow=False)
    await browser.get(response.location)
    callback = (await browser.submit(button="1000001", follow=False)).location
    site.give_away()

    refused = await browser.get(callback, headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"]) == (400, "provider_mismatch")
    assert site.other.calls == []


async def test_a_new_query_of_the_user_api_signs_nobody_out(site):
    """Such as the fields that the app wants to know."""
    browser = await site.signed_in()
    site.give_away(userinfo_endpoint=f"{HUB}/user?fields=id,name")

    assert (await browser.get("/private")).status_code == 200
