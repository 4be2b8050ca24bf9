"""The ASGI edge: every http request and websocket passes here, and nothing reaches the app undecided."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Unpack, assert_never

import msgspec

from asgi_oidc import events
from asgi_oidc.access import LiveAccess
from asgi_oidc.authenticate import authenticate
from asgi_oidc.endpoints import ENDPOINTS
from asgi_oidc.endpoints.failure import failure
from asgi_oidc.endpoints.login import own_path, start_login
from asgi_oidc.endpoints.signed_out import welcome_back
from asgi_oidc.environment import read_environment
from asgi_oidc.errors import (
    AccessTokenExpired,
    NotSignedIn,
    OIDCError,
    RefreshFailed,
    StoreUnavailable,
    UnsupportedScope,
)
from asgi_oidc.lifespan import ASGIApp, Message, run_lifespan, tell_what_a_sign_out_reaches
from asgi_oidc.open_websocket import CLOSE_SESSION_OVER, CLOSE_TRY_AGAIN_LATER, OpenWebsocket
from asgi_oidc.parts import put_together
from asgi_oidc.principal import OIDC, AnonymousUser, Auth, User, with_return_to
from asgi_oidc.rules import Decision, decide
from asgi_oidc.sessions.sessions import Live
from asgi_oidc.settings import Keywords, read_settings
from asgi_oidc.user_sessions import UserSessions
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.request import Request, read_request
from asgi_oidc.web.response import Response, problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLOSE_FORBIDDEN = 4403  # a code of our own, after the HTTP status (RFC 6455 §7.4.2)
LEAST_AGE = 60  # seconds that a session must be old before a token that ran out sends the browser to sign in again


class OIDCMiddleware:
    """Sign-in with OpenID Connect around any ASGI app.

    Every path needs a signed-in user, but those that `public` names. The app finds the user in
    `scope["user"]`, the granted scopes in `scope["auth"]` and the session in `scope["oidc"]`.

    Args:
        app: the app to protect.
        clock: seconds since the epoch; tests give their own.
        settings: see README.md for the table.

    Raises:
        SettingsError: all that is wrong with the settings, each with the mend.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.time, **settings: Unpack[Keywords]) -> None:
        self.app = app
        self._parts = put_together(read_settings(settings), clock)
        auth_path = self._parts.settings.auth_path
        self._endpoints = {f"{auth_path}/{name}": endpoint for name, endpoint in ENDPOINTS.items()}

    @classmethod
    def from_env(
        cls,
        app: ASGIApp,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> "OIDCMiddleware":
        """Make a middleware from `OIDC_...` variables; keywords win over them.

        Raises:
            SettingsError: all that is wrong with the settings, each with the mend.
        """
        found, problems = read_environment(environ)
        settings = {**found, **settings}
        if problems:
            read_settings(settings, also_wrong=problems)
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

    def __repr__(self) -> str:
        return f"OIDCMiddleware({self.app!r})"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            UnsupportedScope: a scope type that we cannot decide on.
        """
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await run_lifespan(self.app, self._parts, scope, receive, send)
            case other:
                raise UnsupportedScope(detail=f"{other!r} is not http, websocket or lifespan")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "reach" not in self._parts.notices:  # mounted apps, and some others, hear of no lifespan
            tell_what_a_sign_out_reaches(self._parts, is_late=True)
        request = self._read(scope)
        response = await self._own_endpoint(request, receive)
        if response is not None:
            await _respond(response, request, send)
            return
        live, down = await self._who(request)
        if (welcome := welcome_back(request, self._parts, is_signed_in=live is not None)) is not None:
            await _respond(welcome, request, send)
            return
        public = self._parts.settings.public
        match decide(public, request.path, is_signed_in=live is not None):
            case Decision.ALLOW:
                await self._run_app(request, live or down, scope, receive, send)
            case Decision.LOGIN if down is not None:
                return_to = own_path(request.target, self._parts)
                await _respond(failure(request, self._parts, down, return_to=return_to), request, send)
            case Decision.LOGIN:
                await _respond(await self._login_needed(request), request, send)
            case other:
                assert_never(other)

    async def _who(self, request: Request) -> tuple[Live | None, StoreUnavailable | None]:
        """Say who is calling, or why nobody can tell: public pages go on without knowing."""
        try:
            live = await authenticate(request, self._parts, now=self._parts.now())
        except StoreUnavailable as error:
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)
            return None, error
        if live is not None:
            await self._parts.sessions.touch(live)
        return live, None

    async def _run_app(
        self, request: Request, who: Live | StoreUnavailable | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Call the app; a token that it needs and cannot get is answered like a request without a session."""
        live = who if isinstance(who, Live) else None
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        inner_send = watched_send if live is None else self._private_send(live, request, watched_send)
        try:
            await self.app(self._inner_scope(scope, live), receive, inner_send)
        except Exception as exc:  # those of the app go on
            error = _lacks_token(exc)
            if error is None or has_started:
                raise
            # The app takes for nobody whom we could not look up.
            error = who if isinstance(who, StoreUnavailable) else error
            response = await self._without_token(request, live, error)
        else:
            return
        lines = [] if live is None else self._parts.sessions.cookies_due(live, request.cookies)
        await _respond(response.with_cookies(lines), request, send)

    async def _without_token(self, request: Request, live: Live | None, error: OIDCError) -> Response:
        # A provider whose tokens are dead on arrival would send the browser round in circles.
        is_new = live is not None and self._parts.now() - live.session.login.created_at < LEAST_AGE
        goes_in_circles = is_new and request.is_navigation
        if isinstance(error, NotSignedIn | AccessTokenExpired) and not goes_in_circles:
            events.log(events.REQUEST_REFUSED, code=error.code, method=request.method)
            return await self._login_needed(request)
        return failure(request, self._parts, error, return_to=own_path(request.target, self._parts))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._read(scope)
        live, down = await self._who(request)
        public = self._parts.settings.public.opens(request.path)
        # Browsers let any site open a websocket with our cookies: only our own pages act for the user.
        is_ours = request.header(b"origin") == self._parts.origin
        if not public and down is not None:
            await _refuse(scope, receive, send, failure(request, self._parts, down), CLOSE_TRY_AGAIN_LATER)
            return
        if not public and live is None:
            await _refuse(scope, receive, send, self._unauthorized(request), CLOSE_SESSION_OVER)
            return
        if not public and not is_ours:
            forbidden = problem(403, "foreign_origin", "Another site may not open this websocket")
            await _refuse(scope, receive, send, forbidden, CLOSE_FORBIDDEN)
            return
        user = live if is_ours else None
        if user is None:
            await self.app(self._inner_scope(scope, None), receive, send)
            return
        websocket = OpenWebsocket(user, self._parts, receive, self._private_handshake(user, request, send))
        await websocket.run(lambda receive, send: self.app(self._inner_scope(scope, user), receive, send))

    def _read(self, scope: Scope) -> Request:
        request = read_request(scope, base_path=self._parts.settings.base_path)
        if request.path.mismatch and "mismatch" not in self._parts.notices:
            self._parts.notices.add("mismatch")
            events.log(
                events.MOUNT_MISMATCH,
                root_path=scope.get("root_path"),
                base_url=self._parts.settings.base_url,
                mend="base_url must end with the path that the app is mounted on",
            )
        return request

    async def _own_endpoint(self, request: Request, receive: Receive) -> Response | None:
        # Some mounts add a "/" (Litestar): a callback that is not known as ours would start a login, for ever.
        paths = (reading.rstrip("/") for reading in request.path.readings)
        endpoint = next((self._endpoints[path] for path in paths if path in self._endpoints), None)
        if endpoint is None:
            return None
        if request.method not in endpoint.methods:
            allowed = ", ".join(endpoint.methods).encode("ascii")
            return problem(405, "method_not_allowed", "Method not allowed").with_headers((b"allow", allowed))
        try:
            return await endpoint.handle(request, self._parts, receive)
        except OIDCError as error:
            return failure(request, self._parts, error)

    async def _login_needed(self, request: Request) -> Response:
        if not request.is_navigation:
            events.log(events.REQUEST_REFUSED, status=401, method=request.method)
            return self._unauthorized(request)
        return_to = own_path(request.target, self._parts)
        try:
            return await start_login(request, self._parts, return_to=return_to)
        except OIDCError as error:
            return failure(request, self._parts, error, return_to=return_to)

    def _unauthorized(self, request: Request) -> Response:
        # A script's user should come back to the page that the script runs on, not to the script's URL.
        referer = request.header(b"referer") or ""
        page = own_path(referer, self._parts) if referer.startswith(f"{self._parts.origin}/") else None
        url = with_return_to(self._parts.urls.login, page)
        challenge = f'Cookie realm="sign-in", form-action="{self._parts.urls.login}"'
        return problem(401, "login_required", "Please sign in", login_url=url).with_headers(
            (b"www-authenticate", challenge.encode("ascii"))
        )

    def _inner_scope(self, scope: Scope, live: Live | None) -> Scope:
        """Copy the scope with our three keys; whatever stood there before came from outside and is replaced."""
        urls = self._parts.urls
        if live is None:
            return {**scope, "user": AnonymousUser(), "auth": Auth([]), "oidc": OIDC(urls)}
        login, tokens = live.session.login, live.session.tokens
        return {
            **scope,
            # The app may change the claims that it is given; those of the session stay as the provider said.
            "user": User(login.sub, login.issuer, msgspec.json.decode(msgspec.json.encode(tokens.claims))),
            "auth": Auth(["authenticated", *tokens.scopes]),
            "oidc": OIDC(urls, LiveAccess(live, self._parts)),
        }

    def _private_send(self, live: Live, request: Request, send: Send) -> Send:
        """Keep the answer out of shared caches, and let it bring what has become of the session."""

        async def private_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                lines = self._parts.sessions.cookies_due(live, request.cookies)
                message = {**message, "headers": private_headers(message.get("headers", ()), lines)}
            await send(message)

        return private_send

    def _private_handshake(self, live: Live, request: Request, send: Send) -> Send:
        """The same for a websocket, accepted or answered instead."""

        async def private_handshake(message: Message) -> None:
            if message["type"] == "websocket.http.response.start":
                message = {**message, "headers": private_headers(message.get("headers", ()))}
            if message["type"] == "websocket.accept":
                lines = self._parts.sessions.cookies_due(live, request.cookies)
                message = _with_cookies(message, lines)
            await send(message)

        return private_handshake


def _lacks_token(exc: BaseException) -> OIDCError | None:
    """Find out whether an app failed because it got no token; it may have asked for several at once."""
    if isinstance(exc, NotSignedIn | AccessTokenExpired | RefreshFailed | StoreUnavailable):
        return exc
    if not isinstance(exc, BaseExceptionGroup):
        return None
    found = [_lacks_token(each) for each in exc.exceptions]
    return None if None in found else found[0]


def _with_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    if not lines:
        return message
    return {**message, "headers": [*message.get("headers", ()), *((b"set-cookie", line) for line in lines)]}


async def _respond(response: Response, request: Request, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    body = b"" if request.method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response, code: int) -> None:
    """Refuse a websocket before it is accepted: with the response where the server can, else with a close code."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": code})
        return
    start = {"type": "websocket.http.response.start", "status": response.status, "headers": list(response.headers)}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": response.body})
