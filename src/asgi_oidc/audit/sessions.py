"""Audit events of sessions: they begin, and they end."""

from typing import Literal

from asgi_oidc.audit.audit_event import AuditEvent

SignInKind = Literal["login", "renewal", "step_up", "silent"]
SignedOutBy = Literal["user", "app", "provider", "provider_in_browser"]
EndReason = Literal["withdrawn", "replaced"]


class SignedIn(AuditEvent, frozen=True, kw_only=True):
    """A user has signed in, and has a new session.

    Attributes:
        kind: `login`, the first of this browser; `renewal`, the browser had a session of the user; `step_up`, a
            stronger or more recent login was required; `silent`, without a page of the provider (`prompt=none`).
        acr: the authentication context that the ID Token states.
        authenticated_at: when the user signed in at the provider (`auth_time`), seconds since the epoch.
        replaced: the `session_id` of the session that this browser had before.
    """

    kind: SignInKind
    acr: str | None = None
    authenticated_at: int | None = None
    replaced: str | None = None


class SignedOut(AuditEvent, frozen=True, kw_only=True):
    """A sign-out has ended one session, or all sessions of a user.

    Attributes:
        by: `user`, in this browser; `app`, by `middleware.sessions`; `provider`, by a back-channel logout token;
            `provider_in_browser`, by a front-channel logout.
        sid: the session at the provider that a logout token names.
        everywhere: whether all sessions that match `issuer`, `sub` and `sid` have ended, instead of the one of
            `session_id`.
        sessions: how many were in the store; None if sessions are in cookies, which cannot be counted.
    """

    by: SignedOutBy
    sid: str | None = None
    everywhere: bool = False
    sessions: int | None = None


class SessionEnded(AuditEvent, frozen=True, kw_only=True):
    """A session has ended without a sign-out.

    Attributes:
        reason: `withdrawn`, the provider no longer accepts the refresh token, or reports that its session is over;
            `replaced`, another user has signed in in the same browser.
    """

    reason: EndReason
