"""A site that keeps every event of its audit trail."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from asgi_oidc.audit import AuditEvent
from tests.internals import deliver_events
from tests.logout_site import LogoutSite

Event = TypeVar("Event", bound=AuditEvent)


class AuditSite(LogoutSite):
    """A site whose `on_event` keeps what it hears.

    Args:
        form: where sessions are, a name of `FORMS`.
    """

    def __init__(self, form: str = "cookies", **settings: Any) -> None:
        self.heard: list[AuditEvent] = []
        super().__init__(form, **{"on_event": self.hear_event, **settings})

    async def hear_event(self, event: AuditEvent) -> None:
        """Keep an event."""
        self.heard.append(event)

    async def delivered(self) -> list[AuditEvent]:
        """Wait until all events are delivered, and return them."""
        await deliver_events(self.middleware)
        return self.heard

    async def names(self) -> list[str]:
        """Return the names of all events so far."""
        return [event.name for event in await self.delivered()]

    async def last(self, kind: type[Event]) -> Event:
        """Return the last event, which is of this kind."""
        event = (await self.delivered())[-1]
        assert isinstance(event, kind), event
        return event


def facts(event: AuditEvent) -> Mapping[str, Any]:
    """Return what an event says, as JSON has it, without what it does not know."""
    members: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return {name: value for name, value in members.items() if value is not None}
