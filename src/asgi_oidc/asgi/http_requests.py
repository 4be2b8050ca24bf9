"""http requests: each is answered by one of our own URLs, by the app, or by a denial that says why."""

from collections.abc import Callable

from asgi_oidc.asgi.app_response import AppResponse, AppResponses
from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.endpoint_routing import EndpointRouting
from asgi_oidc.asgi.request_reader import RequestReader
from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.errors import OIDCError
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.app_errors import ReadAuthentication, decide_on_app_error, find_app_error
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
        read_authentication: ReadAuthentication,
        origin: str,
        now: Callable[[], int],
    ) -> None:
        self.app = app
        self._reader = reader
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

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request: decide first, then let the app answer, or answer for it."""
        if not self._notices.are_told:  # mounted apps, and some others, hear of no lifespan
            self._notices.tell(is_late=True)
        request, matched = self._reader.read(scope)
        if matched.own is not None or request.method == "OPTIONS":
            own = await self._endpoint_routing.response(scope, request, matched, receive)
            if own is not None:
                await _send(own, request, send)
                return
        active, outage = None, None
        if request.cookie_header:
            active = self._reader.identify_at_once(request)
            if active is None and self._reader.may_have_session(request):
                active, outage = await self._reader.identify(request)
        if request.query and request.query.find(b"state=") != -1:
            signed_out = self._after_logout.handle_return(request, is_signed_in=active is not None)
            if signed_out is not None:
                await _send(signed_out, request, send)
                return
        response = AppResponse(self._app_responses, active, matched, request, receive, send)
        if active is not None and request.acts_from_elsewhere(self._origin, matched.origins):
            denied = await self._denied(refused_origin(request), request, matched, active, receive)
            await _send(denied, request, response.send)
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
            await _send(await self._without(app_error, request, matched, active), request, response.send)
            return
        if not isinstance(decision, Allow):
            denial: Denial = outage if outage is not None and isinstance(decision, StartLogin) else decision
            await _send(await self._denied(denial, request, matched, active, receive), request, response.send)
            return
        try:
            app_receive = receive if active is None else response.receive
            await self.app(self._app_scopes.make(scope, active), app_receive, response.send)
        except (
            Exception
        ) as error:  # errors of the app pass; what it lacks is answered as if the request had come without
            if response.open is not None and response.open.explains(error):
                return
            app_error = find_app_error(error)
            if app_error is None or response.has_started:
                raise
        else:
            return
        finally:
            if response.open is not None:
                response.close()
        # The app takes a user for anonymous whom we could not look up.
        await _send(await self._without(outage or app_error, request, matched, active), request, response.send)

    @sanitizes_errors
    async def _denied(
        self,
        denial: Denial,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        receive: Receive | None,
    ) -> Response:
        return await self._denials.response(denial, request, matched, active, receive)

    @sanitizes_errors
    async def _without(
        self, error: OIDCError, request: Request, matched: MatchedPolicy, active: ActiveSession | None
    ) -> Response:
        """Answer for an app, or a check of it, that lacks something of its user."""
        read = self._read_authentication
        denial = decide_on_app_error(error, request, active, read_authentication=read, now=self._now())
        # The app may have read the body, so no form can be kept.
        return await self._denials.response(denial, request, matched, active, receive=None)


async def _send(response: Response, request: Request, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    body = b"" if request.method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})
