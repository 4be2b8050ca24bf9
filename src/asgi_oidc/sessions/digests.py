"""Hashes of secret ids and of users, for cookie names, keys and comparisons that must not reveal them."""

from dataclasses import dataclass
from hashlib import sha256

from asgi_oidc.sessions.sealing import base64url, bound_to
from asgi_oidc.sessions.session import UserId

USER_DIGEST = 24  # bytes; fewer than in `digest`, so that no `sub` of the default issuer has the digest of another user
SHORT_DIGEST = 8  # characters


def short_digest(text: str) -> str:
    """Return the first characters of `digest`, for names that have no room for more."""
    return digest(text)[:SHORT_DIGEST]


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in base64url."""
    return base64url(sha256(text.encode("utf-8", "replace")).digest())


@dataclass(frozen=True, slots=True)
class UserDigests:
    """Digests of users, for cookies: there is little room, and a `sub` may be long.

    Attributes:
        default_issuer: of the only provider, whose users are named by their `sub` alone; None if there are several.
    """

    default_issuer: str | None

    def of(self, user: UserId) -> str:
        """Return the digest of a user; no two users have the same one."""
        if user.issuer == self.default_issuer:
            return digest(user.sub)
        return base64url(sha256(bound_to("user", user.issuer, user.sub)).digest()[:USER_DIGEST])
