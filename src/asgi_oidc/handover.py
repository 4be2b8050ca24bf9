"""What the app gets of a request, the scope with its user, and what its answer brings besides its own headers."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec

from asgi_oidc.access import LiveAccess
from asgi_oidc.parts import Parts
from asgi_oidc.policy import Place
from asgi_oidc.principal import OIDC, AnonymousUser, Auth, User
from asgi_oidc.sessions.sessions import Live
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.cors import readable_headers
from asgi_oidc.web.request import Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def user_of(live: Live) -> User:
    """Give the principal; the app may change its claims, and those of the session stay as the provider said."""
    login, tokens = live.session.login, live.session.tokens
    return User(login.sub, login.issuer, msgspec.json.decode(msgspec.json.encode(tokens.claims)))


def inner_scope(scope: Scope, parts: Parts, live: Live | None) -> Scope:
    """Copy the scope with our three keys; whatever stood there before came from outside and is replaced."""
    if live is None:
        return {**scope, "user": AnonymousUser(), "auth": Auth([]), "oidc": OIDC(parts.urls)}
    return {
        **scope,
        "user": user_of(live),
        "auth": Auth(["authenticated", *live.session.tokens.scopes]),
        "oidc": OIDC(parts.urls, LiveAccess(live, parts)),
    }


def outer_send(parts: Parts, live: Live | None, place: Place, request: Request, send: Send) -> Send:
    """Keep answers to users out of shared caches, let them bring what has become of the session, and be read by those
    sites that may."""
    if live is None and not place.origins:
        return send

    async def finished_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            if live is not None:
                lines = parts.sessions.cookies_due(live, request.cookies)
                if request.method == "POST":
                    lines += parts.forms.delete_sent(request.cookies, target=request.target, now=parts.now())
                headers = private_headers(headers, lines)
            message = {**message, "headers": readable_headers(headers, request, place.origins)}
        await send(message)

    return finished_send


def outer_handshake(parts: Parts, live: Live, request: Request, send: Send) -> Send:
    """The same for a websocket, accepted or answered instead."""

    async def finished_handshake(message: Message) -> None:
        if message["type"] == "websocket.http.response.start":
            message = {**message, "headers": private_headers(message.get("headers", ()))}
        if message["type"] == "websocket.accept":
            message = _with_cookies(message, parts.sessions.cookies_due(live, request.cookies))
        await send(message)

    return finished_handshake


def _with_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    if not lines:
        return message
    return {**message, "headers": [*message.get("headers", ()), *((b"set-cookie", line) for line in lines)]}
