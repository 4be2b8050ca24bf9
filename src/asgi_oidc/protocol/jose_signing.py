"""Imports private keys and signs JWTs with them (RFC 7515, RFC 7517, RFC 7519).

No other module uses joserfc to sign. Keys and errors never show what a key contains.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from asgi_oidc.protocol.json_objects import InvalidJSON, read_object

MAX_KEY_LENGTH = 16_384  # characters; a key on P-256 has a few hundred
PRIVATE_VALUE_LENGTH = 43  # characters: 32 bytes in base64url, without padding
EXPECTED_KEY = "expected a private key on the curve P-256, as PEM (PKCS #8, such as a .p8 file) or as JWK"

_MEMBERS = ("kty", "crv", "x", "y", "d")
# For malformed keys, joserfc also raises errors that are not a JoseError.
_FOREIGN = (JoseError, ValueError, KeyError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key on P-256, for ES256 (RFC 7518 §3.4).

    Attributes:
        thumbprint: of the public key (RFC 7638); keys are equal if it is.
    """

    native: ECKey = field(repr=False, compare=False)
    thumbprint: str


def read_signing_key(text: str) -> SigningKey:
    r"""Import a private key from PEM or from a JWK.

    A PEM may have `\n` in place of its line breaks, as environment files and secret stores often keep it.

    Raises:
        ValueError: it is not such a key; the text says what is expected and what was found, never the key.
    """
    key, found = _import_key(text)
    if key is None:
        raise ValueError(f"{EXPECTED_KEY}, got {found}")  # raised here, where no cause has the key in its frames
    return SigningKey(key, key.thumbprint())


def make_signing_key() -> SigningKey:
    """Return a new private key."""
    key = ECKey.generate_key("P-256", private=True)
    return SigningKey(key, key.thumbprint())


def public_jwk(key: SigningKey) -> dict[str, str]:
    """Return the public key as a JWK (RFC 7517 §4); its `kid` is the thumbprint."""
    members = key.native.as_dict(private=False)
    public = {name: str(members[name]) for name in ("kty", "crv", "x", "y")}
    return {**public, "kid": key.thumbprint, "use": "sig", "alg": "ES256"}


def private_value(key: SigningKey) -> str:
    """Return the 32 bytes from which `derive_signing_key` makes the key again, as base64url (RFC 7518 §6.2.2.1)."""
    return str(key.native.as_dict(private=True)["d"])


def derive_signing_key(private_value: str) -> SigningKey:
    """Return the key of a private value.

    Raises:
        ValueError: it is not the private value of a key on P-256; the text does not repeat it.
    """
    try:
        number = int.from_bytes(urlsafe_b64decode(f"{private_value}="), "big")
        key = ECKey.import_key(derive_private_key(number, SECP256R1()))
    except _FOREIGN:
        key = None
    if key is None or len(private_value) != PRIVATE_VALUE_LENGTH:
        raise ValueError(f"expected {PRIVATE_VALUE_LENGTH} characters of base64url")
    return SigningKey(key, key.thumbprint())


def sign_proof_with_its_own_key(claims: Mapping[str, object], key: SigningKey, *, typ: str) -> str:
    """Return a proof of possession: a JWS that is signed with ES256, and has the public key in its header."""
    header = {"typ": typ, "alg": "ES256", "jwk": key.native.as_dict(private=False)}
    return jws.serialize_compact(header, json.dumps(claims).encode(), key.native, ["ES256"])


def sign_jwt(claims: Mapping[str, object], key: SigningKey, *, kid: str, typ: str | None = None) -> str:
    """Return a JWT that is signed with ES256.

    Args:
        kid: the id under which the recipient knows the key.
        typ: the media type of the token (RFC 7519 §5.1), if the recipient asks for one.
    """
    header = {"alg": "ES256", "kid": kid} if typ is None else {"alg": "ES256", "kid": kid, "typ": typ}
    return jws.serialize_compact(header, json.dumps(claims).encode(), key.native, ["ES256"])


def _import_key(text: str) -> tuple[ECKey | None, str]:
    """Return the key, or None and what was found instead."""
    if len(text) > MAX_KEY_LENGTH:
        return None, f"more than {MAX_KEY_LENGTH} characters"
    is_pem = "-----BEGIN " in text
    if not is_pem and not text.lstrip().startswith("{"):
        return None, "text that is neither PEM nor JSON"
    if "-----BEGIN ENCRYPTED" in text or "Proc-Type: 4,ENCRYPTED" in text:
        return None, "an encrypted key: decrypt it first"
    try:
        key = ECKey.import_key(text.replace("\\n", "\n").encode()) if is_pem else _import_jwk(text)
        if not key.is_private:
            return None, "a public key"
        if key.curve_name != "P-256":
            return None, f"a key on the curve {key.curve_name}"
    except InvalidJSON:
        return None, "JSON that is not one object"
    except _FOREIGN:
        return None, "a key of another kind, or a damaged one"
    return key, ""


def _import_jwk(text: str) -> ECKey:
    # Pass on only the members of the key: joserfc fails on unexpected values in the others.
    jwk: dict[str, str | list[str]] = {
        name: str(value) for name, value in read_object(text.encode()).items() if name in _MEMBERS
    }
    if jwk.get("kty") != "EC":
        raise ValueError("kty")
    return ECKey.import_key(jwk)
