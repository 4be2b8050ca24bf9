"""What the browser gets from us: a response as a value, never to be kept by a cache (RFC 9111 §5.2.2.5)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

Headers = tuple[tuple[bytes, bytes], ...]

REFERRER_POLICY = b"same-origin"  # not "no-referrer": with it a form of ours would be sent with "Origin: null"
REFERRER_POLICY_OF_LEAVING = b"strict-origin"  # the same for a form that goes to another site

_UNCACHEABLE: Headers = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and the whole body."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def cookies(self) -> list[bytes]:
        """The Set-Cookie lines."""
        return [value for name, value in self.headers if name == b"set-cookie"]

    def with_cookies(self, lines: Iterable[bytes]) -> "Response":
        """Add Set-Cookie lines."""
        return self.with_headers(*((b"set-cookie", line) for line in lines))

    def with_headers(self, *headers: tuple[bytes, bytes]) -> "Response":
        """Add headers."""
        return replace(self, headers=(*self.headers, *headers))


def redirect(url: str) -> Response:
    """Send the browser on with 303: never with the method and the form that it came with (RFC 9700 §4.12)."""
    return Response(303, (*_headers(), (b"location", url.encode("ascii")), (b"content-length", b"0")))


def response_with_body(
    status: int, body: bytes, *headers: tuple[bytes, bytes], referrer_policy: bytes = REFERRER_POLICY
) -> Response:
    """Respond with the whole body, in a way that no cache keeps and no browser takes for another type."""
    length = (b"content-length", str(len(body)).encode("ascii"))
    return Response(status, (*_headers(referrer_policy), *headers, length), body)


def json_response(members: Mapping[str, object], *, status: int = 200) -> Response:
    """Answer a program with JSON."""
    return response_with_body(status, _encode(members), (b"content-type", b"application/json"))


def problem(status: int, error: str, title: str, **members: object) -> Response:
    """Answer a program with a problem (RFC 9457); `error` is its stable name."""
    document = {"type": "about:blank", "title": title, "status": status, "error": error, **members}
    return response_with_body(status, _encode(document), (b"content-type", b"application/problem+json"))


def challenge(login_url: str, parameters: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Write the header that says how to sign in (RFC 9110 §11.6.1), and what else is needed (RFC 6750 §3, RFC 9470)."""
    told = {"realm": "sign-in", "form-action": login_url, **parameters}
    words = ", ".join(f'{name}="{_quoted(value)}"' for name, value in told.items())
    return (b"www-authenticate", f"Cookie {words}".encode("ascii", "replace"))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _encode(members: Mapping[str, object]) -> bytes:
    # ASCII only, so that no reader can take the bytes for another charset.
    return json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _headers(referrer_policy: bytes = REFERRER_POLICY) -> Headers:
    return (*_UNCACHEABLE, (b"referrer-policy", referrer_policy))
