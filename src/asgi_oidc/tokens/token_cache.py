"""Access tokens for further APIs that this process got for its sessions: bounded, and the longest unused go first."""

from collections import OrderedDict
from dataclasses import dataclass, field

from asgi_oidc.errors import OIDCError

MAX_TOKENS = 10_000  # tokens
MAX_BYTES = 16 * 1024 * 1024  # of all tokens together


@dataclass(frozen=True, slots=True)
class CachedFailure:
    """What went wrong, without the exception: that would keep frames, tokens and whole answers."""

    kind: type[OIDCError]
    code: str
    detail: str

    def error(self) -> OIDCError:
        """Make the error again."""
        return self.kind(self.code, self.detail)


@dataclass(frozen=True, slots=True)
class CachedToken:
    """One token, or the memory that the provider gave none.

    Attributes:
        failure: why there is none, or no newer one.
        made_at: seconds since the epoch.
        renew_at: when the provider is asked again.
        expires_at: from when on the token is not used any more.
        forced_at: when an API last refused one like it that looked fine.
    """

    access_token: str | None = field(repr=False)
    made_at: int
    renew_at: int
    expires_at: int
    forced_at: int = 0
    failure: CachedFailure | None = None


class TokenCache:
    """Tokens by the session and the wish that they belong to: never by the wish alone."""

    def __init__(self, *, max_entries: int = MAX_TOKENS, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tokens: OrderedDict[tuple[str, object], CachedToken] = OrderedDict()

    def find(self, session_id: str, target: object) -> CachedToken | None:
        """Return what is known for a wish of a session."""
        cached = self._tokens.get((session_id, target))
        if cached is not None:
            self._tokens.move_to_end((session_id, target))
        return cached

    def keep(self, session_id: str, target: object, cached: CachedToken) -> None:
        """Keep what came of a wish."""
        self._bytes += _size(cached) - _size(self._tokens.pop((session_id, target), None))
        self._tokens[session_id, target] = cached
        while len(self._tokens) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= _size(self._tokens.popitem(last=False)[1])


def _size(cached: CachedToken | None) -> int:
    return len(cached.access_token) if cached is not None and cached.access_token is not None else 0
