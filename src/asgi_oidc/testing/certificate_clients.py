"""Clients with TLS certificates at the fake provider, and the endpoints that ask for one (RFC 8705)."""

import urllib.parse
from typing import Any

from .accounts import Client
from .client_authentication import read_client_credentials
from .mutual_tls import authenticates_by_certificate, mtls_metadata, why_certificate_refused
from .strong_clients import StrongClients
from .wire import Call


class CertificateClients(StrongClients):
    """The part of the fake provider that knows the certificates of clients."""

    mtls_url: str | None = None
    """What the endpoints begin with that ask for a client certificate: `https://mtls.id.example.com` or
    `https://id.example.com/mtls`. The metadata then has `mtls_endpoint_aliases`, and the other endpoints see no
    certificates. `None` if all endpoints ask for one."""

    def is_mtls(self, call: Call) -> bool:
        """Whether a call arrived at an endpoint below `mtls_url`."""
        url = urllib.parse.urlsplit(self.mtls_url or "")
        return call.host == url.netloc and call.path.startswith(self.mtls_path + "/")

    @property
    def mtls_path(self) -> str:
        """The path of `mtls_url`."""
        return urllib.parse.urlsplit(self.mtls_url or "").path.rstrip("/")

    def certificate_of(self, call: Call) -> str | None:
        """Return the client certificate that the endpoint of a call sees, as PEM."""
        return call.client_certificate if self.mtls_url is None or self.is_mtls(call) else None

    def has_certificate_method(self, call: Call) -> bool:
        """Whether a call without a secret names a client that authenticates by certificate."""
        method, client_id, _ = read_client_credentials(call)
        return method == "none" and authenticates_by_certificate(self.clients.get(client_id))

    def client_by_certificate(self, call: Call) -> Client | None:
        """Return the client that authenticates by its certificate; for `None`, `client_refusals` has the reason."""
        client = self.client_with_keys(call.form.get("client_id", ""))
        if client is None:
            return None
        problem = why_certificate_refused(client, self.certificate_of(call))
        if problem:
            self.client_refusals.append(problem)
            return None
        return client

    def mtls_metadata(self) -> dict[str, Any]:
        """Return what the metadata says about certificates."""
        base, mtls_base = self.issuer.rstrip("/"), (self.mtls_url or "").rstrip("/")
        return mtls_metadata(self.clients.values(), self.metadata, base, mtls_base)
