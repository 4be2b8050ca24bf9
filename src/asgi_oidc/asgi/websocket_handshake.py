"""A websocket before it is accepted: refused with a response where the server can, else with a close code."""

from asgi_oidc.web.asgi_types import Message, Receive, Scope, Send
from asgi_oidc.web.response import Response


class Handshake:
    """Knows how far a websocket has come, so that it can be refused as long as it is not answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_answered = False
        self._can_respond = "websocket.http.response" in (scope.get("extensions") or {})
        self._has_begun = False
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Receive the next message."""
        self._has_begun = True
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Send a message."""
        self.is_answered = True
        await self._send(message)

    async def refuse(self, response: Response, *, code: int) -> None:
        """Refuse it.

        Args:
            code: of the close, where the server knows no response.
        """
        if not self._has_begun:
            await self.receive()  # websocket.connect
        if not self._can_respond:
            await self.send({"type": "websocket.close", "code": code})
            return
        headers = list(response.headers)
        await self.send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
        await self.send({"type": "websocket.http.response.body", "body": response.body})
