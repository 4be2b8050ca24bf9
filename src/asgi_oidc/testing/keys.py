"""The fake provider's signing keys: made once per process, published as JWK (RFC 7517), used for JWS (RFC 7515)."""

import base64
import functools
import json
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
CURVES: dict[str, tuple[str, ec.EllipticCurve]] = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA", "Ed25519")


@dataclass(frozen=True)
class SigningKey:
    """A private key, its `kid`, and the algorithm that it is used with."""

    kid: str
    alg: str
    private: PrivateKey

    def public_jwk(self) -> dict[str, Any]:
        """Return the public key as it is published in the JWKS."""
        return {**public_parts(self.private, self.alg), "kid": self.kid, "alg": self.alg, "use": "sig"}


@functools.cache
def signing_key(alg: str, number: int = 0, *, rsa_bits: int = 2048) -> SigningKey:
    """Return the test key with this algorithm and number.

    It is the same for the whole process, because generating an RSA key takes tens of milliseconds.
    """
    return SigningKey(kid=f"{alg.lower()}-{rsa_bits}-{number}", alg=alg, private=_new_private_key(alg, rsa_bits))


def new_key(alg: str, *, rsa_bits: int = 2048) -> SigningKey:
    """Generate a key that nobody else in the process has."""
    private = _new_private_key(alg, rsa_bits)
    return SigningKey(kid=secrets.token_urlsafe(8), alg=alg, private=private)


def _new_private_key(alg: str, rsa_bits: int) -> PrivateKey:
    if alg in ("EdDSA", "Ed25519"):  # two names of one algorithm (RFC 9864 §2.2)
        return ed25519.Ed25519PrivateKey.generate()
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg][1])
    return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)


def public_parts(private: PrivateKey, alg: str) -> dict[str, Any]:
    """Return the members of the JWK that make up the public key (RFC 7518 §6, RFC 8037 §2)."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_numbers()
        size = (private.curve.key_size + 7) // 8
        x, y = (base64url(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": CURVES[alg][0], "x": x, "y": y}
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": base64url_integer(numbers.n), "e": base64url_integer(numbers.e)}


def signature(message: bytes, key: SigningKey, alg: str) -> bytes:
    """Return a JWS signature (RFC 7518 §3)."""
    private = key.private
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(message)
    digest = HASHES[alg[2:]]
    if isinstance(private, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(digest)))
        size = (private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if alg.startswith("PS"):
        pss = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
        return private.sign(message, pss, digest)
    return private.sign(message, padding.PKCS1v15(), digest)


def compact_jws(header: dict[str, Any], payload: bytes, key: SigningKey) -> str:
    """Return a signed token in the compact form; header and payload are deliberately not checked."""
    start = f"{base64url(json_bytes(header))}.{base64url(payload)}"
    return f"{start}.{base64url(signature(start.encode(), key, key.alg))}"


def left_half_hash(value: str, alg: str) -> str:
    """Return `at_hash` or `c_hash` of a value (OpenID Connect Core §3.1.3.6)."""
    size = "512" if alg in ("EdDSA", "Ed25519") else alg[2:]
    digest = hashes.Hash(HASHES[size])
    digest.update(value.encode())
    whole = digest.finalize()
    return base64url(whole[: len(whole) // 2])


def json_bytes(value: Any) -> bytes:
    """Encode JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def base64url(raw: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def base64url_integer(number: int) -> str:
    """Encode an integer as in a JWK: big-endian, in as few bytes as possible, base64url."""
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
