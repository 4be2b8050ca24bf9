"""A session store in the memory of one process."""

import time
from collections.abc import Callable, Sequence

from asgi_oidc.stores.memory_indexes import MemoryIndexes
from asgi_oidc.stores.memory_sessions import SessionTable
from asgi_oidc.stores.memory_values import BoundedValues
from asgi_oidc.stores.store import SessionStore

MAX_SESSIONS = 100_000
MAX_BYTES = 128 * 1024 * 1024  # of all keys and values together
MAX_SMALL_SIZE = 64  # bytes of a lock or a revocation; sessions are larger
MEMBERS_PER_SESSION = 4  # a session is in two indexes; the rest is for sessions that were ended early


class MemoryStore(SessionStore):
    """Keeps sessions in the memory of one process: for development, tests, and apps with a single process.

    A restart ends all sessions. They are not encrypted, as they never leave the process; those in a class derived from
    this one are. Values of at most 64 bytes (locks and revocations) are kept apart from sessions, with the same limits
    again: anyone can cause such values by calling the callback, which must not push out sessions.

    Args:
        max_sessions: how many values are kept. If there are more, expired ones are removed first, then those unused
            for the longest time.
        max_bytes: the total size of all keys and values. Finding them takes about 500 bytes more for each session.
        clock: returns seconds; it must never go back.

    Raises:
        ValueError: a limit is less than one.
    """

    def __init__(
        self,
        *,
        max_sessions: int = MAX_SESSIONS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_sessions < 1 or max_bytes < 1:
            raise ValueError("max_sessions and max_bytes must be at least 1")
        self._sessions = SessionTable(max_sessions=max_sessions, max_bytes=max_bytes, clock=clock)
        self._values = self._sessions.values
        self._small_values = BoundedValues(max_entries=max_sessions, max_bytes=max_bytes, clock=clock)
        self._indexes = MemoryIndexes(max_members=max_sessions * MEMBERS_PER_SESSION, clock=clock)
        # Event loops in several threads may share a store. The lock is never held across an await.
        self._lock = self._sessions.lock

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._values) + len(self._small_values)} values)"

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None if there is none."""
        with self._lock:
            return self._valid(key)

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write the value if there is none yet."""
        with self._lock:
            if self._valid(key) is not None:
                return False
            self._write(key, value, lifetime)
            return True

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write `new` if the value is still `old`."""
        with self._lock:
            if self._valid(key) != old:
                return False
            self._write(key, new, lifetime)
            return True

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove the value, or only if it equals `only`."""
        with self._lock:
            value = self._valid(key)
            if value is None or (only is not None and value != only):
                return False
            self._group_of(key).drop(key)
            return True

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """Add a member; beyond `most`, drop those that expire first."""
        with self._lock:
            return self._indexes.link(index, member, lifetime=lifetime, most=most)

    async def linked(self, index: str) -> Sequence[str]:
        """Return the members that have not expired."""
        with self._lock:
            return self._indexes.members(index)

    async def unlink(self, index: str, member: str) -> None:
        """Remove a member."""
        with self._lock:
            self._indexes.unlink(index, member)

    def _valid(self, key: str) -> bytes | None:
        entry = self._group_of(key).get(key)
        return None if entry is None else entry.value

    def _write(self, key: str, value: bytes, lifetime: float) -> None:
        values = self._small_values if len(value) <= MAX_SMALL_SIZE else self._values
        values.check_size(key, value)
        if self._group_of(key) is not values:
            self._group_of(key).drop(key)
        values.put(key, value, lifetime=lifetime)

    def _group_of(self, key: str) -> BoundedValues:
        return self._small_values if key in self._small_values else self._values


def session_table_of(store: SessionStore) -> SessionTable | None:
    """Return the sessions of a `MemoryStore`; None for any other store.

    Also for one that is derived from `MemoryStore`: its methods have to be called, and may send the values anywhere.
    """
    return store._sessions if type(store) is MemoryStore else None
