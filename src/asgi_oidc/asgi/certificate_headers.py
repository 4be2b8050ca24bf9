"""Takes the header with a client certificate off all requests that no named proxy has sent, before it can be read."""

from asgi_oidc.bearer.client_certificates import ClientCertificates
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send


class CertificateHeaders:
    """Stands in front of everything, also of requests without a token: the app may look at the header as well."""

    __slots__ = ("_certificates", "_serve")

    def __init__(self, serve: ASGIApp, certificates: ClientCertificates) -> None:
        self._serve = serve
        self._certificates = certificates

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one http request or websocket."""
        await self._serve(self._certificates.without_foreign_header(scope), receive, send)
