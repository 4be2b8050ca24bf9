"""What the browser gets from us: a response as a value, never to be kept by a cache (RFC 9111 §5.2.2.5)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from asgi_oidc.pages.layout import PAGE_CSP, page_content, turbo_frame
from asgi_oidc.web.request import Request

Headers = tuple[tuple[bytes, bytes], ...]

REFERRER_POLICY = b"same-origin"  # not "no-referrer": with it a form of ours would be sent with "Origin: null"
REFERRER_POLICY_OF_LEAVING = b"strict-origin"  # the same for a form that goes to another site

_OURS: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", REFERRER_POLICY),
)


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
    return Response(303, (*_OURS, (b"location", url.encode("ascii")), (b"content-length", b"0")))


def page_for(request: Request, body: bytes, *, status: int, csp: str = PAGE_CSP) -> Response:
    """Answer with a page in the form that the requester can show.

    That is a whole page, also in a frame, or only what is in it, for a page that htmx or Turbo puts it into.
    """
    if request.is_htmx:
        body = page_content(body)
    elif (frame_id := request.header(b"turbo-frame")) is not None:
        body = turbo_frame(body, frame_id)
    ancestors = request.frame_ancestors
    if ancestors == "'none'":
        return page(body, status=status, csp=csp)
    return frame(body, status=status, ancestors=ancestors, csp=csp)


def page(body: bytes, *, status: int, csp: str = PAGE_CSP, referrer_policy: bytes = REFERRER_POLICY) -> Response:
    """Answer with a page of ours; nothing in it can be framed, scripted or sniffed."""
    headers = (
        *((name, value) for name, value in _OURS if name != b"referrer-policy"),
        (b"referrer-policy", referrer_policy),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", csp.encode("ascii")),
        (b"x-frame-options", b"DENY"),
    )
    return _whole(status, headers, body)


def frame(body: bytes, *, ancestors: str, status: int = 200, csp: str = PAGE_CSP) -> Response:
    """Answer with a page that pages of these origins may show in a frame."""
    csp = csp.replace("frame-ancestors 'none'", f"frame-ancestors {ancestors}")
    headers = (
        *_OURS,
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", csp.encode("ascii")),
    )
    return _whole(status, headers, body)


def json_response(members: Mapping[str, object], *, status: int = 200) -> Response:
    """Answer a program with JSON."""
    return _whole(status, (*_OURS, (b"content-type", b"application/json")), _encode(members))


def problem(status: int, error: str, title: str, **members: object) -> Response:
    """Answer a program with a problem (RFC 9457); `error` is its stable name."""
    document = {"type": "about:blank", "title": title, "status": status, "error": error, **members}
    return _whole(status, (*_OURS, (b"content-type", b"application/problem+json")), _encode(document))


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


def _whole(status: int, headers: Headers, body: bytes) -> Response:
    return Response(status, (*headers, (b"content-length", str(len(body)).encode("ascii"))), body)
