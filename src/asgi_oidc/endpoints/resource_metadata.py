"""Serves the metadata of an API below `/.well-known/oauth-protected-resource` (RFC 9728)."""

from dataclasses import dataclass
from typing import ClassVar

from asgi_oidc.bearer.resource_metadata import METHODS, ResourceMetadata
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


@dataclass(frozen=True, slots=True)
class ResourceMetadataEndpoint:
    """The endpoint for clients that look for the authorization server; it needs no user."""

    methods: ClassVar[tuple[str, ...]] = METHODS

    metadata: ResourceMetadata

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return the metadata of the API that the path names.

        Raises:
            OIDCError: a provider has to be looked up, and that failed.
        """
        named = (self.metadata.resource_at(path) for path in request.path.own)
        found = next((resource for resource in named if resource is not None), self.metadata.resources[0])
        return await self.metadata.response(request, found)
