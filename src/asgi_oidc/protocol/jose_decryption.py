"""Decrypts tokens with the keys of this client (RFC 7516, RFC 7518 §4 and §5, RFC 7519 §5.2).

No other module decrypts with joserfc. Anybody can encrypt to a public key, so what is inside has to be signed, and
counts only once its signature is verified.
"""

import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode as strict_b64decode

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.jose import MAX_HEADER_LENGTH, MAX_TOKEN_LENGTH
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.protocol.private_keys import PrivateKey, UnusableKey, check_jwk_members, jwk_in, read_private_key
from asgi_oidc.protocol.response_algorithms import (
    KEYS_OF_ENCRYPTION,
    NAMED_ALGORITHMS,
    PinnedAlgorithms,
    ResponseAlgorithms,
)

MAX_KEYS = 4  # each is tried on a token that does not name its key, which takes up to 5 ms with RSA
EXPECTED_KEY = "expected a private key as PEM or as JWK (RSA, EC on P-256, P-384 or P-521, X25519)"

# For malformed tokens, the libraries also raise errors that are not of their own classes.
_FOREIGN = (
    JoseError,
    InvalidTag,
    UnsupportedAlgorithm,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
)


class _Registry(jwe.JWERegistry):
    max_protected_header_length = MAX_HEADER_LENGTH
    max_ciphertext_length = MAX_TOKEN_LENGTH


def read_decryption_key(value: str | Mapping[str, Any]) -> PrivateKey:
    """Import a key from PEM or from a JWK.

    Raises:
        ValueError: it is not such a key; the text says what is expected and what was found, never the key.
    """
    key, found = _decryption_key(value)
    if key is None:
        raise ValueError(f"{EXPECTED_KEY}, got {found}")  # raised here, where no cause has the key in its frames
    return key


def published_key(key: PrivateKey, pinned: PinnedAlgorithms) -> dict[str, str]:
    """Return the public key as a JWK, for `/auth/jwks`; with `alg` if there is only one that the provider can use."""
    named = pinned.encrypted_with(key.kty, key.crv)
    usual = {"RSA-OAEP-256"} if key.kty == "RSA" else set()
    algorithms = {key.alg} if key.alg else named or usual
    alg = {"alg": str(*algorithms)} if len(algorithms) == 1 else {}
    return {**key.public_jwk(use="enc"), **alg}


def is_encrypted(token: str) -> bool:
    """Whether a token is a JWE in the compact form: it has five parts."""
    return token.count(".") == 4


def signed_token_in(token: str, keys: Sequence[PrivateKey], expected: ResponseAlgorithms) -> str:
    """Return the signed JWT in an encrypted token, or the token itself if it is not encrypted and need not be.

    Args:
        keys: of this client; none if the setting `decryption_key` is missing.

    Raises:
        TokenRejected: it is encrypted and cannot be decrypted, or it is not although it has to be.
    """
    if not is_encrypted(token):
        if expected.encrypted is not None:
            raise TokenRejected("token_unencrypted", f"expected a token encrypted with {expected.encrypted}")
        return token
    if not keys:
        raise TokenRejected("token_encrypted", "encrypted tokens need decryption_key (OIDC_DECRYPTION_KEY)")
    inner = _decrypted(token, keys, expected)
    if inner.count(".") != 2 or "{" in inner:  # claims in plain JSON may have two dots as well
        raise TokenRejected("token_unsigned", "expected a signed JWT inside the encrypted token")
    return inner


def _decrypted(token: str, keys: Sequence[PrivateKey], expected: ResponseAlgorithms) -> str:
    header = _read_header(token)
    alg, enc = _checked_algorithms(header, expected)
    kid = header.get("kid")
    fitting = [
        key for key in keys if (key.kty, key.crv) in KEYS_OF_ENCRYPTION[alg] and (key.alg is None or key.alg == alg)
    ]
    # `kid` is a hint: a provider may have got the key without one, or under another.
    candidates = [key for key in fitting if key.kid == kid] or fitting
    registry = _Registry(algorithms=[alg, enc], strict_check_header=False)
    for key in candidates[:MAX_KEYS]:
        if (plaintext := _plaintext(token, key, registry)) is not None:
            return plaintext
    # One answer to whatever went wrong: details would help an attacker who changes tokens (RFC 7516 §11.5).
    raise TokenRejected("token_decryption", "it was not encrypted to a key of decryption_key, or it was changed")


def _read_header(token: str) -> Mapping[str, object]:
    # Sizes are checked before anything is split or decoded.
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise TokenRejected("token_malformed", f"expected at most {MAX_TOKEN_LENGTH} ASCII characters")
    encoded = token.partition(".")[0]
    if len(encoded) > MAX_HEADER_LENGTH:
        raise TokenRejected("token_malformed", f"expected a header of at most {MAX_HEADER_LENGTH} characters")
    try:
        return read_object(strict_b64decode(encoded.encode("ascii")))
    except (InvalidJSON, binascii.Error) as exc:
        raise TokenRejected("token_malformed", "its header is not a JSON object") from exc


def _checked_algorithms(header: Mapping[str, object], expected: ResponseAlgorithms) -> tuple[str, str]:
    alg, enc, cty = header.get("alg"), header.get("enc"), header.get("cty")
    if "crit" in header:
        raise TokenRejected("header_crit", "the token requires an extension that is not supported (crit)")
    if "zip" in header:  # compressed: its length tells about what is inside, and it may be a bomb (RFC 8725 §3.6)
        raise TokenRejected("header_zip", "compressed tokens are not accepted: turn zip off at the provider")
    for name, value, allowed in (
        ("alg", alg, expected.encryption_algorithms),
        ("enc", enc, expected.content_algorithms),
    ):
        if value not in allowed:
            shown = str(value)[:40] if isinstance(value, str) else "none"
            raise TokenRejected("alg_not_allowed", f"{name}: expected one of {', '.join(allowed)}, got {shown}")
    if cty is not None and str(cty).upper().removeprefix("APPLICATION/") != "JWT":
        raise TokenRejected("header_malformed", "expected cty to be JWT: a signed JWT inside (RFC 7519 §5.2)")
    return str(alg), str(enc)


def _plaintext(token: str, key: PrivateKey, registry: jwe.JWERegistry) -> str | None:
    """Return what is inside, None if this key does not decrypt it."""
    try:
        return (jwe.decrypt_compact(token, key.native, registry=registry).plaintext or b"").decode("ascii")
    except _FOREIGN:
        return None


def _decryption_key(value: str | Mapping[str, Any]) -> tuple[PrivateKey | None, str]:
    """Return the key, or None and what was found instead."""
    try:
        key = read_private_key(value)
        if jwk := jwk_in(value):
            check_jwk_members(jwk, use="enc")
    except UnusableKey as error:
        return None, str(error)
    algorithms = [alg for alg in NAMED_ALGORITHMS if (key.kty, key.crv) in KEYS_OF_ENCRYPTION[alg]]
    if not algorithms:
        return None, f"a key on the curve {key.crv}"
    if key.alg is not None and key.alg not in algorithms:
        return None, f"a key whose alg is none of {', '.join(algorithms)}"
    return key, ""
