"""The attacks from one provider to another where some have no ID Token: an OpenID provider and two with OAuth 2.0.

They have no `iss` in the response and no keys: it is the redirect URI of each, and the access token of the very login,
that keep them apart.
"""

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest

from asgi_oidc import MemoryStore, OAuth2Provider, OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider, Network, Persona
from asgi_oidc.testing.endpoints import AUTHORIZE, REVOKE, TOKEN, USERINFO
from asgi_oidc.testing.in_process import call_app
from asgi_oidc.testing.standins.stand_in import Routes
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM, SECRET, App, Clock, who_am_i
from tests.providers.lookalike_providers import FORM, at, param, with_params
from tests.providers.oauth2_site import HUB, WORK, Hub

DEN = "https://den.example.net"
NAMES = ("work", "hub", "den")
ORIGINS = {"work": WORK, "hub": HUB, "den": DEN}
ISSUERS = {"work": WORK, "hub": "oauth2:hub", "den": "oauth2:den"}
PAIRS = list(itertools.permutations(NAMES, 2))
OAUTH2_PAIRS = [(own, other) for own, other in PAIRS if own != "work"]
SUB = "1000001"
LIFETIME = 300  # seconds of an access token


class Den(Hub):
    """Another one of the same kind."""

    real_issuer = DEN
    routes: ClassVar[Routes] = MappingProxyType(
        {
            ("GET", f"{DEN}/authorize"): AUTHORIZE,
            ("POST", f"{DEN}/authorize"): AUTHORIZE,
            ("POST", f"{DEN}/token"): TOKEN,
            ("POST", f"{DEN}/revoke"): REVOKE,
            ("GET", f"{DEN}/user"): USERINFO,
        }
    )


