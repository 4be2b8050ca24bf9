"""A replay cache: remembers used logins and logout tokens until they expire, so that each works only once.

It is in the memory of one process; other processes do not see it.
"""

from collections import OrderedDict

# 10 to 20 MB at worst. Each name costs whoever causes it a login or logout token, and so a call to or by the provider.
MAX_NAMES = 100_000


class ReplayCache:
    """A bounded set of names, each of which is forgotten when its lifetime has passed."""

    def __init__(self, *, max_names: int = MAX_NAMES) -> None:
        self._max_names = max_names
        self._names: OrderedDict[str, float] = OrderedDict()

    def add(self, name: str, *, now: float, lifetime: float) -> bool:
        """Remember a name; return whether it was new.

        Args:
            lifetime: seconds after which it may be forgotten.
        """
        is_new = self._names.pop(name, None) is None
        self._names[name] = now + lifetime
        self._forget(now=now)
        return is_new

    def __contains__(self, name: str) -> bool:
        """Whether a name is remembered."""
        return name in self._names

    def _forget(self, *, now: float) -> None:
        # The oldest first. Each call adds one name and forgets up to two, so expired names cannot pile up.
        for _ in range(2):
            oldest = next(iter(self._names))
            if self._names[oldest] > now and len(self._names) <= self._max_names:
                return
            del self._names[oldest]
