"""Adds our headers to the app's response: Set-Cookie lines, caching headers, and CORS headers."""

from collections.abc import Callable, Sequence

from asgi_oidc.asgi.open_responses import OpenResponses, loop_time
from asgi_oidc.asgi.watched_response import WatchedResponse
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.web.asgi_types import Message, Receive, Send
from asgi_oidc.web.caching import BY_COOKIE, BY_COOKIE_WITHOUT_TOKEN, private_headers
from asgi_oidc.web.cors import readable_headers
from asgi_oidc.web.request import Request


class AppResponses:
    """What the responses of all requests share."""

    __slots__ = ("_budget", "_forms", "_now", "open_responses", "private", "sessions", "stale_cookies")

    def __init__(
        self,
        sessions: SessionRepository,
        stale_cookies: StaleCookies,
        budget: CookieBudget,
        forms: InterruptedForms,
        open_responses: OpenResponses,
        *,
        takes_tokens: bool,
        now: Callable[[], int],
    ) -> None:
        """Keep what is shared.

        Args:
            takes_tokens: whether a request with an access token gets another response.
        """
        self.private = BY_COOKIE_WITHOUT_TOKEN if takes_tokens else BY_COOKIE
        self.sessions = sessions
        self.stale_cookies = stale_cookies
        self.open_responses = open_responses
        self._budget = budget
        self._forms = forms
        self._now = now

    def cookies_due(self, active: ActiveSession, request: Request) -> list[bytes]:
        """Return the Set-Cookie lines that are due for the session, and the deletions that make room for them."""
        # The app called us, so it sees whatever is raised here: no frame of ours may be in the traceback.
        lines = call_sanitized(self.sessions.cookies_due, active, request.cookies)
        size = len(request.cookie_header) + sum(map(len, lines))
        if size <= self._budget.max_cookie_header:  # true for most requests
            return lines
        return [*lines, *call_sanitized(self._budget.make_room, request.cookies, lines, now=self._now())]

    def delete_sent_forms(self, request: Request) -> list[bytes]:
        """Return the Set-Cookie lines that delete an interrupted form, if this request submits it again."""
        return call_sanitized(self._forms.delete_sent, request.cookies, target=request.target, now=self._now())


class AppResponse(WatchedResponse[ActiveSession]):
    """The app's response to one request with a session, or without any.

    A signed-in user's response is kept out of shared caches and sets the session's cookies. Origins that a rule allows
    can read it (CORS). If it stays open, it ends with the session.
    """

    __slots__ = ("_matched", "_request", "_responses")

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
        self._open_responses = responses.open_responses
        self._active = active
        self._matched = matched
        self._request = request
        self._receive = receive
        self._send = send
        self._requested_at = 0.0 if active is None else loop_time()
        self._has_body = False
        self.has_started = False
        self.open_response = None

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the response was still open when its session ended (ASGI 3.0, "Disconnected Client").
        """
        if message["type"] == "http.response.start":
            active, origins = self._active, self._matched.origins
            if active is not None:
                headers, lines = message.get("headers", ()), self._cookies_due(active)
                message = {**message, "headers": private_headers(headers, lines, private=self._responses.private)}
            elif self._request.session_over_at is not None:
                message = _with_private_cookies(
                    message, call_sanitized(self._responses.stale_cookies.delete, self._request)
                )
            if origins:
                headers = readable_headers(message.get("headers", ()), self._request, origins)
                message = {**message, "headers": headers}
        elif self._active is not None and (self.open_response is not None or message.get("more_body")):
            await self._send_streamed(self._get_open_response(self._active), message)
            return
        self.has_started = True
        await self._send(message)

    def _cookies_due(self, active: ActiveSession) -> list[bytes]:
        responses, request = self._responses, self._request
        lines = responses.cookies_due(active, request) if responses.sessions.is_due(active) else []
        return lines if request.method != "POST" else [*lines, *responses.delete_sent_forms(request)]


def finish_handshake(responses: AppResponses, active: ActiveSession, request: Request, send: Send) -> Send:
    """Return a `send` that adds our headers when the app accepts a websocket or answers it with a response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "websocket.http.response.start":
            message = {**message, "headers": private_headers(message.get("headers", ()))}
        if message["type"] == "websocket.accept":
            message = _with_cookies(message, responses.cookies_due(active, request))
        await send(message)

    return send_with_headers


def _with_private_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    return {**message, "headers": private_headers(message.get("headers", ()), lines)} if lines else message


def _with_cookies(message: Message, lines: Sequence[bytes]) -> Message:
    if not lines:
        return message
    return {**message, "headers": [*message.get("headers", ()), *((b"set-cookie", line) for line in lines)]}
