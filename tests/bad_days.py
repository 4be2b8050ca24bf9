"""What goes wrong in production, played with the fake provider: each incident leaves log lines and audit events."""

import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from asgi_oidc import LoginRefused, Rule
from asgi_oidc.audit import AuditEvent
from asgi_oidc.audit.trail import MAX_REPEATABLE_EVENTS
from asgi_oidc.testing import FakeProvider, Response
from tests.audit_site import AuditSite
from tests.protected_site import OTHER_SECRET, PROGRAM, Site, cookie_header
from tests.scripted_store import ScriptedStore

SCOPE = "openid profile email offline_access"
TOKEN_LIFETIME = 300  # seconds
HOUR = 3_601  # seconds: metadata and keys have to be fetched again
ADMIN = Rule("/admin/*", claims={"roles": "nobody has this"})


@dataclass
class Traces:
    """What an incident leaves: the lines of the log, as a server prints them, and the audit events."""

    lines: list[str] = field(default_factory=list)
    records: list[logging.LogRecord] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)


class _Keeper(logging.Handler):
    def __init__(self, traces: Traces) -> None:
        super().__init__(logging.INFO)
        self._traces = traces

    def emit(self, record: logging.LogRecord) -> None:
        self._traces.records.append(record)
        self._traces.lines.append(f"{record.levelname} {record.getMessage()}")


@contextmanager
def kept_log(traces: Traces) -> Iterator[None]:
    """Keep what is logged at INFO and above within the block."""
    logger, keeper = logging.getLogger("asgi_oidc"), _Keeper(traces)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(keeper)
    try:
        yield
    finally:
        logger.removeHandler(keeper)
        logger.setLevel(before)


class Line:
    """The client for calls to the provider; a test may cut it off."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.error: Callable[[], Exception] | None = None
        self.build_request = client.build_request
        self._client = client

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Make a call, or fail."""
        if self.error is not None:
            raise self.error()
        return await self._client.send(request, **options)


class Production(AuditSite):
    """A site as people run it: a shared store, refresh tokens, a rule, and an `on_login` that refuses somebody."""

    def __init__(self, form: str = "a store", **settings: Any) -> None:
        provider = settings.pop("provider", None) or FakeProvider(alg="ES256")
        self.line = Line(provider.http_client())
        self.gate: anyio.Event | None = None
        made = {
            "scope": SCOPE,
            "session_idle": 14_400,
            "rules": [ADMIN],
            "plain_prefixes": [],
            "on_login": refuse_erin,
            **settings,
        }
        super().__init__(form, provider=provider, http_client=self.line, **made)
        self.provider.access_token_lifetime = TOKEN_LIFETIME
        self.app.at_work = ask_for_the_token

    async def hear_event(self, event: AuditEvent) -> None:
        """Keep an event; wait at the gate first, if there is one."""
        if self.gate is not None:
            await self.gate.wait()
        await super().hear_event(event)

    @property
    def store(self) -> ScriptedStore:
        """Where sessions are kept."""
        store = self.settings["store"]
        assert isinstance(store, ScriptedStore)
        return store

    async def tries_to_sign_in(self, sub: str) -> Response:
        """Open a new browser, try to sign in, and give what a program gets in the end."""
        browser, url = await self.at_callback(sub)
        return await browser.get(url, headers=PROGRAM, follow=False)


async def tries(site: Site) -> None:
    """Open a page of a site that needs a login, as a new visitor."""
    await site.browser().get("/page", follow=False)


async def refuse_erin(user: Any, claims: Any) -> None:
    """Refuse one user."""
    if user.sub == "erin":
        raise LoginRefused("this account is blocked")


async def ask_for_the_token(scope: Any) -> None:
    """Be a page that calls another API."""
    if scope["user"].is_authenticated:
        await scope["oidc"].access_token()


async def provider_down(site: Production) -> None:
    """The provider answers nothing but errors: sessions go on, logins fail."""
    browser = await site.signed_in("alice")
    site.clock.advance(HOUR)
    with site.provider.fault("discovery_down", "jwks_down", "token_500", "refresh_down"):
        await browser.fetch("/page")
        await site.tries_to_sign_in("bob")
        await tries(site.restarted())


async def keys_rotated_badly(site: Production) -> None:
    """The provider signs with a key that it does not publish."""
    with site.provider.fault("id_token_foreign_key"):
        await site.tries_to_sign_in("bob")


