"""Reads private keys from PEM or JWK (RFC 7468, RFC 7517, RFC 7518 §6, RFC 8037).

Keys are imported once, because that takes longer than to sign with them. Neither they nor the errors show what a key
contains.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.protocol.jwk_thumbprint import PUBLIC_MEMBERS

Use = Literal["sig", "enc"]
NativeKey = RSAKey | ECKey | OKPKey

MAX_KEY_LENGTH = 16_384  # characters; an RSA key of 8192 bits has about 6500 as PEM or as JWK
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192  # below, it can be factored; above, one signature takes too long
MAX_KID_LENGTH = 200  # characters
PRIVATE_HALF = "give the private key that belongs to it"

_CLASSES: Mapping[str, type[NativeKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_RSA_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")
_PRIVATE_MEMBERS = {"RSA": _RSA_MEMBERS, "EC": ("d",), "OKP": ("d",)}
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_PRIVATE_BLOCKS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_IGNORED_BLOCKS = ("EC PARAMETERS",)  # written by `openssl ecparam` before the key, which repeats them
# For malformed keys, the libraries also raise errors that are not of their own classes.
FOREIGN_ERRORS = (JoseError, ValueError, KeyError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key.

    Attributes:
        kty: `RSA`, `EC` or `OKP`.
        crv: its curve, as in a JWK; None for RSA.
        kid: the id that it is published with: that of the JWK, else its thumbprint.
        thumbprint: of the public key (RFC 7638).
        alg: the algorithm that the JWK names; None if it names none.
    """

    native: NativeKey = field(repr=False, compare=False)
    kty: str
    crv: str | None
    kid: str
    thumbprint: str
    alg: str | None = None

    def public_jwk(self, *, use: Use) -> dict[str, str]:
        """Return the public key as a JWK (RFC 7517 §4), without `alg`."""
        members = self.native.as_dict(private=False)
        public = {name: str(members[name]) for name in PUBLIC_MEMBERS[self.kty]}
        return {**public, "kid": self.kid, "use": use}


class UnusableKey(ValueError):
    """Text or a mapping that is not such a key; the message says what was found instead, never the key."""


def read_private_key(value: str | Mapping[str, Any]) -> PrivateKey:
    r"""Import a private key from PEM or from a JWK, as text or as a mapping.

    A PEM may have `\n` in place of its line breaks, as environment files and secret stores often keep it.

    Raises:
        UnusableKey: it is not a private key, or a weak one.
    """
    key, found = _import_key(value)
    if key is None:
        raise UnusableKey(found)  # raised here, where no cause has the key in its frames
    return key


def check_jwk_members(value: Mapping[str, Any], *, use: Use) -> None:
    """Refuse a JWK whose other members rule out this use, or name the key in a way that nobody can refer to.

    Raises:
        UnusableKey: the message says which member is wrong.
    """
    kid, named_use, operations = value.get("kid"), value.get("use"), value.get("key_ops")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH and kid.isprintable()):
        raise UnusableKey(f"a key whose kid is not text of 1 to {MAX_KID_LENGTH} characters")
    if named_use is not None and named_use != use:
        raise UnusableKey(f"a key whose use is not {use!r}")
    wanted = {"sign"} if use == "sig" else {"decrypt", "unwrapKey", "deriveKey", "deriveBits"}
    if operations is not None and not (isinstance(operations, list) and wanted.intersection(map(str, operations))):
        raise UnusableKey(f"a key whose key_ops has none of {', '.join(sorted(wanted))}")


