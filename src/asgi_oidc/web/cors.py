"""Calls from the pages of other sites: the preflight, and what lets their scripts read an answer (Fetch §3.2)."""

import re
from collections.abc import Collection, Iterable

from asgi_oidc.web.request import METHODS, Request
from asgi_oidc.web.response import Headers, Response

PREFLIGHT_LIFETIME = 600  # seconds that a browser need not ask again
MAX_LIST_LENGTH = 1024  # characters of the headers that a script wants to send

_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+([ ,]+[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_EXPOSED = b"www-authenticate, retry-after"


def answer_preflight(request: Request, origins: Collection[str]) -> Response | None:
    """Say yes to a preflight of one of these origins; None for all else."""
    origin = request.header(b"origin")
    method, wanted = request.header(b"access-control-request-method"), request.header(b"access-control-request-headers")
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
    if wanted is not None and len(wanted) <= MAX_LIST_LENGTH and _NAMES.fullmatch(wanted):
        headers = (*headers, (b"access-control-allow-headers", wanted.encode("ascii")))
    return Response(204, headers)


def readable_headers(
    headers: Iterable[tuple[bytes, bytes]], request: Request, origins: Collection[str]
) -> list[tuple[bytes, bytes]]:
    """Let a script of one of these origins read an answer, unless the app has decided that by itself."""
    kept = list(headers)
    if not origins or any(name.lower() == b"access-control-allow-origin" for name, _ in kept):
        return kept
    kept.append((b"vary", b"Origin"))  # no cache may give one site what was for another
    origin = request.header(b"origin")
    if origin is None or origin not in origins:
        return kept
    return [
        *kept,
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
    ]
