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
# Of those that clients can cause as often as they like: so many by anybody, and as many by users who are signed in.
# Each have a queue of their own: a flood of forged callbacks costs no sign-in its place, and hides no refused user.
MAX_REPEATABLE_EVENTS = 250
DRAIN_DEADLINE = 5.0  # seconds that a shutdown waits for the delivery


class _Lane:
    """A bounded queue; events that find it full are counted and dropped.

    Attributes:
        gives_way: whether the events of other lanes are delivered first while this one is full.
    """

    def __init__(self, maximum: int, *, gives_way: bool) -> None:
        self.events: deque[tuple[int, AuditEvent]] = deque()
        self.dropped = 0
        self._maximum = maximum
        self._gives_way = gives_way

    @property
    def is_full(self) -> bool:
        return len(self.events) >= self._maximum

    @property
    def is_flooded(self) -> bool:
        return self._gives_way and self.is_full


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
        self._by_anybody = _Lane(MAX_REPEATABLE_EVENTS, gives_way=True)
        self._by_users = _Lane(MAX_REPEATABLE_EVENTS, gives_way=True)
        self._others = _Lane(MAX_EVENTS, gives_way=False)
        self._lanes = (self._by_anybody, self._by_users, self._others)
        self._told_at: float | None = None
        self._worker: SingleFlight[None] = SingleFlight()

    def add(self, event: AuditEvent) -> None:
        """Queue an event, dated now; drop it if its queue is full."""
        lane = self._lane_of(event)
        if lane.is_full:
            lane.dropped += 1
            return
        lane.events.append((next(self._numbers), self._dated(event)))
        self.start()

    def _lane_of(self, event: AuditEvent) -> _Lane:
        if not event.is_repeatable:
            return self._others
        return self._by_anybody if event.sub is None else self._by_users

    async def drained(self) -> None:
        """Wait until all events are delivered, for at most `drain_deadline` seconds."""
        with anyio.move_on_after(self._drain_deadline):
            self.start()
            await self._worker.drained()

    def start(self) -> None:
        """Start the worker if events wait; in a thread without an event loop, they go on waiting."""
        if not any(lane.events for lane in self._lanes):
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
        """Return the oldest event, of a lane that is not flooded if there is one; now and then, what was dropped."""
        waiting = [lane for lane in self._lanes if lane.events]
        dropped = self._report_dropped(is_idle=not waiting)
        if dropped is not None or not waiting:
            return dropped
        calm = [lane for lane in waiting if not lane.is_flooded] or waiting
        return min(calm, key=lambda lane: lane.events[0][0]).events.popleft()[1]

    def _report_dropped(self, *, is_idle: bool = False) -> AuditEvent | None:
        repeatable, others = self._by_anybody.dropped + self._by_users.dropped, self._others.dropped
        if not repeatable and not others:
            return None
        now = self._clock()
        is_recent = self._told_at is not None and abs(now - self._told_at) < LOG_INTERVAL  # the clock may be set back
        if is_recent and not is_idle:
            return None
        self._told_at = now
        for lane in self._lanes:
            lane.dropped = 0
        events.log(events.EVENTS_DROPPED, repeatable=repeatable, others=others)
        return self._dated(EventsDropped(repeatable=repeatable, others=others))

    def _dated(self, event: AuditEvent) -> AuditEvent:
        return msgspec.structs.replace(event, at=int(self._clock() * 1000) / 1000)
