"""Reads which request a proxy asks about: from four named headers, each exactly once, and from nothing else.

What is missing, repeated, misspelt or ambiguous is refused. No header stands in for another one.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from asgi_oidc.audit.reporting import CLIENT_ADDRESS
from asgi_oidc.errors import ForwardedRequestRejected
from asgi_oidc.web.asgi_types import Scope
from asgi_oidc.web.headers import METHOD_OVERRIDES
from asgi_oidc.web.request import METHODS

METHOD, SCHEME, HOST, URI = (
    f"x-forwarded-{name}".encode() for name in ("method", "proto", "host", "uri")
)  # those that Traefik and Caddy send by themselves
NAMES = (METHOD, SCHEME, HOST, URI)
MAX_URI_LENGTH = 16_384  # bytes
MAX_DECODINGS = 3  # how often an app may decode a path that was encoded several times

# Some apps and servers take the path from these headers, or cut their value off its beginning: Gunicorn does so by
# SCRIPT_NAME if the proxy is on the same machine, and Daphne by Daphne-Root-Path.
_PATH_HEADERS = frozenset(
    {b"x-original-url", b"x-rewrite-url", b"script-name", b"x-script-name", b"path-info", b"daphne-root-path"}
)
# In names of headers, CGI and programs like it write "_" for "-", and PHP, lighttpd and others for more characters.
_FOLDED = bytes(code if chr(code).isalnum() and code < 0x80 else ord("-") for code in bytes(range(256)).lower())
# Headers of the connection between proxy and us (RFC 9110 §7.6.1), and of the body, which proxies leave out.
_OF_THE_CONNECTION = frozenset(
    b"connection content-length expect forwarded host keep-alive proxy-connection te trailer transfer-encoding "
    b"upgrade x-real-ip".split()
)
_OF_A_HANDSHAKE = frozenset({b"sec-websocket-key", b"sec-websocket-version"})  # RFC 6455 §4.1
_METHOD = re.compile(rb"[A-Z]+(-[A-Z]+)*")
_AUTHORITY = re.compile(rb"[a-z0-9._-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")
_TARGET = re.compile(rb"/(?!/)[!-~]*")
_FORBIDDEN_IN_PATH = re.compile(rb"[\x00-\x1f\x7f\\]")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
_DEFAULT_PORTS = {"http": b":80", "https": b":443"}

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """The request that a proxy asks about.

    Attributes:
        method: such as `GET`.
        origin: scheme and host, such as `https://app.example.com`, without the default port.
        authority: the host, as the Host header names it.
        raw_path: the path, still percent-encoded.
        query: without the question mark.
        is_websocket: whether it opens a websocket.
        headers: of the request itself, without those of the proxy.
    """

    method: str
    origin: str
    authority: bytes
    raw_path: bytes = field(repr=False)
    query: bytes = field(repr=False)
    is_websocket: bool
    headers: Headers = field(repr=False)

    @property
    def url(self) -> str:
        """The URL without the query."""
        return self.origin + self.raw_path.decode("ascii")

    @property
    def target_url(self) -> str:
        """The URL with the query."""
        return f"{self.url}?{self.query.decode('ascii')}" if self.query else self.url

    def scope(self, outer: Scope, *, base_path: str) -> dict[str, Any]:
        """Return the ASGI scope of this request.

        Args:
            outer: the scope of the proxy's request.
            base_path: the path of `base_url`.
        """
        is_secure = self.origin.startswith("https:")
        made = {
            "type": "websocket" if self.is_websocket else "http",
            "asgi": outer.get("asgi", {"version": "3.0"}),
            "http_version": "1.1",
            "method": "GET" if self.is_websocket else self.method,
            "scheme": ("wss" if is_secure else "ws") if self.is_websocket else ("https" if is_secure else "http"),
            "path": unquote(self.raw_path.decode("ascii")),
            "raw_path": self.raw_path,
            "query_string": self.query,
            "root_path": base_path,
            "headers": [(b"host", self.authority), *self.headers],
            "client": outer.get("client"),
            "server": outer.get("server"),
            CLIENT_ADDRESS: outer.get(CLIENT_ADDRESS),
        }
        if self.is_websocket:
            made |= {"subprotocols": [], "extensions": {"websocket.http.response": {}}}
        return made


def read_forwarded_request(headers: Headers, *, identity_names: Collection[bytes]) -> ForwardedRequest:
    """Read the request that a proxy asks about.

    Args:
        headers: of the proxy's request; proxies pass on those of the browser beside their own.
        identity_names: the headers, in lower case, in which the app is told who the user is.

    Raises:
        ForwardedRequestRejected: a header is missing, repeated, misspelt or malformed, or the browser sent one of those
            that tell who the user is.
    """
    values: dict[bytes, list[bytes]] = {name: [] for name in NAMES}
    kept: list[tuple[bytes, bytes]] = []
    is_handshake = False
    for raw_name, value in headers:
        name = bytes(raw_name).lower()
        folded = name.translate(_FOLDED)  # to some apps, these are the same
        if folded in values:
            if name != folded:
                raise ForwardedRequestRejected("forwarded_header_misspelt", f"got {name.decode('latin-1')}")
            values[name].append(bytes(value))
        elif folded in identity_names:
            detail = f"the request has a header {name.decode('latin-1')} already: only the proxy may set it"
            raise ForwardedRequestRejected("forwarded_identity_header", detail)
        elif folded in _PATH_HEADERS:
            detail = f"the request has a header {name.decode('latin-1')}"
            raise ForwardedRequestRejected("forwarded_path_header", detail)
        elif name not in _OF_THE_CONNECTION and not folded.startswith(b"x-forwarded-"):
            kept.append((folded if folded in METHOD_OVERRIDES else bytes(raw_name), bytes(value)))
        is_handshake = is_handshake or name in _OF_A_HANDSHAKE or (name == b"upgrade" and b"websocket" in value.lower())
    method, scheme, host, uri = (_only(name, values[name]) for name in NAMES)
    scheme_name = _read_scheme(scheme)
    authority = _read_authority(host, scheme_name)
    raw_path, _, query = _read_uri(uri).partition(b"?")
    _check_path(raw_path)
    method_name = _read_method(method)
    return ForwardedRequest(
        method=method_name,
        origin=f"{scheme_name}://{authority.decode('ascii')}",
        authority=authority,
        raw_path=raw_path,
        query=query,
        # Over HTTP/2 and 3, CONNECT opens a websocket (RFC 8441 §4, RFC 9220 §3), which the app gets as a GET. With any
        # other method, it is judged as a request of that method, which browsers may not forge either.
        is_websocket=method_name == "CONNECT" or (is_handshake and method_name == "GET"),
        headers=kept,
    )


def _only(name: bytes, values: Sequence[bytes]) -> bytes:
    if len(values) == 1 and values[0]:
        return values[0]
    shown = name.decode()
    if not values or not values[0]:
        raise ForwardedRequestRejected("forwarded_header_missing", f"expected {shown} from the proxy")
    raise ForwardedRequestRejected("forwarded_header_repeated", f"expected {shown} once, got it {len(values)} times")


def _read_method(value: bytes) -> str:
    # "WEBSOCKET" is our own name for a handshake.
    if not _METHOD.fullmatch(value) or value == b"WEBSOCKET" or value.decode() not in METHODS:
        raise ForwardedRequestRejected("forwarded_method", "expected a registered HTTP method in x-forwarded-method")
    return value.decode()


def _read_scheme(value: bytes) -> str:
    scheme = _SCHEMES.get(value)
    if scheme is None:
        raise ForwardedRequestRejected("forwarded_scheme", "expected http or https in x-forwarded-proto")
    return scheme


def _read_authority(value: bytes, scheme: str) -> bytes:
    authority = value.lower()
    if not _AUTHORITY.fullmatch(authority):
        raise ForwardedRequestRejected("forwarded_host", "expected a host name, or an address, in x-forwarded-host")
    return authority.removesuffix(_DEFAULT_PORTS[scheme])


def _read_uri(value: bytes) -> bytes:
    if len(value) > MAX_URI_LENGTH:
        raise ForwardedRequestRejected("forwarded_uri", f"expected at most {MAX_URI_LENGTH} bytes in x-forwarded-uri")
    if not _TARGET.fullmatch(value) or b"#" in value:
        detail = "expected a path and query that begins with one slash in x-forwarded-uri"
        raise ForwardedRequestRejected("forwarded_uri", detail)
    return value


def _check_path(raw_path: bytes) -> None:
    """Refuse a path that servers, proxies and apps resolve in different ways, however often it is decoded."""
    if _BROKEN_ESCAPE.search(raw_path):
        detail = "expected two hexadecimal digits after each % in x-forwarded-uri"
        raise ForwardedRequestRejected("forwarded_path", detail)
    path = raw_path
    for _ in range(MAX_DECODINGS + 1):
        if _FORBIDDEN_IN_PATH.search(path) or any(_is_dots(segment) for segment in path.split(b"/")):
            detail = "expected no dot segments, backslashes and control characters in x-forwarded-uri"
            raise ForwardedRequestRejected("forwarded_path", detail)
        decoded = unquote_to_bytes(path)
        if decoded == path:
            break
        path = decoded
    else:
        raise ForwardedRequestRejected(
            "forwarded_path", f"expected a path that is encoded at most {MAX_DECODINGS} times"
        )
    try:
        unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        raise ForwardedRequestRejected("forwarded_path", "expected UTF-8 in x-forwarded-uri") from None


def _is_dots(segment: bytes) -> bool:
    """Return whether this is `.` or `..`, with or without parameters (`..;x`) and white space around."""
    return segment.partition(b";")[0].strip() in (b".", b"..")
