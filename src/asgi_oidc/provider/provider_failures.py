"""Logs failures of providers, and reports them to the audit trail."""

from asgi_oidc import events
from asgi_oidc.audit import ProviderFailed
from asgi_oidc.audit.reporting import report


def log_provider_failure(
    code: str, detail: str, *, provider: str, issuer: str | None = None, fallback: str | None = None
) -> None:
    """Log that a provider failed, and report it.

    Args:
        provider: the name in the settings; empty for the one provider of the flat keywords.
        fallback: what is used instead.
    """
    name = provider or None
    events.log(events.PROVIDER_FAILED, provider=name, code=code, detail=detail, fallback=fallback)
    report(ProviderFailed, provider=name, issuer=issuer, code=code, fallback=fallback)
