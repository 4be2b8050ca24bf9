"""What was opened before, by the whole of what was opened: bounded, and the oldest goes.

It saves work and decides nothing: whoever finds something here holds it against the clock, and against what has ended,
as if it had been opened anew.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

MAX_ENTRIES = 10_000  # things; whoever has a session may fill it, and the others are opened anew
MAX_BYTES = 16 * 1024 * 1024  # of what was opened; in memory two to five times that

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class SessionCache(Generic[Name, Value]):
    """A bounded table. One is kept only after it was opened: what nobody sealed takes no room.

    Attributes:
        get: returns what was kept, None for all else; every request asks.
    """

    def __init__(self, *, most: int = MAX_ENTRIES, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: dict[Name, Value] = {}
        self._sizes: OrderedDict[Name, int] = OrderedDict()
        self.get = self._kept.get

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, name: Name, value: Value, *, size: int) -> None:
        """Keep something in the place of what was there.

        Args:
            size: bytes of what was opened.
        """
        self.drop(name)
        if size > self._most_bytes:
            return
        self._kept[name] = value
        self._sizes[name] = size
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self.drop(next(iter(self._sizes)))

    def drop(self, name: Name) -> None:
        """Forget something."""
        if self._kept.pop(name, None) is not None:
            self._bytes -= self._sizes.pop(name)
