"""Refuses websockets before they are accepted: with an HTTP response if the server supports it, else a close code."""

from asgi_oidc.web.asgi_types import Message, Receive, Scope, Send
from asgi_oidc.web.response import Response

CLOSE_SESSION_OVER = 4401  # private codes, named after the HTTP status (RFC 6455 §7.4.2)
CLOSE_FORBIDDEN = 4403
CLOSE_TRY_AGAIN_LATER = 1013  # IANA WebSocket close code registry
CLOSE_INTERNAL_ERROR = 1011  # RFC 6455 §7.4.1: an unexpected condition on the server

Refusal = tuple[Response, int]
"""How a websocket is refused: the response for servers that can send one, and the close code for others."""


class Handshake:
    """The opening handshake of one websocket, which can be refused until the app has answered it.

    Attributes:
        is_answered: whether anything has been sent.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_answered = False
        self._can_respond = "websocket.http.response" in (scope.get("extensions") or {})
        self._has_received = False
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Receive the next message."""
        self._has_received = True
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Send a message."""
        self.is_answered = True
        await self._send(message)

    async def refuse(self, response: Response, *, code: int) -> None:
        """Refuse the websocket.

        Args:
            response: sent if the server has the extension `websocket.http.response`.
            code: close code, sent otherwise.
        """
        if not self._has_received:
            await self.receive()  # websocket.connect comes first (ASGI 3.0)
        if not self._can_respond:
            await self.send({"type": "websocket.close", "code": code})
            return
        headers = list(response.headers)
        await self.send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
        await self.send({"type": "websocket.http.response.body", "body": response.body, "more_body": False})
