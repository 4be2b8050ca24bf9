"""Client authentication at the fake provider (RFC 6749 §2.3.1)."""

import base64
import secrets
import urllib.parse
from collections.abc import Mapping

from .accounts import Client
from .wire import Answer, Call, error_answer


def authenticated_client(clients: Mapping[str, Client], call: Call) -> Client | None:
    """Return the client that makes this call; `None` if it is unknown or fails to authenticate."""
    method, client_id, secret = read_client_credentials(call)
    client = clients.get(client_id)
    return client if client is not None and is_authentic(client, method, secret) else None


def authentication_failed(reason: str = "") -> Answer:
    """Return the refusal of a client that failed to authenticate (RFC 6749 §5.2)."""
    description = "client authentication failed"
    refusal = error_answer("invalid_client", f"{description}: {reason}" if reason else description, 401)
    return refusal.having(www_authenticate='Basic realm="token"')


def read_client_credentials(call: Call) -> tuple[str, str, str]:
    """Return (method, client_id, client_secret) of a call; empty if missing."""
    form = call.form
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return ("malformed", "", "")
        if not colon or "client_secret" in form:
            return ("malformed", "", "")
        return (
            "client_secret_basic",
            urllib.parse.unquote_plus(client_id),
            urllib.parse.unquote_plus(secret),
        )
    method = "client_secret_post" if "client_secret" in form else "none"
    return (method, form.get("client_id", ""), form.get("client_secret", ""))


def is_authentic(client: Client, method: str, secret: str) -> bool:
    """Whether the client authenticated, with a method that it is registered for."""
    if method not in client.allowed_auth_methods:
        return False
    return method == "none" or secrets.compare_digest(secret.encode(), (client.client_secret or "").encode())
