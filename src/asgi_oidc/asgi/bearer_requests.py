"""Serves http requests that present an access token: the token alone decides whether the app gets them."""

from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.bearer_decisions import BearerDecisions
from asgi_oidc.asgi.bearer_response import BearerResponse
from asgi_oidc.asgi.open_responses import OpenResponses
from asgi_oidc.asgi.own_response import send_response
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authorization_header import AUTHORIZATION, has_token
from asgi_oidc.errors import OIDCError
from asgi_oidc.policy.app_errors import find_app_error
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, json_response

SESSION_ENDPOINT = "session"  # the only one of our URLs that looks at tokens; all others are about cookies


class BearerRequests:
    """Serves http requests with access tokens."""

    def __init__(
        self, app: ASGIApp, decisions: BearerDecisions, app_scopes: AppScopes, open_responses: OpenResponses
    ) -> None:
        self.app = app
        self._decisions = decisions
        self._app_scopes = app_scopes
        self._open_responses = open_responses

    def is_for_us(self, request: Request, matched: MatchedPolicy) -> bool:
        """Return whether a request is judged by its token: it has one, and is for the app, or asks who the user is."""
        if not (request.has(AUTHORIZATION) and has_token(request)):
            return False
        return matched.own_url is None or matched.own_url.endpoint == SESSION_ENDPOINT

    async def serve(self, scope: Scope, receive: Receive, send: Send, request: Request, matched: MatchedPolicy) -> None:
        """Serve one request: decide whether the app may have it, then call the app or send our own response."""
        found: ActiveToken | Response | None = self._decisions.at_once(request)
        if found is None:
            found = await self._decisions.authenticate(request, matched)
        active = None if isinstance(found, Response) else found
        response = BearerResponse(self._open_responses, active, matched, request, receive, send)
        if isinstance(found, Response):
            await send_response(found, request, response.send)
            return
        if matched.own_url is not None:
            await send_response(self._who_am_i(scope, request, found), request, response.send)
            return
        # Without rules, as on public paths, every valid token is enough.
        denied = await self._decisions.denial(scope, request, matched, found) if matched.rules else None
        if denied is not None:
            await send_response(denied, request, response.send)
            return
        app_error: OIDCError | None = None
        try:
            await self.app(self._app_scopes.make(scope, found, matched.scopes), response.receive, response.send)
        except Exception as error:  # the app may raise anything; its own errors pass through
            if response.open_response is not None and response.open_response.has_caused(error):
                return
            # Our own errors, such as StepUpRequired, are answered as if the policy had asked for that.
            app_error = find_app_error(error)
            if app_error is None or response.has_started:
                raise
        else:
            return
        finally:
            if response.open_response is not None:
                response.close()
        denied = self._decisions.app_error_response(app_error, request, matched, found)
        await send_response(denied, request, response.send)

    def _who_am_i(self, scope: Scope, request: Request, active: ActiveToken) -> Response:
        """Answer our URL `session`: who the token is for, and until when."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, ((b"allow", b"GET, HEAD"), (b"content-length", b"0")))
        user, token = self._app_scopes.make(scope, active)["user"], active.access_token
        return json_response(
            {
                "sub": user.sub,
                "issuer": user.issuer,
                **({"provider": user.provider} if user.provider else {}),
                "name": user.name,
                "email": user.email,
                "claims": user.claims,
                "scopes": active.scopes,
                "credential": user.credential,
                "client_id": user.client_id,
                "is_machine": user.is_machine,
                "expires_at": token.expires_at,
                "ends_at": token.expires_at,
            }
        )
