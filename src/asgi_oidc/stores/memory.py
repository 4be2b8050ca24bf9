"""A session store in the memory of one process."""

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from asgi_oidc.stores.store import SessionStore

MAX_SESSIONS = 100_000
MAX_BYTES = 128 * 1024 * 1024  # of all keys and values together
MAX_SMALL_SIZE = 64  # bytes of a lock or a revocation; sessions are larger
MEMBERS_PER_SESSION = 4  # a session is in two indexes; the rest is for sessions that were ended early
# Expired entries removed per write: more than one, so that they cannot pile up; few, so that no request is delayed.
EXPIRED_PER_WRITE = 2

Name = TypeVar("Name")


class MemoryStore(SessionStore):
    """Keeps sessions in the memory of one process: for development, tests, and apps with a single process.

    A restart ends all sessions. Values of at most 64 bytes (locks and revocations) are kept apart from sessions, with
    the same limits again: anyone can cause such values by calling the callback, which must not push out sessions.

    Args:
        max_sessions: how many values are kept. If there are more, expired ones are removed first, then those unused
            for the longest time.
        max_bytes: the total size of all keys and values.
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
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._max_members = max_sessions * MEMBERS_PER_SESSION
        self._clock = clock
        self._values: OrderedDict[str, bytes] = OrderedDict()  # those unused for the longest time first
        self._small_values: OrderedDict[str, bytes] = OrderedDict()  # the same
        self._bytes = 0
        self._bytes_of_small_values = 0
        self._value_expiries: _Expiries[str] = _Expiries()
        self._indexes: dict[str, set[str]] = {}
        self._member_expiries: _Expiries[tuple[str, str]] = _Expiries()  # by index and member
        # Event loops in several threads may share a store. The lock is never held across an await.
        self._lock = threading.Lock()

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
            self._drop(key)
            return True

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """Add a member; beyond `most`, drop those that expire first."""
        with self._lock:
            self._indexes.setdefault(index, set()).add(member)
            self._member_expiries.put((index, member), self._clock() + lifetime)
            self._drop_expired_members()
            in_order = self._valid_members(index)
            dropped = in_order[: max(0, len(in_order) - most)]
            for name in dropped:
                self._unlink(index, name)
            return dropped

    async def linked(self, index: str) -> Sequence[str]:
        """Return the members that have not expired."""
        with self._lock:
            return self._valid_members(index)

    async def unlink(self, index: str, member: str) -> None:
        """Remove a member."""
        with self._lock:
            self._unlink(index, member)

    def _valid(self, key: str) -> bytes | None:
        values = self._small_values if key in self._small_values else self._values
        value = values.get(key)
        if value is None:
            return None
        if self._value_expiries.expiry_of(key) <= self._clock():
            self._drop(key)
            return None
        values.move_to_end(key)
        return value

    def _write(self, key: str, value: bytes, lifetime: float) -> None:
        size = len(key) + len(value)
        if size > self._max_bytes:
            raise ValueError(f"a value of {len(value)} bytes is larger than max_bytes ({self._max_bytes}) allows")
        self._drop(key)
        if len(value) <= MAX_SMALL_SIZE:
            values = self._small_values
            self._bytes_of_small_values += size
        else:
            values = self._values
            self._bytes += size
        values[key] = value
        self._value_expiries.put(key, self._clock() + lifetime)
        for expired in self._value_expiries.expired(self._clock(), most=EXPIRED_PER_WRITE):
            self._drop(expired)
        while len(values) > self._max_sessions or max(self._bytes, self._bytes_of_small_values) > self._max_bytes:
            expired_or_unused = next(self._value_expiries.expired(self._clock(), most=1), next(iter(values)))
            self._drop(expired_or_unused)

    def _drop(self, key: str) -> None:
        if (small_value := self._small_values.pop(key, None)) is not None:
            self._bytes_of_small_values -= len(key) + len(small_value)
        elif (value := self._values.pop(key, None)) is not None:
            self._bytes -= len(key) + len(value)
        self._value_expiries.forget(key)

    def _valid_members(self, index: str) -> list[str]:
        """Return the members that have not expired, those that expire first in front; remove the expired ones."""
        expiries = {name: self._member_expiries.expiry_of((index, name)) for name in self._indexes.get(index, ())}
        now = self._clock()
        for name, expires_at in expiries.items():
            if expires_at <= now:
                self._unlink(index, name)
        return sorted(
            (name for name, expires_at in expiries.items() if expires_at > now), key=lambda name: (expiries[name], name)
        )

    def _drop_expired_members(self) -> None:
        for index, name in self._member_expiries.expired(self._clock(), most=EXPIRED_PER_WRITE):
            self._unlink(index, name)
        while len(self._member_expiries) > self._max_members:
            self._unlink(*self._member_expiries.first())

    def _unlink(self, index: str, member: str) -> None:
        members = self._indexes.get(index, set())
        members.discard(member)
        self._member_expiries.forget((index, member))
        if not members:
            self._indexes.pop(index, None)


class _Expiries(Generic[Name]):
    """Stores when each key or member expires, and finds the one that expires first."""

    def __init__(self) -> None:
        self._by_name: dict[Name, float] = {}
        self._queue: list[tuple[float, Name]] = []  # a heap; entries that differ from `_by_name` are outdated

    def __len__(self) -> int:
        return len(self._by_name)

    def put(self, name: Name, expires_at: float) -> None:
        self._by_name[name] = expires_at
        heapq.heappush(self._queue, (expires_at, name))
        if len(self._queue) > 2 * len(self._by_name) + 16:
            self._queue = [(expires_at, name) for name, expires_at in self._by_name.items()]
            heapq.heapify(self._queue)

    def expiry_of(self, name: Name) -> float:
        return self._by_name[name]

    def forget(self, name: Name) -> None:
        self._by_name.pop(name, None)

    def first(self) -> Name:
        while self._by_name.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][1]

    def expired(self, now: float, *, most: int) -> Iterator[Name]:
        """Yield up to `most` names that have expired; the caller must `forget` each before taking the next."""
        for _ in range(most):
            if not self._by_name or self._by_name[self.first()] > now:
                return
            yield self.first()
