"""Calls an ASGI app in process with an HTTP request, as a server would."""

import urllib.parse
from collections.abc import Mapping

import anyio

from .wire import ASGIApp, Message, Scope

MAX_CONTENT = 50_000_000  # bytes; an endless response should fail the test, not exhaust the memory

Result = tuple[int, list[tuple[bytes, bytes]], bytes]


async def call_app(app: ASGIApp, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Result:
    """Call an app; return status, headers and body. Exceptions of the app are not caught."""
    exchange = _Exchange(body)
    await app(http_scope(method, url, headers), exchange.receive, exchange.send)
    if exchange.status is None:
        raise RuntimeError(f"the app returned without a response to {method} {url.partition('?')[0]}")
    return exchange.status, exchange.headers, b"".join(exchange.chunks)


def http_scope(method: str, url: str, headers: Mapping[str, str]) -> Scope:
    """Return the scope that uvicorn would pass."""
    split = urllib.parse.urlsplit(url)
    raw_path = (split.path or "/").encode("ascii")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": split.scheme,
        "path": urllib.parse.unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": split.query.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.1", 50000),
        "server": (split.hostname, split.port or (443 if split.scheme == "https" else 80)),
        "extensions": {},
    }


class _Exchange:
    """`receive` and `send` of one request, and the response so far."""

    def __init__(self, body: bytes) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self._body: bytes | None = body
        self._size = 0
        self._done = anyio.Event()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._done.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.status is not None:
                raise RuntimeError("the app started two responses")
            self.status = message["status"]
            self.headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        if message["type"] != "http.response.body":
            return
        self.chunks.append(bytes(message.get("body", b"")))
        self._size += len(self.chunks[-1])
        if self._size > MAX_CONTENT:
            raise RuntimeError(f"the response is more than {MAX_CONTENT} bytes")
        if not message.get("more_body", False):
            self._done.set()
