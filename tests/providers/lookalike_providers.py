"""Three providers that look alike, and a site on which one of them attacks another.

They have the same client with the same secret, the same users with the same `sub` and `sid`, and keys of the same
`kid`. Each can lie: a relay before it writes its answers anew.
"""

import base64
import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from asgi_oidc import MemoryStore
from asgi_oidc.testing import Browser, FakeProvider, Response
from asgi_oidc.testing.grants import SignIn
from asgi_oidc.testing.in_process import call_app
from asgi_oidc.testing.keys import SigningKey
from tests.protected_site import ORIGIN, PROGRAM, Scope
from tests.providers.three_providers import NAMES, ThreeProviders, issuer_of
from tests.security.sizes import size

# The sample goes round in a circle: each provider attacks once and is attacked once. The full form has all pairs.
PAIRS = size(list(zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True)), list(itertools.permutations(NAMES, 2)))
SUB, SID, KID = "alice", "the-same-sid", "the-same-kid"
ACCESS_TOKEN_LIFETIME = 300  # seconds
FORM = {"content-type": "application/x-www-form-urlencoded"}

Answer = dict[str, Any]
Rewrite = Callable[[Answer], Answer | str]


class KidProvider(FakeProvider):
    """A provider whose key has the `kid` that all of them use."""

    @property
    def key(self) -> SigningKey:
        return dataclasses.replace(super().key, kid=KID)

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        return [self.key.public_jwk()]


class Relay:
    """Stands before a provider, and writes the answers of some of its endpoints anew: a provider that lies.

    Attributes:
        rewrites: by the end of a path, what becomes of the JSON answer; a text is answered as a JWT.
    """

    def __init__(self, provider: FakeProvider) -> None:
        self.rewrites: dict[str, Rewrite] = {}
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one call."""
        rewrite = next((made for end, made in self.rewrites.items() if scope["path"].endswith(end)), None)
        if rewrite is None:
            await self._provider(scope, receive, send)
            return
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self._provider(scope, receive, keep)
        answer = rewrite(json.loads(b"".join(message.get("body", b"") for message in sent)))
        kind, body = ("jwt", answer) if isinstance(answer, str) else ("json", json.dumps(answer))
        await send({**sent[0], "headers": [(b"content-type", f"application/{kind}".encode())]})
        await send({"type": "http.response.body", "body": body.encode()})

    def http_client(self) -> httpx.AsyncClient:
        """Return a client whose calls come here."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self))


