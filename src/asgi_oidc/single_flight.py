"""Coalesces concurrent calls: for each key, one call runs at a time, and all callers share its result.

With `run`, the first caller makes the call in its own task, and the others wait for the result. If the first is
cancelled, one of the others makes the call again, so that a disconnecting client causes no error for other clients.

With `run_to_the_end`, the call has a task of its own, which is never cancelled: for calls that must not be repeated,
because they use up a code or a token. `run_shielded` does the same for a call that is never shared.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc import telemetry

Value = TypeVar("Value")
Result = TypeVar("Result")

_numbers = itertools.count()
_FlightKey = tuple[int, str]


def run_var(name: str) -> RunVar[Value]:
    """Return a variable per event loop, with a unique name: older versions of anyio identify variables by name."""
    return RunVar(f"asgi_oidc_{name}_{next(_numbers)}")


class _Flight:
    """A running call; its event belongs to the event loop that started it. The spans of all callers lead to it."""

    def __init__(self) -> None:
        self.finished = anyio.Event()
        self.value: object = None
        self.error: BaseException | None = None
        self.abandoned = False
        self.span = telemetry.current_link()  # of the first caller: the spans of the call are its children


# Events are bound to an event loop, and one middleware may serve several loops (test clients, threads). All objects
# share this variable: a loop keeps the value of a variable until it ends, which may be long after its object has gone.
_all_flights: RunVar[dict[_FlightKey, _Flight]] = run_var("flights")


class SingleFlight(Generic[Value]):
    """Coalesce calls by key, per event loop."""

    def __init__(self) -> None:
        self._number = next(_numbers)  # part of the keys: other objects may use the same texts
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio keeps only weak references to running tasks

    async def run(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Make the call, or wait for the one that is running.

        Raises:
            Exception: what the call raised; all callers get it.
        """
        flights, own_key = _flights_of_this_loop(), (self._number, key)
        while (flight := flights.get(own_key)) is not None:
            telemetry.link(flight.span)
            await flight.finished.wait()
            if flight.error is not None:
                raise flight.error
            if not flight.abandoned:
                return cast(Value, flight.value)
        return await self._lead(flights, own_key, call)

    async def run_to_the_end(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Make the call, or wait for the one that is running; it continues even if all callers are cancelled.

        Raises:
            BaseException: what the call raised; all callers get it.
            RuntimeError: the event loop ended before the call.
        """
        flight = self._begin(key, call)
        await flight.finished.wait()
        if flight.error is not None:
            raise flight.error
        if flight.abandoned:
            raise RuntimeError("the event loop ended before the call did")
        return cast(Value, flight.value)

    async def run_shielded(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call that is not shared, and continues even if the caller is cancelled.

        Raises:
            BaseException: as in `run_to_the_end`.
        """
        unshared = cast(Callable[[], Awaitable[Value]], call)  # no other caller gets its value
        return cast(Result, await self.run_to_the_end(f"shielded {next(_numbers)}", unshared))

    def start(self, key: str, call: Callable[[], Awaitable[Value]]) -> None:
        """Make the call in the background, unless it is running; its result and its errors are dropped."""
        self._begin(key, call)

    async def drained(self) -> None:
        """Wait until no call is running."""
        flights = _flights_of_this_loop()
        while running := [flight for (number, _), flight in flights.items() if number == self._number]:
            await running[0].finished.wait()

    def _begin(self, key: str, call: Callable[[], Awaitable[Value]]) -> _Flight:
        flights, own_key = _flights_of_this_loop(), (self._number, key)
        flight = flights.get(own_key)
        if flight is None:
            flight = flights[own_key] = _Flight()

            def forget() -> None:
                if flights.get(own_key) is flight:
                    del flights[own_key]
                    flight.abandoned = True
                    flight.finished.set()

            # An eager task may complete it before this returns.
            self._start(self._fly(flights, own_key, flight, call), forget)
        else:
            telemetry.link(flight.span)
        return flight

    def is_under_way(self, key: str) -> bool:
        """Whether this call is running."""
        return (self._number, key) in _flights_of_this_loop()

    async def _lead(
        self, flights: dict[_FlightKey, _Flight], key: _FlightKey, call: Callable[[], Awaitable[Value]]
    ) -> Value:
        flight = flights[key] = _Flight()
        try:
            value = await call()
        except Exception as exc:  # any error: the waiting callers get it as well
            flight.error = exc
            raise
        except BaseException:
            flight.abandoned = True  # cancelled: one of the waiting callers takes over
            raise
        else:
            flight.value = value
            return value
        finally:
            # Only the caller that makes the call deletes its flight; the waiting callers just read it.
            del flights[key]
            flight.finished.set()

    async def _fly(
        self, flights: dict[_FlightKey, _Flight], key: _FlightKey, flight: _Flight, call: Callable[[], Awaitable[Value]]
    ) -> None:
        try:
            flight.value = await call()
        except BaseException as exc:  # any error: the waiting callers get it; raised here, it could end the event loop
            if isinstance(exc, GeneratorExit | anyio.get_cancelled_exc_class()):
                flight.abandoned = True
                raise
            flight.error = exc
        finally:
            del flights[key]
            flight.finished.set()

    def _start(self, flying: Coroutine[Any, Any, None], forget: Callable[[], None]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio  # asyncio is not running, so trio is, and is installed

            # With the caller's context variables, as in asyncio: the call may run the app's own code.
            trio.lowlevel.spawn_system_task(lambda: flying, context=contextvars.copy_context())
            return
        task = loop.create_task(flying)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step runs nothing of its coroutine, not even what is in `finally`.
        task.add_done_callback(lambda task: forget() if task.cancelled() else None)


def _flights_of_this_loop() -> dict[_FlightKey, _Flight]:
    flights = _all_flights.get(None)
    if flights is None:
        flights = {}
        _all_flights.set(flights)
    return flights
