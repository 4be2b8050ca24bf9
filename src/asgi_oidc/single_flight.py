"""One call per key at a time, however many wait for it.

With `run`, the first caller makes the call in its own task; the others wait for the result. When the first is
cancelled, one of the waiters makes the call instead, so that nobody's disconnect is another one's error.

With `run_to_the_end`, the call has a task of its own: it is never made twice, and never stopped half-way, for calls
that use something up. `run_shielded` is the same for a call that is like no other.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

import anyio
from anyio.lowlevel import RunVar

Value = TypeVar("Value")
Result = TypeVar("Result")

_numbers = itertools.count()


def run_var(name: str) -> RunVar[Value]:
    """Make a variable per event loop under a name of its own: older anyio tells them apart by name alone."""
    return RunVar(f"asgi_oidc_{name}_{next(_numbers)}")


class _Flight:
    """A call under way; its event belongs to the loop that started it."""

    def __init__(self) -> None:
        self.drained = anyio.Event()
        self.value: object = None
        self.error: BaseException | None = None
        self.abandoned = False


class SingleFlight(Generic[Value]):
    """Coalesce calls by key, per event loop."""

    def __init__(self) -> None:
        # Events are bound to a loop, and one middleware may serve several loops (test clients, threads).
        self._flights: RunVar[dict[str, _Flight]] = run_var("flights")
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself would let them be collected half-way

    async def run(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Make the call, or wait for the one that is under way.

        Raises:
            Exception: what the call raised, for everybody who waited for it.
        """
        flights = self._flights_of_this_loop()
        while (flight := flights.get(key)) is not None:
            await flight.drained.wait()
            if flight.error is not None:
                raise flight.error
            if not flight.abandoned:
                return cast(Value, flight.value)
        return await self._lead(flights, key, call)

    async def run_to_the_end(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Make the call, or wait for the one that is under way; it goes on when nobody waits any more.

        Raises:
            BaseException: what the call raised, for everybody who waited for it.
            RuntimeError: the event loop ended first.
        """
        flight = self._begin(key, call)
        await flight.drained.wait()
        if flight.error is not None:
            raise flight.error
        if flight.abandoned:
            raise RuntimeError("the event loop ended before the call did")
        return cast(Value, flight.value)

    async def run_shielded(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call that goes on when nobody waits any more, whatever others are under way; errors as above."""
        own = cast(Callable[[], Awaitable[Value]], call)  # nobody else gets its value
        return cast(Result, await self.run_to_the_end(f"shielded {next(_numbers)}", own))

    def start(self, key: str, call: Callable[[], Awaitable[Value]]) -> None:
        """Make the call in the background, unless it is under way; what comes of it is the call's own business."""
        self._begin(key, call)

    async def drained(self) -> None:
        """Wait until no call is under way."""
        while flights := self._flights_of_this_loop():
            await next(iter(flights.values())).drained.wait()

    def _begin(self, key: str, call: Callable[[], Awaitable[Value]]) -> _Flight:
        flights = self._flights_of_this_loop()
        flight = flights.get(key)
        if flight is None:
            flight = flights[key] = _Flight()
            self._start(self._fly(flights, key, flight, call))  # it may land at once, in an eager task
        return flight

    def is_under_way(self, key: str) -> bool:
        """Say whether somebody makes this call right now."""
        return key in self._flights_of_this_loop()

    def _flights_of_this_loop(self) -> dict[str, _Flight]:
        flights = self._flights.get(None)
        if flights is None:
            flights = {}
            self._flights.set(flights)
        return flights

    async def _lead(self, flights: dict[str, _Flight], key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        flight = flights[key] = _Flight()
        try:
            value = await call()
        except Exception as exc:  # whatever it is, those who wait get it as well
            flight.error = exc
            raise
        except BaseException:
            flight.abandoned = True  # cancelled: a waiter takes over
            raise
        else:
            flight.value = value
            return value
        finally:
            # The leader alone deletes its flight; waiters only look at it.
            del flights[key]
            flight.drained.set()

    async def _fly(
        self, flights: dict[str, _Flight], key: str, flight: _Flight, call: Callable[[], Awaitable[Value]]
    ) -> None:
        try:
            flight.value = await call()
        except BaseException as exc:  # whatever it is, those who wait get it: out of here it would end the event loop
            if isinstance(exc, GeneratorExit | anyio.get_cancelled_exc_class()):
                flight.abandoned = True
                raise
            flight.error = exc
        finally:
            del flights[key]
            flight.drained.set()

    def _start(self, flying: Coroutine[Any, Any, None]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio  # only where it runs already

            # With the variables of who asks, as asyncio does it: the call may be one of the app's own code.
            trio.lowlevel.spawn_system_task(lambda: flying, context=contextvars.copy_context())
            return
        task = loop.create_task(flying)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
