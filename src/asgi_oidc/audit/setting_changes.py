"""Audit events of settings that change while the app runs."""

from asgi_oidc.audit.audit_event import AuditEvent


class SettingReloaded(AuditEvent, frozen=True, kw_only=True):
    """The file of a setting has a new value, which is in use from now on. The event never has the value.

    Attributes:
        variable: the environment variable that names the file.
        removed: how many secrets are no longer accepted; everything that they have sealed is void.
    """

    variable: str
    removed: int = 0
