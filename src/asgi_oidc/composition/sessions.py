"""Builds the objects that keep sessions, and those for the cookies of a login in progress."""

import time
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

from asgi_oidc.login.authentication_requests import AuthenticationRequests
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.last_provider import LastProvider
from asgi_oidc.login.login_loops import LoginLoops
from asgi_oidc.login.login_transactions import Transactions, same_site_of_login
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.protocol.bearer_token import MAX_LIFETIME
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.digests import UserDigests
from asgi_oidc.sessions.in_cookies import CookieSessions
from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.lifetimes import MAX_CLOCK_SETBACK, MAX_SKEW, Limits, revocation_lifetime
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import NoFeed, RevocationFeed, StoredFeed
from asgi_oidc.sessions.revocations import SKEW, Revocations, plain_names
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.settings.settings import Settings
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.tokens.session_tokens import SessionTokens
from asgi_oidc.web.cookies import COOKIE_PREFIX, CookieStyle, SameSite

# Seconds; by then, every login, request and check of an open websocket that began before the revocation has finished.
REVOCATION_LIFETIME = 3600


class SessionServices(NamedTuple):
    """The objects that keep sessions, authenticate requests and remember revocations.

    Attributes:
        store: where sessions are kept; None if they are in sealed cookies.
        shared: the store that processes share, for sessions or only for sign-outs; None if they share nothing.
        background: runs work that must finish even if its request does not.
        clock: returns seconds since the epoch, with fractions.
        now: returns whole seconds since the epoch.
    """

    repository: SessionRepository
    authenticator: Authenticator
    revocations: Revocations
    feed: RevocationFeed
    providers: SessionProviders
    session_tokens: SessionTokens
    record_names: RecordNames
    limits: Limits
    store: GuardedStore | None
    shared: GuardedStore | None
    replay_cache: ReplayCache
    background: SingleFlight[Any]
    clock: Callable[[], float]
    now: Callable[[], int]


class SharedServices(NamedTuple):
    """What all hosts share, so that a sign-out at one of them ends the user's sessions at all.

    Attributes:
        store, shared, background, clock, now: as in `SessionServices`.
    """

    revocations: Revocations
    feed: RevocationFeed
    providers: SessionProviders
    session_tokens: SessionTokens
    record_names: RecordNames
    limits: Limits
    store: GuardedStore | None
    shared: GuardedStore | None
    replay_cache: ReplayCache
    background: SingleFlight[Any]
    clock: Callable[[], float]
    now: Callable[[], int]


class LoginServices(NamedTuple):
    """The objects that write and read what a browser carries during a login.

    Attributes:
        cookie_tag: what the names of all cookies of this host contain, and no others.
    """

    cookie_tag: str
    sealer: Sealer
    transactions: Transactions
    authentication_requests: AuthenticationRequests
    loops: LoginLoops
    forms: InterruptedForms
    budget: CookieBudget
    stale_cookies: StaleCookies
    last_provider: LastProvider


def make_shared_services(settings: Settings, providers: SessionProviders, clock: Callable[[], float]) -> SharedServices:
    """Build what all hosts share.

    Args:
        clock: returns seconds since the epoch.
    """

    def now() -> int:
        return int(clock())

    # Named after the first host, as if it were the only one: others can be added and removed.
    context = (*_client_of(settings), settings.base_urls[0])
    record_names = RecordNames(settings.secret, context=context, default_issuer=_default_issuer(settings))
    limits = Limits(settings.session_idle, settings.session_lifetime)
    store = None if settings.store is None else GuardedStore(settings.store, clock=clock)
    shared = store if settings.logout_store is None else GuardedStore(settings.logout_store, clock=clock)
    lifetime = _revocation_lifetime(settings, limits)
    revocations = _make_revocations(record_names, shared, lifetime=lifetime)
    return SharedServices(
        revocations=revocations,
        feed=_make_feed(revocations, record_names, shared, now, lifetime=lifetime),
        providers=providers,
        session_tokens=SessionTokens(settings.tokens, claim_mapping=settings.claim_mapping),
        record_names=record_names,
        limits=limits,
        store=store,
        shared=shared,
        replay_cache=ReplayCache(),
        background=SingleFlight(),
        clock=clock,
        now=now,
    )


