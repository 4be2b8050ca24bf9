"""Reads the request from a scope, finds what the policy says about its path, and identifies its user."""

from collections.abc import Callable

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.sanitized import sanitized, sanitizes_errors
from asgi_oidc.policy.policy import MatchedPolicy, Policy
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.stores.store_failures import log_store_error
from asgi_oidc.web.asgi_types import Scope
from asgi_oidc.web.paths import UNREAD
from asgi_oidc.web.request import Request

Caller = tuple[ActiveSession | None, StoreUnavailable | None]
"""The session of the user, and the store error if it could not be read: public pages are served even then."""


class RequestReader:
    """Reads http requests and websocket handshakes."""

    __slots__ = ("_at_once", "_authenticator", "_base_url", "_has_logged_mismatch", "_policy", "_sessions")

    def __init__(
        self,
        policy: Policy,
        sessions: SessionRepository,
        authenticator: Authenticator,
        *,
        at_once: Callable[[bytes], ActiveSession | None],
        base_url: str,
    ) -> None:
        """Read requests for one host.

        Args:
            at_once: as `SessionRepository.at_once`.
        """
        self._at_once = at_once
        self._policy = policy
        self._sessions = sessions
        self._authenticator = authenticator
        self._base_url = base_url
        self._has_logged_mismatch = False

    def read(self, scope: Scope) -> tuple[Request, MatchedPolicy]:
        """Return the request and what the policy says about its path and method."""
        request, policy = Request(scope, UNREAD), self._policy
        matched = policy.match(scope, request.methods if policy.looks_at_methods else ())
        request.path = matched.path
        if matched.path.mismatch and not self._has_logged_mismatch:
            self._log_mismatch(scope)
        return request, matched

    def identify_at_once(self, request: Request) -> ActiveSession | None:
        """Return the session if it is known without waiting; if None, `identify` may still find it."""
        leaving = None
        try:
            return self._at_once(request.cookie_header)
        except Exception as error:  # noqa: BLE001  # raised below, where no context is added to it
            leaving = sanitized(error)
        raise leaving

    def may_have_session(self, request: Request) -> bool:
        """Return whether `identify` may find a session; most anonymous visitors have no cookie of that name."""
        return self._sessions.may_have_cookie(request.cookie_header)

    @sanitizes_errors
    async def identify(self, request: Request) -> Caller:
        """Return the session that a request belongs to, or the error if it cannot be determined."""
        try:
            active = await self._authenticator.authenticate(request)
        except StoreUnavailable as error:
            log_store_error(error)
            return None, error
        if active is not None:
            await self._sessions.touch(active)
        return active, None

    def _log_mismatch(self, scope: Scope) -> None:
        self._has_logged_mismatch = True
        events.log(
            events.MOUNT_MISMATCH,
            root_path=scope.get("root_path"),
            base_url=self._base_url,
            what="no path is public: the root_path of the server or framework is not the path of base_url",
            fix="make base_url end with the path that the app is mounted on; if a proxy strips a part of it, set that "
            "part as root path of the server; have the proxy drop a Daphne-Root-Path header that clients send",
        )


class EmbeddedRequestReader(RequestReader):
    """Reads requests of an app that other sites show in frames (the setting `embedded_in`).

    Its cookies are `SameSite=None`. Here they count no more than `SameSite=Lax` ones would, except in a frame: calls by
    pages of other sites, and their forms, are anonymous. Callbacks may be forms of the provider.
    """

    __slots__ = ()

    def read(self, scope: Scope) -> tuple[Request, MatchedPolicy]:
        """Return the request and what the policy says about it, without cookies if another site has made it."""
        request, matched = super().read(scope)
        is_callback = matched.own_url is not None and matched.own_url.endpoint == "callback"
        if request.is_cross_site_call and not is_callback:
            request.cookie_header = b""
        return request, matched
