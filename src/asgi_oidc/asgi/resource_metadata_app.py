"""An ASGI app with the metadata of an API, for the outer app of a middleware that is mounted below a path."""

from collections.abc import Mapping, Sequence

from asgi_oidc import events
from asgi_oidc.asgi.hosts import host_in
from asgi_oidc.asgi.own_response import send_response
from asgi_oidc.bearer.resource_metadata import METHODS, WELL_KNOWN_PATH, ProtectedResource, ResourceMetadata
from asgi_oidc.errors import RETRY_AFTER, OIDCError, UnsupportedScope
from asgi_oidc.web.asgi_types import Receive, Scope, Send
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, problem, response_with_body


class ResourceMetadataApp:
    """Serves the metadata of the APIs of one middleware, whichever app routes requests to it.

        Route("/.well-known/oauth-protected-resource/admin", middleware.protected_resource_metadata)

    Attributes:
        paths: the paths at the root of the site at which clients look for it.
        is_routed: whether the app has asked for it, to route requests to it.
    """

    def __init__(self, metadata: Mapping[bytes, ResourceMetadata], first: ResourceMetadata) -> None:
        """Take the metadata of each host.

        Args:
            metadata: by each way to write a host in a Host header, in lower case.
            first: that of all other hosts.
        """
        self._metadata = metadata
        self._first = first
        self.is_routed = False
        hosts = {id(each): each for each in (first, *metadata.values())}.values()
        self.paths: Sequence[str] = tuple(
            dict.fromkeys(resource.metadata_path for each in hosts for resource in each.resources)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            UnsupportedScope: the scope type is not http.
        """
        if scope["type"] != "http":
            raise UnsupportedScope(detail=f"expected scope type http, got {scope['type']!r}")
        request = Request(scope)
        metadata = self._metadata.get(host_in(list(scope.get("headers", ()))), self._first)
        await send_response(await self._response(scope, request, metadata), request, send)

    async def _response(self, scope: Scope, request: Request, metadata: ResourceMetadata) -> Response:
        resource = _resource_of(scope, metadata)
        if resource is None:
            return response_with_body(404, b"")
        if request.method not in METHODS:
            allowed = (b"allow", ", ".join(METHODS).encode("ascii"))
            return problem(405, "method_not_allowed", "Method not allowed").with_headers(allowed)
        try:
            return await metadata.response(request, resource)
        except OIDCError as error:  # the app's own look-up of a provider failed
            events.log(events.REQUEST_FAILED, code=error.code, detail=error.detail, provider=error.provider)
            retry_after = (b"retry-after", str(RETRY_AFTER).encode("ascii"))
            return problem(503, error.code, "The authorization server cannot be looked up now").with_headers(
                retry_after
            )

    def __repr__(self) -> str:
        return f"ResourceMetadataApp(paths={self.paths})"


def _resource_of(scope: Scope, metadata: ResourceMetadata) -> ProtectedResource | None:
    """Return the API that a path names, whatever part of it the outer app has stripped."""
    path = str(scope.get("path", ""))
    whole = path if path.startswith(WELL_KNOWN_PATH) else f"{scope.get('root_path', '')}{path}"
    # Nothing of the well-known path is left if the outer app has stripped it without setting a root path.
    start = whole.find(WELL_KNOWN_PATH)
    return metadata.resource_at(f"{WELL_KNOWN_PATH}{path}" if start == -1 else whole[start:])
