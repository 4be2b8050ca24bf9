"""Logs and counts each 403 to a user or a token that lacks rights, whether the policy or a route denies it."""

import secrets

from asgi_oidc import events, telemetry
from asgi_oidc.telemetry import catalogue

FORBIDDEN = "forbidden"


def log_denied(*, method: str, provider: str | None, why: str, hint: str | None) -> str:
    """Log a 403, and return its new reference.

    Args:
        provider: its name in the settings; None for the one provider of the flat keywords.
        why: the rule, or the part of it, that is not met.
    """
    reference = secrets.token_hex(6)
    events.log(
        events.ACCESS_DENIED, status=403, method=method, provider=provider, why=why, hint=hint, reference=reference
    )
    telemetry.count(catalogue.DENIALS, status=403, code=FORBIDDEN)
    return reference
