"""Sealing: authenticated encryption of values for one purpose, one name and one middleware.

AES-256-GCM-SIV (RFC 8452) with a random 96-bit nonce. Unlike plain GCM it has no hard limit of 2^32 values per key
(NIST SP 800-38D §8.3): a nonce that happens to repeat reveals at most that two values are equal.
"""

import binascii
import os
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12  # bytes
TAG = 16  # bytes

Kind = Literal["session", "tokens", "seen", "login", "logout", "ask", "rounds", "form", "nonce"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
# If the length is one or two letters short of a multiple of four, the last letter has unused bits. They are written as
# zero, and nothing else is accepted.
_LAST_LETTERS = {0: ("",), 1: tuple("AEIMQUYcgkosw048"), 2: tuple("AQgw")}


class Sealer:
    """Seals with the first secret, and opens with any of them.

    Each kind of value has a key of its own, and the kind, the cookie's name and the middleware are associated data. So
    no value can be used in place of another, nor under another name, client or issuer.
    """

    def __init__(self, secrets: Sequence[bytes], *, context: Sequence[str]) -> None:
        """Derive the keys.

        Args:
            secrets: the first one seals, all of them open.
            context: issuer, client id and base URL.
        """
        self._context = bound_to(*context)
        self._bound_kinds = {kind: bound_to(kind) for kind in KINDS}
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Seal and open with other secrets from now on."""
        self._keys = {kind: [AESGCMSIV(derive(secret, kind)) for secret in secrets] for kind in KINDS}

    def seal(self, kind: Kind, name: str, value: bytes) -> str:
        """Seal a value for a cookie name; returns base64url without padding."""
        nonce = os.urandom(NONCE)
        sealed = nonce + self._keys[kind][0].encrypt(nonce, value, self._bound_to(kind, name))
        return base64url(sealed)

    def open(self, kind: Kind, name: str, text: str) -> bytes | None:
        """Return the value, or None for anything that was not sealed for this kind and name."""
        sealed = decode_base64url(text)
        if sealed is None or len(sealed) < NONCE + TAG:
            return None
        bound = self._bound_to(kind, name)
        for key in self._keys[kind]:
            try:
                return key.decrypt(sealed[:NONCE], sealed[NONCE:], bound)
            except InvalidTag:
                continue
        return None

    def _bound_to(self, kind: Kind, name: str) -> bytes:
        return self._bound_kinds[kind] + _with_length(name) + self._context


def bound_to(*fields: str) -> bytes:
    """Encode associated data: each field after its length, so that different lists never give the same bytes."""
    return b"".join(map(_with_length, fields))


def _with_length(field: str) -> bytes:
    encoded = field.encode("utf-8")
    return len(encoded).to_bytes(4, "big") + encoded


def derive(secret: bytes, purpose: str, *, salt: bytes | None = None, length: int = 32) -> bytes:
    """Derive a key for one purpose, and one `salt` if given (HKDF, RFC 5869)."""
    info = b"asgi-oidc 1 " + purpose.encode("ascii")
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def base64url(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 §5)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URLSAFE).rstrip(b"=").decode("ascii")


def sealed_length(size: int) -> int:
    """Return how many characters a sealed value of that many bytes has."""
    return -(-(NONCE + size + TAG) * 4 // 3)


def decode_base64url(text: str) -> bytes | None:
    """Decode only the spelling that `base64url` writes, so that no other text has the same value; else None."""
    if "+" in text or "/" in text or "=" in text:
        return None
    letters, rest = text.replace("-", "+").replace("_", "/"), -len(text) % 4
    try:
        data = msgspec.convert(letters + "=" * rest, bytes)  # strict, and three times as fast as `binascii`
    except ValueError:
        return None
    return data if text.endswith(_LAST_LETTERS[rest]) else None
