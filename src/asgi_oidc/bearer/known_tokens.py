"""Remembers verified tokens, so that one that was seen before costs no signature check; bounded for all and per user.

It only saves work: each request still checks its token against the clock and the revocations.
"""

from collections import OrderedDict

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.sessions.session import UserId

MAX_ENTRIES = 10_000
MAX_BYTES = 16 * 1024 * 1024  # of Authorization headers; with their claims, tokens take two to four times that
MAX_PER_USER = 100  # a client that gets a new token for each call drops its own ones, not those of others


class KnownTokens:
    """Tokens by the value of the header that brought them; the oldest are dropped first.

    Attributes:
        get: returns the token of a header, or None. An attribute, not a method, because every request calls it.
    """

    def __init__(
        self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES, max_per_user: int = MAX_PER_USER
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_per_user = max_per_user
        self._bytes = 0
        self._tokens: dict[bytes, ActiveToken] = {}
        self._sizes: OrderedDict[bytes, int] = OrderedDict()  # in the order in which they were added
        self._by_user: dict[UserId, OrderedDict[bytes, None]] = {}
        self.get = self._tokens.get

    def __len__(self) -> int:
        return len(self._tokens)

    def keep(self, header: bytes, token: ActiveToken) -> None:
        """Add a token, replacing an older one of the same header."""
        self.drop(header)
        size = len(header) + len(token.written_claims)
        if size > self._max_bytes:
            return
        own = self._by_user.setdefault(token.user_id, OrderedDict())
        own[header] = None
        self._tokens[header], self._sizes[header] = token, size
        self._bytes += size
        if len(own) > self._max_per_user:
            self.drop(next(iter(own)))
        while len(self._tokens) > self._max_entries or self._bytes > self._max_bytes:
            self.drop(next(iter(self._sizes)))

    def drop(self, header: bytes) -> None:
        """Remove the token of a header, if it is there."""
        token = self._tokens.pop(header, None)
        if token is None:
            return
        self._bytes -= self._sizes.pop(header)
        own = self._by_user[token.user_id]
        del own[header]
        if not own:
            del self._by_user[token.user_id]
