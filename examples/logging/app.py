"""An app whose log is JSON, and whose audit trail is part of it: on a logger of its own, for another retention."""

import logging
from typing import Any

import msgspec

from asgi_oidc import OIDCMiddleware
from asgi_oidc.audit import AuditEvent

audit = logging.getLogger("audit")


def on_event(event: AuditEvent) -> None:
    """Write an event; it has personal data, so keep it only as long as you have to."""
    audit.info(event.name, extra={"audit": msgspec.to_builtins(event)})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Greet the signed-in user."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"Hello, {scope['user'].display_name}".encode()})


app = OIDCMiddleware.from_env(hello, on_event=on_event)
