"""The authorization response as a signed JWT (JWT Secured Authorization Response Mode for OAuth 2.0, JARM)."""

from collections.abc import Collection, Mapping, Sequence

from asgi_oidc.errors import RequestRejected, TokenRejected
from asgi_oidc.protocol.authorization_endpoint import MAX_VALUE_LENGTH, AuthorizationResponse
from asgi_oidc.protocol.claims import check_issued_at, check_kind, check_lifetime, read_instant
from asgi_oidc.protocol.id_token import check_audience
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer
from asgi_oidc.protocol.jose import Verified

# The values of `response_mode`; with the code flow, `jwt` is short for `query.jwt` (§2.3.4).
SIGNED_MODES = ("jwt", "query.jwt", "form_post.jwt")
# The accepted values of `typ`; the specification has none of its own, and other kinds of token have another one.
RESPONSE_TYPES = (None, "jwt", "jose")
MAX_RESPONSE_LENGTH = 16_384  # characters; encrypted, a JWT is about twice as long as what is inside

_INSIDE = ("code", "state", "iss", "error", "error_description")
# Claims of other tokens with the same issuer, audience and keys: ID Tokens, userinfo, access tokens and introspection
# answers (RFC 8725 §2.8).
_FOREIGN_CLAIMS = ("sub", "nonce", "at_hash", "token_introspection")


def signed_response(pairs: Sequence[tuple[str, str]]) -> str | None:
    """Return the JWT of the callback's parameters; None if it is not such a response.

    Raises:
        RequestRejected: there are two of them, it is too long, or there are plain parameters beside it.
    """
    found = [value for name, value in pairs if name == "response"]
    if not found:
        return None
    if len(found) > 1:
        raise RequestRejected("parameter_repeated", "expected response once")
    if len(found[0]) > MAX_RESPONSE_LENGTH:
        raise RequestRejected("parameter_too_long", f"response: expected at most {MAX_RESPONSE_LENGTH} characters")
    if beside := sorted({name for name, _ in pairs if name in _INSIDE}):
        raise RequestRejected("response_mixed", f"expected response alone, got {', '.join(beside)} beside it")
    return found[0]


def read_signed_response(
    token: Verified,
    *,
    issuer: Issuer,
    client_id: str,
    trusted_audiences: Collection[str] = (),
    now: int,
    leeway: int,
) -> AuthorizationResponse:
    """Refuse a response that is not from this provider, for this client and valid now; read what is inside.

    Its lifetime is not limited further: it is worth nothing without the login in progress, which has a short one.

    Args:
        token: signature already checked.

    Raises:
        TokenRejected: the code names the claim that is wrong.

    Source: JARM §2.1, §2.4.
    """
    claims = token.claims
    _check_kind(token)
    check_issuer(claims, issuer)
    check_audience(claims, client_id=client_id, trusted_audiences=trusted_audiences)
    read_instant(claims, "exp")  # required
    check_lifetime(claims, now=now, leeway=leeway)
    if "iat" in claims:
        check_issued_at(claims, now=now, leeway=leeway)
    return AuthorizationResponse(**{name: _text(claims, name) for name in _INSIDE}, is_signed=True)


def _check_kind(token: Verified) -> None:
    check_kind(token.typ, token.claims, types=RESPONSE_TYPES)
    if foreign := [name for name in _FOREIGN_CLAIMS if name in token.claims]:
        detail = f"expected an authorization response, got a token with {', '.join(foreign)}"
        raise TokenRejected("token_typ", detail)


def _text(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= MAX_VALUE_LENGTH):
        detail = f"{name}: expected text of at most {MAX_VALUE_LENGTH} characters"
        raise TokenRejected("claims_malformed", detail)
    return value
