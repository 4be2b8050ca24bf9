"""Audit events of what was refused; clients can cause them as often as they like."""

from typing import ClassVar, Literal

from asgi_oidc.audit.audit_event import AuditEvent


class LoginFailed(AuditEvent, frozen=True, kw_only=True):
    """A login failed; the user got an error page, or JSON, with the reference.

    `sub` and `issuer` are set only if the provider has identified the user, for example if `on_login` refuses the
    login. Anyone can send a forged callback.
    """

    is_repeatable: ClassVar[bool] = True


class RequestFailed(AuditEvent, frozen=True, kw_only=True):
    """A request other than a login failed; the response shows the reference."""

    is_repeatable: ClassVar[bool] = True


class SessionRefused(AuditEvent, frozen=True, kw_only=True):
    """A session cookie was sent whose session is over or unknown; the request counts as anonymous.

    `sub` and `issuer` are set only if the cookie is one that this app has sealed. With a store, `session_id` is made
    from the id in the cookie: it means something only if an earlier event has the same.

    Attributes:
        reason: `ended`, signed out, revoked or replaced; `expired`; `gone`, the store does not have it (any more);
            `outdated`, older than a refresh that changed rights; `provider_gone`, `not_yet`, `not_ours` or
            `unreadable`.
    """

    is_repeatable: ClassVar[bool] = True

    reason: str


class StepUpRequired(AuditEvent, frozen=True, kw_only=True):
    """A signed-in user has to sign in again, more strongly or more recently, for what was requested.

    Attributes:
        acr_values: the authentication contexts of which one is required.
        max_age: how long ago the login may be, in seconds.
    """

    is_repeatable: ClassVar[bool] = True

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


class CSRFRefused(AuditEvent, frozen=True, kw_only=True):
    """A request with the user's session came from a page of another site, and was refused.

    The user of the session is the target, not the attacker.

    Attributes:
        origin: the header `Origin`, as the browser states it.
    """

    is_repeatable: ClassVar[bool] = True

    origin: str | None = None


class AccessDenied(AuditEvent, frozen=True, kw_only=True):
    """A signed-in user, or a client with an access token, got 403.

    Attributes:
        why: the rule, or the part of it, that is not met.
        credential: what the request was made with.
        client_id: of the access token.
    """

    is_repeatable: ClassVar[bool] = True

    why: str
    credential: Literal["session", "bearer"] = "session"
    client_id: str | None = None


class TokenRefused(AuditEvent, frozen=True, kw_only=True):
    """An access token was refused with 401. Whose it claims to be is not said: nothing in it is verified."""

    is_repeatable: ClassVar[bool] = True


class LogoutRefused(AuditEvent, frozen=True, kw_only=True):
    """A back-channel logout request was refused; anyone can send one."""

    is_repeatable: ClassVar[bool] = True
