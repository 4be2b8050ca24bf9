"""Serves websockets: the policy decides before one is accepted, and an open one is closed with its session."""

from collections.abc import Callable
from typing import assert_never

from asgi_oidc.asgi.app_response import AppResponses, finish_handshake
from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.bearer_websockets import BearerWebsockets
from asgi_oidc.asgi.open_websockets import OpenWebsocket
from asgi_oidc.asgi.request_reader import RequestReader
from asgi_oidc.asgi.session_watch import SessionWatcher
from asgi_oidc.asgi.websocket_handshake import (
    CLOSE_FORBIDDEN,
    CLOSE_INTERNAL_ERROR,
    CLOSE_SESSION_OVER,
    CLOSE_TRY_AGAIN_LATER,
    Handshake,
    Refusal,
)
from asgi_oidc.bearer.authorization_header import has_token
from asgi_oidc.errors import OIDCError, RefreshFailed, StoreUnavailable
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.login.login_parameters import ReadAuthentication
from asgi_oidc.pages.failures import Failures
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.app_errors import decide_on_app_error, find_app_error
from asgi_oidc.policy.csrf import is_own_websocket, refused_origin
from asgi_oidc.policy.denials import Denials
from asgi_oidc.policy.policy import Allow, MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from asgi_oidc.web.request import Request


class Websockets:
    """Serves websockets."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        reader: RequestReader,
        access: AccessControl,
        denials: Denials,
        failures: Failures,
        app_scopes: AppScopes,
        app_responses: AppResponses,
        watcher: SessionWatcher,
        bearer_websockets: BearerWebsockets | None = None,
        read_authentication: ReadAuthentication,
        origin: str,
        now: Callable[[], int],
    ) -> None:
        self._app = app
        self._reader = reader
        self._bearer_websockets = bearer_websockets
        self._access = access
        self._denials = denials
        self._failures = failures
        self._app_scopes = app_scopes
        self._app_responses = app_responses
        self._watcher = watcher
        self._read_authentication = read_authentication
        self._origin = origin
        self._now = now

    @property
    def app(self) -> ASGIApp:
        """The wrapped app; it can be replaced."""
        return self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = app
        if self._bearer_websockets is not None:
            self._bearer_websockets.app = app

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a websocket, or pass it to the app."""
        request, matched = self._reader.read(scope)
        handshake = Handshake(scope, receive, send)
        if self._bearer_websockets is not None and has_token(request):
            await self._bearer_websockets.serve(scope, request, matched, handshake)
            return
        active, outage = await self._reader.identify(request)
        # Browsers let any site open a websocket with our cookies, so only pages of our own origin may act for the user.
        is_own = is_own_websocket(request, origin=self._origin, allowed=matched.origins)
        refusal = await self._refusal(scope, request, matched, active, outage, is_own=is_own)
        if refusal is None:
            refusal = await self._run_app(scope, request, matched, active if is_own else None, outage, handshake)
        if refusal is not None:
            response, code = refusal
            await handshake.refuse(response, code=code)

    @sanitizes_errors
    async def _refusal(
        self,
        scope: Scope,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        outage: StoreUnavailable | None,
        *,
        is_own: bool,
    ) -> Refusal | None:
        """Return how to refuse a websocket; None if the policy lets the app have it."""
        if matched.opened_by is not None:
            return None
        if outage is not None:
            return self._failures.response(request, outage), CLOSE_TRY_AGAIN_LATER
        if active is not None and not is_own:
            login = active.session.login
            return self._failures.response(request, refused_origin(request), login=login), CLOSE_FORBIDDEN
        try:
            decision = await self._access.decide_with_checks(scope, matched, active)
        except OIDCError as error:
            return self._refusal_for(error, request, matched, active)
        match decision:
            case Allow():
                return None
            case StartLogin() | StepUp():
                return self._denials.refused_websocket(decision, request, matched, active), CLOSE_SESSION_OVER
            case Refuse():
                return self._denials.forbidden(decision, request, matched, active), CLOSE_FORBIDDEN
            case other:
                assert_never(other)

    async def _run_app(
        self,
        scope: Scope,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        outage: StoreUnavailable | None,
        handshake: Handshake,
    ) -> Refusal | None:
        """Call the app. If it raises an error of ours before it has answered, return how to refuse the websocket."""
        scope = self._app_scopes.make(scope, active)
        try:
            if active is None:
                await self._app(scope, handshake.receive, handshake.send)
                return None
            send = finish_handshake(self._app_responses, active, request, handshake.send)
            websocket = OpenWebsocket(active, self._watcher, handshake.receive, send)
            await websocket.run(lambda receive, send: self._app(scope, receive, send))
        except Exception as exc:  # the app may raise anything; its own errors pass through
            error = find_app_error(exc)
            if error is None or handshake.is_answered:
                raise
            # During a store outage, the app sees a signed-in user as anonymous, and may raise because of that: report
            # the outage, not the missing login.
            return self._refusal_for(outage or error, request, matched, active)
        return None

    def _refusal_for(
        self, error: OIDCError, request: Request, matched: MatchedPolicy, active: ActiveSession | None
    ) -> Refusal:
        """Return how to refuse a websocket whose app needs a user, a stronger or fresher login, or a token."""
        read = self._read_authentication
        denial = decide_on_app_error(error, request, active, read_authentication=read, now=self._now())
        if isinstance(denial, Refuse):
            return self._denials.forbidden(denial, request, matched, active), CLOSE_FORBIDDEN
        if not isinstance(denial, OIDCError):
            return self._denials.refused_websocket(denial, request, matched, active), CLOSE_SESSION_OVER
        is_outage = isinstance(denial, RefreshFailed | StoreUnavailable)
        code = CLOSE_TRY_AGAIN_LATER if is_outage else CLOSE_INTERNAL_ERROR
        return self._failures.response(request, denial), code
