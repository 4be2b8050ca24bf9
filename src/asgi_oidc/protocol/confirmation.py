"""Reads which key the sender of an access token has to prove possession of (`cnf`; RFC 7800, RFC 8705, RFC 9449)."""

import re
from dataclasses import dataclass

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import Claims

JKT, X5T_S256 = "jkt", "x5t#S256"

# Keycloak adds to `jkt` that it comes from DPoP, as seen in 26.7; that is not one more method of confirmation.
_KEYCLOAK_JKT_TYPE = "kc-jkt-type"
_SHA_256 = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url without padding (RFC 7515 §2)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The keys that a token is bound to; the sender has to prove possession of each that is set.

    Attributes:
        jkt: SHA-256 thumbprint of the key of DPoP proofs (RFC 9449 §6.1).
        x5t_s256: SHA-256 thumbprint of the client certificate (RFC 8705 §3.1).
    """

    jkt: str | None = None
    x5t_s256: str | None = None


def read_confirmation(claims: Claims) -> Confirmation | None:
    """Return which keys a token is bound to; None if it is a plain bearer token.

    A method that we cannot check is refused: without its proof, a stolen token would be accepted.

    Raises:
        TokenRejected: `claim_cnf` if it is malformed, or has another member than `jkt` and `x5t#S256`.
    """
    if "cnf" not in claims:
        return None
    cnf = claims["cnf"]
    if isinstance(cnf, dict) and JKT in cnf:
        cnf = {name: value for name, value in cnf.items() if name != _KEYCLOAK_JKT_TYPE}
    if not isinstance(cnf, dict) or not cnf or cnf.keys() - {JKT, X5T_S256}:
        raise TokenRejected("claim_cnf", f"expected {JKT}, {X5T_S256} or both, as no other confirmation is supported")
    if not all(isinstance(thumbprint, str) and _SHA_256.fullmatch(thumbprint) for thumbprint in cnf.values()):
        raise TokenRejected("claim_cnf", "expected SHA-256 thumbprints of 43 base64url characters")
    return Confirmation(cnf.get(JKT), cnf.get(X5T_S256))
