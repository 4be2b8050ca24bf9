"""Audit events of outages, and of the trail itself."""

from typing import ClassVar

from asgi_oidc.audit.audit_event import AuditEvent


class RefreshFailed(AuditEvent, frozen=True, kw_only=True):
    """The tokens of a session could not be refreshed, or the provider could not confirm it (`recheck`).

    The session continues, and a later request tries again.
    """

    is_repeatable: ClassVar[bool] = True


class ProviderFailed(AuditEvent, frozen=True, kw_only=True):
    """A call to the provider failed.

    Attributes:
        fallback: what was used instead.
    """

    is_repeatable: ClassVar[bool] = True

    fallback: str | None = None


class StoreFailed(AuditEvent, frozen=True, kw_only=True):
    """The session store failed.

    Attributes:
        fallback: what happened instead; None if protected paths get 503.
    """

    is_repeatable: ClassVar[bool] = True

    fallback: str | None = None


class EventsDropped(AuditEvent, frozen=True, kw_only=True):
    """Events before this one are missing: they came faster than `on_event` took them.

    Attributes:
        repeatable: how many of those that clients can cause as often as they like.
        others: how many of all others.
    """

    repeatable: int
    others: int
