"""GET /auth/jwks: the app's public keys, for its registration as a client at the provider (`jwks_uri`, RFC 7591 §2).

It is the same for everybody: no cookie is read, and shared caches may store the response.
"""

import json
from collections.abc import Mapping
from typing import ClassVar

from asgi_oidc.errors import RequestRejected
from asgi_oidc.protocol.client_jwks import client_jwks
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.cors import ANY_ORIGIN
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

MAX_AGE = 300  # seconds; a new key has to be published that long before it signs


class PublishedKeys:
    """The public keys of all providers' clients; they change while the app runs."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        """Publish the keys.

        Args:
            clients: by the name of the provider.
        """
        self._clients = dict(clients)
        self.response = _response_of(self._clients)

    def replace_client(self, provider: str, client: Client) -> None:
        """Publish the keys of another client of a provider instead."""
        self._clients[provider] = client
        self.response = _response_of(self._clients)


class JwksEndpoint:
    """The endpoint for providers; it needs no user."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, keys: PublishedKeys) -> None:
        self._keys = keys

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return the keys.

        Raises:
            RequestRejected: there are none.
        """
        if self._keys.response is None:
            raise RequestRejected("jwks_empty", "no provider has a client_key or decryption_key", status=404)
        return self._keys.response


def _response_of(clients: Mapping[str, Client]) -> Response | None:
    """Return the response, None if there are no keys."""
    document = client_jwks(clients.values())
    if not document["keys"]:
        return None
    body = json.dumps(document, separators=(",", ":")).encode("ascii")
    headers = (
        (b"content-type", b"application/jwk-set+json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", f"public, max-age={MAX_AGE}".encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        ANY_ORIGIN,  # they are public, and tools in browsers read them
    )
    return Response(200, headers, body)
