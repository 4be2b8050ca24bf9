"""The only door to joserfc: key sets and signatures (RFC 7515, RFC 7517, RFC 7518, RFC 8037, RFC 8725)."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256, sha384, sha512

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.json_objects import NotAnObject, read_object
from asgi_oidc.protocol.messages import Answer, read_json_answer

MAX_TOKEN_LENGTH = 65_536  # characters
MAX_HEADER_LENGTH = 4096  # characters, still base64url
MAX_KEYS = 64  # in a set; more than any provider publishes
RSA_BITS = range(2048, 8192 + 1)

# What a key must be for an algorithm: (kty, crv). No algorithm with a shared secret is here, so that a
# public key can never be taken for one (RFC 8725 §2.1).
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
# at_hash uses the hash of the signature (OIDC Core §3.1.3.6); Ed25519 stands on SHA-512 (RFC 8032 §5.1).
HASH_OF_ALGORITHM = {
    **dict.fromkeys(("RS256", "PS256", "ES256"), sha256),
    **dict.fromkeys(("RS384", "PS384", "ES384"), sha384),
    **dict.fromkeys(("RS512", "PS512", "ES512", "EdDSA", "Ed25519"), sha512),
}
EDDSA_NAMES = frozenset({"EdDSA", "Ed25519"})  # one algorithm, renamed by RFC 9864

_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_KEY_CLASS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
# joserfc is strict, but not all that it raises is a JoseError.
_FOREIGN = (JoseError, ValueError, KeyError, TypeError, OverflowError, RecursionError, UnsupportedAlgorithm)


class KeyUnknown(TokenRejected):
    """No key of the set fits the token: the provider may have changed its keys."""

    default_code = "kid_unknown"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """One public key that we can use."""

    kty: str
    crv: str | None
    kid: str | None
    alg: str | None
    native: Key = field(repr=False)

    def fits(self, alg: str, kid: str | None) -> bool:
        """Say whether a token with this header may have been signed with this key."""
        if (self.kty, self.crv) != KEY_OF_ALGORITHM[alg]:
            return False
        if self.alg is not None and self.alg != alg and not {self.alg, alg} <= EDDSA_NAMES:
            return False
        return kid is None or kid == self.kid


@dataclass(frozen=True, slots=True)
class Verified:
    """The claims of a token whose signature is good; nothing else is checked yet."""

    alg: str
    typ: str | None
    claims: dict[str, object] = field(repr=False)


class _Registry(jws.JWSRegistry):
    """Looks up one algorithm; the choice is made before, so nothing here falls back to a default."""

    max_header_length = MAX_HEADER_LENGTH

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the algorithm without joserfc's warning that EdDSA has a new name."""
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)  # unknown header members are ignored (RFC 7515 §4)


def read_key_set_answer(answer: Answer) -> tuple[list[VerifyingKey], list[str]]:
    """Read a JWKS; a key that we cannot use never spoils the others.

    Returns:
        The usable keys, and for each of the others why not.

    Raises:
        ProviderError: no JSON object with a list `keys`, or more than `MAX_KEYS` of them.
    """
    members = read_json_answer(answer, what="jwks").get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise AnswerRejected("jwks_malformed", f"expected a list of at most {MAX_KEYS} keys")
    usable: list[VerifyingKey] = []
    skipped: list[str] = []
    for jwk in members:
        try:
            usable.append(_import_key(jwk))
        except _FOREIGN as exc:
            skipped.append(str(exc) if type(exc) is ValueError else type(exc).__name__)
    return usable, skipped


def verify_token(token: str, keys: Sequence[VerifyingKey], algorithms: Collection[str]) -> Verified:
    """Check the signature of a compact JWS with the keys of the provider, and read its claims.

    Args:
        algorithms: the only ones that count; `none` and shared secrets are not among those we know.

    Raises:
        KeyUnknown: no key fits, so a newer key set may help.
        TokenRejected: anything else.
    """
    header = _read_header(token)
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in algorithms or alg not in KEY_OF_ALGORITHM:
        raise TokenRejected("alg_not_allowed", f"expected one of {', '.join(algorithms)}, got {alg}")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise TokenRejected("header_malformed", "kid and typ must be text")
    candidates = [key for key in keys if key.fits(alg, kid)]
    if not candidates:
        raise KeyUnknown(detail=f"no {alg} key named {kid}")
    for key in candidates:
        if (payload := _verified_payload(token, key.native)) is not None:
            return Verified(alg, typ, _read_claims(payload))
    if kid is None:
        # Without a name the right key may simply not be here yet.
        raise KeyUnknown(detail=f"none of our {alg} keys made this signature")
    raise TokenRejected("signature", f"it does not fit the key {kid}")


def token_hash(alg: str, token: str) -> bytes:
    """Hash an access token for `at_hash`: the left half, base64url (OIDC Core §3.1.3.6)."""
    digest = HASH_OF_ALGORITHM[alg](token.encode("ascii")).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")


def _read_header(token: str) -> dict[str, object]:
    # Sizes and dots come before anything is split or decoded.
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise TokenRejected("token_malformed", "it is too long, or not ASCII")
    if token.count(".") != 2:
        raise TokenRejected("token_malformed", "a signed token has three parts; encrypted ones are not taken")
    encoded = token.partition(".")[0]
    if len(encoded) > MAX_HEADER_LENGTH:
        raise TokenRejected("token_malformed", "its header is too long")
    try:
        header = read_object(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (NotAnObject, binascii.Error) as exc:
        raise TokenRejected("token_malformed", "its header is not a JSON object") from exc
    if "crit" in header or "b64" in header:
        raise TokenRejected("header_crit", "it asks for extensions that we do not know")
    return header


def _verified_payload(token: str, key: Key) -> bytes | None:
    try:
        return jws.deserialize_compact(token, key, registry=_REGISTRY).payload
    except _FOREIGN:
        return None


def _read_claims(payload: bytes) -> dict[str, object]:
    try:
        return read_object(payload)
    except NotAnObject as exc:
        raise TokenRejected("claims_malformed", str(exc)) from exc


def _import_key(jwk: object) -> VerifyingKey:
    """Raises ValueError with a reason, or whatever joserfc raises for a malformed key."""
    if not isinstance(jwk, dict) or jwk.get("kty") not in _MEMBERS:
        raise ValueError("kty_unknown")
    if jwk.get("use") not in (None, "sig"):
        raise ValueError("use_is_not_sig")
    key_ops = jwk.get("key_ops")
    if key_ops is not None and not (isinstance(key_ops, list) and "verify" in key_ops):
        raise ValueError("key_ops_without_verify")
    kty, kid, alg = jwk["kty"], jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        raise ValueError("kid_or_alg_is_no_text")
    # Only the members that make the public key: joserfc trips over odd values in the others.
    members = {name: jwk[name] for name in _MEMBERS[kty]}
    if kty == "RSA" and _bits(members["n"]) not in RSA_BITS:
        raise ValueError("rsa_size")
    native = _KEY_CLASS[kty].import_key(members)
    return VerifyingKey(kty, jwk.get("crv"), kid, alg, native)


def _bits(encoded: str) -> int:
    return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), "big").bit_length()
