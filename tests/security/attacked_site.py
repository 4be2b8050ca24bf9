"""The stage of the security tests: an app that counts its visitors, the fake provider, a clock, browsers."""

import copy
import inspect
import json
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import anyio

import asgi_oidc
from asgi_oidc import OIDCMiddleware
from asgi_oidc.errors import OIDCError
from asgi_oidc.testing import Browser, FakeProvider, Persona
from tests.attacked_provider import own_path, site_settings

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
CLIENT_SECRET = "web-secret-for-tests"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
OTHER_SECRET = "Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE"
SESSION = "/auth/session"
METADATA = {
    "authorization_endpoint": "https://id.example.com/authorize",
    "token_endpoint": "https://id.example.com/token",
    "jwks_uri": "https://id.example.com/jwks",
}
FAULTS_OF_APIS = ("access_token_", "introspection_")  # how their names start; no login or refresh meets one
# Nor those of what only some clients register for.
FAULTS_OF_REGISTRATIONS = ("client_documents_", "jwe_", "registration_", "userinfo_jwt_")
LIBRARY = (inspect.getsourcefile(asgi_oidc) or "").removesuffix("__init__.py")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class CountingApp:
    """An app that writes down every visit, and answers who came."""

    def __init__(self) -> None:
        self.visits: list[tuple[str, str | None]] = []
        """Path and `sub` of each; `None` for nobody."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        user = scope["user"]
        self.visits.append((scope["path"], user.sub))
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return
        body = json.dumps({"sub": user.sub, "claims": dict(user.claims)}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


class AttackedSite:
    """One provider, one app behind the middleware, and as many browsers as are needed.

    Args:
        provider: By default a new fake provider that goes by our clock.
        inner: The app; by default one that counts its visitors.
        settings: Settings of the middleware beyond those that every test needs.
    """

    def __init__(self, provider: FakeProvider | None = None, inner: Any = None, **settings: Any) -> None:
        self.clock = Clock()
        self.provider = FakeProvider(clock=self.clock) if provider is None else provider
        self.app = CountingApp() if inner is None else inner
        defaults: dict[str, Any] = {
            "issuer": self.provider.issuer,
            "client_id": "web",
            "client_secret": CLIENT_SECRET,
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/", "/public"],
            "http_client": self.provider.http_client(),
            "clock": self.clock,
        }
        self.middleware = OIDCMiddleware(self.app, **site_settings(defaults | settings))

    def browser(self, **settings: Any) -> Browser:
        """Open a browser of its own: no cookies yet."""
        others = {self.provider.origin: self.provider, **settings.pop("others", {})}
        return Browser(self.middleware, ORIGIN, others, clock=self.clock, **settings)

    async def signed_in(self, sub: str = "alice", path: str = "/page") -> Browser:
        """Open a browser and sign in."""
        browser = self.browser()
        page = await browser.sign_in(sub, path)
        assert (page.status_code, page.json()["sub"]) == (200, sub)
        return browser

    async def login_in_progress(self, path: str = "/page", sub: str = "alice") -> tuple[Browser, str]:
        """Open a browser that has picked who it is, and the callback URL that it has not followed yet."""
        browser = self.browser()
        asked = await browser.get(path)
        back = await browser.submit(asked, sub, follow=False)
        assert back.location.startswith(f"{ORIGIN}{own_path('callback')}?")
        return browser, back.location


async def who_am_i(browser: Browser) -> str | None:
    """Ask the session endpoint who the browser is: 200 with a `sub`, or 401."""
    response = await browser.fetch(SESSION)
    if response.status_code == 401:
        return None
    assert response.status_code == 200
    return str(response.json()["sub"])


class Exchange:
    """One request of any ASGI type, made by hand; what the app sends is kept."""

    def __init__(self, *messages: Message) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)
        self._is_socket = bool(messages) and messages[0]["type"] == "websocket.connect"
        self._done = anyio.Event()

    async def receive(self) -> Message:
        """Give the messages in turn, then wait until the app has answered."""
        if self._messages:
            return self._messages.pop(0)
        await self._done.wait()
        return {"type": "websocket.disconnect", "code": 1000} if self._is_socket else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep what the app says."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._done.set()
        if message["type"] in ("websocket.accept", "websocket.close"):
            self._done.set()  # nobody stays on the line

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(message.get("body", b"") for message in self.sent)

    def headers(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return [value for found, value in self.sent[0]["headers"] if found == name]


def http_scope(path: str, *, method: str = "GET", headers: Any = (), **members: Any) -> Scope:
    """Make an http scope as it stands, with nothing decoded or put right."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.1", 50000),
        "server": ("app.example.com", 443),
        **members,
    }


def protect(app: Any, **settings: Any) -> OIDCMiddleware:
    """Put the middleware around an app, without a provider: nobody signs in there, but sessions of the stage hold."""
    defaults: dict[str, Any] = {
        "issuer": "https://id.example.com",
        "client_id": "web",
        "base_url": ORIGIN,
        "secret": SECRET,
        "metadata": METADATA,
    }
    return OIDCMiddleware(app, clock=Clock(), **(defaults | settings))


async def run(app: Any, scope: Scope) -> Exception | None:
    """Make one request; frameworks raise on some of them, and that is not ours to fix."""
    first = {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request", "body": b""}
    exchange = Exchange(first)
    try:
        await app(copy.deepcopy(scope), exchange.receive, exchange.send)
    except Exception as error:  # noqa: BLE001  # whatever a framework raises
        return error
    return None


def is_ours(error: Exception | None) -> bool:
    """Say whether an exception was raised in the library itself."""
    trace = error.__traceback__ if error else None
    last = ""
    while trace is not None:
        last, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    return last.startswith(LIBRARY)


def described(scope: Mapping[str, Any]) -> str:
    """Write down what a request was."""
    names = ("type", "method", "path", "raw_path", "root_path", "query_string", "headers")
    return str({name: scope[name] for name in names if name in scope})


async def cookie_of(roles: Sequence[str], **settings: Any) -> bytes:
    """Sign in someone who has these roles, and give the Cookie header: it is good wherever the settings are alike."""
    clock = Clock()
    alice = Persona("alice", "Alice Adams", "alice@example.com", {"roles": list(roles)})
    stage = AttackedSite(FakeProvider(clock=clock, alg="ES256", personas=[alice]), **settings)
    base_path = settings.get("base_url", ORIGIN).removeprefix(ORIGIN)
    browser = await stage.signed_in(path=f"{base_path}/page")
    return browser.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True).encode()


class Broken(Exception):
    """What a broken part raises."""


async def attempt(stage: AttackedSite, scope: Scope, *messages: Any) -> Exchange | None:
    """Make one request; `None` when it raised, which a server answers with a 500."""
    exchange = Exchange(*(messages or ({"type": "http.request", "body": b""},)))
    try:
        await stage.middleware(scope, exchange.receive, exchange.send)
    except (Broken, OIDCError, TypeError, ValueError, OverflowError, AttributeError):
        return None
    return exchange
