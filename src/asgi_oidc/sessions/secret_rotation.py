"""Rotation of `secret` while the app runs: a new secret opens at once, and seals once every process has read it.

Processes notice a change of the setting at different times. A secret that is removed stops opening at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

# Seconds; kubelet updates the files of a Secret within about 90 seconds, and each process looks every few seconds.
GRACE = 120


@dataclass(frozen=True, slots=True)
class SecretRotation:
    """The state of `secret` in this process.

    Attributes:
        listed: the secrets as in the setting; the first one is to seal.
        sealing: the one that seals now.
        seals_at: seconds since the epoch, when the first one takes over; None if it seals already.
    """

    listed: tuple[bytes, ...] = field(repr=False)
    sealing: bytes = field(repr=False)
    seals_at: int | None = None

    @classmethod
    def begin(cls, listed: tuple[bytes, ...], *, written_at: float, now: int) -> Self:
        """Return the state at start-up.

        Args:
            written_at: when the file was last written, in seconds since the epoch: other processes may not have read
                a new secret yet.
        """
        if len(listed) == 1 or abs(now - written_at) >= GRACE:
            return cls(listed, listed[0])
        return cls(listed, listed[1], now + GRACE)

    def change(self, listed: tuple[bytes, ...], *, now: int) -> Self:
        """Return the state after the setting has changed."""
        if listed[0] == self.sealing or self.sealing not in listed:
            return type(self)(listed, listed[0])
        seals_at = self.seals_at if listed[0] == self.listed[0] else None
        return type(self)(listed, self.sealing, now + GRACE if seals_at is None else seals_at)

    def advance(self, *, now: int) -> Self:
        """Return the state in which the first secret seals, if it is time; else the same."""
        if self.seals_at is None or 0 < self.seals_at - now <= GRACE:  # more than that: the clock was set back
            return self
        return type(self)(self.listed, self.listed[0])

    @property
    def in_order(self) -> Sequence[bytes]:
        """The secrets: the first one seals, all of them open."""
        return (self.sealing, *(secret for secret in self.listed if secret != self.sealing))
