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
MAX_NOTE_SIZE = 64  # bytes of a lock or a mark; sessions are larger
MEMBERS_PER_SESSION = 4  # a session is in two indexes; the others are of sessions that ended early
ENDED_PER_WRITE = 2  # more than one goes for each that comes, and nobody waits for many

Name = TypeVar("Name")


class MemoryStore(SessionStore):
    """Keeps sessions in this process: for one process, for development and for tests; a restart ends them.

    Locks and marks, values of at most 64 bytes, are kept apart, within the same bounds once more: anybody can cause
    marks by calling the callback, and must not push a session out by that.

    Args:
        max_sessions: how many values are kept; those that ended go first, then the longest unused.
        max_bytes: how much they may take together.
        clock: seconds that only go forward.

    Raises:
        ValueError: a bound is less than one.
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
        self._values: OrderedDict[str, bytes] = OrderedDict()  # the longest unused first
        self._notes: OrderedDict[str, bytes] = OrderedDict()  # the same for small ones
        self._bytes = 0
        self._bytes_of_notes = 0
        self._value_ends: _Ends[str] = _Ends()
        self._indexes: dict[str, set[str]] = {}
        self._member_ends: _Ends[tuple[str, str]] = _Ends()  # by index and member
        # Threads may share a store; nothing waits while it is held.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._values) + len(self._notes)} values)"

    async def get(self, key: str) -> bytes | None:
        """Look it up."""
        with self._lock:
            return self._valid(key)

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write where there is nothing."""
        with self._lock:
            if self._valid(key) is not None:
                return False
            self._write(key, value, lifetime)
            return True

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write where `old` stands."""
        with self._lock:
            if self._valid(key) != old:
                return False
            self._write(key, new, lifetime)
            return True

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove it."""
        with self._lock:
            value = self._valid(key)
            if value is None or (only is not None and value != only):
                return False
            self._drop(key)
            return True

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """Note when the member ends, and drop those that end first beyond `most`."""
        with self._lock:
            self._indexes.setdefault(index, set()).add(member)
            self._member_ends.put((index, member), self._clock() + lifetime)
            self._drop_ended_members()
            in_order = self._live_members(index)
            dropped = in_order[: max(0, len(in_order) - most)]
            for name in dropped:
                self._unlink(index, name)
            return dropped

    async def linked(self, index: str) -> Sequence[str]:
        """Look them up."""
        with self._lock:
            return self._live_members(index)

    async def unlink(self, index: str, member: str) -> None:
        """Take it out."""
        with self._lock:
            self._unlink(index, member)

    def _valid(self, key: str) -> bytes | None:
        values = self._notes if key in self._notes else self._values
        value = values.get(key)
        if value is None:
            return None
        if self._value_ends.end_of(key) <= self._clock():
            self._drop(key)
            return None
        values.move_to_end(key)
        return value

    def _write(self, key: str, value: bytes, lifetime: float) -> None:
        size = len(key) + len(value)
        if size > self._max_bytes:
            raise ValueError(f"a value of {len(value)} bytes is more than max_bytes allow")
        self._drop(key)
        if len(value) <= MAX_NOTE_SIZE:
            values = self._notes
            self._bytes_of_notes += size
        else:
            values = self._values
            self._bytes += size
        values[key] = value
        self._value_ends.put(key, self._clock() + lifetime)
        for expired in self._value_ends.expired(self._clock(), most=ENDED_PER_WRITE):
            self._drop(expired)
        while len(values) > self._max_sessions or max(self._bytes, self._bytes_of_notes) > self._max_bytes:
            ended_or_unused = next(self._value_ends.expired(self._clock(), most=1), next(iter(values)))
            self._drop(ended_or_unused)

    def _drop(self, key: str) -> None:
        if (note := self._notes.pop(key, None)) is not None:
            self._bytes_of_notes -= len(key) + len(note)
        elif (value := self._values.pop(key, None)) is not None:
            self._bytes -= len(key) + len(value)
        self._value_ends.forget(key)

    def _live_members(self, index: str) -> list[str]:
        """Return them, those that end first in front, and forget the others."""
        ends = {name: self._member_ends.end_of((index, name)) for name in self._indexes.get(index, ())}
        now = self._clock()
        for name, ends_at in ends.items():
            if ends_at <= now:
                self._unlink(index, name)
        return sorted((name for name, ends_at in ends.items() if ends_at > now), key=lambda name: (ends[name], name))

    def _drop_ended_members(self) -> None:
        for index, name in self._member_ends.expired(self._clock(), most=ENDED_PER_WRITE):
            self._unlink(index, name)
        while len(self._member_ends) > self._max_members:
            self._unlink(*self._member_ends.first())

    def _unlink(self, index: str, member: str) -> None:
        members = self._indexes.get(index, set())
        members.discard(member)
        self._member_ends.forget((index, member))
        if not members:
            self._indexes.pop(index, None)


class _Ends(Generic[Name]):
    """When each of many things ends, and which ends first."""

    def __init__(self) -> None:
        self._ends: dict[Name, float] = {}
        self._queue: list[tuple[float, Name]] = []  # a heap; some of it is out of date

    def __len__(self) -> int:
        return len(self._ends)

    def put(self, name: Name, ends_at: float) -> None:
        self._ends[name] = ends_at
        heapq.heappush(self._queue, (ends_at, name))
        if len(self._queue) > 2 * len(self._ends) + 16:
            self._queue = [(ends_at, name) for name, ends_at in self._ends.items()]
            heapq.heapify(self._queue)

    def end_of(self, name: Name) -> float:
        return self._ends[name]

    def forget(self, name: Name) -> None:
        self._ends.pop(name, None)

    def first(self) -> Name:
        while self._ends.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][1]

    def expired(self, now: float, *, most: int) -> Iterator[Name]:
        """Name some that have ended; each has to be forgotten before the next is asked for."""
        for _ in range(most):
            if not self._ends or self._ends[self.first()] > now:
                return
            yield self.first()
