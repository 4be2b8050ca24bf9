"""What a route denies to a signed-in user: logged, counted, and reported to the audit trail."""

from asgi_oidc import events, telemetry
from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.audit import AccessDenied, StepUpRequired
from asgi_oidc.audit.reporting import report
from asgi_oidc.policy.denials_log import log_denied
from asgi_oidc.policy.requirements import BEARER
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.telemetry import catalogue


def log_route_denied(user: User, oidc: OIDC, *, method: str, why: str, hint: str | None) -> str:
    """Log and report a 403, and return its new reference."""
    reference = log_denied(method=method, provider=user.provider, why=why, hint=hint)
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


def log_login_required(*, method: str, code: str) -> None:
    """Log and count a 401."""
    events.log(events.LOGIN_REQUIRED, status=401, method=method)
    telemetry.count(catalogue.DENIALS, status=401, code=code)


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
