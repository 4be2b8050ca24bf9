"""What proofs have in common, whoever makes them (RFC 9449 §4.2)."""

from base64 import urlsafe_b64encode
from hashlib import sha256

PROOF_TYPE = "dpop+jwt"


def access_token_hash(token: str) -> str:
    """Return the `ath` of an access token: its SHA-256, base64url-encoded (RFC 9449 §4.2)."""
    return urlsafe_b64encode(sha256(token.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
