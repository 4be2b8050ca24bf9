"""Serves http requests: one of our own endpoints answers, or the app, or a denial such as a login redirect or 403."""

from collections.abc import Callable

from asgi_oidc.asgi.app_response import AppResponse, AppResponses
from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.bearer_requests import BearerRequests
from asgi_oidc.asgi.endpoint_routing import EndpointRouting
from asgi_oidc.asgi.own_response import send_response
from asgi_oidc.asgi.request_reader import RequestReader
from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.errors import OIDCError
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.login.login_parameters import ReadAuthentication
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.app_errors import decide_on_app_error, find_app_error
from asgi_oidc.policy.csrf import refused_origin
from asgi_oidc.policy.denials import Denials
from asgi_oidc.policy.policy import Allow, Denial, MatchedPolicy, StartLogin
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


class HttpRequests:
    """Serves http requests."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        reader: RequestReader,
        endpoint_routing: EndpointRouting,
        after_logout: AfterLogout,
        access: AccessControl,
        denials: Denials,
        app_scopes: AppScopes,
        app_responses: AppResponses,
        notices: StartUpNotices,
        bearer_requests: BearerRequests | None = None,
        read_authentication: ReadAuthentication,
        origin: str,
        now: Callable[[], int],
    ) -> None:
        self._app = app
        self._reader = reader
        self._bearer_requests = bearer_requests
        self._endpoint_routing = endpoint_routing
        self._after_logout = after_logout
        self._access = access
        self._denials = denials
        self._app_scopes = app_scopes
        self._app_responses = app_responses
        self._notices = notices
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
        if self._bearer_requests is not None:
            self._bearer_requests.app = app

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request: decide whether the app may have it, then call the app or send our own response."""
        if not self._notices.are_logged:  # mounted apps, and apps on some servers, get no lifespan
            self._notices.log_once(without_lifespan=True)
        request, matched = self._reader.read(scope)
        if self._bearer_requests is not None and self._bearer_requests.is_for_us(request, matched):
            await self._bearer_requests.serve(scope, receive, send, request, matched)
            return
        if matched.own_url is not None or request.method == "OPTIONS":
            own_response = await self._endpoint_routing.response(scope, request, matched, receive)
            if own_response is not None:
                await send_response(own_response, request, send)
                return
        active, outage = None, None
        if request.cookie_header:
            active = self._reader.identify_at_once(request)
            if active is None and self._reader.may_have_session(request):
                active, outage = await self._reader.identify(request)
        if request.query and request.query.find(b"state=") != -1:
            logout_response = self._after_logout.handle_return(request, is_signed_in=active is not None)
            if logout_response is not None:
                await send_response(logout_response, request, send)
                return
        response = AppResponse(self._app_responses, active, matched, request, receive, send)
        if active is not None and request.may_be_forged(self._origin, matched.origins):
            denied = await self._denial_response(refused_origin(request), request, matched, active, receive)
            await send_response(denied, request, response.send)
            return
        app_error: OIDCError | None = None
        try:
            decision = (
                await self._access.decide_with_checks(scope, matched, active)
                if matched.checks
                else self._access.decide(matched, active)
            )
        except OIDCError as error:
            app_error = error
        if app_error is not None:
            denied = await self._app_error_response(app_error, request, matched, active)
            await send_response(denied, request, response.send)
            return
        if not isinstance(decision, Allow):
            denial: Denial = outage if outage is not None and isinstance(decision, StartLogin) else decision
            denied = await self._denial_response(denial, request, matched, active, receive)
            await send_response(denied, request, response.send)
            return
        try:
            app_receive = receive if active is None else response.receive
            await self._app(self._app_scopes.make(scope, active), app_receive, response.send)
        except Exception as error:  # the app may raise anything; its own errors pass through
            if response.open_response is not None and response.open_response.has_caused(error):
                return
            # Our own errors, such as NotSignedIn, are answered as if the policy had asked for a login.
            app_error = find_app_error(error)
            if app_error is None or response.has_started:
                raise
        else:
            return
        finally:
            if response.open_response is not None:
                response.close()
        # During a store outage, the app sees a signed-in user as anonymous, and may raise because of that: report the
        # outage, not the missing login.
        denied = await self._app_error_response(outage or app_error, request, matched, active)
        await send_response(denied, request, response.send)

    @sanitizes_errors
    async def _denial_response(
        self,
        denial: Denial,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        receive: Receive | None,
    ) -> Response:
        return await self._denials.response(denial, request, matched, active, receive)

    @sanitizes_errors
    async def _app_error_response(
        self, error: OIDCError, request: Request, matched: MatchedPolicy, active: ActiveSession | None
    ) -> Response:
        """Answer in place of an app, or of one of its checks, that raised an error of ours.

        Such an error says that it needs a user, a stronger or fresher login, or a token.
        """
        read = self._read_authentication
        denial = decide_on_app_error(error, request, active, read_authentication=read, now=self._now())
        # The app may have read the body already, so an interrupted form cannot be saved.
        return await self._denials.response(denial, request, matched, active, receive=None)
