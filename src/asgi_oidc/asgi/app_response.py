"""What the app gets of a request, the scope with its user, and what its answer brings besides its own headers."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from asgi_oidc.asgi.oidc import SignedInOIDC
from asgi_oidc.asgi.open_response import OpenResponse, OpenResponses, loop_time
from asgi_oidc.composition import Parts
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.principal import ANONYMOUS, Auth, User
from asgi_oidc.sessions.authentication import delete_over
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER
from asgi_oidc.web.cors import readable_headers
from asgi_oidc.web.request import Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def app_scope(scope: Scope, parts: Parts, live: ActiveSession | None) -> Scope:
    """Copy the scope with our three keys; whatever stood there before came from outside and is replaced."""
    inner = dict(scope)
    if live is None:
        inner["user"], inner["auth"], inner["oidc"] = ANONYMOUS, Auth([]), parts.nobody
        return inner
    login, tokens = live.session.login, live.session.tokens
    domains = parts.settings.trusted_email_domains
    inner["user"] = User(login.sub, login.issuer, tokens.written_claims, trusted_email_domains=domains)
    inner["auth"] = Auth(["authenticated", *tokens.scopes])
    inner["oidc"] = SignedInOIDC(live, parts)
    return inner


class AppResponse:
    """The answer to one request: kept out of shared caches when it is to a user, it brings what has become of the
    session, and can be read by those sites that may.

    Attributes:
        has_started: whether any of it is on its way.
        open: ends it with the session, where it may stay open for long.
    """

    __slots__ = (
        "_begun_at",
        "_has_body",
        "_live",
        "_open_responses",
        "_parts",
        "_place",
        "_receive",
        "_request",
        "_send",
        "has_started",
        "open",
    )

    def __init__(
        self,
        parts: Parts,
        live: ActiveSession | None,
        place: MatchedPolicy,
        request: Request,
        receive: Receive,
        send: Send,
        open_responses: OpenResponses,
    ) -> None:
        self._parts = parts
        self._live = live
        self._place = place
        self._request = request
        self._receive = receive
        self._send = send
        self._open_responses = open_responses
        self._begun_at = 0.0 if live is None else loop_time()
        self._has_body = False
        self.has_started = False
        self.open: OpenResponse | None = None

    def __repr__(self) -> str:
        return f"Answer(has_started={self.has_started})"

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the session is over, and so is a response that was still open (ASGI 3.0, "Disconnected Client").
        """
        if message["type"] == "http.response.start":
            live, origins = self._live, self._place.origins
            if live is not None:
                message = {**message, "headers": private_headers(message.get("headers", ()), self._cookies_due(live))}
            elif self._request.session_over_at is not None:
                message = _with_private_cookies(message, call_sanitized(delete_over, self._request, self._parts))
            if origins:
                headers = readable_headers(message.get("headers", ()), self._request, origins)
                message = {**message, "headers": headers}
        elif self._live is not None and (self.open is not None or message.get("more_body")):
            await self._send_bit(self._opened(self._live), message)
            return
        self.has_started = True
        await self._send(message)

    async def receive(self) -> Message:
        """Receive a message; after the body, the app receives a disconnect when an open response was ended."""
        if self._has_body and self._live is not None:
            return await self._opened(self._live).receive(self._receive)
        message = await self._receive()
        self._has_body = not message.get("more_body", False)
        return message

    def close(self) -> None:
        """Note that the response is complete."""
        if self.open is not None:
            self._open_responses.forget(self.open)

    async def _send_bit(self, response: OpenResponse, message: Message) -> None:
        self.has_started = True
        if message.get("more_body"):
            if not response.is_streaming:
                await response.begin_streaming()
            self._open_responses.watch(response)
        await response.send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.close()

    def _opened(self, live: ActiveSession) -> OpenResponse:
        if self.open is None:
            self.open = call_sanitized(OpenResponse, live, self._parts, self._send, begun_at=self._begun_at)
        return self.open

    def _cookies_due(self, live: ActiveSession) -> list[bytes]:
        parts, request = self._parts, self._request
        due = _cookies_due(parts, live, request) if parts.sessions.is_due(live) else []
        return due if request.method != "POST" else [*due, *_forms_sent(parts, request)]


def outer_handshake(parts: Parts, live: ActiveSession, request: Request, send: Send) -> Send:
    """The same for a websocket, accepted or answered instead."""

    async def finished_handshake(message: Message) -> None:
        if message["type"] == "websocket.http.response.start":
            message = {**message, "headers": private_headers(message.get("headers", ()))}
        if message["type"] == "websocket.accept":
            message = _with_cookies(message, _cookies_due(parts, live, request))
        await send(message)

    return finished_handshake


def _cookies_due(parts: Parts, live: ActiveSession, request: Request) -> list[bytes]:
    # The app's own frames are above this one: whatever fails here passes by there.
    lines = call_sanitized(parts.sessions.cookies_due, live, request.cookies)
    if len(request.cookie_header) + sum(map(len, lines)) <= MAX_COOKIE_HEADER:  # most often there is room enough
        return lines
    return [*lines, *call_sanitized(parts.cookie_budget.make_room, request.cookies, lines, now=parts.now())]


def _forms_sent(parts: Parts, request: Request) -> list[bytes]:
    return call_sanitized(parts.forms.delete_sent, request.cookies, target=request.target, now=parts.now())


def _with_private_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    return {**message, "headers": private_headers(message.get("headers", ()), lines)} if lines else message


def _with_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    if not lines:
        return message
    return {**message, "headers": [*message.get("headers", ()), *((b"set-cookie", line) for line in lines)]}
