"""The signature algorithms of JWS: the key and the hash that each needs (RFC 7518, RFC 8037, RFC 9864)."""

from base64 import urlsafe_b64encode
from hashlib import sha256, sha384, sha512

# The key that an algorithm needs: (kty, crv). Algorithms with a shared secret are left out, so that a
# public key can never be used as a shared secret (RFC 8725 §2.1).
KEY_OF_ALGORITHM: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
SYMMETRIC_ALGORITHM = "HS256"  # the only one with a shared secret that is supported
# at_hash uses the hash function of the signature algorithm (OIDC Core §3.1.3.6); Ed25519's is SHA-512 (RFC 8032 §5.1).
HASH_OF_ALGORITHM = {
    **dict.fromkeys(("RS256", "PS256", "ES256", SYMMETRIC_ALGORITHM), sha256),
    **dict.fromkeys(("RS384", "PS384", "ES384"), sha384),
    **dict.fromkeys(("RS512", "PS512", "ES512", "EdDSA", "Ed25519"), sha512),
}
EDDSA_NAMES = frozenset({"EdDSA", "Ed25519"})  # two names of one algorithm, renamed by RFC 9864


def token_hash(alg: str, token: str) -> bytes:
    """Return the `at_hash` of an access token: the left half of its hash, base64url-encoded (OIDC Core §3.1.3.6)."""
    digest = HASH_OF_ALGORITHM[alg](token.encode("ascii")).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
