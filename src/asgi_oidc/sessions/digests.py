"""Hashes of secret ids and of users, for cookie names, keys and comparisons that must not reveal them."""

from hashlib import sha256

from asgi_oidc.sessions.sealing import base64url


def short_digest(text: str) -> str:
    """Return the first 8 characters of `digest`, for names that have no room for more."""
    return digest(text)[:8]


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in base64url."""
    return base64url(sha256(text.encode("utf-8", "replace")).digest())
