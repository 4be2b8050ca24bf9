"""The sites that the benchmarks request: one small app, wrapped in this library, in its peers, or in nothing."""

import json
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import itsdangerous
from msgspec import structs

from asgi_oidc import OIDCMiddleware
from asgi_oidc.asgi.session_watch import SessionWatcher
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.web.cookies import Cookies

ORIGIN = "https://app.example.com"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
# What Firefox sends with a click on a link, and cookies of somebody else's.
HEADERS = b"""host: app.example.com
user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
accept-language: en-US,en;q=0.5
accept-encoding: gzip, deflate, br, zstd
referer: https://app.example.com/
sec-fetch-dest: document
sec-fetch-mode: navigate
sec-fetch-site: same-origin"""
OTHER_COOKIES = "_ga=GA1.1.1234567890.1700000000; theme=dark"
# What a site keeps of its user in a signed cookie; an ID Token with few claims is as long as this.
CLAIMS = {
    "sub": "alice",
    "iss": "https://id.example.com",
    "aud": "web",
    "exp": 1_800_003_600,
    "iat": 1_800_000_000,
    "name": "Alice Adams",
    "email": "alice@example.com",
    "email_verified": True,
}
SEALED = 12_000  # cookies in turn: more than are kept, so that each is opened anew
ID_TOKEN = "x" * 672  # as long as that of the fake provider

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


async def bare(scope: Scope, receive: Any, send: Any) -> None:
    """Answer `ok`, and support lifespan."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def ignore(message: Message) -> None:
    """Discard what the app sends."""


class NoOp:
    """A middleware that does nothing."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Call the app."""
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Site:
    """An app to measure.

    Attributes:
        cookies: the Cookie headers of the browsers, used in turn.
        paths: the paths that they request in turn, some with a query.
        lines: for programs, which have no cookies, the header lines with their credentials, used in turn.
    """

    app: App
    cookies: Sequence[str] = ("",)
    paths: Sequence[str] = ("/orders",)
    lines: Sequence[str] = ()
    method: str = "GET"

    def request(self, send: Any = ignore) -> Callable[[], Awaitable[None]]:
        """Return a function that makes one request; everything that a server makes anew for a request is made anew."""
        app, method, split = self.app, self.method, [path.partition("?") for path in self.paths]
        paths, raw_paths = [path for path, *_ in split], [path.encode() for path, *_ in split]
        queries = [query.encode() for *_, query in split]
        all_cookies = ["; ".join(filter(None, (OTHER_COOKIES, each))) for each in self.cookies]
        lines = self.lines or [f"cookie: {each}" for each in all_cookies]
        all_headers = [HEADERS + b"\n" + each.encode() for each in lines]
        turn, count, place, places = 0, len(all_headers), 0, len(paths)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def ask() -> None:
            nonlocal turn, place
            turn, place = (turn + 1) % count, (place + 1) % places
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.4"},
                "http_version": "1.1",
                "method": method,
                "scheme": "https",
                "path": raw_paths[place].decode(),
                "raw_path": paths[place].encode(),
                "query_string": queries[place],
                "root_path": "",
                "headers": [tuple(line.split(b": ", 1)) for line in all_headers[turn].split(b"\n")],
                "client": ("192.0.2.1", 50000),
                "server": ("app.example.com", 443),
                "state": {},
            }
            await app(scope, receive, send)

        return ask


def signed_cookie(data: object) -> str:
    """Return the cookie of Starlette's `SessionMiddleware`."""
    signed = itsdangerous.TimestampSigner(SECRET).sign(b64encode(json.dumps(data).encode()))
    return f"session={signed.decode()}"


class OurSite:
    """An app behind this library, with a provider in the same process."""

    def __init__(
        self, app: App = bare, *, origin: str = ORIGIN, provider: FakeProvider | None = None, **settings: Any
    ) -> None:
        self.origin = origin
        self.provider = FakeProvider(alg="ES256") if provider is None else provider
        client = next(iter(self.provider.clients.values()))
        self.app = OIDCMiddleware(
            app,
            **{
                "issuer": self.provider.issuer,
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "base_url": origin,
                "secret": SECRET,
                "scope": "openid profile email offline_access",
                "public": ["/public/*"],
                "plain_prefixes": [],  # no app here has any; without this, each process warns that it cannot know
                "http_client": self.provider.http_client(),
                **settings,
            },
        )

    def browser(self) -> Browser:
        """Open a browser."""
        return Browser(self.app, self.origin, {self.provider.origin: self.provider})

    @property
    def watcher(self) -> SessionWatcher:
        """The middleware's sessions and revocations, which have no public name."""
        return self.app._composition.websockets._watcher

    async def sign_in(self, path: str = "/orders", *, user: str = "alice") -> str:
        """Sign a user in; return the Cookie header that the browser then sends."""
        browser = self.browser()
        await browser.sign_in(user, path)
        return cookie_header(browser, self.origin)

    async def signed_in(self, path: str = "/orders") -> Site:
        """Return the site with requests of one signed-in user."""
        return Site(self.app, [await self.sign_in()], [path])

    async def content(self) -> dict[str, Any]:
        """Sign alice in; return what her session contains: claims and tokens."""
        active = await self.watcher.sessions.open(Cookies((await self.sign_in()).encode()))
        if active is None:
            raise RuntimeError("nobody is signed in")
        tokens = active.session.tokens
        texts = {name: getattr(tokens, name) for name in ("id_token", "access_token", "refresh_token")}
        return {"user": tokens.claims, **texts, "expires_at": tokens.access_expires_at, "scope": tokens.scopes}

    async def signed_in_again_and_again(self, times: int) -> Site:
        """Return the site with requests of that many signed-in users with equal claims but other cookies, in turn."""
        sessions = self.watcher.sessions
        active = await sessions.open(Cookies((await self.sign_in()).encode()))
        if active is None:
            raise RuntimeError("nobody is signed in")
        all_lines = []
        for number in range(times):
            login = structs.replace(
                active.session.login, id=secrets.token_urlsafe(32), sub=f"user-{number}", sid=f"s-{number}"
            )
            all_lines.append(await sessions.begin(structs.replace(active.session, login=login), {}))
        pairs = ([line.partition(b";")[0].decode() for line in lines] for lines in all_lines)
        return Site(self.app, ["; ".join(pair for pair in each if not pair.endswith("=")) for each in pairs])


def cookie_header(browser: Browser, origin: str) -> str:
    """Return the Cookie header that a browser sends with a click."""
    return browser.jar.header(origin + "/", is_same_site=True, is_safe_navigation=True)
