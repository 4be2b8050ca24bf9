"""What the response of the app gains: cookies that are due, caching headers, headers for other origins."""

from collections.abc import Callable, Sequence

from asgi_oidc.asgi.open_responses import OpenResponse, OpenResponses, loop_time
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.web.asgi_types import Message, Receive, Send
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER
from asgi_oidc.web.cors import readable_headers
from asgi_oidc.web.request import Request


class AppResponses:
    """What all responses of the app work with."""

    __slots__ = ("_budget", "_forms", "_now", "open_responses", "sessions", "stale_cookies")

    def __init__(
        self,
        sessions: SessionRepository,
        stale_cookies: StaleCookies,
        budget: CookieBudget,
        forms: InterruptedForms,
        open_responses: OpenResponses,
        *,
        now: Callable[[], int],
    ) -> None:
        self.sessions = sessions
        self.stale_cookies = stale_cookies
        self.open_responses = open_responses
        self._budget = budget
        self._forms = forms
        self._now = now

    def cookies_due(self, active: ActiveSession, request: Request) -> list[bytes]:
        """Return the Set-Cookie lines that the session needs, and the deletions that make room for them."""
        # The app's own frames are above this one: whatever fails here must not carry ours.
        lines = call_sanitized(self.sessions.cookies_due, active, request.cookies)
        if len(request.cookie_header) + sum(map(len, lines)) <= MAX_COOKIE_HEADER:  # most often there is room enough
            return lines
        return [*lines, *call_sanitized(self._budget.make_room, request.cookies, lines, now=self._now())]

    def delete_sent_forms(self, request: Request) -> list[bytes]:
        """Return the Set-Cookie lines that delete an interrupted form which this request has sent again."""
        return call_sanitized(self._forms.delete_sent, request.cookies, target=request.target, now=self._now())


class AppResponse:
    """The response to one request: kept out of shared caches when it is to a user, it brings what has become of the
    session, and can be read by those sites that may.

    Attributes:
        has_started: whether any of it is on its way.
        open: ends it with the session, where it may stay open for long.
    """

    __slots__ = (
        "_active",
        "_begun_at",
        "_has_body",
        "_matched",
        "_receive",
        "_request",
        "_responses",
        "_send",
        "has_started",
        "open",
    )

    def __init__(
        self,
        responses: AppResponses,
        active: ActiveSession | None,
        matched: MatchedPolicy,
        request: Request,
        receive: Receive,
        send: Send,
    ) -> None:
        self._responses = responses
        self._active = active
        self._matched = matched
        self._request = request
        self._receive = receive
        self._send = send
        self._begun_at = 0.0 if active is None else loop_time()
        self._has_body = False
        self.has_started = False
        self.open: OpenResponse | None = None

    def __repr__(self) -> str:
        return f"AppResponse(has_started={self.has_started})"

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the session is over, and so is a response that was still open (ASGI 3.0, "Disconnected Client").
        """
        if message["type"] == "http.response.start":
            active, origins = self._active, self._matched.origins
            if active is not None:
                message = {**message, "headers": private_headers(message.get("headers", ()), self._cookies_due(active))}
            elif self._request.session_over_at is not None:
                message = _with_private_cookies(
                    message, call_sanitized(self._responses.stale_cookies.delete, self._request)
                )
            if origins:
                headers = readable_headers(message.get("headers", ()), self._request, origins)
                message = {**message, "headers": headers}
        elif self._active is not None and (self.open is not None or message.get("more_body")):
            await self._send_part(self._opened(self._active), message)
            return
        self.has_started = True
        await self._send(message)

    async def receive(self) -> Message:
        """Receive a message; after the body, the app receives a disconnect when an open response was ended."""
        if self._has_body and self._active is not None:
            return await self._opened(self._active).receive(self._receive)
        message = await self._receive()
        self._has_body = not message.get("more_body", False)
        return message

    def close(self) -> None:
        """Note that the response is complete."""
        if self.open is not None:
            self._responses.open_responses.forget(self.open)

    async def _send_part(self, response: OpenResponse, message: Message) -> None:
        self.has_started = True
        if message.get("more_body"):
            if not response.is_streaming:
                await response.begin_streaming()
            self._responses.open_responses.watch(response)
        await response.send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.close()

    def _opened(self, active: ActiveSession) -> OpenResponse:
        if self.open is None:
            begin = self._responses.open_responses.begin
            self.open = call_sanitized(begin, active, self._send, begun_at=self._begun_at)
        return self.open

    def _cookies_due(self, active: ActiveSession) -> list[bytes]:
        responses, request = self._responses, self._request
        due = responses.cookies_due(active, request) if responses.sessions.is_due(active) else []
        return due if request.method != "POST" else [*due, *responses.delete_sent_forms(request)]


def finish_handshake(responses: AppResponses, active: ActiveSession, request: Request, send: Send) -> Send:
    """Make the `send` of a websocket, which brings the same when it is accepted or answered instead."""

    async def finished_handshake(message: Message) -> None:
        if message["type"] == "websocket.http.response.start":
            message = {**message, "headers": private_headers(message.get("headers", ()))}
        if message["type"] == "websocket.accept":
            message = _with_cookies(message, responses.cookies_due(active, request))
        await send(message)

    return finished_handshake


def _with_private_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    return {**message, "headers": private_headers(message.get("headers", ()), lines)} if lines else message


def _with_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    if not lines:
        return message
    return {**message, "headers": [*message.get("headers", ()), *((b"set-cookie", line) for line in lines)]}
