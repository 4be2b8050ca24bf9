"""Reads key sets and verifies signatures (RFC 7515, RFC 7517, RFC 7518, RFC 8037, RFC 8725).

No other module uses joserfc to verify tokens. A token is verified either with the provider's public keys or with the
client secret, and a DPoP proof with the key that it brings itself: each has a function of its own, so that one can
never stand in for another.
"""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode as strict_b64decode

from asgi_oidc.errors import AnswerRejected, ProofRejected, TokenRejected
from asgi_oidc.protocol.issuer_template import check_key_issuer
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.protocol.jwk_thumbprint import PUBLIC_MEMBERS, public_key_thumbprint
from asgi_oidc.protocol.messages import Answer, read_json_answer
from asgi_oidc.protocol.signature_algorithms import EDDSA_NAMES, KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM

MAX_TOKEN_LENGTH = 65_536  # characters
MAX_HEADER_LENGTH = 4096  # characters, base64url-encoded
MAX_SIGNATURE_LENGTH = 1366  # characters, base64url-encoded; that of the longest RSA key
MAX_KEYS = 64  # per key set; more than any provider publishes
RSA_BITS = range(2048, 8192 + 1)

MIN_SECRET_LENGTH = 32  # bytes, the size of the hash; a shorter one can be guessed from a token (RFC 7518 §3.2)

_KEY_CLASS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
# For malformed keys and tokens, joserfc also raises errors that are not a JoseError.
_FOREIGN = (JoseError, ValueError, KeyError, TypeError, OverflowError, RecursionError, UnsupportedAlgorithm)
_ALGORITHMS = jws.JWSRegistry.algorithms


class KeyUnknown(TokenRejected):
    """No key of the set matches the token; the provider may have rotated its keys."""

    default_code = "kid_unknown"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of the provider that can verify signatures.

    Attributes:
        issuer: the issuer for whose tokens alone the key is valid, or its template: a member of Microsoft Entra's JWKS
            that no RFC defines (see `issuer_template`).
    """

    kty: str
    crv: str | None
    kid: str | None
    alg: str | None
    native: Key = field(repr=False)
    issuer: str | None = None

    def fits(self, alg: str, kid: str | None) -> bool:
        """Whether a token with this header may have been signed with this key."""
        if (self.kty, self.crv) != KEY_OF_ALGORITHM[alg]:
            return False
        if self.alg is not None and self.alg != alg and not {self.alg, alg} <= EDDSA_NAMES:
            return False
        return kid is None or kid == self.kid


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The client secret as the key of HS256 (OIDC Core §10.1)."""

    native: OctKey = field(repr=False)


