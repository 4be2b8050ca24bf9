"""One app with three real providers: two certified ones with the same users, and Keycloak; sessions are in Redis."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from asgi_oidc import Provider, RedisStore
from asgi_oidc.testing import Browser, Response, serve
from tests.real.app import protected_app
from tests.real.certificates import Certificate
from tests.real.keycloak import PASSWORD, Keycloak, client_secret
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, REFRESHING, RealProvider, client
from tests.real.redis_server import RedisServer, redis

pytestmark = pytest.mark.real

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
LIFETIME = 90  # seconds of an access token
DUE_AFTER = 46  # seconds: it is refreshed in the second half of its life
NAMES = ("one", "two", "keycloak")


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    """A real Redis."""
    with redis() as started:
        yield started


@dataclass
class Site:
    """The app, where it runs, and its providers.

    Attributes:
        certified: the two certified providers.
        apps: what a browser can reach, by origin.
        seconds_ahead: how much the clock of the app is ahead; the providers have the time of the machine.
    """

    origin: str
    certified: Mapping[str, RealProvider]
    keycloak: Keycloak
    apps: Mapping[str, Any]
    seconds_ahead: int = 0

    def clock(self) -> float:
        """Be the clock of the app."""
        return time.time() + self.seconds_ahead

    async def can_refresh(self, browsers: Mapping[str, Browser]) -> bool:
        """Say whether each of them gets a fresh access token when it is due."""
        self.seconds_ahead += DUE_AFTER
        answers = [await browser.fetch("/access-token") for browser in browsers.values()]
        return all(answer.status_code == 200 for answer in answers)

    @property
    def issuers(self) -> dict[str, str]:
        """The issuers by the names of the providers."""
        return {**{name: it.issuer for name, it in self.certified.items()}, "keycloak": self.keycloak.issuer}

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.apps[self.origin], self.origin, self.apps)

    async def signed_in(self, name: str) -> Browser:
        """Choose a provider on our page, and sign alice in there."""
        browser = self.browser()
        page = await browser.get("/private?a=b")
        assert page.path.startswith("/auth/login")
        (link,) = (href for href, _ in page.page.links if f"provider={name}" in href)
        await browser.get(link, initiator=page.url)
        home = await sign_in(browser, name)
        assert (home.status_code, home.path) == (200, "/private?a=b")
        return browser

    async def everybody(self) -> dict[str, Browser]:
        """Sign alice in at each provider, in a browser of its own."""
        return {name: await self.signed_in(name) for name in NAMES}


async def sign_in(browser: Browser, name: str) -> Response:
    """Fill the login page in that a provider shows."""
    if name == "keycloak":
        return await browser.submit(data={"username": "alice", "password": PASSWORD})
    return await browser.submit(button="alice")


@pytest.fixture
async def site(
    provider: RealProvider,
    https_provider: RealProvider,
    keycloak_server: Keycloak,
    store: RedisServer,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Site]:
    """The app, registered at all three."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    port, certified = free_port(), {"one": provider, "two": https_provider}
    origin = f"http://127.0.0.1:{port}"
    providers = {}
    for name, each in certified.items():
        each.register(registered(origin, name), access_token_lifetime=LIFETIME)
        providers[name] = Provider(issuer=each.issuer, client_id="web", client_secret=CLIENT_SECRET)
    client_id = keycloak_server.register(origin, name="keycloak", access_token_lifetime=LIFETIME)
    providers["keycloak"] = Provider(
        issuer=keycloak_server.issuer, client_id=client_id, client_secret=client_secret(client_id)
    )
    urls = (origin, provider.issuer, https_provider.issuer, keycloak_server.url)
    async with httpx.AsyncHTTPTransport(verify=keycloak_server.trust) as network:
        site = Site(origin, certified, keycloak_server, dict.fromkeys(urls, network))
        ours = {"base_url": f"{origin}/", "secret": SECRET, "store": RedisStore(store.url), "clock": site.clock}
        with serve(protected_app(providers=providers, **ours), port=port):
            yield site


def registered(origin: str, name: str) -> dict[str, Any]:
    """Describe our client at a certified provider."""
    return client(
        origin,
        redirect_uris=[f"{origin}/auth/callback/{name}"],
        backchannel_logout_uri=f"{origin}/auth/backchannel-logout/{name}",
        backchannel_logout_session_required=False,
        **REFRESHING,
    )


async def who_are_in(browsers: Mapping[str, Browser]) -> dict[str, tuple[str, str] | None]:
    """Return provider and issuer of the session in each browser, None if there is none."""
    found = {name: (await browser.fetch("/auth/session")).json() for name, browser in browsers.items()}
    return {name: (it["provider"], it["issuer"]) if "sub" in it else None for name, it in found.items()}


async def test_logins_refreshes_and_a_sign_out_at_each(site):
    """The same user of two of them is two users: signing out of one leaves all others signed in."""
    browsers = await site.everybody()
    expected: dict[str, Any] = {name: (name, issuer) for name, issuer in site.issuers.items()}

    assert await who_are_in(browsers) == expected
    assert await site.can_refresh(browsers)
    for certified in site.certified.values():
        assert certified.grants == ["authorization_code", "refresh_token"]

    for name, browser in browsers.items():
        page = await browser.submit(await browser.get("/private"), "Sign out")
        if name in site.certified:  # Keycloak does not ask
            assert page.url.startswith(site.issuers[name])
            page = await browser.submit(page, "yes")
        assert page.url.partition("?")[0] == f"{site.origin}/"
        expected[name] = None
        assert await who_are_in(browsers) == expected
        assert await site.can_refresh({other: it for other, it in browsers.items() if expected[other]})


@pytest.mark.parametrize("name", NAMES)
async def test_a_sign_out_at_one_provider(site, name):
    """It tells the app with a real logout token, which names the user by a `sub` that another provider has as well."""
    browsers = await site.everybody()
    expected: dict[str, Any] = {name: (name, issuer) for name, issuer in site.issuers.items()}

    if name == "keycloak":
        site.keycloak.sign_out("alice")
    else:
        asked = await browsers[name].get(f"{site.issuers[name]}/session/end")
        await browsers[name].submit(asked, "yes")
        assert site.certified[name].logouts == ["web"]

    assert await who_are_in(browsers) == {**expected, name: None}
    assert await site.can_refresh({other: browser for other, browser in browsers.items() if other != name})


async def test_id_tokens_are_logout_tokens_at_no_endpoint(site):
    """Real ones of each provider, posted to the endpoint of each: nobody is signed out."""
    browsers = await site.everybody()
    tokens = [(await browser.fetch("/id-token")).json()["id_token"] for browser in browsers.values()]

    async with httpx.AsyncClient(trust_env=False) as stranger:
        for token in tokens:
            for name in NAMES:
                url = f"{site.origin}/auth/backchannel-logout/{name}"
                assert (await stranger.post(url, data={"logout_token": token})).status_code == 400

    assert None not in (await who_are_in(browsers)).values()
