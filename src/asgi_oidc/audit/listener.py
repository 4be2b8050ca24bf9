"""Calls the app's `on_event` function, which may be slow, or raise anything."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from threading import Lock
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from asgi_oidc import events
from asgi_oidc.audit.audit_event import AuditEvent
from asgi_oidc.single_flight import run_var

OnEvent = Callable[[AuditEvent], Awaitable[None] | None]
"""Called with each audit event; a function that is not async runs in a worker thread."""

LISTENER_DEADLINE = 5.0  # seconds for one event; other events wait meanwhile
PAUSE = 0.05  # seconds between two looks whether a function that hung has returned
LOG_INTERVAL = 60  # seconds between two log lines about failures


class Listener:
    """The app's `on_event` function; it hears one event at a time."""

    def __init__(self, function: OnEvent, *, clock: Callable[[], float], deadline: float = LISTENER_DEADLINE) -> None:
        """Set up the listener.

        Args:
            clock: returns seconds since the epoch.
            deadline: seconds for one event.
        """
        self._function = function
        self._is_async = is_async(function)
        self._clock = clock
        self._deadline = deadline
        # A function that does not return in time occupies the one thread until it does: it is never called twice. On
        # asyncio, the limiter is free again as soon as nobody waits for the thread, so the thread holds a lock as well.
        self._running = Lock()
        self._threads: RunVar[anyio.CapacityLimiter] = run_var("audit_threads")
        self._logged_at: float | None = None
        self._lost = 0

    async def hear(self, event: AuditEvent) -> None:
        """Call the function within the deadline; what goes wrong is only logged."""
        failure: BaseException | None = None
        try:
            with anyio.move_on_after(self._deadline) as deadline:
                await self._call(event)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failure = error  # the function awaited a task that was cancelled
        except BaseException as error:  # the app's own code may raise anything; a panic in Rust is no Exception
            if _ends_the_delivery(error):
                raise
            failure = error
        if failure is not None or deadline.cancelled_caught:
            self._log(failure)

    async def _call(self, event: AuditEvent) -> None:
        if self._is_async:
            returned: Any = self._function(event)
        else:
            while self._running.locked():  # noqa: ASYNC110  # a thread cannot set an event of the loop
                await anyio.sleep(PAUSE)
            # In a list, as trio does not let a thread return an awaitable.
            (returned,) = await anyio.to_thread.run_sync(
                self._call_in_thread, event, abandon_on_cancel=True, limiter=self._limiter()
            )
        if inspect.isawaitable(returned):
            await returned

    def _call_in_thread(self, event: AuditEvent) -> list[Any]:
        with self._running:
            return [self._function(event)]

    def _limiter(self) -> anyio.CapacityLimiter:
        limiter = self._threads.get(None)
        if limiter is None:
            limiter = anyio.CapacityLimiter(1)
            self._threads.set(limiter)
        return limiter

    def _log(self, failure: BaseException | None) -> None:
        """Log a failure once a minute, with the number of events that were lost since the last line."""
        self._lost += 1
        now = self._clock()
        if self._logged_at is not None and abs(now - self._logged_at) < LOG_INTERVAL:  # the clock may be set back
            return
        self._logged_at = now
        what = None if failure is not None else f"on_event took more than {self._deadline:g} s"
        events.log(events.ON_EVENT_FAILED, error=failure, what=what, lost=self._lost)
        self._lost = 0


def _ends_the_delivery(error: BaseException) -> bool:
    """Return whether an error, or one of a group, is a cancellation, or the end of the event loop."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_ends_the_delivery, error.exceptions))
    return isinstance(error, GeneratorExit | anyio.get_cancelled_exc_class())


def is_async(function: object) -> bool:
    """Return whether calling a function makes an awaitable, so that it needs no thread."""
    while isinstance(function, partial):
        function = function.func
    call = function if inspect.isroutine(function) else getattr(function, "__call__", None)  # noqa: B004  # the method itself
    return inspect.iscoroutinefunction(call)
