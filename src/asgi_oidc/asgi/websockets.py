"""The ASGI edge of websockets: the same policy before they are accepted, and none outlives its session."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, assert_never

from asgi_oidc.asgi.app_response import app_scope, outer_handshake
from asgi_oidc.asgi.handshake import Handshake
from asgi_oidc.asgi.open_websocket import CLOSE_SESSION_OVER, CLOSE_TRY_AGAIN_LATER, OpenWebsocket
from asgi_oidc.composition import Parts
from asgi_oidc.errors import OIDCError, RefreshFailed, StoreUnavailable
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.policy.app_checks import authorize
from asgi_oidc.policy.app_errors import decision_for, lacks_user
from asgi_oidc.policy.denials import forbidden, foreign, unauthorized
from asgi_oidc.policy.policy import Allow, MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

CLOSE_FORBIDDEN = 4403  # a code of our own, after the HTTP status (RFC 6455 §7.4.2)
CLOSE_BROKEN = 1011  # RFC 6455 §7.4.1: something unexpected on our side

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
ASGIApp = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Refusal = tuple[Response, int]


async def serve_websocket(
    app: ASGIApp,
    parts: Parts,
    scope: Scope,
    request: Request,
    place: MatchedPolicy,
    who: ActiveSession | StoreUnavailable | None,
    handshake: Handshake,
) -> None:
    """Refuse a websocket, or let the app have it.

    Args:
        who: the session behind it, or why nobody can tell.
    """
    # Browsers let any site open a websocket with our cookies: only our own pages act for the user.
    is_ours = request.header(b"origin") in (parts.origin, *place.origins)
    refusal = await _refusal(parts, scope, request, place, who, is_ours=is_ours)
    if refusal is None:
        # The app takes for nobody whom we could not look up.
        user = who if isinstance(who, StoreUnavailable) or is_ours else None
        refusal = await _run_app(app, parts, scope, request, user, handshake)
    if refusal is not None:
        response, code = refusal
        await handshake.refuse(response, code=code)


@sanitizes_errors
async def _refusal(
    parts: Parts,
    scope: Scope,
    request: Request,
    place: MatchedPolicy,
    who: ActiveSession | StoreUnavailable | None,
    *,
    is_ours: bool,
) -> Refusal | None:
    """Say how a websocket is refused, None where it is the app's: the response, and the code of the close."""
    if place.opened_by is not None:
        return None
    if isinstance(who, StoreUnavailable):
        return parts.failures.response(request, who), CLOSE_TRY_AGAIN_LATER
    if who is not None and not is_ours:
        return foreign(request, parts), CLOSE_FORBIDDEN
    try:
        decision = await authorize(scope, parts, place, who)
    except OIDCError as error:
        return _told(error, request, parts, who)
    match decision:
        case Allow():
            return None
        case StartLogin() | StepUp():
            return unauthorized(decision, request, parts), CLOSE_SESSION_OVER
        case Refuse():
            return forbidden(decision, request, parts, place, who), CLOSE_FORBIDDEN
        case other:
            assert_never(other)


async def _run_app(
    app: ASGIApp,
    parts: Parts,
    scope: Scope,
    request: Request,
    who: ActiveSession | StoreUnavailable | None,
    handshake: Handshake,
) -> Refusal | None:
    """Call the app; where it lacks something before it has answered, say how the websocket is refused."""
    user = who if isinstance(who, ActiveSession) else None
    scope = app_scope(scope, parts, user)
    try:
        if user is None:
            await app(scope, handshake.receive, handshake.send)
            return None
        send = outer_handshake(parts, user, request, handshake.send)
        websocket = OpenWebsocket(user, parts, handshake.receive, send)
        await websocket.run(lambda receive, send: app(scope, receive, send))
    except Exception as exc:  # those of the app go on
        error = lacks_user(exc)
        if error is None or handshake.is_answered:
            raise
        return _told(who if isinstance(who, StoreUnavailable) else error, request, parts, user)
    return None


def _told(error: OIDCError, request: Request, parts: Parts, live: ActiveSession | None) -> Refusal:
    """Say how a websocket is refused whose app lacks a user, a better login or a token."""
    decision = decision_for(error, request, parts, live)
    if not isinstance(decision, OIDCError):
        return unauthorized(decision, request, parts), CLOSE_SESSION_OVER
    is_outage = isinstance(decision, RefreshFailed | StoreUnavailable)
    return parts.failures.response(request, decision), CLOSE_TRY_AGAIN_LATER if is_outage else CLOSE_BROKEN
