"""The client that this app is at the provider: its id, redirect URI and secret."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client.

    Attributes:
        secret: None for a public client.
        auth_method: a name of RFC 7591 §2 (`token_endpoint_auth_method`), or None to choose from metadata.
    """

    client_id: str
    redirect_uri: str
    secret: str | None = field(default=None, repr=False)
    auth_method: str | None = None
