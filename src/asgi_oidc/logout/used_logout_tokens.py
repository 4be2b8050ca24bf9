"""Prevents the replay of logout tokens: remembers the `jti` of those that were used (Back-Channel Logout 1.0 §2.6)."""

from collections.abc import Callable

from asgi_oidc.protocol.logout_token import Logout
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.replay_cache import ReplayCache


class UsedLogoutTokens:
    """Knows which logout tokens were used, in all processes that share a store."""

    __slots__ = ("_names", "_now", "_replay_cache", "_shared")

    def __init__(
        self,
        shared: GuardedStore | None,
        names: RecordNames,
        replay_cache: ReplayCache,
        *,
        now: Callable[[], int],
    ) -> None:
        """Remember tokens in the store that processes share (`shared`), or else in this process (`replay_cache`)."""
        self._shared = shared
        self._names = names
        self._replay_cache = replay_cache
        self._now = now

    async def has(self, logout: Logout) -> bool:
        """Return whether the token was used; raises `StoreUnavailable` if the store does not answer."""
        key = self._names.once_key(logout.jti, issuer=logout.issuer)
        return key in self._replay_cache if self._shared is None else await self._shared.get(key) is not None

    async def add(self, logout: Logout) -> None:
        """Remember that the token was used, until it is refused as expired anyway."""
        key, lifetime = self._names.once_key(logout.jti, issuer=logout.issuer), logout.forget_at - self._now()
        if self._shared is None:
            self._replay_cache.add(key, now=self._now(), lifetime=lifetime)
        else:
            await self._shared.add(key, b"1", lifetime=lifetime)
