"""CORS for scripts of other origins: answers preflights, and lets those scripts read a response (Fetch §3.2)."""

import re
from collections.abc import Collection, Iterable, Sequence

from asgi_oidc.web.request import METHODS, Request
from asgi_oidc.web.response import Headers, Response

PREFLIGHT_LIFETIME = 600  # seconds for which a browser may cache the answer to a preflight
MAX_LIST_LENGTH = 1024  # characters of Access-Control-Request-Headers

_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+([ ,]+[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_EXPOSED = b"www-authenticate, retry-after, dpop-nonce"


def answer_preflight(request: Request, origins: Collection[str]) -> Response | None:
    """Return the response that allows a preflight of one of these origins; None for every other request."""
    origin = request.header(b"origin")
    method = request.header(b"access-control-request-method")
    if origin not in origins or origin is None or method is None or method not in METHODS:
        return None
    headers: Headers = (
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-methods", method.encode("ascii")),
        (b"access-control-max-age", str(PREFLIGHT_LIFETIME).encode("ascii")),
        (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        (b"content-length", b"0"),
    )
    return Response(204, (*headers, *_allowed_headers(request)))


def readable_headers(
    headers: Iterable[tuple[bytes, bytes]], request: Request, origins: Collection[str]
) -> list[tuple[bytes, bytes]]:
    """Add CORS headers that let a script of one of these origins read a response, unless the app has set its own."""
    kept = list(headers)
    if not origins or any(name.lower() == b"access-control-allow-origin" for name, _ in kept):
        return kept
    kept.append((b"vary", b"Origin"))  # so that no cache answers one site with a response for another
    origin = request.header(b"origin")
    if origin is None or origin not in origins:
        return kept
    return [
        *kept,
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def answer_public_preflight(request: Request, methods: Sequence[str]) -> Response:
    """Return the response that allows a preflight of any origin, for what everybody may read without credentials."""
    allowed = ", ".join(methods).encode("ascii")
    headers: Headers = (
        ANY_ORIGIN,
        (b"access-control-allow-methods", allowed),
        (b"access-control-max-age", str(PREFLIGHT_LIFETIME).encode("ascii")),
        (b"vary", b"Access-Control-Request-Headers"),
        (b"content-length", b"0"),
    )
    return Response(204, (*headers, *_allowed_headers(request)))


def _allowed_headers(request: Request) -> Headers:
    names = request.header(b"access-control-request-headers")
    if names is None or len(names) > MAX_LIST_LENGTH or not _NAMES.fullmatch(names):
        return ()
    return ((b"access-control-allow-headers", names.encode("ascii")),)
