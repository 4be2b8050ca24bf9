"""Adds our headers to the app's response to a request with an access token; no cookie is among them."""

from asgi_oidc.asgi.open_responses import OpenResponses, loop_time
from asgi_oidc.asgi.watched_response import WatchedResponse
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.web.asgi_types import Message, Receive, Send
from asgi_oidc.web.caching import BY_AUTHORIZATION, private_headers, with_nonce
from asgi_oidc.web.cors import readable_headers
from asgi_oidc.web.request import Request


class BearerResponse(WatchedResponse[ActiveToken]):
    """The app's response to one request with an access token.

    It is kept out of shared caches. Origins that a rule allows can read it (CORS). If it stays open, it ends with the
    token.
    """

    __slots__ = ("_matched", "_request")

    def __init__(
        self,
        open_responses: OpenResponses,
        active: ActiveToken | None,
        matched: MatchedPolicy,
        request: Request,
        receive: Receive,
        send: Send,
    ) -> None:
        self._open_responses = open_responses
        self._active = active
        self._matched = matched
        self._request = request
        self._receive = receive
        self._send = send
        self._requested_at = loop_time()
        self._has_body = False
        self.has_started = False
        self.open_response = None

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the response was still open when its token ended (ASGI 3.0, "Disconnected Client").
        """
        if message["type"] == "http.response.start":
            headers, origins = (
                private_headers(message.get("headers", ()), private=BY_AUTHORIZATION),
                self._matched.origins,
            )
            if origins:
                headers = readable_headers(headers, self._request, origins)
            if self._request.dpop_nonce is not None:
                headers = with_nonce(headers, self._request.dpop_nonce)
            message = {**message, "headers": headers}
        elif self._active is not None and (self.open_response is not None or message.get("more_body")):
            await self._send_streamed(self._get_open_response(self._active), message)
            return
        self.has_started = True
        await self._send(message)
