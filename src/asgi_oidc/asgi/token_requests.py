"""Serves http requests that present an access token: the token alone decides, and the app answers, or a denial."""

from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.open_responses import OpenResponses
from asgi_oidc.asgi.own_response import send_response
from asgi_oidc.asgi.token_response import TokenResponse
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.bearer.authorization_header import AUTHORIZATION, has_token, scheme_of
from asgi_oidc.errors import OIDCError
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.app_errors import ReadAuthentication, decide_on_app_error_with_token, find_app_error
from asgi_oidc.policy.bearer_denials import BearerDenials
from asgi_oidc.policy.policy import Allow, Denial, MatchedPolicy
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

SESSION_ENDPOINT = "session"  # the only one of our URLs that looks at tokens; all others are about cookies


class TokenRequests:
    """Serves http requests with access tokens."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: TokenAuthenticator,
        access: AccessControl,
        denials: BearerDenials,
        app_scopes: AppScopes,
        open_responses: OpenResponses,
        read_authentication: ReadAuthentication,
    ) -> None:
        self.app = app
        self._tokens = tokens
        self._access = access
        self._denials = denials
        self._app_scopes = app_scopes
        self._open_responses = open_responses
        self._read_authentication = read_authentication

    def is_for_us(self, request: Request, matched: MatchedPolicy) -> bool:
        """Return whether a request is judged by its token: it has one, and is for the app, or asks who the user is."""
        if not request.has(AUTHORIZATION) or not has_token(request):
            return False
        return matched.own_url is None or matched.own_url.endpoint == SESSION_ENDPOINT

    async def serve(self, scope: Scope, receive: Receive, send: Send, request: Request, matched: MatchedPolicy) -> None:
        """Serve one request: decide whether the app may have it, then call the app or send our own response."""
        active = self._tokens.at_once(request)
        if active is None:
            found = await self._authenticate(request, matched)
            if isinstance(found, Response):
                refused = TokenResponse(self._open_responses, None, matched, request, receive, send)
                await send_response(found, request, refused.send)
                return
            active = found
        response = TokenResponse(self._open_responses, active, matched, request, receive, send)
        denial = await self._why_denied(scope, matched, active)
        if denial is not None:
            await send_response(self._denial_response(denial, request, matched), request, response.send)
            return
        app_error: OIDCError | None = None
        try:
            await self.app(self._app_scopes.make(scope, active), response.receive, response.send)
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
        denial = decide_on_app_error_with_token(app_error, read_authentication=self._read_authentication)
        await send_response(self._denial_response(denial, request, matched), request, response.send)

    @sanitizes_errors
    async def _authenticate(self, request: Request, matched: MatchedPolicy) -> ActiveToken | Response:
        """Return the valid token of a request, or the response if there is none: on public paths too."""
        try:
            return await self._tokens.authenticate(request)
        except OIDCError as error:
            return self._denial_response(error, request, matched)

    async def _why_denied(self, scope: Scope, matched: MatchedPolicy, active: ActiveToken) -> Denial | None:
        """Return why the app does not get a request; None if it does."""
        try:
            decision = (
                await self._access.decide_with_checks(scope, matched, active)
                if matched.checks
                else self._access.decide(matched, active)
            )
        except OIDCError as error:
            return decide_on_app_error_with_token(error, read_authentication=self._read_authentication)
        return None if isinstance(decision, Allow) else decision

    def _denial_response(self, denial: Denial, request: Request, matched: MatchedPolicy) -> Response:
        return self._denials.response(denial, request, matched, scheme=scheme_of(request))
