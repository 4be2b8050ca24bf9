"""Checks the access token of a login before its claims are used: a JWT as in RFC 9068, or one that predates it."""

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, Claims, check_kind, check_lifetime, read_instant, same
from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.protocol.issuer_template import check_issuer
from asgi_oidc.protocol.jose import Verified

ACCESS_TOKEN_TYPES = (None, "jwt", "at+jwt")
# The claims in which providers name the client that a token was issued to.
# In this order: OIDC and Keycloak, RFC 9068 and Cognito, Okta, Entra 1.0.
CLIENT_CLAIMS = ("azp", "client_id", "cid", "appid")
# Claims that only ID Tokens have: a token with one of these is not an access token (OIDC Core §2, §3.3.2.11).
ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash", "s_hash")
# A signed introspection answer has this claim (RFC 9701 §5).
OTHER_CLAIMS = (*ID_TOKEN_CLAIMS, "token_introspection")
# Claims of single providers that name the kind of token, and the values for access tokens: Keycloak, Cognito.
KINDS = {"typ": ("bearer", "dpop", "at+jwt", "jwt"), "token_use": ("access",)}
# Claims about the token, not the user; the granted scopes are taken from the token answer instead.
ABOUT_THE_TOKEN = PROTOCOL_CLAIMS | {*CLIENT_CLAIMS, *KINDS, "scope", "scp"}


def check_access_token(token: Verified, *, issuer: str, sub: str, client_id: str, now: int, leeway: int) -> None:
    """Refuse an access token that is not from this provider, about this user, for this client and currently valid.

    Args:
        token: signature already checked.
        sub: the `sub` of the login's ID Token.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        TokenRejected: the code names the claim that is wrong; `claim_sub` if it is about another user.

    Source: RFC 9068 §4; RFC 8725 §3.11, §3.12.
    """
    claims = token.claims
    check_kind(token.typ, claims, types=ACCESS_TOKEN_TYPES)
    check_kind_claims(claims)
    check_issuer(claims, issuer)
    _check_client(claims, client_id)
    read_instant(claims, "exp")  # required
    check_lifetime(claims, now=now, leeway=leeway)
    if not same(claims.get("sub"), sub):
        raise TokenRejected("claim_sub", "expected the user of the ID Token, got another one")


def check_kind_claims(claims: Claims) -> None:
    """Refuse a token whose claims say that it is another kind of token than an access token.

    Raises:
        TokenRejected: `token_typ`.
    """
    if found := [name for name in OTHER_CLAIMS if name in claims]:
        whose = ", as ID Tokens have" if found[0] in ID_TOKEN_CLAIMS else ""
        raise TokenRejected("token_typ", f"expected an access token, got one with {', '.join(found)}{whose}")
    for name, kinds in KINDS.items():
        kind = claims.get(name, kinds[0])
        if not isinstance(kind, str) or kind.lower() not in kinds:
            raise TokenRejected("token_typ", f"expected {name} to be one of {', '.join(kinds)}, got {kind}")


def user_claims(claims: Claims) -> dict[str, object]:
    """Return the claims about the user in a checked access token; those about the login come from the ID Token only."""
    return {name: value for name, value in claims.items() if name not in ABOUT_THE_TOKEN}


def user_claim_names(token: str) -> frozenset[str]:
    """Return the names of the claims about the user in an earlier access token; none if it is opaque or not a JWT."""
    try:
        return frozenset(user_claims(dict.fromkeys(claim_names(token))))
    except (IndexError, ValueError):
        return frozenset()


def _check_client(claims: Claims, client_id: str) -> None:
    """Refuse a token that was issued to another client, or that does not name this client anywhere."""
    issued_to = [claims[name] for name in CLIENT_CLAIMS if name in claims]
    if any(not same(client, client_id) for client in issued_to):
        raise TokenRejected("claim_client_id", f"expected {client_id}, got {issued_to}")
    aud = claims.get("aud")
    if not issued_to and aud != client_id and not (isinstance(aud, list) and client_id in aud):
        raise TokenRejected("claim_aud", f"expected {client_id} in aud (without {', '.join(CLIENT_CLAIMS)}), got {aud}")
