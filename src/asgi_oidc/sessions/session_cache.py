"""What was opened before, by the whole of what was opened: bounded, and the oldest goes.

It saves work and decides nothing: whoever finds something here holds it against the clock, and against what has ended,
as if it had been opened anew.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

MAX_ENTRIES = 10_000  # things; whoever has a session may fill it, and the others are opened anew
MAX_BYTES = 16 * 1024 * 1024  # of what was opened; in memory two to five times that

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SessionCache(Generic[Key, Value]):
    """A bounded table. One is kept only after it was opened: what nobody sealed takes no room.

    Attributes:
        get: returns what was kept, None for all else; every request asks.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: dict[Key, Value] = {}
        self._sizes: OrderedDict[Key, int] = OrderedDict()
        self.get = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def keep(self, key: Key, value: Value, *, size: int) -> None:
        """Keep something in the place of what was there.

        Args:
            size: bytes of what was opened.
        """
        self.drop(key)
        if size > self._max_bytes:
            return
        self._values[key] = value
        self._sizes[key] = size
        self._bytes += size
        while len(self._values) > self._max_entries or self._bytes > self._max_bytes:
            self.drop(next(iter(self._sizes)))

    def drop(self, key: Key) -> None:
        """Forget something."""
        if self._values.pop(key, None) is not None:
            self._bytes -= self._sizes.pop(key)
