"""Caches what the provider says about access tokens for some seconds; bounded for all, per user and for refused ones.

Refused tokens have a table of their own, so that a flood of made-up ones drops none that is active. Tokens are known by
their SHA-256, so that nothing here can be sent again.
"""

from collections import OrderedDict
from dataclasses import dataclass

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken
from asgi_oidc.provider.connection import ProviderConnection

MAX_ACTIVE = 10_000
MAX_BYTES = 16 * 1024 * 1024  # of claims, as JSON; in memory, they take two to four times that
MAX_PER_USER = 100  # a client that gets a new token for each call drops its own ones, not those of others
MAX_REFUSED = 10_000

_UserId = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Introspected:
    """An active token.

    Attributes:
        size: bytes of its claims, as JSON.
        asked_at: seconds since the epoch.
        fresh_until: seconds since the epoch; from then on, the provider has to be asked again.
    """

    access_token: AccessToken
    connection: ProviderConnection
    size: int
    asked_at: int
    fresh_until: int

    @property
    def user_id(self) -> _UserId:
        """The user that the token is counted for."""
        return self.access_token.issuer, self.access_token.sub


@dataclass(frozen=True, slots=True)
class _Refused:
    connection: ProviderConnection
    code: str
    detail: str
    asked_at: int
    fresh_until: int


class IntrospectionCache:
    """Answers by the SHA-256 of the token; the oldest are dropped first."""

    def __init__(
        self,
        *,
        max_active: int = MAX_ACTIVE,
        max_bytes: int = MAX_BYTES,
        max_per_user: int = MAX_PER_USER,
        max_refused: int = MAX_REFUSED,
    ) -> None:
        self._max_active = max_active
        self._max_bytes = max_bytes
        self._max_per_user = max_per_user
        self._max_refused = max_refused
        self._bytes = 0
        # An outdated answer stays until it is dropped: it tells that the token was active before.
        self._active: OrderedDict[bytes, Introspected] = OrderedDict()
        self._by_user: dict[_UserId, OrderedDict[bytes, None]] = {}
        self._refused: OrderedDict[bytes, _Refused] = OrderedDict()

    def find(self, digest: bytes, connection: ProviderConnection, *, now: int) -> Introspected | None:
        """Return a recent answer of this provider; None if it has to be asked.

        Raises:
            TokenRejected: the token was refused recently.
        """
        answer = self._active.get(digest) or self._refused.get(digest)
        # A clock that was set back makes no answer last longer.
        if answer is None or answer.connection is not connection or not answer.asked_at <= now < answer.fresh_until:
            return None
        if isinstance(answer, _Refused):
            raise TokenRejected(answer.code, answer.detail)
        return answer

    def was_active(self, digest: bytes) -> bool:
        """Return whether the provider has last said that the token is active."""
        return digest in self._active

    def keep(self, digest: bytes, answer: Introspected) -> None:
        """Keep the answer about an active token."""
        self.drop(digest)
        if answer.size > self._max_bytes:
            return
        self._active[digest] = answer
        self._bytes += answer.size
        own = self._by_user.setdefault(answer.user_id, OrderedDict())
        own[digest] = None
        if len(own) > self._max_per_user:
            self.drop(next(iter(own)))
        while len(self._active) > self._max_active or self._bytes > self._max_bytes:
            self.drop(next(iter(self._active)))

    def refuse(
        self, digest: bytes, connection: ProviderConnection, error: TokenRejected, *, asked_at: int, fresh_until: int
    ) -> None:
        """Keep why a token was refused."""
        self.drop(digest)
        # Not the exception itself: with its traceback, it would keep the token in memory.
        self._refused[digest] = _Refused(connection, error.code, error.detail, asked_at, fresh_until)
        if len(self._refused) > self._max_refused:
            self._refused.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        """Forget a token."""
        self._refused.pop(digest, None)
        answer = self._active.pop(digest, None)
        if answer is None:
            return
        self._bytes -= answer.size
        own = self._by_user[answer.user_id]
        del own[digest]
        if not own:
            del self._by_user[answer.user_id]
