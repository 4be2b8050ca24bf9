"""Serves websockets whose handshake presents an access token; an open one is closed with its token."""

from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.bearer_decisions import BearerDecisions
from asgi_oidc.asgi.open_websockets import OpenWebsocket
from asgi_oidc.asgi.session_watch import SessionWatcher
from asgi_oidc.asgi.websocket_handshake import (
    CLOSE_FORBIDDEN,
    CLOSE_INTERNAL_ERROR,
    CLOSE_SESSION_OVER,
    CLOSE_TRY_AGAIN_LATER,
    Handshake,
)
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.policy.app_errors import find_app_error
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.web.asgi_types import ASGIApp, Message, Scope, Send
from asgi_oidc.web.caching import BY_AUTHORIZATION, private_headers, with_nonce
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

# By the status of the response that servers with the extension send.
_CLOSE_CODES = {401: CLOSE_SESSION_OVER, 403: CLOSE_FORBIDDEN, 502: CLOSE_TRY_AGAIN_LATER, 503: CLOSE_TRY_AGAIN_LATER}


class BearerWebsockets:
    """Serves websockets with access tokens. No `Origin` is checked: no browser lets a page send such a header."""

    def __init__(
        self, app: ASGIApp, decisions: BearerDecisions, app_scopes: AppScopes, watcher: SessionWatcher
    ) -> None:
        self.app = app
        self._decisions = decisions
        self._app_scopes = app_scopes
        self._watcher = watcher

    async def serve(self, scope: Scope, request: Request, matched: MatchedPolicy, handshake: Handshake) -> None:
        """Refuse a websocket, or pass it to the app."""
        found = await self._decisions.authenticate(request, matched)
        if isinstance(found, Response):
            refusal: Response | None = found
        else:
            refusal = await self._decisions.denial(scope, request, matched, found)
            if refusal is None:
                refusal = await self._run_app(scope, request, matched, found, handshake)
        if refusal is not None:
            headers = tuple(with_nonce(refusal.headers, request.dpop_nonce))
            refusal = Response(refusal.status, headers, refusal.body)
            await handshake.refuse(refusal, code=_CLOSE_CODES.get(refusal.status, CLOSE_INTERNAL_ERROR))

    async def _run_app(
        self, scope: Scope, request: Request, matched: MatchedPolicy, active: ActiveToken, handshake: Handshake
    ) -> Response | None:
        """Call the app. If it raises an error of ours before it has answered, return how to refuse the websocket."""
        scope = self._app_scopes.make(scope, active, matched.scopes)
        send = _with_our_headers(handshake.send, request.dpop_nonce)
        websocket = OpenWebsocket(active, self._watcher, handshake.receive, send)
        try:
            await websocket.run(lambda receive, send: self.app(scope, receive, send))
        except Exception as exc:  # the app may raise anything; its own errors pass through
            error = find_app_error(exc)
            if error is None or handshake.is_answered:
                raise
            return self._decisions.app_error_response(error, request, matched, active)
        return None


def _with_our_headers(send: Send, nonce: str | None) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "websocket.http.response.start":
            headers = private_headers(message.get("headers", ()), private=BY_AUTHORIZATION)
            message = {**message, "headers": with_nonce(headers, nonce)}
        elif message["type"] == "websocket.accept" and nonce is not None:
            message = {**message, "headers": with_nonce(message.get("headers", ()), nonce)}
        await send(message)

    return send_with_headers
