"""Logs failures of the store, and reports them to the audit trail."""

from asgi_oidc import events
from asgi_oidc.audit import StoreFailed
from asgi_oidc.audit.reporting import report
from asgi_oidc.errors import StoreUnavailable


def log_store_error(error: StoreUnavailable, *, fallback: str | None = None) -> None:
    """Log an error of the store, and report it; arguments as in `log_store_failure`."""
    log_store_failure(error.code, error.detail, fallback=fallback)


def log_store_failure(code: str, detail: str | None = None, *, fallback: str | None = None) -> None:
    """Log that the store failed, and report it.

    Args:
        fallback: what happens instead; None if protected paths get 503.
    """
    events.log(events.STORE_FAILED, code=code, detail=detail, fallback=fallback)
    report(StoreFailed, code=code, fallback=fallback)