class MixedSite:
    """An app with the three of them, all with the same client and the same users; a victim is signed in at each."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.app = App()
        work = FakeProvider(WORK, alg="ES256", personas=[Persona(SUB, "Alice Adams", "alice@example.com")])
        self.fakes: dict[str, Any] = {"work": work, "hub": Hub(), "den": Den()}
        for fake in self.fakes.values():
            fake.clock, fake.access_token_lifetime = self.clock, LIFETIME
            fake.sign_in_as(SUB)
        self.network = Network(*self.fakes.values())
        client: Any = {"client_id": "web", "client_secret": CLIENT_SECRET, "http_client": self.network.http_client()}
        providers: dict[str, Any] = {
            "work": Provider(issuer=WORK, scope="openid offline_access", frontchannel_logout=True, **client),
            "hub": OAuth2Provider(**endpoints(HUB), **client),
            "den": OAuth2Provider(**endpoints(DEN), **client),
        }
        self.middleware = OIDCMiddleware(
            self.app,
            providers=providers,
            base_url=ORIGIN,
            secret=SECRET,
            public=["/", "/public/*"],
            store=MemoryStore(clock=self.clock),
            clock=self.clock,
        )
        self.victims: dict[str, Browser] = {}

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.middleware, ORIGIN, self.network.apps, clock=self.clock)

    async def sign_victims_in(self) -> None:
        """Sign the same `sub` in at each, in browsers of their own."""
        for name in NAMES:
            self.victims[name] = browser = self.browser()
            page = await browser.get(f"/auth/login?provider={name}&return_to=/private")
            assert (page.status_code, self.app.scope["user"].issuer) == (200, ISSUERS[name])
        for fake in self.fakes.values():
            fake.calls.clear()

    async def at_callback(self, name: str, browser: Browser | None = None) -> tuple[Browser, str]:
        """Start a login, and return the callback URL that the provider sends the browser to."""
        browser = browser or self.browser()
        away = await browser.get(f"/auth/login?provider={name}&return_to=/private", follow=False)
        return browser, (await browser.get(away.location, follow=False)).location

    async def assert_untouched(self, *names: str) -> None:
        """Assert that the victims at these providers are signed in as before, and can refresh their tokens."""
        self.clock.advance(LIFETIME)
        self.app.at_work = ask_for_the_token
        for name in names:
            session = (await self.victims[name].fetch("/auth/session")).json()
            assert (session["sub"], session["issuer"], session["provider"]) == (SUB, ISSUERS[name], name)
            assert (await self.victims[name].fetch("/private")).status_code == 200
        self.app.at_work = type(self.app)().at_work

    def token_calls(self) -> list[int]:
        """Count the calls of each token endpoint."""
        return [self.fakes[name].count("/token") for name in NAMES]


async def ask_for_the_token(scope: Any) -> None:
    """Be a page that calls another API."""
    await scope["oidc"].access_token()


def endpoints(origin: str) -> Mapping[str, Any]:
    return {
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "userinfo_endpoint": f"{origin}/user",
        "revocation_endpoint": f"{origin}/revoke",
    }


@pytest.fixture
async def site() -> MixedSite:
    """With the same user signed in at each of the providers."""
    site = MixedSite()
    await site.sign_victims_in()
    return site


async def outcome(browser: Browser, url: str) -> tuple[int, str]:
    """Open a callback as a program, which is told the code."""
    back = await browser.get(url, headers=PROGRAM, follow=False)
    return back.status_code, "signed in" if back.status_code == 303 else back.json()["error"]


@pytest.mark.parametrize(("own", "other"), PAIRS)
async def test_the_state_of_one_at_the_callback_of_another(site, own, other):
    """Without `iss`, it is the callback that tells the providers apart."""
    browser, url = await site.at_callback(own)

    assert await outcome(browser, at(other, url)) == (400, "provider_mismatch")

    assert site.token_calls() == [0, 0, 0]
    assert await outcome(browser, url) == (303, "signed in")
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("own", "other"), PAIRS)
async def test_the_code_of_one_at_the_callback_of_another(site, own, other):
    """The attacker's code in the victim's login goes to a provider that did not issue it."""
    _, attackers_url = await site.at_callback(own)
    victim, url = await site.at_callback(other)

    refused = await outcome(victim, with_params(url, code=param(attackers_url, "code")))

    assert refused == (400, "provider_refused")
    assert site.fakes[own].count("/token") == 0
    assert await who_am_i(victim) is None
    assert await outcome(*await site.at_callback(other)) == (303, "signed in")
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("own", "other"), PAIRS)
async def test_a_provider_that_sends_the_browser_on_to_another(site, own, other):
    """The mix-up attack (RFC 9700 §4.4): the other one answers at its own callback, where no such login was started."""
    browser = site.browser()
    url = (await browser.get(f"/auth/login?provider={own}", follow=False)).location
    changes = {"redirect_uri": f"{ORIGIN}/auth/callback/{other}", "scope": "openid"}
    forwarded = with_params(url, **changes).partition("?")[2]
    page = await browser.get(f"{ORIGINS[other]}/authorize?{forwarded}", follow=False)

    assert param(page.location, "code")
    assert await outcome(browser, page.location) == (400, "provider_mismatch")
    assert site.token_calls() == [0, 0, 0]
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("own", "other"), OAUTH2_PAIRS)
@pytest.mark.parametrize("answer", ["user API", "token answer"])
async def test_what_an_oauth2_provider_says_about_a_user_of_another(site, own, other, answer):
    """Neither `iss` in its user API nor an ID Token in its token answer makes its user one of another provider."""
    if answer == "user API":
        foreign = {"iss": ISSUERS[other], "issuer": ISSUERS[other], "provider": other, "aud": "somebody", "sid": "s"}
        site.fakes[own].user = {"id": int(SUB), "name": "Alice", **foreign}
    else:
        site.fakes[own].added = {"id_token": site.fakes["work"].id_token(SUB)}

    browser, url = await site.at_callback(own)
    assert await outcome(browser, url) == (303, "signed in")

    session = (await browser.fetch("/auth/session")).json()
    assert (session["sub"], session["issuer"], session["provider"]) == (SUB, ISSUERS[own], own)
    assert session["claims"].get("iss", ISSUERS[own]) == ISSUERS[own]
    counts = [len(await site.middleware.sessions.of(SUB, issuer=ISSUERS[name])) for name in (own, other)]
    assert counts == [2, 1]
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("own", "other"), PAIRS)
async def test_a_refresh_goes_to_the_provider_of_the_session(site, own, other):
    """The refresh token of one is never shown to another."""
    await site.assert_untouched(own)

    counts = {name: site.fakes[name].count_grants("refresh_token") for name in (own, other)}
    assert counts == {own: 1, other: 0}


@pytest.mark.parametrize("name", ["hub", "den"])
async def test_an_oauth2_provider_has_no_logout_urls(site, name):
    """A logout token of the OpenID provider ends nothing there, whatever the user is called."""
    token, url = site.fakes["work"].logout_token(SUB), f"{ORIGIN}/auth/backchannel-logout/{name}"
    query = urlencode({"iss": ISSUERS[name], "sid": "s"})

    status, *_ = await call_app(site.middleware, "POST", url, FORM, urlencode({"logout_token": token}).encode())
    frame = await site.victims[name].fetch(f"/auth/frontchannel-logout/{name}?{query}")

    assert (400 <= status < 500, 400 <= frame.status_code < 500) == (True, True)
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_signing_out_ends_the_sessions_of_one_provider(site, name):
    """By the button, and from code: with OAuth 2.0, all of it happens here."""
    others = [other for other in NAMES if other != name]
    gone = await site.victims[name].post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert urlsplit(gone.location).netloc == urlsplit(WORK if name == "work" else ORIGIN).netloc
    assert await who_am_i(site.victims[name]) is None
    await site.assert_untouched(*others)

    assert await outcome(site.victims[name], (await site.at_callback(name, site.victims[name]))[1]) == (
        303,
        "signed in",
    )
    assert await site.middleware.sessions.end_all(SUB, issuer=ISSUERS[name]) == 1
    assert await who_am_i(site.victims[name]) is None
    await site.assert_untouched(*others)
