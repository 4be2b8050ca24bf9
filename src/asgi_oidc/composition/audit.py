"""Builds the audit trail; there is none without the setting `on_event`."""

from typing import NamedTuple

from asgi_oidc.audit.listener import Listener
from asgi_oidc.audit.reporting import Reporter
from asgi_oidc.audit.trail import AuditTrail
from asgi_oidc.composition.sessions import SharedServices
from asgi_oidc.settings.settings import Settings


class AuditServices(NamedTuple):
    """The objects behind the setting `on_event`."""

    trail: AuditTrail
    reporter: Reporter


def make_audit_services(settings: Settings, shared: SharedServices) -> AuditServices | None:
    """Build the audit trail of all hosts; None without the setting `on_event`."""
    if settings.on_event is None:
        return None
    trail = AuditTrail(Listener(settings.on_event, clock=shared.clock), clock=shared.clock)
    return AuditServices(trail, Reporter(trail, shared.record_names.handle))
