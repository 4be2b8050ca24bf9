"""Prevents the replay of callbacks: marks a login in progress as used, in all processes that share a store."""

from collections.abc import Callable

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.login.login_transactions import LOGIN_LIFETIME, Transaction
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.replay_cache import ReplayCache


class UsedLogins:
    """Remembers used logins, so that a login makes at most one token call, even if two callbacks arrive at once."""

    __slots__ = ("_feed", "_names", "_now", "_replay_cache", "_shared")

    def __init__(
        self,
        shared: GuardedStore | None,
        names: RecordNames,
        feed: RevocationFeed,
        replay_cache: ReplayCache,
        *,
        now: Callable[[], int],
    ) -> None:
        """Remember logins in this process (`replay_cache`), and in the store that processes share (`shared`)."""
        self._shared = shared
        self._names = names
        self._feed = feed
        self._replay_cache = replay_cache
        self._now = now

    async def add(self, transaction: Transaction) -> bool:
        """Mark a login as used; return False if it was used before.

        Raises:
            StoreUnavailable: the store does not answer, and the login is not marked. A session could not be saved then
                either.
        """
        if self._shared is not None and not await self._add_to_store(transaction, self._shared):
            return False
        # A store may lose its content, so the process remembers as well.
        return self._replay_cache.add(digest(transaction.state), now=self._now(), lifetime=LOGIN_LIFETIME)

    async def _add_to_store(self, transaction: Transaction, shared: GuardedStore) -> bool:
        key = self._names.login_key(transaction.state)
        # The clock of another process may be behind, and accept the login for longer.
        if not await shared.add(key, b"1", lifetime=LOGIN_LIFETIME + MAX_SKEW):
            return False
        try:
            await self._feed.catch_up_together()
        except StoreUnavailable:
            await shared.remove(key)
            raise
        return True
