"""A clock that the test moves, a gate that holds a provider back, and a server that says what it is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from anyio.abc import SocketStream

from asgi_oidc.provider.discovery import Discovery
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.jwks import KeyCache
from asgi_oidc.testing import FakeProvider

NOW = 1_800_000_000


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back."""
        self.now += seconds


class Gate:
    """An ASGI app before another one that lets nothing through while it is shut."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.waiting = 0
        self._open = anyio.Event()
        self._open.set()
        self._arrived = anyio.Event()

    def shut(self) -> None:
        """Hold back what comes from now on."""
        self._open = anyio.Event()
        self._arrived = anyio.Event()

    def open(self) -> None:
        """Let all through."""
        self._open.set()

    async def arrival(self) -> None:
        """Wait until a call is held."""
        await self._arrived.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._arrived.set()
        self.waiting += 1
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1
        await self.app(scope, receive, send)


class Caches:
    """The metadata and the keys of one fake provider, as the library keeps them."""

    def __init__(self, provider: FakeProvider | None = None, *, configured: dict[str, object] | None = None) -> None:
        self.clock = Clock()
        self.provider = FakeProvider(clock=self.clock, alg="ES256") if provider is None else provider
        self.gate = Gate(self.provider)
        self.http = Http(httpx.AsyncClient(transport=httpx.ASGITransport(app=self.gate)))
        issuer = self.provider.issuer
        self.discovery = Discovery(self.http, issuer=issuer, configured=configured or {}, clock=self.clock)
        self.jwks_uri = f"{issuer}/jwks"
        self.keys = KeyCache(self.http, jwks_uri=self._uri, clock=self.clock)

    async def _uri(self) -> str:
        return self.jwks_uri

    async def verify(self, token: str | None = None) -> str:
        """Verify a token, by default a new one of the provider's, and say whose it is."""
        verified = await self.keys.verify(token or self.provider.id_token("alice"), ["ES256"])
        return str(verified.claims["sub"])

    @property
    def metadata_calls(self) -> int:
        """How often the metadata was asked for."""
        return self.provider.count("/openid-configuration")

    @property
    def key_calls(self) -> int:
        """How often the keys were asked for."""
        return self.provider.count("/jwks")


def plain(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """Write an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Wire:
    """A server on loopback that keeps what it hears, byte for byte."""

    def __init__(self, answer: bytes, *, hangs_up: bool) -> None:
        self.answer = answer
        self.hangs_up = hangs_up
        self.heard: list[bytes] = []
        self.connections = 0
        self.open_connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/x"

    async def handle(self, stream: SocketStream) -> None:
        """Answer every request of a connection until the other side hangs up."""
        self.connections += 1
        self.open_connections += 1
        async with stream:
            try:
                self.heard.append(await _request(stream))
                await stream.send(self.answer)
                while not self.hangs_up:
                    self.heard.append(await _request(stream))
                    await stream.send(self.answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
            finally:
                self.open_connections -= 1


async def _request(stream: SocketStream) -> bytes:
    data = await stream.receive()
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


@asynccontextmanager
async def wire(answer: bytes, *, hangs_up: bool = False) -> AsyncIterator[Wire]:
    """Serve on a free port of loopback for a while.

    Args:
        hangs_up: Whether each connection ends after its first answer.
    """
    server = Wire(answer, hangs_up=hangs_up)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        server.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, server.handle)
        yield server
        group.cancel_scope.cancel()


async def all_at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Make a call that many times at once; an error is a result too."""
    results: list[Any] = []

    async def one() -> None:
        try:
            results.append(await call())
        except Exception as exc:  # noqa: BLE001  # the test looks at it
            results.append(exc)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    return results
