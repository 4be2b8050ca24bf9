"""Limits how many calls run at once, so that a provider that hangs does not take the connections of the others."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import run_var

MAX_CALLS_PER_PROVIDER = 50  # at once: half of what the pool of an httpx client has by default, which the app may share
MAX_CALLS = 500  # at once, to all providers together: below the 1024 open files that Linux allows a process by default

_numbers = itertools.count()


@dataclass(slots=True)
class _Queue:
    """The calls of one event loop that run or wait."""

    semaphore: anyio.Semaphore
    size: int = 0


# One variable for all limits: an event loop keeps the value of a variable until it ends, and providers come and go.
_queues: RunVar[dict[int, _Queue]] = run_var("call_queues")


class CallLimit:
    """A number of calls that may run at once on an event loop; further ones wait."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._number = next(_numbers)

    @property
    def waiting(self) -> int:
        """How many calls wait for a free slot on this event loop."""
        queue = _queues_of_this_loop().get(self._number)
        return 0 if queue is None else max(0, queue.size - self._maximum)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a free slot, and hold it during one call."""
        queues = _queues_of_this_loop()
        queue = queues.get(self._number)
        if queue is None:
            queue = queues[self._number] = _Queue(anyio.Semaphore(self._maximum))
        queue.size += 1
        try:
            async with queue.semaphore:
                yield
        finally:
            queue.size -= 1
            if queue.size == 0:
                queues.pop(self._number, None)


def _queues_of_this_loop() -> dict[int, _Queue]:
    queues = _queues.get(None)
    if queues is None:
        queues = {}
        _queues.set(queues)
    return queues
