"""Signs JWTs with private keys and with shared secrets (RFC 7515, RFC 7518 §3, RFC 7519).

No other module uses joserfc to sign. Keys and errors never show what a key contains.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from asgi_oidc.protocol.private_keys import (
    FOREIGN_ERRORS,
    PrivateKey,
    UnusableKey,
    check_jwk_members,
    jwk_in,
    read_private_key,
)

PRIVATE_VALUE_LENGTH = 43  # characters: 32 bytes in base64url, without padding
EXPECTED_P256 = "expected a private key on the curve P-256, as PEM (PKCS #8, such as a .p8 file) or as JWK"
EXPECTED_KEY = (
    "expected a private key as PEM or as JWK (RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, Ed25519)"
)

_ALGORITHMS = jws.JWSRegistry.algorithms
_RSA = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
# The algorithms of a key by (kty, crv), those of FAPI 2.0 first; `EdDSA` and `Ed25519` are one (RFC 9864).
_ALGORITHMS_OF: Mapping[tuple[str, str | None], Sequence[str]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
SIGNING_ALGORITHMS = tuple(name for names in _ALGORITHMS_OF.values() for name in names)
# The hash of each algorithm with a shared secret has to fit the secret: at least as many bytes (RFC 7518 §3.2).
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and how it signs.

    Attributes:
        alg: the algorithm.
        algorithms: those that it can sign with, the preferred one first; a JWK that names its `alg` leaves only that.
    """

    private: PrivateKey
    alg: str
    algorithms: tuple[str, ...]

    @property
    def kid(self) -> str:
        """The id that it is published with."""
        return self.private.kid

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the public key (RFC 7638)."""
        return self.private.thumbprint

    def limited_to(self, accepted: Collection[str]) -> Self:
        """Return the key with only those of its algorithms that are accepted; unchanged if none of them is."""
        algorithms = tuple(alg for alg in self.algorithms if alg in accepted)
        if not algorithms:
            return self
        return replace(self, algorithms=algorithms, alg=self.alg if self.alg in algorithms else algorithms[0])

    def with_algorithm(self, alg: str) -> Self:
        """Return the key that signs with another one of its algorithms."""
        return replace(self, alg=alg)


def read_signing_key(value: str | Mapping[str, Any]) -> SigningKey:
    """Import any private key that signs.

    Raises:
        ValueError: it is not such a key; the text says what is expected and what was found, never the key.
    """
    key, found = _signing_key(value)
    if key is None:
        raise ValueError(f"{EXPECTED_KEY}, got {found}")  # raised here, where no cause has the key in its frames
    return key


def read_p256_key(text: str) -> SigningKey:
    """Import a private key on P-256, for ES256; its `kid` is its thumbprint.

    Raises:
        ValueError: as in `read_signing_key`.
    """
    found = ""
    try:
        private = read_private_key(text)
    except UnusableKey as error:
        found = str(error)
    else:
        if private.crv == "P-256":
            return _with_algorithms(replace(private, kid=private.thumbprint, alg=None))
        kind = f"a key on the curve {private.crv}" if private.kty == "EC" else f"a key of another kind: {private.kty}"
        found = kind
    raise ValueError(f"{EXPECTED_P256}, got {found}")


def make_signing_key() -> SigningKey:
    """Return a new private key on P-256."""
    return _p256_key(ECKey.generate_key("P-256", private=True))


def public_jwk(key: SigningKey) -> dict[str, str]:
    """Return the public key as a JWK (RFC 7517 §4).

    It names `alg` only if the key cannot sign with another: recipients may refuse any other then.
    """
    jwk = key.private.public_jwk(use="sig")
    return {**jwk, "alg": key.alg} if len(key.algorithms) == 1 else jwk


def private_value(key: SigningKey) -> str:
    """Return the 32 bytes from which `derive_signing_key` makes the key again, as base64url (RFC 7518 §6.2.2.1)."""
    return str(key.private.native.as_dict(private=True)["d"])


def derive_signing_key(private_value: str) -> SigningKey:
    """Return the key of a private value.

    Raises:
        ValueError: it is not the private value of a key on P-256; the text does not repeat it.
    """
    try:
        number = int.from_bytes(urlsafe_b64decode(f"{private_value}="), "big")
        native = ECKey.import_key(derive_private_key(number, SECP256R1()))
    except FOREIGN_ERRORS:
        native = None
    if native is None or len(private_value) != PRIVATE_VALUE_LENGTH:
        raise ValueError(f"expected {PRIVATE_VALUE_LENGTH} characters of base64url")
    return _p256_key(native)


def sign_proof_with_its_own_key(claims: Mapping[str, object], key: SigningKey, *, typ: str) -> str:
    """Return a proof of possession: a JWS that has the public key in its header."""
    native = key.private.native
    header = {"typ": typ, "alg": key.alg, "jwk": native.as_dict(private=False)}
    return jws.serialize_compact(header, json.dumps(claims).encode(), native, [key.alg])


def sign_jwt(
    claims: Mapping[str, object],
    key: SigningKey,
    *,
    kid: str | None = None,
    typ: str | None = None,
    certificate_thumbprint: str | None = None,
) -> str:
    """Return a signed JWT.

    Args:
        kid: the id under which the recipient knows the key; None for that of the key.
        typ: the media type of the token (RFC 7519 §5.1), if the recipient asks for one.
        certificate_thumbprint: `x5t#S256` in place of `kid`, for a recipient that knows the certificate of the key.
    """
    name = {"kid": kid or key.kid} if certificate_thumbprint is None else {"x5t#S256": certificate_thumbprint}
    return _signed({"alg": key.alg, **name}, claims, key.private.native, typ=typ)


def sign_jwt_with_secret(claims: Mapping[str, object], secret: str, *, alg: str, typ: str | None = None) -> str:
    """Return a JWT whose signature is a MAC with a shared secret.

    Args:
        alg: one of `SECRET_BYTES`.
    """
    return _signed({"alg": alg}, claims, OctKey.import_key(secret), typ=typ)


def _signed(header: dict[str, str], claims: Mapping[str, object], native: Any, *, typ: str | None) -> str:
    header |= {} if typ is None else {"typ": typ}
    signed = b".".join(urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (header, claims))
    # The functions of joserfc around this warn at each signature with EdDSA, which providers know by that name.
    signature = _ALGORITHMS[header["alg"]].sign(signed, native)
    return (signed + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode("ascii")


def _signing_key(value: str | Mapping[str, Any]) -> tuple[SigningKey | None, str]:
    """Return the key, or None and what was found instead."""
    try:
        private = read_private_key(value)
        if jwk := jwk_in(value):
            check_jwk_members(jwk, use="sig")
    except UnusableKey as error:
        return None, str(error)
    algorithms = _ALGORITHMS_OF.get((private.kty, private.crv))
    if algorithms is None:
        return None, f"a key on the curve {private.crv}"
    if private.alg is not None and private.alg not in algorithms:
        return None, f"a key whose alg is none of {', '.join(algorithms)}"
    return _with_algorithms(private), ""


def _p256_key(native: ECKey) -> SigningKey:
    thumbprint = native.thumbprint()
    return _with_algorithms(PrivateKey(native, "EC", "P-256", thumbprint, thumbprint))


def _with_algorithms(private: PrivateKey) -> SigningKey:
    algorithms = _ALGORITHMS_OF[private.kty, private.crv] if private.alg is None else (private.alg,)
    return SigningKey(private, algorithms[0], tuple(algorithms))
