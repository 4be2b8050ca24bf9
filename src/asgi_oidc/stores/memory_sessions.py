"""The sessions in the memory of this process: nothing here waits, and no value leaves the process."""

import threading
from collections.abc import Callable, Sequence

from asgi_oidc.stores.memory_values import BoundedValues, Entry, Key

MAX_INDEXES = 8  # of one session: two, and two more for each change of the secret during its life


class SessionTable:
    """Records of sessions by key, and the keys of a user's sessions by index.

    A session is in its indexes for as long as it is in the table. Event loops in several threads may share a table: the
    lock is held for a few steps, never across an await.

    Attributes:
        lock: held by whoever uses `values`.
        values: the records, and among them the values of the app's own calls to the store.
    """

    def __init__(self, *, max_sessions: int, max_bytes: int, clock: Callable[[], float]) -> None:
        self.lock = threading.Lock()
        self.values = BoundedValues(
            max_entries=max_sessions, max_bytes=max_bytes, clock=clock, on_drop=self._unlink_dropped
        )
        # A single key is kept as it is: most users have one session.
        self._indexes: dict[bytes, Key | dict[Key, None]] = {}

    def __repr__(self) -> str:
        return f"SessionTable({len(self.values)} values)"

    def get(self, key: bytes) -> bytes | None:
        """Return the record of a session, and count it as used; None if there is none."""
        with self.lock:
            entry = self.values.get(key)
            return None if entry is None else entry.value

    def add(self, key: bytes, record: bytes, *, lifetime: float, indexes: Sequence[bytes], most: int) -> bool:
        """Add the record of a new session.

        Args:
            lifetime: seconds.
            most: how many sessions an index may lead to; the oldest are removed.

        Returns:
            False if there is one of that key.

        Raises:
            ValueError: the record is larger than the store.
        """
        with self.lock:
            if self.values.get(key) is not None:
                return False
            self.values.put(key, record, lifetime=lifetime, indexes=tuple(indexes))
            if key in self.values:
                self._link(key, indexes, most=most)
            return True

    def replace(
        self, key: bytes, old: bytes, new: bytes, *, lifetime: float, indexes: Sequence[bytes] = (), most: int = 0
    ) -> bool:
        """Write a record if it is still `old`; never write one that is gone. Arguments and errors as for `add`.

        Args:
            indexes: those to add to its own.
        """
        with self.lock:
            entry = self.values.get(key)
            if entry is None or entry.value != old:
                return False
            added = [index for index in indexes if index not in entry.indexes]
            kept = entry.indexes if not added else (*entry.indexes, *added)[-MAX_INDEXES:]
            forgotten = [index for index in entry.indexes if index not in kept]
            self.values.put(key, new, lifetime=lifetime, indexes=kept)
            for index in forgotten:
                self._unlink(key, index)
            if key in self.values:
                self._link(key, added, most=most)
            return True

    def remove(self, key: bytes) -> bool:
        """Remove a record; return whether there was one."""
        with self.lock:
            was_there = self.values.get(key) is not None
            self.values.drop(key)
            return was_there

    def linked(self, index: bytes) -> Sequence[bytes]:
        """Return the keys of an index, the oldest first."""
        with self.lock:
            found = self._indexes.get(index, ())
            keys = found if isinstance(found, dict | tuple) else (found,)
            return [key for key in keys if isinstance(key, bytes) and self.values.is_valid(key)]

    def _unlink_dropped(self, key: Key, entry: Entry) -> None:
        for index in entry.indexes:
            self._unlink(key, index)

    def _link(self, key: bytes, indexes: Sequence[bytes], *, most: int) -> None:
        for index in indexes:
            found = self._indexes.get(index)
            if found is None:
                self._indexes[index] = key
                continue
            keys = self._indexes[index] = found if isinstance(found, dict) else {found: None}
            keys[key] = None
            while len(keys) > most:
                self.values.drop(next(iter(keys)))

    def _unlink(self, key: Key, index: bytes) -> None:
        found = self._indexes.get(index)
        if found == key:
            del self._indexes[index]
        elif isinstance(found, dict):
            found.pop(key, None)
            if len(found) == 1:
                self._indexes[index] = next(iter(found))
