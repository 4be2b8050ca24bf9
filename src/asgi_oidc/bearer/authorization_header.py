"""Reads the access token of a request from its `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1)."""

import re
from typing import NamedTuple

from asgi_oidc.bearer.challenges import BEARER, DPOP, Scheme
from asgi_oidc.errors import TokenRejected
from asgi_oidc.web.request import Request

MAX_HEADER_LENGTH = 16_384  # bytes; tokens of real providers have up to 4 kB, and servers take 8 to 64 kB of headers
AUTHORIZATION = b"authorization"

_OUR_SCHEMES: dict[bytes, Scheme] = {b"bearer": BEARER, b"dpop": DPOP}
_USUAL = (b"Bearer ", b"DPoP ")
_JWT = b"eyJ"  # how a JWT begins: a JSON object in base64url
_QUERY_TOKEN = re.compile(rb"(?:^|&)(?:access_)?token=")  # RFC 6750 §2.3, and a common variant
_SCHEME = re.compile(rb"[ \t]*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,16})")
_JOINED = re.compile(rb",[ \t]*(?:bearer|dpop)(?=[ \t,]|\Z)", re.IGNORECASE)
_CREDENTIALS = re.compile(rb"[ \t]*[A-Za-z]+ +([A-Za-z0-9._~+/-]+=*)[ \t]*")  # RFC 6750 §2.1 (b64token)


class PresentedToken(NamedTuple):
    """An access token as a client has sent it; nothing about it is checked yet.

    Attributes:
        scheme: `Bearer` or `DPoP`.
        header: the whole value of the header.
    """

    scheme: Scheme
    token: str
    header: bytes

    def __repr__(self) -> str:
        return f"PresentedToken(scheme={self.scheme!r})"


def has_token(request: Request) -> bool:
    """Return whether a request presents a token, valid or not: then no cookie counts.

    Other schemes, such as the `Basic` of a proxy, are not ours. If one of several headers is ours, the request counts
    as one with a token, and is refused by `read_token`; so it is where a gateway has joined them with commas.
    """
    values = request.values(AUTHORIZATION)
    if len(values) == 1 and values[0].startswith(_USUAL):  # as nearly all clients write it
        return True
    return any(_scheme_of(value) in _OUR_SCHEMES or _JOINED.search(value) is not None for value in values)


def read_token(request: Request) -> PresentedToken:
    """Read the token of a request that has one.

    Raises:
        TokenRejected: the header is repeated, too long or malformed.
    """
    values = request.values(AUTHORIZATION)
    if len(values) != 1:
        raise TokenRejected("authorization_repeated", f"expected one Authorization header, got {len(values)}")
    value = values[0]
    if len(value) > MAX_HEADER_LENGTH:
        detail = f"expected an Authorization header of at most {MAX_HEADER_LENGTH} bytes, got {len(value)}"
        raise TokenRejected("authorization_too_long", detail)
    scheme, credentials = _OUR_SCHEMES.get(_scheme_of(value)), _CREDENTIALS.fullmatch(value)
    if scheme is None or credentials is None:
        raise TokenRejected("authorization_malformed", "expected `Bearer` or `DPoP`, a space, and one token")
    return PresentedToken(scheme, credentials[1].decode("ascii"), value)


def unread_token(request: Request, *, accepts_tokens: bool) -> str | None:
    """Return why a token that a client may have sent was not read, for the log; None if it seems to have sent none.

    Args:
        request: one that was judged without a token.
    """
    if not accepts_tokens:
        return "the setting bearer is missing, so no token counts" if has_token(request) else None
    if any(_JWT in value or b" " not in value.strip() for value in request.values(AUTHORIZATION)):
        return "expected `Bearer`, a space and the token in the header Authorization"
    if _QUERY_TOKEN.search(request.query[:MAX_HEADER_LENGTH]):
        return "a token in the query does not count: expected it in the header Authorization"
    return None


def scheme_of(request: Request) -> Scheme:
    """Return the scheme with which a request has presented its token, for a challenge."""
    schemes = [_OUR_SCHEMES.get(_scheme_of(value)) for value in request.values(AUTHORIZATION)]
    return next(filter(None, schemes), BEARER)


def _scheme_of(value: bytes) -> bytes:
    """Return the scheme in lower case: it ends at the first character that no scheme has (RFC 9110 §5.6.2, §11.1)."""
    match = _SCHEME.match(value)
    return match[1].lower() if match else b""
