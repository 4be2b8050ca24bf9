"""How often we may ask again: a few times at once, then slowly."""


class Budget:
    """A bucket of tries that fills again with time alone.

    The try is taken before the call is made, so that failing or cancelled calls count too.
    """

    def __init__(self, *, burst: int, interval: int) -> None:
        self._burst = burst
        self._interval = interval
        self._left = float(burst)
        self._counted_at: float | None = None

    def take(self, *, now: float) -> bool:
        """Take one try, if one is left.

        Args:
            now: seconds; a clock that goes back gives nothing, and takes nothing.
        """
        if self._counted_at is not None:
            gained = max(0.0, now - self._counted_at) / self._interval
            self._left = min(float(self._burst), self._left + gained)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
