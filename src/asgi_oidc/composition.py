"""What one middleware is made of, put together once, in the constructor."""

import time
from base64 import b32encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from asgi_oidc.login.authentication_requests import AuthenticationRequests
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.login_loops import LoginLoops
from asgi_oidc.login.login_transactions import Transactions
from asgi_oidc.logout.logout_state import LogoutStates
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages, make_pages
from asgi_oidc.pages.translation import translate
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.policy.policy import Policy
from asgi_oidc.protocol.client import Client
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, ANY_LOGIN, AuthenticationRequest
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider import Provider, ProviderSettings
from asgi_oidc.sessions.in_cookies import CookieSessions
from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import NoFeed, RevocationFeed, StoredFeed
from asgi_oidc.sessions.revocations import SKEW, Revocations, plain_name
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import MAX_SKEW, Limits, Session, revocation_lifetime
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.store_records import Records
from asgi_oidc.settings.settings import ALGORITHMS, Settings
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.tokens.token_cache import CachedToken, TokenCache
from asgi_oidc.web.cookies import COOKIE_PREFIX, CookieStyle, SameSite

MAX_SIGNING_IN = 10_000  # browsers that had a session and began a login; 1 to 2 MB
REMEMBERED_FOR = 3600  # seconds; a login, a request or a look of a websocket that began before has long seen the end


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the endpoints and the edge work with."""

    settings: Settings
    clock: Callable[[], float]
    client: Client
    policy: Policy
    provider: Provider
    sessions: SessionRepository
    records: Records
    store: GuardedStore | None
    transactions: Transactions
    ways_back: LogoutStates
    asks: AuthenticationRequests
    rounds: LoginLoops
    forms: InterruptedForms
    cookie_budget: CookieBudget
    limits: Limits
    ended: Revocations
    log: RevocationFeed
    shared: GuardedStore | None
    used: ReplayCache
    signing_in: ReplayCache
    renewals: SingleFlight[Session]
    errands: SingleFlight[CachedToken]
    afterwards: SingleFlight[Any]
    granted: TokenCache
    urls: EndpointUrls
    nobody: Any
    origin: str
    own_paths: str
    pages: Pages
    failures: Failures
    notices: set[str]

    @property
    def is_shared(self) -> bool:
        """Whether what ended is kept where other processes, and this one when it starts anew, find it."""
        stores = (self.settings.store, self.settings.logout_store)
        return any(store is not None and not isinstance(store, MemoryStore) for store in stores)

    @property
    def form_path(self) -> str:
        """The page that says what became of a form that found nobody signed in."""
        return f"{self.own_paths}/form"

    def now(self) -> int:
        """Seconds since the epoch."""
        return int(self.clock())


def put_together(
    settings: Settings, clock: Callable[[], float], *, endpoints: Collection[str], mounts: MountTable
) -> Parts:
    """Make the parts of one middleware.

    Args:
        endpoints: the paths of our own URLs.
        mounts: those of the wrapped app.
    """
    from asgi_oidc.asgi import oidc  # it needs what is made here

    client = Client(settings.client_id, settings.url_of("callback"), settings.client_secret, settings.client_auth)
    context = (settings.issuer, settings.client_id, settings.base_url)
    sealer = Sealer(settings.secret, context=context)
    style = CookieStyle(secure=settings.origin.startswith("https:"))
    stem = f"{COOKIE_PREFIX}{_tag(context)}"
    limits = Limits(settings.session_idle, settings.session_lifetime)
    asks, jar, forms = (
        AuthenticationRequests(sealer),
        SessionCookies(sealer, style, stem),
        InterruptedForms(sealer, style, stem),
    )
    transactions = Transactions(sealer, style, stem, _login_same_site(settings, style))
    records = Records(settings.secret, context=context)
    store = None if settings.store is None else GuardedStore(settings.store)
    shared = store if settings.logout_store is None else GuardedStore(settings.logout_store)

    def now() -> int:
        return int(clock())

    # What was in a store is gone from there; sealed cookies have to be refused for as long as a session may live.
    remembered_for = revocation_lifetime(limits) if store is None else REMEMBERED_FOR
    ended = Revocations(
        plain_name if shared is None else records.ended_names,
        lifetime=remembered_for,
        needed=limits.lifetime if store is None else 0,
        # Who shares marks knows them before a login begins; so all the skew that clocks may have does no harm.
        skew=SKEW if shared is None else MAX_SKEW * 1000,
        is_shared=shared is not None,
    )
    log: RevocationFeed = (
        NoFeed() if shared is None else _log(ended, shared, records, limits, is_all=store is None, now=now)
    )
    sessions: SessionRepository = (
        CookieSessions(jar, limits, ended, log, now=now, ticks=time.monotonic)
        if store is None
        else StoredSessions(store, records, jar, limits, ended, log, issuer=settings.issuer, now=now)
    )
    urls = EndpointUrls(
        login=settings.url_of("login"),
        logout=settings.url_of("logout"),
        form=settings.url_of("form"),
        base_path=settings.base_path,
        read_ask=settings.read_ask,
        sealed=lambda ask: asks.write(ask, now=now()),
    )
    rounds = LoginLoops(sealer, style, stem, settings.session_idle)
    pages = make_pages(translate(settings.texts), app_name=settings.app_name, home=settings.home)
    ask_another = AuthenticationRequest(prompt=ANOTHER_ACCOUNT)
    return Parts(
        settings=settings,
        clock=clock,
        client=client,
        policy=Policy(settings.public, settings.rules, base_path=settings.base_path, own=endpoints, mounts=mounts),
        provider=Provider(_provider_settings(settings, client), Http(settings.http_client), clock),
        sessions=sessions,
        records=records,
        store=store,
        transactions=transactions,
        ways_back=LogoutStates(sealer),
        asks=asks,
        rounds=rounds,
        forms=forms,
        cookie_budget=CookieBudget(style.name(stem), transactions, forms),
        limits=limits,
        ended=ended,
        log=log,
        shared=shared,
        used=ReplayCache(),
        signing_in=ReplayCache(most=MAX_SIGNING_IN),
        renewals=SingleFlight(),
        errands=SingleFlight(),
        afterwards=SingleFlight(),
        granted=TokenCache(),
        urls=urls,
        nobody=oidc.OIDC(urls),
        origin=settings.origin,
        own_paths=settings.base_path + settings.auth_path,
        pages=pages,
        failures=Failures(
            pages.layout,
            settings.origin,
            settings.home,
            login_url=lambda return_to: urls.login_for(ANY_LOGIN, return_to),
            another_account_url=lambda return_to: urls.login_for(ask_another, return_to),
            delete_login_count=rounds.delete,
        ),
        notices=set(),
    )


def _log(
    ended: Revocations, shared: GuardedStore, records: Records, limits: Limits, *, is_all: bool, now: Callable[[], int]
) -> RevocationFeed:
    lifetime = revocation_lifetime(limits) if is_all else None
    return StoredFeed(ended, shared, prefix=records.tag, lifetime=lifetime, now=now, ticks=time.monotonic)


def _provider_settings(settings: Settings, client: Client) -> ProviderSettings:
    return ProviderSettings(
        issuer=settings.issuer,
        client=client,
        metadata=settings.metadata,
        algorithms=settings.algorithms or ALGORITHMS,
        algorithms_named=settings.algorithms is not None,
        trusted_audiences=settings.trusted_audiences,
        userinfo=settings.userinfo,
        leeway=settings.leeway,
        claims_from_access_token=settings.claims_from_access_token,
        named_claims=[names for rule in settings.rules for names in rule.needs.claim_names],
    )


def _tag(context: tuple[str, ...]) -> str:
    """Tell cookies of several middlewares on one host apart: on loopback all ports share them (RFC 6265 §8.5)."""
    return b32encode(sha256("\n".join(context).encode()).digest()[:5]).decode("ascii").lower()


def _login_same_site(settings: Settings, style: CookieStyle) -> SameSite:
    if not settings.form_post:
        return "Lax"
    # A form comes from the provider's site. Browsers take SameSite=None from https only.
    return "None" if style.secure else None