class TokenHeader(NamedTuple):
    """The members of a token's header that we use; its algorithm is an accepted one. Nothing is verified yet."""

    alg: str
    kid: str | None
    typ: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """The claims of a token whose signature is valid; nothing else is checked yet."""

    alg: str
    typ: str | None
    claims: dict[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnKeyProof:
    """A JWS that was made with the key in its own header: it proves possession of that key, and says nothing else.

    Attributes:
        thumbprint: of the key, base64url-encoded (RFC 7638).
    """

    thumbprint: str = field(repr=False)
    claims: dict[str, object] = field(repr=False)


CheckUnverified = Callable[[str, Mapping[str, object]], None]
"""Refuses a proof by the thumbprint of its key and its claims, before the more expensive signature is checked."""


def read_key_set_answer(answer: Answer) -> tuple[list[VerifyingKey], list[str]]:
    """Read a JWKS; keys that we cannot use are skipped.

    Returns:
        The usable keys, and the reason for each skipped key.

    Raises:
        ProviderError: not a JSON object with a list `keys`, or more than `MAX_KEYS` keys.
    """
    members = read_json_answer(answer, endpoint="jwks").get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise AnswerRejected("jwks_malformed", f"expected keys to be a list of at most {MAX_KEYS} keys")
    usable: list[VerifyingKey] = []
    skipped: list[str] = []
    for jwk in members:
        try:
            usable.append(_import_key(jwk))
        except _FOREIGN as exc:
            skipped.append(str(exc) if type(exc) is ValueError else type(exc).__name__)
    return usable, skipped


def read_header(token: str, algorithms: Collection[str]) -> TokenHeader:
    """Read the header of a token that is signed with a key of the provider.

    Args:
        algorithms: the accepted ones; `none` and algorithms with a shared secret are refused in any case.

    Raises:
        TokenRejected: the token is malformed, or its algorithm is refused.
    """
    return _read_header(token, algorithms, possible=KEY_OF_ALGORITHM)


def verify_token(
    token: str,
    keys: Sequence[VerifyingKey],
    algorithms: Collection[str],
    *,
    header: TokenHeader | None = None,
    honours_key_issuer: bool = False,
) -> Verified:
    """Check the signature of a compact JWS with the keys of the provider, and read its claims.

    Args:
        algorithms: as in `read_header`.
        header: of this token if `read_header` has read it already, with these algorithms.
        honours_key_issuer: whether a key of the JWKS that names an `issuer` is a key for tokens of that issuer only.

    Raises:
        KeyUnknown: no key matches; a newer key set may have it.
        TokenRejected: the token is malformed, or its algorithm or signature is refused.
    """
    alg, kid, typ = header or read_header(token, algorithms)
    candidates = [key for key in keys if key.fits(alg, kid)]
    if not candidates:
        raise KeyUnknown(detail=f"the JWKS has no {alg} key with kid {kid}")
    for key in candidates:
        if (payload := _verified_payload(token, alg, key.native)) is not None:
            verified = Verified(alg, typ, _read_claims(payload))
            if honours_key_issuer:
                check_key_issuer(verified.claims, key.issuer)
            return verified
    if kid is None:
        # The token does not name its key, so the right one may be in a newer key set.
        raise KeyUnknown(detail=f"no {alg} key of the JWKS made this signature, and the token has no kid")
    raise TokenRejected("signature", f"it was not made with the key {kid}")


def read_shared_secret(client_secret: str) -> SharedSecret:
    """Make the key of HS256 from a client secret: the bytes of its UTF-8 form (OIDC Core §10.1).

    Raises:
        ValueError: it is shorter than `MIN_SECRET_LENGTH`.
    """
    secret = client_secret.encode("utf-8")
    if len(secret) < MIN_SECRET_LENGTH:
        needed = f"{SYMMETRIC_ALGORITHM} needs a client secret of at least {MIN_SECRET_LENGTH} bytes"
        raise ValueError(f"{needed}, got {len(secret)}")
    return SharedSecret(OctKey.import_key(secret))


def names_shared_secret(token: str) -> bool:
    """Whether a token says that it is signed with a shared secret, so that `verify_with_secret` is to check it.

    Raises:
        TokenRejected: the token is malformed.
    """
    return _decode_header(token).get("alg") == SYMMETRIC_ALGORITHM


def verify_with_secret(token: str, secret: SharedSecret, algorithms: Collection[str]) -> Verified:
    """Check a signature of HS256 with the client secret, and read the claims.

    Args:
        algorithms: the accepted ones; a token with any other algorithm than HS256 is refused in any case.

    Raises:
        TokenRejected: the token is malformed, or its algorithm or signature is refused.
    """
    alg, _, typ = _read_header(token, algorithms, possible=(SYMMETRIC_ALGORITHM,))
    payload = _verified_payload(token, alg, secret.native)
    if payload is None:
        raise TokenRejected("signature", "it was not made with the client secret")
    return Verified(alg, typ, _read_claims(payload))


def verify_proof_with_its_own_key(proof: str, *, typ: str, check: CheckUnverified) -> OwnKeyProof:
    """Check a proof of possession. Never use this for tokens: anybody can make a JWS that brings its own key.

    Args:
        typ: the type that a proof must have, so that no token can be one.
        check: runs first, because it is cheap; it must not remember anything.

    Raises:
        ProofRejected: its type, algorithm, key or signature is refused.
        TokenRejected: it is no JWS with a JSON object in it.

    Source: RFC 9449 §4.2, §4.3 (2, 4 to 7).
    """
    header = _decode_header(proof)
    if header.get("typ") != typ:
        raise ProofRejected("dpop_typ", f"expected typ to be {typ}")
    alg, jwk = header.get("alg"), header.get("jwk")
    if not isinstance(alg, str) or alg not in KEY_OF_ALGORITHM:
        raise ProofRejected("dpop_alg", f"expected one of {', '.join(KEY_OF_ALGORITHM)}")
    thumbprint = public_key_thumbprint(jwk)
    payload = _decode_payload(proof)
    claims = _read_claims(payload)
    check(thumbprint, claims)
    try:
        key = _import_key(jwk)
    except _FOREIGN as exc:
        raise ProofRejected("dpop_jwk", "the key cannot be used to verify signatures") from exc
    if not key.fits(alg, None):
        raise ProofRejected("dpop_jwk", f"it is not a key for {alg}")
    if _verified_payload(proof, alg, key.native) != payload:
        raise ProofRejected("dpop_signature", "it was not made with the key in jwk")
    return OwnKeyProof(thumbprint, claims)


def _read_header(token: str, algorithms: Collection[str], *, possible: Collection[str]) -> TokenHeader:
    """Read the header; `possible` are the algorithms of the function that verifies."""
    header = _decode_header(token)
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in algorithms or alg not in possible:
        raise TokenRejected("alg_not_allowed", f"expected one of {', '.join(algorithms)}, got {alg}")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise TokenRejected("header_malformed", "kid and typ must be text")
    return TokenHeader(alg, kid, typ)


def _decode_header(token: str) -> dict[str, object]:
    # Sizes and the number of parts are checked before anything is split or decoded.
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise TokenRejected("token_malformed", f"expected at most {MAX_TOKEN_LENGTH} ASCII characters")
    if token.count(".") != 2:
        raise TokenRejected(
            "token_malformed", "expected a signed JWT with three parts; of five parts, it would be an encrypted one"
        )
    encoded = token.partition(".")[0]
    if len(encoded) > MAX_HEADER_LENGTH:
        raise TokenRejected("token_malformed", f"expected a header of at most {MAX_HEADER_LENGTH} characters")
    try:
        header = read_object(strict_b64decode(encoded.encode("ascii")))
    except (InvalidJSON, binascii.Error) as exc:
        raise TokenRejected("token_malformed", "its header is not a JSON object") from exc
    if "crit" in header or "b64" in header:
        raise TokenRejected("header_crit", "the token requires an extension that is not supported (crit or b64)")
    return header


def _decode_payload(token: str) -> bytes:
    try:
        return strict_b64decode(token.split(".")[1].encode("ascii"))
    except _FOREIGN as exc:
        raise TokenRejected("token_malformed", "its payload is not base64url") from exc


def _verified_payload(token: str, alg: str, key: Key) -> bytes | None:
    """Return the payload if the key made the signature with this algorithm.

    joserfc's own function for a whole token would read the header once more, which takes as long as a check with RSA.
    """
    signed, _, signature = token.encode("ascii").rpartition(b".")
    if len(signature) > MAX_SIGNATURE_LENGTH:
        return None
    algorithm = _ALGORITHMS[alg]
    try:
        algorithm.check_key(key)
        if not algorithm.verify(signed, strict_b64decode(signature), key):
            return None
        return strict_b64decode(signed.partition(b".")[2])
    except _FOREIGN:
        return None


def _read_claims(payload: bytes) -> dict[str, object]:
    try:
        return read_object(payload)
    except InvalidJSON as exc:
        raise TokenRejected("claims_malformed", str(exc)) from exc


def _import_key(jwk: object) -> VerifyingKey:
    """Import a key; raises ValueError with a reason, or what joserfc raises for a malformed key."""
    if not isinstance(jwk, dict) or jwk.get("kty") not in PUBLIC_MEMBERS:
        raise ValueError("kty_unknown")
    if jwk.get("use") not in (None, "sig"):
        raise ValueError("use_is_not_sig")
    key_ops = jwk.get("key_ops")
    if key_ops is not None and not (isinstance(key_ops, list) and "verify" in key_ops):
        raise ValueError("key_ops_without_verify")
    kty, kid, alg, issuer = jwk["kty"], jwk.get("kid"), jwk.get("alg"), jwk.get("issuer")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        raise ValueError("kid_or_alg_is_no_text")
    if not isinstance(issuer, str | None):
        raise ValueError("issuer_is_no_text")
    # Pass on only the members of the public key: joserfc fails on unexpected values in the others.
    members = {name: jwk[name] for name in PUBLIC_MEMBERS[kty]}
    if kty == "RSA" and _bits(members["n"]) not in RSA_BITS:
        raise ValueError("rsa_size")
    native = _KEY_CLASS[kty].import_key(members)
    return VerifyingKey(kty, jwk.get("crv"), kid, alg, native, issuer)


def _bits(encoded: str) -> int:
    return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), "big").bit_length()
