"""The state inside a middleware that has no public name, for the few tests that look at it on purpose."""

from asgi_oidc import OIDCMiddleware
from asgi_oidc.asgi.open_responses import OpenResponses
from asgi_oidc.asgi.session_watch import SessionWatcher
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.policy.explain import Explainer
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import FixedDirectory
from asgi_oidc.provider.openid_connection import OpenIDConnection
from asgi_oidc.sessions.in_cookies import CookieSessions
from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.tokens.session_tokens import SessionTokens
from tests.attacked_provider import own_name


async def deliver_events(middleware: OIDCMiddleware) -> None:
    """Wait until `on_event` has heard all audit events so far."""
    deliver = middleware._composition.lifespan._deliver_events
    assert deliver is not None
    await deliver()


def watcher_of(middleware: OIDCMiddleware) -> SessionWatcher:
    """Return what watches open connections; it knows the sessions and their revocations."""
    return middleware._composition.websockets._watcher


def revocations_of(middleware: OIDCMiddleware) -> Revocations:
    """Return the sign-outs and ended sessions that this process remembers."""
    return watcher_of(middleware).revocations


def sessions_of(middleware: OIDCMiddleware) -> CookieSessions | StoredSessions:
    """Return where the sessions are kept."""
    sessions = watcher_of(middleware).sessions
    assert isinstance(sessions, CookieSessions | StoredSessions)
    return sessions


def session_tokens_of(middleware: OIDCMiddleware) -> SessionTokens:
    """Return what remembers access tokens that sessions do not keep."""
    return middleware._composition.http._app_scopes._tools.refresher.session_tokens


def session_cookies_of(middleware: OIDCMiddleware) -> SessionCookies:
    """Return what writes and reads the cookies of sessions."""
    return sessions_of(middleware)._session_cookies


def record_names_of(middleware: OIDCMiddleware) -> RecordNames:
    """Return what names the records in a store."""
    sessions = sessions_of(middleware)
    assert isinstance(sessions, StoredSessions)
    return sessions._names


def provider_of(middleware: OIDCMiddleware) -> OpenIDConnection:
    """Return what calls the provider; of several, the one that is attacked."""
    connection = connection_of(middleware, own_name())
    assert isinstance(connection, OpenIDConnection)
    return connection


def connection_of(middleware: OIDCMiddleware, name: str) -> ProviderConnection:
    """Return the connection to the provider of this name."""
    directory = middleware._composition.http._denials.logins.choice.directory
    assert isinstance(directory, FixedDirectory)
    connection = directory.at_once(name).connection
    assert connection is not None
    return connection


def explainer_of(middleware: OIDCMiddleware) -> Explainer:
    """Return what explains the policy, and knows it."""
    return middleware._composition.explainer


def stale_cookies_of(middleware: OIDCMiddleware) -> StaleCookies:
    """Return what deletes the cookies of ended sessions."""
    return middleware._composition.http._app_responses.stale_cookies


def open_responses_of(middleware: OIDCMiddleware) -> OpenResponses:
    """Return the responses that stay open."""
    return middleware._composition.http._app_responses.open_responses


def replay_cache_of(middleware: OIDCMiddleware) -> ReplayCache:
    """Return what remembers used logins and logout tokens."""
    callback = middleware._composition.http._endpoint_routing._provider_endpoints["callback"]
    cache = callback.used_logins._replay_cache  # type: ignore[attr-defined]  # the callback has them
    assert isinstance(cache, ReplayCache)
    return cache
