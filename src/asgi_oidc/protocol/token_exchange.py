"""Token exchange: the call for an access token for another API, on behalf of the user (RFC 8693)."""

from dataclasses import dataclass

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Call
from asgi_oidc.protocol.metadata import ServerMetadata
from asgi_oidc.protocol.token_endpoint import grant_call

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name, not a token


@dataclass(frozen=True, slots=True)
class ExchangeTarget:
    """The token that is requested: for an API by its URI (`resource`) or name (`audience`), with these scopes."""

    resource: str | None = None
    audience: str | None = None
    scope: str | None = None


def exchange_call(metadata: ServerMetadata, client: Client, subject_token: str, target: ExchangeTarget) -> Call:
    """Return the call that exchanges the user's access token for one for another API (RFC 8693 §2.1).

    Its answer has the same form as that of a refresh (§2.2.1).
    """
    fields = {
        "grant_type": GRANT_TYPE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "resource": target.resource,
        "audience": target.audience,
        "scope": target.scope,
    }
    return grant_call(metadata, client, {name: value for name, value in fields.items() if value is not None})
