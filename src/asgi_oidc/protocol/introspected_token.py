"""Checks what the provider says about an access token (RFC 7662 §2.2), and what the token itself says as a JWT."""

import msgspec

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.access_token import CLIENT_CLAIMS, KINDS, check_kind_claims
from asgi_oidc.protocol.bearer_token import (
    AccessToken,
    ExpectedToken,
    access_token,
    check_bearer_audience,
    check_no_id_token,
    read_client_id,
)
from asgi_oidc.protocol.claims import Claims, check_issued_at, check_kind, check_lifetime, read_instant
from asgi_oidc.protocol.confirmation import JKT
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.scope_claims import SCOPE_CLAIMS

# `token_type` of access tokens, in lower case; a refresh token has another or none.
BEARER, DPOP = "bearer", "dpop"  # RFC 6749 §7.1, RFC 9449 §5
TOKEN_TYPES = (BEARER, DPOP, "access_token")  # the last one is Glewlwyd's
TOKEN_USES = (*KINDS["token_use"], "access_token")  # of access tokens: Cognito, Ory Hydra
# An answer with another value than the JWT is about another token.
SAME_CLAIMS = ("iss", "sub", "cnf", "jti", *CLIENT_CLAIMS)


class _Members(msgspec.Struct):
    """The types of the members of an answer about an active token; others may be of any type."""

    active: bool
    sub: str = ""
    iss: str | None = None
    aud: str | list[str] | None = None
    exp: int | float | None = None
    iat: int | float | None = None
    nbf: int | float | None = None
    client_id: str | None = None
    scope: str | list[str] | None = None
    token_type: str | None = None
    cnf: dict[str, object] = msgspec.field(default_factory=dict)


def check_jwt(token: Verified, expected: ExpectedToken, *, issuer: Issuer, now: int, leeway: int) -> None:
    """Refuse a JWT that no answer can make acceptable: another kind of token, from another provider, for another API.

    It may lack everything that the answer has instead, as the lightweight tokens of Keycloak do.

    Args:
        token: signature already checked.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        TokenRejected: the code names the claim that is wrong.
    """
    claims = token.claims
    check_kind(token.typ, claims, types=expected.token_types)
    check_kind_claims(claims)
    check_issuer(claims, issuer)
    if "aud" in claims:
        check_bearer_audience(claims, expected)
    check_lifetime(claims, now=now, leeway=leeway)
    read_client_id(claims)


def check_introspection(
    members: Claims,
    expected: ExpectedToken,
    *,
    issuer: Issuer,
    client_id: str,
    now: int,
    leeway: int,
    jwt: Verified | None = None,
) -> AccessToken:
    """Read an answer; refuse a token that is not active, not from this provider, or not for this API.

    Args:
        members: JSON object.
        client_id: of this app; its ID Tokens have it in `aud`.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.
        jwt: the token itself if it is a JWT; `check_jwt` has accepted it. What it says holds too.

    Raises:
        TokenRejected: `token_inactive`, or the code names the member that rules the token out.
        AnswerRejected: `introspection_malformed` if a member is of the wrong type, or `active` is missing;
            `introspection_mismatch` if the answer is about another token than the JWT.
    """
    claims = _active_members(members)
    if jwt is not None:
        claims = _with_jwt(claims, jwt.claims)
    named = check_issuer(claims, issuer) if "iss" in claims or not isinstance(issuer, str) else issuer
    audiences, issued_to = check_bearer_audience(claims, expected), read_client_id(claims)
    _check_kind(claims)
    if jwt is not None:
        check_no_id_token(jwt.typ, claims, audiences, issued_to=issued_to, client_id=client_id)
    check_lifetime(claims, now=now, leeway=leeway)
    return access_token(
        {**claims, "iss": named},
        issuer=named,
        client_id=issued_to,
        expires_at=int(read_instant(claims, "exp")) if "exp" in claims else None,
        issued_at=int(check_issued_at(claims, now=now, leeway=leeway)) if "iat" in claims else 0,
    )


def _active_members(members: Claims) -> dict[str, object]:
    """Return the members of the answer for an active token, except those that are null, which say nothing."""
    if members.get("active") is False:
        raise TokenRejected("token_inactive", "the provider says that the token is not active")
    try:
        msgspec.convert(members, _Members)
    except msgspec.ValidationError as exc:
        # Its text has the types and names of members, but no values.
        raise AnswerRejected("introspection_malformed", str(exc), answer_status=200) from None
    return {name: value for name, value in members.items() if value is not None and name != "active"}


def _with_jwt(answer: Claims, claims: Claims) -> dict[str, object]:
    """Return the claims of the answer, and those of the JWT that the answer does not have.

    The answer tells what the token grants now, but cannot make it live longer.
    """
    if other := [name for name in SAME_CLAIMS if name in answer and name in claims and answer[name] != claims[name]]:
        detail = f"expected the {', '.join(other)} of the token, got another one"
        raise AnswerRejected("introspection_mismatch", detail, answer_status=200)
    has_scopes = any(name in answer for name in SCOPE_CLAIMS)
    kept = {name: value for name, value in claims.items() if not (has_scopes and name in SCOPE_CLAIMS)}
    instants = {
        name: min(read_instant(answer, name), read_instant(claims, name))
        for name in ("exp", "iat")
        if name in answer and name in claims
    }
    return {**kept, **answer, **instants}


def _check_kind(claims: Claims) -> None:
    """Refuse a refresh token, an ID Token and any other token that the provider knows, but that is no access token."""
    check_kind(None, claims, types=(None,))
    check_kind_claims({name: value for name, value in claims.items() if name != "token_use"})
    use, token_type = claims.get("token_use"), str(claims.get("token_type", "")).lower()
    if use is not None and use not in TOKEN_USES:
        raise TokenRejected("token_typ", f"expected token_use to be one of {TOKEN_USES}, got {use}")
    if token_type not in TOKEN_TYPES and (token_type or (use is None and "aud" not in claims)):
        # Without an audience, nothing else would tell it from a refresh token.
        raise TokenRejected("token_typ", f"expected token_type to be one of {TOKEN_TYPES}, got {token_type or 'none'}")
    cnf = claims.get("cnf")
    if token_type == DPOP and not (isinstance(cnf, dict) and JKT in cnf):
        raise TokenRejected("claim_cnf", f"expected {JKT}, as a DPoP token is bound to a key")
