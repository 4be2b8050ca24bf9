"""Commands that are on their way: each is finished, whoever goes away, and only so many are made at a time.

A client whose command is cancelled half-way may lose a place in its pool, or leave an answer for the next one to read.
So nobody cancels a command: it has a task of its own and ends by the client's own time limits; callers come and go.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import SingleFlight, run_var

MOST_AT_ONCE = 64  # per event loop; one connection each at most

Value = TypeVar("Value")


class Calls:
    """Makes commands, each in a task that nobody cancels."""

    def __init__(self) -> None:
        self._flights: SingleFlight[object] = SingleFlight()
        self._places: RunVar[anyio.Semaphore] = run_var("redis_places")
        self._numbers = itertools.count()

    async def make(self, call: Callable[[], Awaitable[Value]]) -> Value:
        """Wait for a place, then for the command; who is cancelled meanwhile leaves the command to itself."""
        places = self._places_of_this_loop()
        await places.acquire()
        result: list[Value] = []

        async def run() -> None:
            try:
                result.append(await call())
            finally:
                places.release()

        await self._flights.run_to_the_end(str(next(self._numbers)), run)
        return result[0]

    async def made(self) -> None:
        """Wait until no command is on its way."""
        await self._flights.landed()

    def _places_of_this_loop(self) -> anyio.Semaphore:
        places = self._places.get(None)
        if places is None:
            places = anyio.Semaphore(MOST_AT_ONCE, fast_acquire=True)
            self._places.set(places)
        return places