def jwk_in(value: str | Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JWK that a text or a mapping is; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if not value.lstrip().startswith("{"):
        return None
    try:
        return read_object(value.encode())
    except InvalidJSON:
        return None


def _import_key(value: str | Mapping[str, Any]) -> tuple[PrivateKey | None, str]:
    """Return the key, or None and what was found instead."""
    if isinstance(value, str) and len(value) > MAX_KEY_LENGTH:
        return None, f"more than {MAX_KEY_LENGTH} characters"
    if isinstance(value, str) and "-----BEGIN " in value:
        return _import_pem(value.replace("\\n", "\n"))
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return (
            None,
            "text that is neither PEM nor JSON; to give the path of a file, set the variable that ends in _FILE",
        )
    jwk = jwk_in(value)
    return (None, "JSON that is not one object") if jwk is None else _import_jwk(jwk)


def _import_pem(text: str) -> tuple[PrivateKey | None, str]:
    blocks = [name for name in _BLOCK.findall(text) if name not in _IGNORED_BLOCKS]
    if problem := _problem_of_blocks(blocks, text):
        return None, problem
    try:
        native = load_pem_private_key(text.encode(), password=None)
        if isinstance(native, RSAPrivateKey):
            return _wrong_size(native.key_size) or _named(RSAKey.import_key(native))
        if isinstance(native, EllipticCurvePrivateKey):
            return _named(ECKey.import_key(native))
        return _named(OKPKey.import_key(native))  # type: ignore[arg-type]  # any other key is refused there
    except FOREIGN_ERRORS:
        return None, "a damaged key, or one of another kind"


def _problem_of_blocks(blocks: list[str], text: str) -> str:
    """Return what is wrong with the blocks of a PEM, empty if it has one private key."""
    if "ENCRYPTED PRIVATE KEY" in blocks or "Proc-Type: 4,ENCRYPTED" in text:
        return "an encrypted key; decrypt it first: openssl pkey -in FILE -out NEW_FILE"
    if "OPENSSH PRIVATE KEY" in blocks:
        return "a key in OpenSSH's own format; convert it first: ssh-keygen -p -m PKCS8 -f FILE"
    private = [name for name in blocks if name in _PRIVATE_BLOCKS]
    if len(private) > 1:
        return f"{len(private)} keys in one text; write them as a list of texts, or as a JWK Set"
    if private and len(blocks) > 1:
        return f"a {_lower(next(name for name in blocks if name not in private))} beside the key; remove it"
    if private:
        return ""
    return f"a {_lower(blocks[0])}; {PRIVATE_HALF}" if blocks else "a damaged key, or one of another kind"


def _lower(block: str) -> str:
    return " ".join(word if word in ("RSA", "EC", "DSA", "CRL") else word.lower() for word in block.split())


def _import_jwk(jwk: Mapping[str, Any]) -> tuple[PrivateKey | None, str]:
    kty = jwk.get("kty")
    if kty == "oct":
        return None, "a shared (symmetric) key"
    if not isinstance(kty, str) or kty not in _CLASSES:
        return None, "a damaged key, or one of another kind"
    # Pass on only the members of the key: joserfc fails on unexpected values in the others.
    members = {name: jwk[name] for name in (*PUBLIC_MEMBERS[kty], *_PRIVATE_MEMBERS[kty]) if name in jwk}
    if not all(isinstance(value, str) and len(value) <= MAX_KEY_LENGTH for value in members.values()):
        return None, "a damaged key: a member that is not text"
    if "d" not in members:
        return None, f"a public key; {PRIVATE_HALF}"
    try:
        if kty == "RSA" and (wrong := _wrong_size(_rsa_bits(members))):
            return wrong
        native = _CLASSES[kty].import_key(members)
        if isinstance(native, OKPKey) and OKPKey.import_key(native.raw_value).get("x") != members["x"]:
            return None, "a damaged key: x does not belong to d"
    except FOREIGN_ERRORS:
        return None, "a damaged key, or one of another kind"
    kid, alg = jwk.get("kid"), jwk.get("alg")
    return _named(
        native,
        kid=kid if isinstance(kid, str) and kid else None,
        alg=alg if isinstance(alg, str) else None,
    )


def _rsa_bits(members: Mapping[str, str]) -> int:
    modulus = members["n"]
    return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4)), "big").bit_length()


def _wrong_size(bits: int) -> tuple[None, str] | None:
    """Return what is wrong with the size of an RSA key, which joserfc does not check."""
    if MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        return None
    return None, f"an RSA key of {bits} bits; make one of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits"


def _named(native: NativeKey, *, kid: str | None = None, alg: str | None = None) -> tuple[PrivateKey, str]:
    thumbprint = native.thumbprint()
    crv = native.get("crv")
    key = PrivateKey(native, native.key_type, None if crv is None else str(crv), kid or thumbprint, thumbprint, alg)
    return key, ""
