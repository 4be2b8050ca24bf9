"""A bounded cache of opened sessions; its keys are the complete sealed values, or ids that lead to them.

It only saves the work of opening. Sessions from the cache are checked against the clock and the revocations as if they
had just been opened.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from asgi_oidc.sessions.session import Session

MAX_ENTRIES = 10_000  # any user with a session can fill the cache; then other sessions are opened again, nothing worse
MAX_BYTES = 16 * 1024 * 1024  # of sealed values; the opened ones take two to five times that in memory
MAX_OPENED_BYTES = 32 * 1024 * 1024  # of the texts in opened sessions, where those are counted: see `opened_size`
LOGIN_SIZE = 1000  # bytes that count for a session beside its tokens and claims

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SessionCache(Generic[Key, Value]):
    """A bounded cache; the oldest entry is dropped first. Only values that could be opened are added.

    Attributes:
        get: returns the value of a key, or None. An attribute, not a method, because every request calls it.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: dict[Key, Value] = {}
        self._sizes: OrderedDict[Key, int] = OrderedDict()
        self._lock = threading.Lock()  # event loops in several threads may share a middleware
        self.get = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def keep(self, key: Key, value: Value, *, size: int) -> None:
        """Add a value, replacing an older one.

        Args:
            size: bytes of the sealed value, or of what was opened.
        """
        with self._lock:
            if key in self._values:
                self._drop(key)
            if size > self._max_bytes:
                return
            self._values[key] = value
            self._sizes[key] = size
            self._bytes += size
            while len(self._values) > self._max_entries or self._bytes > self._max_bytes:
                oldest, freed = self._sizes.popitem(last=False)
                del self._values[oldest]
                self._bytes -= freed

    def oldest(self) -> Key | None:
        """Return the key that was added first; None if there is none."""
        with self._lock:
            return next(iter(self._sizes), None)

    def clear(self) -> None:
        """Remove all values."""
        with self._lock:
            self._values.clear()  # the same object, whose method `get` is
            self._sizes.clear()
            self._bytes = 0

    def drop(self, key: Key) -> None:
        """Remove a value, if it is there."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        if self._values.pop(key, None) is not None:
            self._bytes -= self._sizes.pop(key)


def opened_size(session: Session) -> int:
    """Return about how many bytes an opened session takes, also if its texts are unpacked later."""
    return LOGIN_SIZE + session.tokens.texts.size
