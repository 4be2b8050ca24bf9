"""The cache of access tokens for further APIs. Bounded: the least recently used are dropped first."""

from collections import OrderedDict
from dataclasses import dataclass, field

from asgi_oidc.errors import OIDCError

MAX_TOKENS = 10_000  # tokens
MAX_BYTES = 16 * 1024 * 1024  # of all tokens together


@dataclass(frozen=True, slots=True)
class CachedFailure:
    """Why a token call failed, without the exception, which would keep frames, tokens and answers in memory."""

    kind: type[OIDCError]
    code: str
    detail: str

    def error(self) -> OIDCError:
        """Return the error to raise."""
        return self.kind(self.code, self.detail)


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token, or the failure to get one. All instants are seconds since the epoch.

    Attributes:
        access_token: None if there is none.
        made_at: when the provider was called.
        refresh_due_at: when the provider is called again.
        expires_at: from then on, the token is not used.
        forced_at: when a token was last requested because an API had refused a valid one.
        failure: why there is no token, or no newer one.
        dpop_key: the private key that it is bound to; empty for a bearer token.
    """

    access_token: str | None = field(repr=False)
    made_at: int
    refresh_due_at: int
    expires_at: int
    forced_at: int = 0
    failure: CachedFailure | None = None
    dpop_key: str = field(default="", repr=False)


class TokenCache:
    """Tokens by session and target. Never by target alone: a user must not get the token of another."""

    def __init__(self, *, max_entries: int = MAX_TOKENS, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tokens: OrderedDict[tuple[str, object], CachedToken] = OrderedDict()

    def find(self, session_id: str, target: object) -> CachedToken | None:
        """Return what is cached for a session and a target, the resource or the audience of the token."""
        cached = self._tokens.get((session_id, target))
        if cached is not None:
            self._tokens.move_to_end((session_id, target))
        return cached

    def keep(self, session_id: str, target: object, cached: CachedToken) -> None:
        """Cache a token or a failure for a session and a target."""
        self._bytes += _size(cached) - _size(self._tokens.pop((session_id, target), None))
        self._tokens[session_id, target] = cached
        while len(self._tokens) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= _size(self._tokens.popitem(last=False)[1])


def _size(cached: CachedToken | None) -> int:
    return len(cached.access_token) if cached is not None and cached.access_token is not None else 0
