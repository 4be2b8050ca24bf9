"""GET /auth/client-metadata.json: what this app says about itself as a client, if its `client_id` is that URL.

It is the same for everybody: no cookie is read, and shared caches may store the response.

Source: draft-ietf-oauth-client-id-metadata-document.
"""

import json
from collections.abc import Mapping
from typing import ClassVar

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.cors import ANY_ORIGIN
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

MAX_AGE = 300  # seconds; providers may keep a document that long after the settings have changed


class ClientMetadataEndpoint:
    """The endpoint for providers; it needs no user."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, document: Mapping[str, object] | None) -> None:
        """Publish a document; None if no provider knows this app by its URL."""
        self._response = None if document is None else _response_of(document)

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return the document.

        Raises:
            RequestRejected: there is none.
        """
        if self._response is None:
            raise RequestRejected("client_metadata_missing", "client_id is not this URL", status=404)
        return self._response


def _response_of(document: Mapping[str, object]) -> Response:
    body = json.dumps(document, separators=(",", ":")).encode("ascii")
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", f"public, max-age={MAX_AGE}".encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        ANY_ORIGIN,  # it is public, and tools in browsers read it
    )
    return Response(200, headers, body)