def make_services(settings: Settings, shared: SharedServices) -> tuple[SessionServices, LoginServices]:
    """Build the services for sessions and for logins on one host."""
    context = _context_of(settings)
    sealer, user_digests = Sealer(settings.secret, context=context), UserDigests(_default_issuer(settings))
    is_embedded = bool(settings.embedded_in)
    style = CookieStyle(secure=settings.origin.startswith("https:"), partitioned=is_embedded)
    # Other names: browsers would send cookies from before the setting changed too, and a repeated name counts as none.
    cookie_tag = _cookie_tag((*context, "partitioned") if is_embedded else context)
    stem = f"{COOKIE_PREFIX}{cookie_tag}"
    cookies = SessionCookies(sealer, style, stem)
    store, record_names, limits, now = shared.store, shared.record_names, shared.limits, shared.now
    revocations, feed = shared.revocations, shared.feed
    repository: SessionRepository = (
        CookieSessions(
            cookies,
            limits,
            revocations,
            feed,
            kept_tokens=settings.tokens,
            max_cookie_header=settings.max_cookie_header,
            has_provider=shared.providers.has_at_once,
            now=now,
            ticks=time.monotonic,
        )
        if store is None
        else StoredSessions(
            store,
            record_names,
            cookies,
            limits,
            revocations,
            feed,
            has_provider=shared.providers.has_at_once,
            now=now,
        )
    )
    sessions = SessionServices(
        repository=repository,
        authenticator=Authenticator(repository, revocations, limits, shared.providers, now=now),
        **shared._asdict(),
    )
    transactions = Transactions(sealer, style, stem, _same_site_of_deletions(settings, style), user_digests)
    forms = InterruptedForms(sealer, style, stem, user_digests)
    login = LoginServices(
        cookie_tag=cookie_tag,
        sealer=sealer,
        transactions=transactions,
        authentication_requests=AuthenticationRequests(sealer),
        loops=LoginLoops(sealer, style, stem, settings.session_idle),
        forms=forms,
        budget=CookieBudget(style.name(stem), transactions, forms, settings.max_cookie_header),
        stale_cookies=StaleCookies(repository, transactions, now=now),
        last_provider=LastProvider(style, stem, is_on=len(settings.fixed_providers) > 1),
    )
    return sessions, login


def _client_of(settings: Settings) -> tuple[str, str]:
    # Several providers share the cookies of the site. No issuer is called "providers".
    return (settings.issuer, settings.client_id) if settings.is_flat else ("providers", "")


def _default_issuer(settings: Settings) -> str | None:
    return settings.issuer if settings.is_flat else None


def _context_of(settings: Settings) -> tuple[str, ...]:
    """Return what the cookies of one host are bound to."""
    context = (*_client_of(settings), settings.base_url)
    first = settings.base_urls[0]
    if settings.base_url == first or settings.logout_store is None:
        return context
    # Shared revocations are named after the first host. If another one becomes the first, they are not found any more,
    # so no cookie may stay valid that they have revoked.
    return (*context, first)


def _revocation_lifetime(settings: Settings, limits: Limits) -> int | None:
    """Return for how long a revocation may be needed; None if it is needed only until requests under way are done.

    A stored session is deleted. A sealed cookie and an access token cannot be: they are refused for as long as they
    might be valid.
    """
    lifetimes = [
        *([revocation_lifetime(limits)] if settings.store is None else []),
        *([MAX_LIFETIME + MAX_CLOCK_SETBACK] if settings.bearer is not None else []),
    ]
    return max(lifetimes, default=None)


def _make_revocations(record_names: RecordNames, shared: GuardedStore | None, *, lifetime: int | None) -> Revocations:
    return Revocations(
        plain_names if shared is None else record_names.revocation_names,
        lifetime=REVOCATION_LIFETIME if lifetime is None else lifetime,
        needed_for=0 if lifetime is None else lifetime - MAX_CLOCK_SETBACK,
        # With shared revocations, a login knows them before it begins and counts as later than them: it is safe to
        # allow for the largest clock skew between processes.
        skew=SKEW if shared is None else MAX_SKEW * 1000,
        is_shared=shared is not None,
    )


def _make_feed(
    revocations: Revocations,
    record_names: RecordNames,
    shared: GuardedStore | None,
    now: Callable[[], int],
    *,
    lifetime: int | None,
) -> RevocationFeed:
    if shared is None:
        return NoFeed()
    return StoredFeed(revocations, shared, prefix=record_names.tag, lifetime=lifetime, now=now, ticks=time.monotonic)


def _cookie_tag(context: tuple[str, ...]) -> str:
    """Make the part of cookie names that keeps several middlewares on one host apart.

    Cookies do not distinguish ports, so on loopback all apps share them (RFC 6265 §8.5).
    """
    return b32encode(sha256("\n".join(context).encode()).digest()[:5]).decode("ascii").lower()


def _same_site_of_deletions(settings: Settings, style: CookieStyle) -> SameSite:
    # What providers that are looked up request is not known yet.
    uses_form_post = not settings.fixed_providers or any(
        provider.form_post for provider in settings.fixed_providers.values()
    )
    return same_site_of_login(style, form_post=uses_form_post)
