"""Tells the audit trail which request is served; with the setting `on_event` only."""

from collections.abc import Callable

from asgi_oidc.audit.reporting import Reporter, begin_reporting, end_reporting
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send


def audited(serve: ASGIApp, reporter: Reporter | None, *, base_url: str) -> ASGIApp:
    """Return what serves requests so that their events say where they came from; unchanged without a reporter."""
    if reporter is None:
        return serve
    of_request: Callable[[str, Scope], Reporter] = reporter.of_request
    start_delivery = reporter.start_delivery

    async def serve_audited(scope: Scope, receive: Receive, send: Send) -> None:
        token = begin_reporting(of_request(base_url, scope))
        try:
            await serve(scope, receive, send)
        finally:
            end_reporting(token)
            start_delivery()

    return serve_audited
