"""Values in memory for a limited time, bounded in number and in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from asgi_oidc.stores.expiry_queue import ExpiryQueue

# Expired entries removed per write: more than one, so that they cannot pile up; few, so that no request is delayed.
EXPIRED_PER_WRITE = 2

Key = str | bytes


class Entry:
    """A value.

    Attributes:
        indexes: names of the indexes that lead to it.
    """

    __slots__ = ("expires_at", "indexes", "value")

    def __init__(self, value: bytes, expires_at: float, indexes: Sequence[bytes]) -> None:
        self.value = value
        self.expires_at = expires_at
        self.indexes = indexes


class BoundedValues:
    """Values by key; if there are too many, expired ones are dropped first, then those unused for the longest time.

    Not safe for threads: the caller holds a lock.

    Attributes:
        bytes: of all keys, values and names of indexes.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        clock: Callable[[], float],
        on_drop: Callable[[Key, Entry], None] | None = None,
    ) -> None:
        """Keep values.

        Args:
            on_drop: is told of each entry that goes, for whatever reason.
        """
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._on_drop = on_drop
        self._entries: OrderedDict[Key, Entry] = OrderedDict()  # those unused for the longest time first
        self._queue: ExpiryQueue[Key] = ExpiryQueue(self)
        self.bytes = 0

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Return whether there is a value, even if it has expired."""
        return key in self._entries

    def expiry_of(self, name: Key) -> float | None:
        """Return when a value expires; None if there is none."""
        entry = self._entries.get(name)
        return None if entry is None else entry.expires_at

    def expiries(self) -> Iterable[tuple[Key, float]]:
        """Return all keys, and when their values expire."""
        return [(key, entry.expires_at) for key, entry in self._entries.items()]

    def get(self, key: Key) -> Entry | None:
        """Return the entry of a key that has not expired, and count it as used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock():
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def is_valid(self, key: Key) -> bool:
        """Return whether there is a value that has not expired; it does not count as used."""
        entry = self._entries.get(key)
        return entry is not None and entry.expires_at > self._clock()

    def put(self, key: Key, value: bytes, *, lifetime: float, indexes: Sequence[bytes] = ()) -> None:
        """Write a value, in place of an older one.

        Raises:
            ValueError: it is larger than all values together may be.
        """
        self.check_size(key, value, indexes)
        now = self._clock()
        entry, before, expires_at = self._entries.get(key), None, now + lifetime
        if entry is None:
            self._entries[key] = entry = Entry(value, expires_at, indexes)
        else:
            before = entry.expires_at
            self.bytes -= _size(key, entry.value, entry.indexes)
            entry.value, entry.expires_at, entry.indexes = value, expires_at, indexes
            self._entries.move_to_end(key)
        self.bytes += _size(key, value, indexes)
        self._queue.put(key, expires_at, before=before)
        self._make_room(now)

    def check_size(self, key: Key, value: bytes, indexes: Sequence[bytes] = ()) -> None:
        """Check that a value fits.

        Raises:
            ValueError: it is larger than all values together may be.
        """
        if _size(key, value, indexes) > self._max_bytes:
            raise ValueError(f"a value of {len(value)} bytes is larger than max_bytes ({self._max_bytes}) allows")

    def drop(self, key: Key) -> None:
        """Remove a value, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= _size(key, entry.value, entry.indexes)
        if self._on_drop is not None:
            self._on_drop(key, entry)

    def _make_room(self, now: float) -> None:
        for expired in self._queue.expired(now, most=EXPIRED_PER_WRITE):
            self.drop(expired)
        while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
            self.drop(next(self._queue.expired(now, most=1), next(iter(self._entries))))


def _size(key: Key, value: bytes, indexes: Sequence[bytes]) -> int:
    return len(key) + len(value) + sum(map(len, indexes))
