"""Reads the fake provider's ASGI requests, and sends its answers."""

import json
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 1_000_000  # bytes; enough for tests, and a runaway test cannot exhaust the memory


@dataclass(frozen=True)
class Call:
    """A request that the fake provider has received."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: httpx.Headers
    body: bytes
    client_certificate: str | None = None
    """The certificate of the connection, as PEM (the ASGI TLS extension)."""

    @property
    def host(self) -> str:
        """The host that was called, with its port if it is not the default."""
        host: str = self.headers.get("host", "")
        return host

    @property
    def form(self) -> dict[str, str]:
        """The fields of the form in the body; of a repeated name, the last value."""
        return dict(self.form_pairs)

    @property
    def form_pairs(self) -> list[tuple[str, str]]:
        """The fields of the form in the body, in order; a name may be repeated."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return []
        return urllib.parse.parse_qsl(self.body.decode("latin-1"), keep_blank_values=True)

    @property
    def params(self) -> dict[str, str]:
        """The parameters of the query; of a repeated name, the last value."""
        return dict(self.query)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request."""
        pairs = (pair.strip().partition("=") for pair in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}


@dataclass(frozen=True)
class Answer:
    """An answer of the fake provider, before it is sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    more_headers: Sequence[tuple[str, str]] = ()
    """Headers that may be repeated."""
    delay: float = 0.0
    """Seconds to wait before anything is sent."""

    def having(self, **headers: str) -> "Answer":
        """Return the same answer with these headers set: `content_type="..."`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def json_answer(value: Any, status: int = 200) -> Answer:
    """Return a JSON answer that caches must not store."""
    return Answer(
        status,
        json.dumps(value).encode(),
        {"content-type": "application/json", "cache-control": "no-store"},
    )


def html_answer(page: str, status: int = 200) -> Answer:
    """Return an HTML page that caches must not store."""
    return Answer(status, page.encode(), {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"})


def redirect_answer(url: str) -> Answer:
    """Return a redirect, which the browser always follows with GET (RFC 9700 §4.12)."""
    return Answer(303, b"", {"location": url, "cache-control": "no-store"})


def error_answer(error: str, description: str, status: int = 400) -> Answer:
    """Return an OAuth error (RFC 6749 §5.2)."""
    return json_answer({"error": error, "error_description": description}, status)


async def read_call(scope: Scope, receive: Receive) -> Call:
    """Read a complete request from the ASGI server."""
    body = b""
    more = True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = urllib.parse.parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or [None]
    return Call(scope["method"], scope["path"], query, httpx.Headers(scope["headers"]), body, chain[0])


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer to the ASGI server."""
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    pairs = [*headers.items(), *answer.more_headers]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Complete start-up and shutdown; there is nothing to do for either."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
