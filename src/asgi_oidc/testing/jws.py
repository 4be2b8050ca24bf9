"""Reads signed tokens that clients send (RFC 7515), and verifies their signatures by public keys as JWK (RFC 7517)."""

import base64
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .keys import CURVES, HASHES

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_ALGORITHMS = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
PUBLIC_KEY_ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", *RSA_ALGORITHMS)
SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
MIN_RSA_BITS = 2048  # RFC 7518 §3.3
BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True)
class JWT:
    """A signed token whose signature is not verified yet."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    message: bytes
    """What is signed."""
    signature: bytes

    @property
    def alg(self) -> str:
        """The algorithm of the signature; empty if the header does not say it as text."""
        return text_of(self.header, "alg")


def read_jwt(token: str) -> JWT | None:
    """Return a token in the compact form; `None` if it is none, or if header or payload is not a JSON object."""
    segments = token.split(".")
    if len(segments) != 3 or not all(BASE64URL.fullmatch(segment) for segment in segments):
        return None
    header, claims = _json_object(segments[0]), _json_object(segments[1])
    if header is None or claims is None or "crit" in header:  # we understand no extension (RFC 7515 §4.1.11)
        return None
    return JWT(header, claims, f"{segments[0]}.{segments[1]}".encode(), decoded(segments[2]))


def is_signed_by_key(jwt: JWT, jwk: Mapping[str, Any]) -> bool:
    """Whether a public key has made the signature; False for a key that does not fit the algorithm."""
    if jwt.alg not in PUBLIC_KEY_ALGORITHMS or jwk.get("use", "sig") != "sig" or jwk.get("alg", jwt.alg) != jwt.alg:
        return False
    key = _public_key(jwk, jwt.alg)
    if key is None:
        return False
    try:
        _verify(key, jwt)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_signed_by_one_of(jwt: JWT, jwks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key of this set has made the signature; a `kid` in the header decides which one (RFC 7515 §4.1.4)."""
    kid = jwt.header.get("kid")
    return any(is_signed_by_key(jwt, jwk) for jwk in jwks if kid is None or jwk.get("kid") == kid)


def is_signed_by_secret(jwt: JWT, secret: str) -> bool:
    """Whether a shared secret has made the signature; a secret shorter than the hash is refused (RFC 7518 §3.2)."""
    if jwt.alg not in SECRET_ALGORITHMS or len(secret.encode()) * 8 < int(jwt.alg[2:]):
        return False
    return hmac.compare_digest(hmac.digest(secret.encode(), jwt.message, f"sha{jwt.alg[2:]}"), jwt.signature)


def text_of(members: Mapping[str, Any], name: str) -> str:
    """Return a member that is a text; empty if it is missing or something else."""
    value = members.get(name)
    return value if isinstance(value, str) else ""


def instant_of(members: Mapping[str, Any], name: str) -> int | None:
    """Return a member that is a time, in whole seconds since the epoch; `None` if it is missing or something else."""
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def decoded(text: str) -> bytes:
    """Decode base64url without padding; empty if it is not that."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _json_object(segment: str) -> dict[str, Any] | None:
    try:
        value = json.loads(decoded(segment))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _verify(key: PublicKey, jwt: JWT) -> None:
    """Raise `InvalidSignature` unless the key has signed the token (RFC 7518 §3, RFC 8037 §3.1)."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(jwt.signature, jwt.message)
        return
    digest = HASHES[jwt.alg[2:]]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(_dss_signature(jwt.signature, key), jwt.message, ec.ECDSA(digest))
        return
    pss = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
    key.verify(jwt.signature, jwt.message, pss if jwt.alg.startswith("PS") else padding.PKCS1v15(), digest)


def _dss_signature(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def _public_key(jwk: Mapping[str, Any], alg: str) -> PublicKey | None:
    """Return the key that a JWK describes (RFC 7518 §6, RFC 8037 §2) if this algorithm uses such keys, else None."""
    kind = (jwk.get("kty"), jwk.get("crv"))
    try:
        if alg in ("EdDSA", "Ed25519"):
            is_right = kind == ("OKP", "Ed25519")
            return ed25519.Ed25519PublicKey.from_public_bytes(decoded(text_of(jwk, "x"))) if is_right else None
        if alg in CURVES:
            name, curve = CURVES[alg]
            numbers = ec.EllipticCurvePublicNumbers(_integer(jwk, "x"), _integer(jwk, "y"), curve)
            return numbers.public_key() if kind == ("EC", name) else None
        key = rsa.RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n")).public_key()
    except ValueError:
        return None
    return key if kind[0] == "RSA" and key.key_size >= MIN_RSA_BITS else None


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(decoded(text_of(jwk, name)), "big")
