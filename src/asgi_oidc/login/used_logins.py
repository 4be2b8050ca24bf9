"""Each login counts once: marks a login in progress as used, in all processes that share a store."""

from collections.abc import Callable

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.login.login_transactions import LOGIN_LIFETIME, Transaction
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.session import MAX_SKEW
from asgi_oidc.sessions.store_records import Records
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.replay_cache import ReplayCache


class UsedLogins:
    """Knows which logins were used, so that a callback makes at most one token call, even if two arrive at once."""

    __slots__ = ("_feed", "_now", "_records", "_replay_cache", "_shared")

    def __init__(
        self,
        shared: GuardedStore | None,
        records: Records,
        feed: RevocationFeed,
        replay_cache: ReplayCache,
        *,
        now: Callable[[], int],
    ) -> None:
        """Args: shared: the store that processes share, None if there is none."""
        self._shared = shared
        self._records = records
        self._feed = feed
        self._replay_cache = replay_cache
        self._now = now

    async def add(self, transaction: Transaction) -> bool:
        """Mark a login as used, and say whether it was not.

        Raises:
            StoreUnavailable: nobody can tell; it is not marked. No session could be written then either.
        """
        if self._shared is not None and not await self._add_to_store(transaction, self._shared):
            return False
        # A store may lose things, so the process remembers as well.
        return self._replay_cache.add(digest(transaction.state), now=self._now(), lifetime=LOGIN_LIFETIME)

    async def _add_to_store(self, transaction: Transaction, shared: GuardedStore) -> bool:
        key = self._records.login_key(transaction.state)
        # By the clock of another process the login may live longer.
        if not await shared.add(key, b"1", lifetime=LOGIN_LIFETIME + MAX_SKEW):
            return False
        try:
            await self._feed.catch_up_together()
        except StoreUnavailable:
            await shared.remove(key)
            raise
        return True
