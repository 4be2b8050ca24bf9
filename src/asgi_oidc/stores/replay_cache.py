"""What works once: logins and logout tokens that were used, kept until their time alone refuses them.

In the memory of one process: other processes do not see them.
"""

from collections import OrderedDict

MAX_NAMES = (
    100_000  # names; 10 to 20 MB at worst, and each costs its author a call to the provider, or the provider a call
)


class ReplayCache:
    """A bounded set of names, each with the time when it may be forgotten."""

    def __init__(self, *, most: int = MAX_NAMES) -> None:
        self._most = most
        self._names: OrderedDict[str, float] = OrderedDict()

    def add(self, name: str, *, now: float, lifetime: float) -> bool:
        """Write a name down, and say whether it was new.

        Args:
            lifetime: seconds after which it may be forgotten.
        """
        is_new = self._names.pop(name, None) is None
        self._names[name] = now + lifetime
        self._forget(now=now)
        return is_new

    def __contains__(self, name: str) -> bool:
        """Say whether a name was written down, and not forgotten yet."""
        return name in self._names

    def _forget(self, *, now: float) -> None:
        # Oldest first; two a call keep up with what comes in.
        for _ in range(2):
            oldest = next(iter(self._names))
            if self._names[oldest] > now and len(self._names) <= self._most:
                return
            del self._names[oldest]
