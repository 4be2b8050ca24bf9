"""Logs what a route denies to a signed-in user, and reports it to the audit trail."""

import secrets

from asgi_oidc import events
from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.audit import AccessDenied, StepUpRequired
from asgi_oidc.audit.reporting import report
from asgi_oidc.policy.requirements import BEARER
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import AuthenticationRequest


def log_denied(user: User, oidc: OIDC, *, method: str, why: str, hint: str | None) -> str:
    """Log a 403, and return its new reference."""
    reference = secrets.token_hex(6)
    events.log(
        events.ACCESS_DENIED,
        status=403,
        method=method,
        provider=user.provider,
        why=why,
        hint=hint,
        reference=reference,
    )
    report(
        AccessDenied,
        why=why,
        reference=reference,
        credential="bearer" if user.credential == BEARER else "session",
        issuer=user.issuer,
        sub=user.sub,
        provider=user.provider,
        session_id=oidc.session_id,
        client_id=user.client_id,
    )
    return reference


def report_step_up(user: User, oidc: OIDC, authentication: AuthenticationRequest) -> None:
    """Report that a route requires a stronger or more recent login."""
    report(
        StepUpRequired,
        acr_values=tuple(authentication.acr_values),
        max_age=authentication.max_age,
        issuer=user.issuer,
        sub=user.sub,
        provider=user.provider,
        session_id=oidc.session_id,
    )