class AttackedProviders(ThreeProviders):
    """A site with them, and a victim who is signed in at each.

    Args:
        has_store: whether sessions are in a store.
        shares_keys: whether the providers sign with the same key, as the tenants of one vendor do.
    """

    def __init__(self, *, has_store: bool = False, shares_keys: bool = False, **settings: Any) -> None:
        fakes = {name: KidProvider(issuer_of(name), alg="ES256") for name in NAMES}
        for number, fake in enumerate(fakes.values()):
            fake.access_token_lifetime = ACCESS_TOKEN_LIFETIME
            for _ in range(0 if shares_keys else number):
                fake.rotate_keys()
        self.relays = {name: Relay(fake) for name, fake in fakes.items()}
        own = {"scope": "openid profile email offline_access", "frontchannel_logout": True}
        super().__init__(
            {name: {**own, "http_client": relay.http_client()} for name, relay in self.relays.items()},
            fakes=fakes,
            store=MemoryStore() if has_store else None,
            **settings,
        )
        self.has_store = has_store
        self.victims: dict[str, Browser] = {}
        self.session_ids: dict[str, str] = {}

    async def sign_victims_in(self) -> None:
        """Sign the same `sub` with the same `sid` in at each provider, in browsers of their own."""
        for name in NAMES:
            self.victims[name] = await self.signed_in(name, browser=self.known_browser())
            self.session_ids[name] = self.app.scope["oidc"].session_id
        for fake in self.fakes.values():
            fake.calls.clear()

    def known_browser(self, *, sid: str = SID) -> Browser:
        """Open a browser that has a session at each provider already."""
        browser = self.browser()
        for fake in self.fakes.values():
            line = fake.remember(SignIn(fake.personas[SUB], fake.now(), sid=sid))
            browser.jar.receive(line, fake.issuer)
        return browser

    async def sign_in(self, name: str, browser: Browser | None = None, *, path: str = "/private") -> Response:
        """Sign in as far as it goes, and return what a program gets from the callback."""
        browser, url = await self.at_callback(name, browser, path=path)
        return await browser.get(url, headers=PROGRAM, follow=False)

    async def at_callback(
        self, name: str, browser: Browser | None = None, *, path: str = "/private"
    ) -> tuple[Browser, str]:
        """Start a login, and return the callback URL that the provider sends the browser to."""
        browser = browser or self.known_browser()
        url = await self.authorization_url(name, browser, path=path)
        return browser, (await browser.get(url, follow=False)).location

    async def authorization_url(self, name: str, browser: Browser, *, path: str = "/private") -> str:
        """Start a login, and return the URL at the provider."""
        query = urlencode({"provider": name, "return_to": path})
        return (await browser.get(f"/auth/login?{query}", follow=False)).location

    async def hear(self, name: str, token: str) -> tuple[int, str]:
        """Post a logout token to the endpoint of a provider."""
        url, body = f"{ORIGIN}/auth/backchannel-logout/{name}", urlencode({"logout_token": token}).encode()
        status, _, answer = await call_app(self.middleware, "POST", url, FORM, body)
        return status, json.loads(answer).get("error_description", "")

    async def who_are_in(self) -> dict[str, str | None]:
        """Return the issuer of the session that each victim has now, None if there is none."""
        answers = {name: await browser.fetch("/auth/session") for name, browser in self.victims.items()}
        return {name: answer.json().get("issuer") for name, answer in answers.items()}

    async def assert_untouched(self, *names: str) -> None:
        """Assert that the victims at these providers are signed in as before, and can refresh their tokens."""
        signed_in = await self.who_are_in()
        assert {name: signed_in[name] for name in names} == {name: issuer_of(name) for name in names}
        if self.has_store:
            for name in names:
                sessions = await self.middleware.sessions.of(SUB, issuer=issuer_of(name))
                assert self.session_ids[name] in [session.id for session in sessions]
        for relay in self.relays.values():
            relay.rewrites.clear()
        for name in names:
            assert await self.refreshed(name) == 200

    async def refreshed(self, name: str) -> int:
        """Let the victim at a provider open a page that needs a new access token; return the status."""
        self.clock.advance(ACCESS_TOKEN_LIFETIME)
        self.app.at_work = ask_for_the_token
        page = await self.victims[name].fetch("/private")
        self.app.at_work = type(self.app)().at_work
        return page.status_code

    def calls_of(self, name: str, path: str = "/token") -> int:
        """Count the calls that a provider got."""
        return self.fakes[name].count(path)


async def ask_for_the_token(scope: Scope) -> None:
    """Be a page that calls another API."""
    await scope["oidc"].access_token()


def with_params(url: str, **changes: str) -> str:
    """Change some parameters of a URL."""
    base, params = url.partition("?")[0], dict(parse_qsl(urlsplit(url).query))
    return f"{base}?{urlencode({**params, **changes})}"


def param(url: str, name: str) -> str:
    """Return a parameter of a URL."""
    return dict(parse_qsl(urlsplit(url).query))[name]


def at(name: str, url: str) -> str:
    """Return a callback URL, moved to the callback of another provider."""
    return f"{ORIGIN}/auth/callback/{name}?{urlsplit(url).query}"


def claims_of(token: str) -> Mapping[str, Any]:
    """Read the claims of a token, and check nothing."""
    payload = token.split(".")[1]
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
