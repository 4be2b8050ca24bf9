"""The events of an audit trail, which the function of the setting `on_event` gets.

    from asgi_oidc.audit import AuditEvent, SignedIn

    async def on_event(event: AuditEvent) -> None:
        await database.insert("audit", msgspec.to_builtins(event))

Some have the name of an exception that `asgi_oidc` exports: `from asgi_oidc import audit` keeps them apart.
"""

from asgi_oidc.audit.audit_event import AuditEvent
from asgi_oidc.audit.outages import EventsDropped, ProviderFailed, RefreshFailed, StoreFailed
from asgi_oidc.audit.refusals import (
    AccessDenied,
    CSRFRefused,
    LoginFailed,
    LogoutRefused,
    RequestFailed,
    SessionRefused,
    StepUpRequired,
    TokenRefused,
)
from asgi_oidc.audit.sessions import SessionEnded, SignedIn, SignedOut
from asgi_oidc.audit.setting_changes import SettingReloaded

__all__ = [
    "AccessDenied",
    "AuditEvent",
    "CSRFRefused",
    "EventsDropped",
    "LoginFailed",
    "LogoutRefused",
    "ProviderFailed",
    "RefreshFailed",
    "RequestFailed",
    "SessionEnded",
    "SessionRefused",
    "SettingReloaded",
    "SignedIn",
    "SignedOut",
    "StepUpRequired",
    "StoreFailed",
    "TokenRefused",
]
