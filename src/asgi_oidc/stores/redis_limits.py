"""Commands that are on their way: each is finished, whoever goes away, and only so many are made at a time.

A client whose command is cancelled half-way may lose a place in its pool, or leave an answer for the next one to read.
So nobody cancels a command: it has a task of its own and ends by the client's own time limits; callers come and go.
"""

import binascii
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import SingleFlight, run_var

MAX_AT_ONCE = 64  # per event loop and lane; one connection each at most
CLUSTER_LANES, MAX_PER_CLUSTER_LANE = 16, 8
SLOTS = 16_384  # of a cluster; a key is in the one that its CRC names

Value = TypeVar("Value")


class Calls:
    """Makes commands, each in a task that nobody cancels.

    Args:
        is_for_cluster: neighbouring slots share a lane, so that one node that hangs does not take all places.
    """

    def __init__(self, *, is_for_cluster: bool) -> None:
        self._lanes, self._most = (CLUSTER_LANES, MAX_PER_CLUSTER_LANE) if is_for_cluster else (1, MAX_AT_ONCE)
        self._flights: SingleFlight[object] = SingleFlight()
        self._slots: RunVar[list[anyio.Semaphore]] = run_var("redis_places")
        self._numbers = itertools.count()

    @property
    def most_connections(self) -> int:
        """How many connections are needed at most."""
        return self._lanes * self._most

    async def make(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Wait for a place, then for the command; who is cancelled meanwhile leaves the command to itself."""
        slot = binascii.crc_hqx(key.encode(), 0) % SLOTS
        slots = self._places_of_this_loop()[slot * self._lanes // SLOTS]
        await slots.acquire()
        result: list[Value] = []

        async def run() -> None:
            try:
                result.append(await call())
            finally:
                slots.release()

        await self._flights.run_to_the_end(str(next(self._numbers)), run)
        return result[0]

    async def made(self) -> None:
        """Wait until no command is on its way."""
        await self._flights.drained()

    def _places_of_this_loop(self) -> list[anyio.Semaphore]:
        slots = self._slots.get(None)
        if slots is None:
            slots = [anyio.Semaphore(self._most, fast_acquire=True) for _ in range(self._lanes)]
            self._slots.set(slots)
        return slots
