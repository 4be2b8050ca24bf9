"""Puts together what keeps sessions, and what a browser carries during a login."""

import time
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

from asgi_oidc.login.authentication_requests import AuthenticationRequests
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.login_loops import LoginLoops
from asgi_oidc.login.login_transactions import Transactions
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.in_cookies import CookieSessions
from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import NoFeed, RevocationFeed, StoredFeed
from asgi_oidc.sessions.revocations import SKEW, Revocations, plain_name
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import MAX_SKEW, Limits, revocation_lifetime
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.store_records import Records
from asgi_oidc.settings.settings import Settings
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.web.cookies import COOKIE_PREFIX, CookieStyle, SameSite

REVOCATION_LIFETIME = 3600  # seconds; a login or a request, or a look of a websocket, that began before has ended


class SessionServices(NamedTuple):
    """Where sessions are, and who may use them.

    Attributes:
        store: where sessions are; None for sealed cookies.
        shared: the store that processes share, for sessions or for sign-outs alone; None if there is none.
        background: work that outlives its request.
        clock, now: seconds since the epoch.
    """

    repository: SessionRepository
    authenticator: Authenticator
    revocations: Revocations
    feed: RevocationFeed
    records: Records
    limits: Limits
    store: GuardedStore | None
    shared: GuardedStore | None
    replay_cache: ReplayCache
    background: SingleFlight[Any]
    clock: Callable[[], float]
    now: Callable[[], int]


class LoginServices(NamedTuple):
    """What a browser carries during a login."""

    sealer: Sealer
    transactions: Transactions
    authentication_requests: AuthenticationRequests
    loops: LoginLoops
    forms: InterruptedForms
    budget: CookieBudget
    stale_cookies: StaleCookies


def make_services(settings: Settings, clock: Callable[[], float]) -> tuple[SessionServices, LoginServices]:
    """Make what keeps sessions, and what a browser carries during a login.

    Args:
        clock: seconds since the epoch.
    """

    def now() -> int:
        return int(clock())

    context = (settings.issuer, settings.client_id, settings.base_url)
    sealer, records = Sealer(settings.secret, context=context), Records(settings.secret, context=context)
    style, stem = CookieStyle(secure=settings.origin.startswith("https:")), f"{COOKIE_PREFIX}{_tag(context)}"
    limits = Limits(settings.session_idle, settings.session_lifetime)
    store = None if settings.store is None else GuardedStore(settings.store)
    shared = store if settings.logout_store is None else GuardedStore(settings.logout_store)
    revocations = _make_revocations(records, limits, store, shared)
    feed = _make_feed(revocations, records, limits, store, shared, now)
    cookies = SessionCookies(sealer, style, stem)
    repository: SessionRepository = (
        CookieSessions(cookies, limits, revocations, feed, now=now, ticks=time.monotonic)
        if store is None
        else StoredSessions(store, records, cookies, limits, revocations, feed, issuer=settings.issuer, now=now)
    )
    sessions = SessionServices(
        repository=repository,
        authenticator=Authenticator(repository, revocations, limits, now=now),
        revocations=revocations,
        feed=feed,
        records=records,
        limits=limits,
        store=store,
        shared=shared,
        replay_cache=ReplayCache(),
        background=SingleFlight(),
        clock=clock,
        now=now,
    )
    transactions = Transactions(sealer, style, stem, _same_site_of_login(settings, style))
    forms = InterruptedForms(sealer, style, stem)
    login = LoginServices(
        sealer=sealer,
        transactions=transactions,
        authentication_requests=AuthenticationRequests(sealer),
        loops=LoginLoops(sealer, style, stem, settings.session_idle),
        forms=forms,
        budget=CookieBudget(style.name(stem), transactions, forms),
        stale_cookies=StaleCookies(repository, transactions, now=now),
    )
    return sessions, login


def _make_revocations(
    records: Records, limits: Limits, store: GuardedStore | None, shared: GuardedStore | None
) -> Revocations:
    return Revocations(
        plain_name if shared is None else records.revocation_names,
        # What was in a store is gone from there; sealed cookies have to be refused for as long as a session may live.
        lifetime=revocation_lifetime(limits) if store is None else REVOCATION_LIFETIME,
        needed=limits.lifetime if store is None else 0,
        # Who shares revocations knows them before a login begins; so all the skew that clocks may have does no harm.
        skew=SKEW if shared is None else MAX_SKEW * 1000,
        is_shared=shared is not None,
    )


def _make_feed(
    revocations: Revocations,
    records: Records,
    limits: Limits,
    store: GuardedStore | None,
    shared: GuardedStore | None,
    now: Callable[[], int],
) -> RevocationFeed:
    if shared is None:
        return NoFeed()
    lifetime = revocation_lifetime(limits) if store is None else None
    return StoredFeed(revocations, shared, prefix=records.tag, lifetime=lifetime, now=now, ticks=time.monotonic)


def _tag(context: tuple[str, ...]) -> str:
    """Tell cookies of several middlewares on one host apart: on loopback all ports share them (RFC 6265 §8.5)."""
    return b32encode(sha256("\n".join(context).encode()).digest()[:5]).decode("ascii").lower()


def _same_site_of_login(settings: Settings, style: CookieStyle) -> SameSite:
    if not settings.form_post:
        return "Lax"
    # A form comes from the provider's site. Browsers take SameSite=None from https only.
    return "None" if style.secure else None
