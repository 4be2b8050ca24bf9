"""Removes the header with the client certificate from requests that do not come from a named proxy."""

from asgi_oidc.bearer.client_certificates import ClientCertificates
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send


class CertificateHeaders:
    """Runs before everything else, for requests without a token too: the app may read the header itself."""

    __slots__ = ("_certificates", "_serve")

    def __init__(self, serve: ASGIApp, certificates: ClientCertificates) -> None:
        self._serve = serve
        self._certificates = certificates

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one http request or websocket."""
        await self._serve(self._certificates.without_foreign_header(scope), receive, send)
