"""Connections to providers that a test can cut, let hang, or answer with an error."""

from typing import Literal

import anyio
import httpx

from asgi_oidc.testing import FakeProvider

State = Literal["up", "down", "hangs", "fails"]


class Line(httpx.AsyncBaseTransport):
    """The connection to one provider.

    Attributes:
        waiting: calls that hang now.
        most: calls that hung at once.
    """

    def __init__(self, provider: FakeProvider) -> None:
        self.state: State = "up"
        self.calls: list[str] = []
        self.waiting = 0
        self.most = 0
        self._provider = httpx.ASGITransport(app=provider)

    def client(self) -> httpx.AsyncClient:
        """Return a client whose calls take this connection."""
        return httpx.AsyncClient(transport=self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.path)
        match self.state:
            case "up":
                return await self._provider.handle_async_request(request)
            case "down":
                raise httpx.ConnectError("the connection is cut", request=request)
            case "fails":
                return httpx.Response(500, request=request, content=b"out of order")
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await anyio.sleep_forever()
        finally:
            self.waiting -= 1
        raise AssertionError("never")
