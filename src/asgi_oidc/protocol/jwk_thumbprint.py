"""Names a public key by the hash of its members (JWK thumbprint, RFC 7638)."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

from asgi_oidc.errors import ProofRejected

# The members that make up a public key, by `kty` (RFC 7638 §3.2, RFC 8037 §2).
PUBLIC_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
# Members that only private and shared keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def public_key_thumbprint(jwk: object) -> str:
    """Return the thumbprint of a public key, as SHA-256 in base64url. Whether the key is usable is not checked.

    Raises:
        ProofRejected: it is not a public key, or it comes with members of a private one.
    """
    kty = jwk.get("kty") if isinstance(jwk, dict) else None
    if not isinstance(jwk, dict) or not isinstance(kty, str) or kty not in PUBLIC_MEMBERS:
        raise ProofRejected("dpop_jwk", f"expected a public key with kty {', '.join(PUBLIC_MEMBERS)}")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ProofRejected("dpop_jwk", "expected a public key, got one with private members")
    members = {name: jwk.get(name) for name in sorted(PUBLIC_MEMBERS[kty])}
    if not all(isinstance(value, str) for value in members.values()):
        raise ProofRejected("dpop_jwk", f"expected a key with {', '.join(members)}")
    digest = sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
