"""Runs Redis commands without cancelling them, and limits how many run at once.

A Redis client whose command is cancelled may lose a connection of its pool, or leave an answer that the next command
would read. So each command runs in a task of its own, and ends by the client's own timeouts, even if its caller is
cancelled.
"""

import binascii
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import SingleFlight, run_var

MAX_AT_ONCE = 64  # commands per event loop; each uses one connection at most
CLUSTER_LANES, MAX_PER_CLUSTER_LANE = 16, 8  # commands to a cluster are limited per lane, a range of hash slots
SLOTS = 16_384  # hash slots of a cluster; the CRC of a key determines its slot

Value = TypeVar("Value")


class Calls:
    """Runs commands, each in a task that is never cancelled, and limits how many run at once.

    Args:
        is_for_cluster: limit them per range of hash slots, so that a node that hangs does not block all commands.
    """

    def __init__(self, *, is_for_cluster: bool) -> None:
        self._lane_count, self._max_per_lane = (
            (CLUSTER_LANES, MAX_PER_CLUSTER_LANE) if is_for_cluster else (1, MAX_AT_ONCE)
        )
        self._flights: SingleFlight[object] = SingleFlight()
        self._lanes: RunVar[list[anyio.Semaphore]] = run_var("redis_lanes")
        self._numbers = itertools.count()

    @property
    def max_connections(self) -> int:
        """The maximum number of connections that are needed."""
        return self._lane_count * self._max_per_lane

    async def make(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Run a command as soon as its lane has room; if the caller is cancelled, the command still completes."""
        slot = binascii.crc_hqx(key.encode(), 0) % SLOTS
        lane = self._lanes_of_this_loop()[slot * self._lane_count // SLOTS]
        await lane.acquire()
        result: list[Value] = []

        async def run() -> None:
            try:
                result.append(await call())
            finally:
                lane.release()

        await self._flights.run_to_the_end(str(next(self._numbers)), run)
        return result[0]

    async def drained(self) -> None:
        """Wait until no command is running."""
        await self._flights.drained()

    def _lanes_of_this_loop(self) -> list[anyio.Semaphore]:
        lanes = self._lanes.get(None)
        if lanes is None:
            lanes = [anyio.Semaphore(self._max_per_lane, fast_acquire=True) for _ in range(self._lane_count)]
            self._lanes.set(lanes)
        return lanes
