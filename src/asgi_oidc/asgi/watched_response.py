"""A response of the app that is ended with the session or token of its user, if it stays open for long."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from asgi_oidc.asgi.open_responses import OpenResponse, OpenResponses
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.policy.access_control import Active
from asgi_oidc.web.asgi_types import Message, Receive, Send

ActiveT = TypeVar("ActiveT", bound=Active)


class WatchedResponse(ABC, Generic[ActiveT]):
    """The app's response to one request.

    Attributes:
        has_started: whether the app has sent any part of it.
        open_response: ends it with its session; None until the app sends it in parts, or waits for a disconnect.
    """

    __slots__ = (
        "_active",
        "_has_body",
        "_open_responses",
        "_receive",
        "_requested_at",
        "_send",
        "has_started",
        "open_response",
    )

    _active: ActiveT | None
    _open_responses: OpenResponses
    _receive: Receive
    _send: Send
    _requested_at: float
    _has_body: bool
    has_started: bool
    open_response: OpenResponse | None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(has_started={self.has_started})"

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Send a message, with our headers if it is the first."""

    async def receive(self) -> Message:
        """Receive a message; once an open response has been ended, that is a disconnect."""
        if self._has_body and self._active is not None:
            return await self._get_open_response(self._active).receive(self._receive)
        message = await self._receive()
        self._has_body = not message.get("more_body", False)
        return message

    def close(self) -> None:
        """Stop watching the session: the response is complete."""
        if self.open_response is not None:
            self._open_responses.forget(self.open_response)

    async def _send_streamed(self, response: OpenResponse, message: Message) -> None:
        self.has_started = True
        if message.get("more_body"):
            if not response.is_streaming:
                await response.begin_streaming()
            self._open_responses.watch(response)
        await response.send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.close()

    def _get_open_response(self, active: ActiveT) -> OpenResponse:
        if self.open_response is None:
            begin = self._open_responses.begin
            self.open_response = call_sanitized(begin, active, self._send, requested_at=self._requested_at)
        return self.open_response
