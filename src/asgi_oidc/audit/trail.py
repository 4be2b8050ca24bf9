"""The audit trail: a bounded queue of events, and one worker that delivers them in order.

No request waits for the app's `on_event` function, and nothing that it does reaches a request.
"""

import itertools
from collections import deque
from collections.abc import Callable
from contextvars import Context

import anyio
import msgspec

from asgi_oidc import events
from asgi_oidc.audit.audit_event import AuditEvent
from asgi_oidc.audit.listener import LOG_INTERVAL, Listener
from asgi_oidc.audit.outages import EventsDropped
from asgi_oidc.single_flight import SingleFlight

MAX_EVENTS = 1000  # that wait for delivery: about 1 MB
# Of those that clients can cause as often as they like. They have a queue of their own, so that a flood of forged
# callbacks never costs a sign-in its place.
MAX_REPEATABLE_EVENTS = 250
DRAIN_DEADLINE = 5.0  # seconds that a shutdown waits for the delivery


class AuditTrail:
    """Takes events from all requests of one middleware, and delivers them to its listener."""

    def __init__(
        self, listener: Listener, *, clock: Callable[[], float], drain_deadline: float = DRAIN_DEADLINE
    ) -> None:
        """Set up an empty trail; `clock` returns seconds since the epoch."""
        self._listener = listener
        self._clock = clock
        self._drain_deadline = drain_deadline
        self._numbers = itertools.count()
        self._repeatable: deque[tuple[int, AuditEvent]] = deque()
        self._others: deque[tuple[int, AuditEvent]] = deque()
        self._dropped_repeatable = 0
        self._dropped_others = 0
        self._told_at: float | None = None
        self._worker: SingleFlight[None] = SingleFlight()

    def add(self, event: AuditEvent) -> None:
        """Queue an event, dated now; drop it if its queue is full."""
        if event.is_repeatable:
            if len(self._repeatable) >= MAX_REPEATABLE_EVENTS:
                self._dropped_repeatable += 1
                return
        elif len(self._others) >= MAX_EVENTS:
            self._dropped_others += 1
            return
        queue = self._repeatable if event.is_repeatable else self._others
        queue.append((next(self._numbers), self._dated(event)))
        self.start()

    async def drained(self) -> None:
        """Wait until all events are delivered, for at most `drain_deadline` seconds."""
        with anyio.move_on_after(self._drain_deadline):
            self.start()
            await self._worker.drained()

    def start(self) -> None:
        """Start the worker if events wait; in a thread without an event loop, they go on waiting."""
        if not self._repeatable and not self._others:
            return
        try:
            # A context of its own: that of the request which caused the first event has nothing to do with the others.
            Context().run(self._worker.start, "deliver", self._deliver)
        except RuntimeError:
            return

    async def _deliver(self) -> None:
        while (event := self._next()) is not None:
            await self._listener.hear(event)

    def _next(self) -> AuditEvent | None:
        """Return the oldest event, and now and then how many were dropped."""
        dropped = self._report_dropped()
        if dropped is not None:
            return dropped
        if not self._repeatable and not self._others:
            return None
        is_flooded = len(self._repeatable) >= MAX_REPEATABLE_EVENTS  # then the others are first
        is_older = bool(self._repeatable) and (not self._others or self._repeatable[0][0] < self._others[0][0])
        queue = self._repeatable if is_older and not (is_flooded and self._others) else self._others
        return queue.popleft()[1]

    def _report_dropped(self) -> AuditEvent | None:
        repeatable, others = self._dropped_repeatable, self._dropped_others
        if not repeatable and not others:
            return None
        now, is_idle = self._clock(), not self._repeatable and not self._others
        is_recent = self._told_at is not None and abs(now - self._told_at) < LOG_INTERVAL  # the clock may be set back
        if is_recent and not is_idle:
            return None
        self._told_at, self._dropped_repeatable, self._dropped_others = now, 0, 0
        events.log(events.EVENTS_DROPPED, repeatable=repeatable, others=others)
        return self._dated(EventsDropped(repeatable=repeatable, others=others))

    def _dated(self, event: AuditEvent) -> AuditEvent:
        return msgspec.structs.replace(event, at=int(self._clock() * 1000) / 1000)
