"""Authorization requests that clients have pushed to the fake provider (RFC 9126)."""

import secrets
from dataclasses import dataclass

from .faults import Params

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
CREDENTIALS = ("client_secret", "client_assertion", "client_assertion_type")  # in the form, and not of the request


@dataclass(frozen=True)
class PushedRequest:
    """The parameters that a client has pushed, until a browser comes with their `request_uri`."""

    client_id: str
    params: Params
    expires_at: int


def new_request_uri() -> str:
    """Return a `request_uri` that cannot be guessed (§2.2)."""
    return REQUEST_URI_PREFIX + secrets.token_urlsafe(24)


def pushed_params(form: Params) -> Params:
    """Return the parameters of the authorization request in a form, without the client's credentials (§2.1)."""
    return [pair for pair in form if pair[0] not in CREDENTIALS]
