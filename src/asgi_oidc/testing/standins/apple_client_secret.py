"""The check of a client secret at the stand-in for Apple: a JWT that the developer has signed.

Source: Creating a client secret, at
https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

AUDIENCE = "https://appleid.apple.com"
MAX_LIFETIME = 15_777_000  # seconds: six months, "as measured by the clock on Apple's servers"
SIGNATURE_LENGTH = 64  # bytes of ES256 (RFC 7518 §3.4)


@dataclass(frozen=True)
class KeyHolder:
    """A developer team and its key, as Apple knows them."""

    team_id: str
    key_id: str
    public_key: ec.EllipticCurvePublicKey


def is_valid_client_secret(secret: str, holder: KeyHolder, *, client_id: str, now: int) -> bool:
    """Whether a client secret is a JWT of this team for this client, signed with its key, and valid now."""
    segments = secret.split(".")
    if len(segments) != 3:
        return False
    header, claims = _json_object(segments[0]), _json_object(segments[1])
    if (header.get("alg"), header.get("kid")) != ("ES256", holder.key_id):
        return False
    if not _is_signed(f"{segments[0]}.{segments[1]}".encode(), _decoded(segments[2]), holder.public_key):
        return False
    if (claims.get("iss"), claims.get("sub"), claims.get("aud")) != (holder.team_id, client_id, AUDIENCE):
        return False
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if type(issued_at) is not int or type(expires_at) is not int:
        return False
    return issued_at <= now < expires_at <= now + MAX_LIFETIME


def _is_signed(message: bytes, signature: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    if len(signature) != SIGNATURE_LENGTH:
        return False
    half = SIGNATURE_LENGTH // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _json_object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(part))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""
