"""The ASGI edge: every http request and websocket passes here, and nothing reaches the app undecided."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Unpack

from asgi_oidc import events
from asgi_oidc.asgi.app_response import AppResponse, app_scope
from asgi_oidc.asgi.handshake import Handshake
from asgi_oidc.asgi.lifespan import ASGIApp, Message, run_lifespan, tell_at_start
from asgi_oidc.asgi.open_response import OpenResponses
from asgi_oidc.asgi.websockets import serve_websocket
from asgi_oidc.composition import put_together
from asgi_oidc.endpoints import ENDPOINTS
from asgi_oidc.endpoints.login import own_path
from asgi_oidc.errors import OIDCError, RequestRejected, StoreUnavailable, UnsupportedScope
from asgi_oidc.errors.sanitized import call_sanitized, sanitized, sanitizes_errors
from asgi_oidc.logout.landing import welcome_back
from asgi_oidc.policy.app_checks import authorize, decide_at_once
from asgi_oidc.policy.app_errors import decision_for, lacks_user
from asgi_oidc.policy.denials import deny, foreign
from asgi_oidc.policy.explain import Explanation, explain, explain_all
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.policy.policy import Allow, MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.sessions.authentication import authenticate
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.user_sessions import UserSessions
from asgi_oidc.settings.documentation import lists_settings
from asgi_oidc.settings.environment import read_environment, variables_in
from asgi_oidc.settings.keywords import Keywords
from asgi_oidc.settings.settings import read_settings
from asgi_oidc.web.cors import answer_preflight
from asgi_oidc.web.paths import UNREAD
from asgi_oidc.web.request import Request, methods_of
from asgi_oidc.web.response import Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@lists_settings
class OIDCMiddleware:
    """Sign-in with OpenID Connect around any ASGI app.

    Every path needs a signed-in user, but those that `public` names. The app finds the user in
    `scope["user"]`, the granted scopes in `scope["auth"]` and the session in `scope["oidc"]`.

    Args:
        app: the app to protect.
        clock: seconds since the epoch; tests give their own.
        settings: the keywords of `asgi_oidc.settings.keywords`; `help(OIDCMiddleware)` lists them.

    Raises:
        SettingsError: all that is wrong with the settings, each with the fix.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.time, **settings: Unpack[Keywords]) -> None:
        self.app = app
        try:
            read = call_sanitized(read_settings, settings)
        finally:
            del settings  # a traceback shows the variables of this frame
        self._endpoints = {f"{read.auth_path}/{name}": endpoint for name, endpoint in ENDPOINTS.items()}
        mounts = MountTable(app, prefixes=read.plain_prefixes)
        self._parts = call_sanitized(put_together, read, clock, endpoints=self._endpoints, mounts=mounts)
        self._open_responses = OpenResponses(self._parts)

    @classmethod
    def from_env(
        cls,
        app: ASGIApp,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> "OIDCMiddleware":
        """Make a middleware from `OIDC_...` variables; keywords win over them.

        Args:
            environ: the variables; by default those of the process.

        Raises:
            SettingsError: all that is wrong with the settings, each with the fix.
        """
        try:
            return call_sanitized(cls._from_env, app, os.environ if environ is None else environ, clock, settings)
        finally:
            del environ, settings  # a traceback shows the variables of this frame

    @classmethod
    def _from_env(
        cls, app: ASGIApp, environ: Mapping[str, str], clock: Callable[[], float], settings: Mapping[str, Any]
    ) -> "OIDCMiddleware":
        found, problems = read_environment(environ)
        variables = {name: each for name, each in variables_in(environ).items() if name not in settings}
        settings = {**found, **settings}
        read_settings(settings, also_wrong=problems, variables=variables)  # the constructor would name the keywords
        return cls(app, clock=clock, **settings)

    @property
    def routes(self) -> Any:
        """The routes of the wrapped app: Starlette looks for them on a mounted app to build its URLs."""
        return getattr(self.app, "routes", [])

    @property
    def sessions(self) -> UserSessions:
        """The sessions of all users, to list and to end.

        Raises:
            OIDCError: without a store, sessions are in the browsers alone.
        """
        if self._parts.store is None:
            raise OIDCError("no_store", "sessions are in the browsers alone: set store to list and end them here")
        return UserSessions(self._parts, self._parts.store)

    @property
    def base_url(self) -> str:
        """The public URL of the wrapped app."""
        return self._parts.settings.base_url

    def covers(self, path: str) -> bool:
        """Say whether a path of the browser's address, or a whole URL, is below `base_url`."""
        path = path.removeprefix(self._parts.origin).partition("#")[0].partition("?")[0]
        return f"{path}/".startswith(f"{self._parts.settings.base_path}/")

    def explain(self, path: str, method: str = "GET") -> Explanation:
        """Say what a path gets, and why; `print()` shows it as a table.

        Args:
            path: as in the browser's address, such as `/admin/users`.
            method: of HTTP, or `WEBSOCKET`.

        Raises:
            ValueError: there is no such method.
        """
        return explain(self._parts, path, method)

    def explain_all(self) -> str:
        """List all `public` patterns and rules, as a table."""
        return explain_all(self._parts)

    def __repr__(self) -> str:
        # Not the app's own repr: that may show a password which the app was made with.
        base_url = self.base_url if hasattr(self, "_parts") else None  # None while it is made
        return f"OIDCMiddleware(<{type(self.app).__name__}>, base_url={base_url!r})"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            UnsupportedScope: a scope type that we cannot decide on.
        """
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        parts = self._parts
        if "start" not in parts.notices:  # mounted apps, and some others, hear of no lifespan
            tell_at_start(parts, is_late=True)
        request, place = self._read(scope)
        if place.own is not None or request.method == "OPTIONS":
            response = await self._own_answer(scope, request, place, receive)
            if response is not None:
                await _respond(response, request, send)
                return
        live, down, fault = None, None, None
        if request.cookie_header:
            try:
                live = parts.sessions.at_once(request.cookie_header)
            except Exception as error:  # noqa: BLE001  # raised below, where no context is added to it
                fault = sanitized(error)
            if fault is not None:
                raise fault
            if live is None and parts.sessions.may_be_there(request.cookie_header):
                live, down = await self._who(request, parts.now())
        if request.query and request.query.find(b"state=") != -1:
            response = welcome_back(request, parts, is_signed_in=live is not None)
            if response is not None:
                await _respond(response, request, send)
                return
        answer = AppResponse(parts, live, place, request, receive, send, self._open_responses)
        if live is not None and request.acts_from_elsewhere(parts.origin, place.origins):
            await _respond(foreign(request, parts), request, answer.send)
            return
        lacking: OIDCError | None = None
        try:
            decision = (
                await authorize(scope, parts, place, live) if place.checks else decide_at_once(parts, place, live)
            )
        except OIDCError as error:
            lacking = error
        if lacking is not None:
            await _respond(await self._without(lacking, request, place, live), request, answer.send)
            return
        if not isinstance(decision, Allow):
            response = await self._refusal(decision, request, place, live, down, receive)
            await _respond(response, request, answer.send)
            return
        try:
            await self.app(app_scope(scope, parts, live), receive if live is None else answer.receive, answer.send)
        except Exception as exc:  # those of the app go on; what it lacks is answered as if the request had come without
            if answer.open is not None and answer.open.explains(exc):
                return
            lacking = lacks_user(exc)
            if lacking is None or answer.has_started:
                raise
        else:
            return
        finally:
            if answer.open is not None:
                answer.close()
        # The app takes for nobody whom we could not look up.
        await _respond(await self._without(down or lacking, request, place, live), request, answer.send)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await run_lifespan(self.app, self._parts, scope, receive, send)
            case other:
                raise UnsupportedScope(detail=f"{other!r} is not http, websocket or lifespan")

    @sanitizes_errors
    async def _who(self, request: Request, now: int) -> tuple[ActiveSession | None, StoreUnavailable | None]:
        """Say who is calling, or why nobody can tell: public pages go on without knowing."""
        try:
            live = await authenticate(request, self._parts, now=now)
        except StoreUnavailable as error:
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)
            return None, error
        if live is not None:
            await self._parts.sessions.touch(live)
        return live, None

    @sanitizes_errors
    async def _refusal(
        self,
        decision: StartLogin | StepUp | Refuse,
        request: Request,
        place: MatchedPolicy,
        live: ActiveSession | None,
        down: StoreUnavailable | None,
        receive: Receive,
    ) -> Response:
        if down is not None and isinstance(decision, StartLogin):
            return self._parts.failures.response(request, down, return_to=own_path(request.target, self._parts))
        return await deny(decision, request, self._parts, place, live, receive)

    @sanitizes_errors
    async def _without(
        self, error: OIDCError, request: Request, place: MatchedPolicy, live: ActiveSession | None
    ) -> Response:
        decision = decision_for(error, request, self._parts, live)
        if isinstance(decision, OIDCError):
            return self._parts.failures.response(request, decision, return_to=own_path(request.target, self._parts))
        # The app may have read the body, so no form can be kept.
        return await deny(decision, request, self._parts, place, live, receive=None)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, place = self._read(scope)
        live, down = await self._who(request, self._parts.now())
        handshake = Handshake(scope, receive, send)
        await serve_websocket(self.app, self._parts, scope, request, place, live or down, handshake)

    def _read(self, scope: Scope) -> tuple[Request, MatchedPolicy]:
        request, policy = Request(scope, UNREAD), self._parts.policy
        place = policy.place(scope, request.methods if policy.looks_at_methods else ())
        request.path = place.path
        if place.path.mismatch and "mismatch" not in self._parts.notices:
            self._tell_of_mismatch(scope)
        return request, place

    def _tell_of_mismatch(self, scope: Scope) -> None:
        self._parts.notices.add("mismatch")
        events.log(
            events.MOUNT_MISMATCH,
            root_path=scope.get("root_path"),
            base_url=self._parts.settings.base_url,
            what="no path is public: the root_path of the server or framework is not the path of base_url",
            fix="make base_url end with the path that the app is mounted on; if a proxy strips a part of it, set that "
            "part as root path of the server; have the proxy drop a Daphne-Root-Path header that clients send",
        )

    @sanitizes_errors
    async def _own_answer(
        self, scope: Scope, request: Request, place: MatchedPolicy, receive: Receive
    ) -> Response | None:
        """Answer what is asked of us, and not of the app."""
        if place.own is None and not request.is_preflight:
            return None
        if place.own is None:
            methods = methods_of(request.header(b"access-control-request-method") or "")
            return answer_preflight(request, self._parts.policy.place(scope, methods).origins)
        endpoint = self._endpoints[place.own]
        if request.method not in endpoint.methods:
            allowed = ", ".join(endpoint.methods).encode("ascii")
            if request.shows_html:
                error = RequestRejected("method_not_allowed", f"only {allowed.decode()}", status=405)
                return self._parts.failures.response(request, error).with_headers((b"allow", allowed))
            return self._parts.pages.problem(405, "method_not_allowed", "problem.method_not_allowed").with_headers(
                (b"allow", allowed)
            )
        try:
            return await endpoint.handle(request, self._parts, receive)
        except OIDCError as error:
            return self._parts.failures.response(request, error)


async def _respond(response: Response, request: Request, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    body = b"" if request.method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})
