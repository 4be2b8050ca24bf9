"""Names that give nothing away: hashes of ids and users, for cookie names, keys and comparisons."""

from hashlib import sha256

from asgi_oidc.sessions.sealing import base64url


def short_digest(text: str) -> str:
    """Name a text in a few characters, where a name of ours has no room for more."""
    return digest(text)[:8]


def digest(text: str) -> str:
    """Name a text without giving it away: SHA-256, base64url."""
    return base64url(sha256(text.encode("utf-8", "replace")).digest())
