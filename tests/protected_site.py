"""A site: an app behind the middleware, the fake provider, a clock that the test moves, and browsers."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser, FakeProvider, Response
from asgi_oidc.testing.in_process import http_scope
from tests.attacked_provider import holds_nothing, own_path, site_settings

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
CLIENT_SECRET = "web-secret-for-tests"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
OTHER_SECRET = "Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE"
# A program: it sends no Fetch Metadata and wants JSON.
PROGRAM: dict[str, str | None] = {
    "accept": "application/json",
    **dict.fromkeys(("sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user")),
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


async def nothing(scope: Scope) -> None:
    """Do nothing before the answer."""


class App:
    """An app that keeps every scope it saw and tells in JSON who came."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.at_work: Callable[[Scope], Awaitable[None]] = nothing

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
            return
        await self.at_work(scope)
        body = json.dumps({"path": scope["path"], "sub": scope["user"].sub, "scopes": scope["auth"].scopes}).encode()
        headers = [(b"content-type", b"application/json"), *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    @property
    def scope(self) -> Scope:
        """The last one."""
        return self.scopes[-1]


async def run_lifespan(receive: Any, send: Any) -> None:
    """Start and stop as a server asks."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


class Exchange:
    """One connection made by hand; what the app sends is kept."""

    def __init__(self, *messages: Message) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await anyio.sleep_forever()
        raise AssertionError("never")

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.sent[0]["status"])

    def header(self, name: bytes) -> bytes | None:
        """Of the answer, the first of that name."""
        return next((value for header, value in self.sent[0]["headers"] if header == name), None)


class Site:
    """One app, one provider, as many browsers as are needed.

    Args:
        settings: of the middleware, beyond those that every test needs; `...` leaves one out.
    """

    def __init__(
        self,
        *,
        inner: Any = None,
        provider: FakeProvider | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.provider = provider or FakeProvider(clock=self.clock, alg="ES256")
        self.provider.clock = self.clock
        self.app = App()
        self.settings: dict[str, Any] = {
            "issuer": self.provider.issuer,
            "client_id": "web",
            "client_secret": CLIENT_SECRET,
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/", "/public/*"],
            "http_client": self.provider.http_client(),
            **settings,
        }
        kept = {name: value for name, value in self.settings.items() if value is not ...}
        self.middleware = OIDCMiddleware(self.app if inner is None else inner, clock=self.clock, **site_settings(kept))

    def restarted(self, **changes: Any) -> "Site":
        """The same site in a new process, with other settings."""
        site = Site(**{**self.settings, **changes, "provider": self.provider})
        site.clock.now = self.clock.now
        return site

    def browser(self, **options: Any) -> Browser:
        """Open a browser of its own: no cookies yet."""
        origin = options.pop("origin", ORIGIN)
        app = options.pop("app", self.middleware)
        return Browser(app, origin, {self.provider.origin: self.provider}, clock=lambda: self.clock.now, **options)

    def browser_of(self, other: Browser) -> Browser:
        """Open the same browser on this site: its cookies are there."""
        return self.browser(jar=other.jar)

    async def signed_in(self, sub: str = "alice", path: str = "/page") -> Browser:
        """Open a browser and sign in."""
        browser = self.browser()
        page = await browser.sign_in(sub, path)
        assert (page.status_code, page.json()["sub"]) == (200, sub)
        return browser

    async def at_callback(self, sub: str = "alice", path: str = "/page") -> tuple[Browser, str]:
        """Open a browser that comes back from the provider with this URL, not followed yet."""
        browser = self.browser()
        await browser.get(path)
        back = await browser.submit(button=sub, follow=False)
        assert back.location.startswith(f"{ORIGIN}{own_path('callback')}?")
        return browser, back.location

    async def failed_login(self, *faults: str) -> Response:
        """Sign in with these faults in force, and give what a program gets."""
        with self.provider.fault(*faults):
            browser, url = await self.at_callback()
            return await browser.get(url, headers=PROGRAM, follow=False)

    async def call(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **scope: Any
    ) -> Exchange:
        """Make one http request by hand."""
        exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
        made = {**http_scope(method, ORIGIN + "/", headers or {}), "path": path, "raw_path": path.encode(), **scope}
        await self.middleware(made, exchange.receive, exchange.send)
        return exchange


def cookie_header(browser: Browser) -> str:
    """Write the Cookie header that this browser sends to the site."""
    return browser.jar.header(ORIGIN + "/", is_same_site=True, is_safe_navigation=True)


def session_cookies(browser: Browser) -> list[str]:
    """Name the session cookies that a browser has of us."""
    kept = [cookie.name for cookie in browser.jar.starting_with("__Host-oidc-") if not holds_nothing(cookie.name)]
    return sorted(name for name in kept if "-login-" not in name and not name.endswith(("-rounds", "-form")))


def login_cookie(browser: Browser) -> str:
    """Name the one cookie that signs a browser in."""
    (name,) = (name for name in session_cookies(browser) if "-tokens-" not in name and not name.endswith("-seen"))
    return name


def token_cookies(browser: Browser) -> list[str]:
    """Name the cookies with the tokens of a session."""
    return [name for name in session_cookies(browser) if "-tokens-" in name]


def login_cookies(browser: Browser) -> list[str]:
    """Name the logins in progress of a browser."""
    return sorted(cookie.name for cookie in browser.jar.starting_with("__Host-oidc-") if "-login-" in cookie.name)


async def who_am_i(browser: Browser) -> str | None:
    """Ask the session endpoint."""
    response = await browser.fetch("/auth/session")
    return None if response.status_code == 401 else str(response.json()["sub"])