async def secret_leaked(site: Production) -> None:
    """The old secret is removed at once: it opens nothing, and everybody signs in again."""
    browser = await site.signed_in("alice")
    after = site.restarted(secret=OTHER_SECRET)
    await after.browser_of(browser).fetch("/page")
    await after.signed_in("alice")


async def client_secret_expired(site: Production) -> None:
    """The provider refuses the client: no login, no refresh."""
    browser = await site.signed_in("alice")
    site.clock.advance(TOKEN_LIFETIME + 1)
    with site.provider.fault("token_invalid_client", "refresh_invalid_client"):
        await browser.fetch("/page")
        await site.tries_to_sign_in("bob")


async def store_lost(site: Production) -> None:
    """Redis is gone: protected paths get 503, public ones go on."""
    browser = await site.signed_in("alice")
    site.store.broken = {"get", "add", "replace", "remove", "link", "linked", "unlink"}
    await browser.fetch("/page")
    await browser.fetch("/public/page")
    site.store.broken = set()
    await browser.fetch("/page")


async def clock_off(site: Production) -> None:
    """This server is five minutes behind the provider."""
    site.provider.clock = lambda: site.clock() + 300
    await site.tries_to_sign_in("bob")


async def cookie_stolen(site: Production) -> None:
    """The sessions of one user are ended; the thief still tries."""
    await site.signed_in("alice")
    stolen = await site.signed_in("alice")
    await site.middleware.sessions.end("alice", site.app.scope["oidc"].session_id)
    await site.call("/page", headers={"cookie": cookie_header(stolen)}, client=("198.51.100.7", 50_000))


async def mass_sign_out(site: Production) -> None:
    """Everybody who is known to be affected is signed out."""
    for sub in ("alice", "bob"):
        await site.signed_in(sub)
    for sub in ("alice", "bob"):
        await site.middleware.sessions.end_all(sub)


async def login_loop(site: Production) -> None:
    """After a deployment, two processes have different secrets."""
    other = site.restarted(secret=OTHER_SECRET, public=[])

    async def balanced(scope: Any, receive: Any, send: Any) -> None:
        served = site if scope["path"].startswith("/auth/") else other
        await served.middleware(scope, receive, send)

    browser = site.browser(app=balanced)
    await browser.submit(await browser.get("/page", initiator="https://mail.example.net/"), "alice")


async def certificate_expired(site: Production) -> None:
    """The provider forgot to renew it."""
    site.line.error = _expired_certificate
    await tries(site)


async def forged_callbacks(site: Production) -> None:
    """Somebody sends callbacks as fast as possible; a user signs in meanwhile, and `on_event` is slow."""
    site.gate = anyio.Event()
    for _ in range(MAX_REPEATABLE_EVENTS + 50):
        await site.call("/auth/callback", headers={"accept": "application/json"}, client=("203.0.113.9", 50_000))
    await site.signed_in("alice")
    site.gate.set()


async def user_refused(site: Production) -> None:
    """One user cannot sign in, and has a reference."""
    await site.tries_to_sign_in("erin")


async def cross_site_requests(site: Production) -> None:
    """A page of another site posts with the session of a user."""
    browser = await site.signed_in("alice")
    headers = {"cookie": cookie_header(browser), "origin": "https://evil.example"}
    await site.call("/transfer", method="POST", headers=headers)


INCIDENTS: Mapping[str, Callable[[Production], Awaitable[None]]] = {
    "The provider is down": provider_down,
    "The provider has rotated its keys badly": keys_rotated_badly,
    "Your secret has leaked": secret_leaked,
    "The client secret has leaked or expired": client_secret_expired,
    "Redis or PostgreSQL is lost": store_lost,
    "A clock is off": clock_off,
    "A cookie or a token was stolen": cookie_stolen,
    "Everybody has to be signed out": mass_sign_out,
    "Users are caught in a login loop after a deployment": login_loop,
    "The provider's certificate has expired": certificate_expired,
    "Somebody floods the app with forged callbacks": forged_callbacks,
    "Another site attacks your users": cross_site_requests,
    "One user cannot sign in": user_refused,
}


async def play(incident: Callable[[Production], Awaitable[None]]) -> Traces:
    """Play one incident on a site of its own."""
    site, traces = Production(), Traces()
    with kept_log(traces):
        await incident(site)
        traces.events = await site.delivered()
    return traces


def _expired_certificate() -> httpx.ConnectError:
    reason = ssl.SSLCertVerificationError(1, "certificate verify failed")
    reason.verify_code, reason.verify_message = 10, "certificate has expired"
    error = httpx.ConnectError("")
    error.__cause__ = reason
    return error
