"""The clock of a test, which the app and the fake provider share."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """The time of day, until a test moves it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass, for the app and for the provider."""
        self._ahead += seconds

    @contextlib.contextmanager
    def at(self, seconds: float) -> Iterator[None]:
        """Move the clock for the duration of the block.

        Args:
            seconds: from now; negative for earlier.
        """
        self._ahead += seconds
        try:
            yield
        finally:
            self._ahead -= seconds
