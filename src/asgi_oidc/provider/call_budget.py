"""Limits how often a call is repeated: a few times at once, then one by one with pauses."""


class Budget:
    """A rate limit (token bucket): up to `burst` tries at once; one more comes back every `interval` seconds.

    Take a try before making the call, so that failed and cancelled calls count as well.
    """

    def __init__(self, *, burst: int, interval: int) -> None:
        self._burst = burst
        self._interval = interval
        self._tries_left = float(burst)
        self._refilled_at: float | None = None

    def take(self, *, now: float) -> bool:
        """Take one try; return whether one was left.

        Args:
            now: seconds; a clock that was set back neither adds nor removes tries.
        """
        if self._refilled_at is not None:
            refill = max(0.0, now - self._refilled_at) / self._interval
            self._tries_left = min(float(self._burst), self._tries_left + refill)
        self._refilled_at = now
        if self._tries_left < 1:
            return False
        self._tries_left -= 1
        return True

    def give_back(self) -> None:
        """Give back a try whose call turned out not to count."""
        self._tries_left = min(float(self._burst), self._tries_left + 1)
