"""The middleware's own responses to the browser, as plain values; no cache may store them (RFC 9111 §5.2.2.5)."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

Headers = tuple[tuple[bytes, bytes], ...]

REFERRER_POLICY = b"same-origin"  # not "no-referrer": browsers would send our forms with "Origin: null"
REFERRER_POLICY_OF_LEAVING = b"strict-origin"  # for a form that is posted to another origin, for the same reason

_UNCACHEABLE: Headers = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response: status, headers and body.

    Attributes:
        write_body: writes another body in place of `body` when the response is sent; None keeps it.
    """

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    write_body: Callable[[], Awaitable[bytes]] | None = field(default=None, repr=False, compare=False)

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

    def with_body(self, body: bytes) -> "Response":
        """Replace the body; everything else stays, except the length."""
        length = (b"content-length", str(len(body)).encode("ascii"))
        headers = (length if name == b"content-length" else (name, value) for name, value in self.headers)
        return replace(self, headers=tuple(headers), body=body, write_body=None)


def redirect(url: str) -> Response:
    """Redirect the browser with 303, so that it does not repeat its POST with the form (RFC 9700 §4.12)."""
    return Response(303, (*_headers(), (b"location", url.encode("ascii")), (b"content-length", b"0")))


def response_with_body(
    status: int, body: bytes, *headers: tuple[bytes, bytes], referrer_policy: bytes = REFERRER_POLICY
) -> Response:
    """Return a response that no cache stores, and whose type no browser guesses (`nosniff`)."""
    length = (b"content-length", str(len(body)).encode("ascii"))
    return Response(status, (*_headers(referrer_policy), *headers, length), body)


def json_response(members: Mapping[str, object], *, status: int = 200) -> Response:
    """Return a JSON response."""
    return response_with_body(status, _encode(members), (b"content-type", b"application/json"))


def problem(status: int, error: str, title: str, **members: object) -> Response:
    """Return an error for a program, as problem details (RFC 9457); `error` is its stable code."""
    document = {"type": "about:blank", "title": title, "status": status, "error": error, **members}
    return response_with_body(status, _encode(document), (b"content-type", b"application/problem+json"))


def challenge(login_url: str, parameters: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Return the `WWW-Authenticate` header of a 401 (RFC 9110 §11.6.1).

    Args:
        parameters: what else is required, such as scopes or a step-up (RFC 6750 §3, RFC 9470).
    """
    members = {"realm": "sign-in", "form-action": login_url, **parameters}
    listed = ", ".join(f'{name}="{_quoted(value)}"' for name, value in members.items())
    return (b"www-authenticate", f"Cookie {listed}".encode("ascii", "replace"))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _encode(members: Mapping[str, object]) -> bytes:
    # ASCII only, so that the bytes mean the same in every charset.
    return json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _headers(referrer_policy: bytes = REFERRER_POLICY) -> Headers:
    return (*_UNCACHEABLE, (b"referrer-policy", referrer_policy))
