"""What is over stays over: ids of ended sessions and used logins, kept until nothing could bring them back.

In the memory of one process: other processes do not see them.
"""

from collections import OrderedDict

MOST = 100_000  # ids; 10 to 20 MB at worst, and each costs its author a login, or a call to the provider
ENDED, REPLACED = 0, 1  # seconds since the epoch: dead from ever; the difference tells why


class Tombstones:
    """A bounded set of ids, each with the time from which it counts and the time when it may be forgotten."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._over: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def add(self, name: str, *, now: float, lifetime: float, grace: float | None = None) -> bool:
        """Write an id down; an earlier death stands.

        Args:
            lifetime: seconds after which it may be forgotten.
            grace: seconds that it lives on, for what was replaced. What ended for good has none (None): it is dead at
                any time, also when the clock is set back.

        Returns:
            False when it was there already.
        """
        dead_from = ENDED if grace is None else now + grace if grace else REPLACED
        known = self._over.pop(name, None)
        if known is not None:
            dead_from = min(known[0], dead_from)
        self._over[name] = (dead_from, now + lifetime)
        self._forget(now=now)
        return known is None

    def is_dead(self, name: str, *, now: float) -> bool:
        """Say whether an id is over by now."""
        known = self._over.get(name)
        return known is not None and known[0] <= now

    def is_ended(self, name: str) -> bool:
        """Say whether an id was ended for good, and not merely replaced."""
        return self.is_dead(name, now=ENDED)

    def is_known(self, name: str) -> bool:
        """Say whether an id is over, or will be in a moment."""
        return name in self._over

    def _forget(self, *, now: float) -> None:
        # Oldest first; two a call keep up with what comes in.
        for _ in range(2):
            oldest = next(iter(self._over))
            if self._over[oldest][1] > now and len(self._over) <= self._most:
                return
            del self._over[oldest]
