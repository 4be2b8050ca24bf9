"""Clients that register themselves at the fake provider, or describe themselves at their `client_id`."""

import logging
import secrets
from typing import Any

import httpx

from .accounts import Client
from .authorization import client_auth_metadata
from .certificate_clients import CertificateClients
from .client_documents import client_from, is_document_url
from .registrations import SECRET_METHODS, Registration, client_of
from .wire import Call

DOCUMENT_PATHS = ("/authorize", "/par")
"""Where a document is fetched anew; the later calls of a login use what was fetched then."""

log = logging.getLogger(__name__)


class ClientRegistration(CertificateClients):
    """The part of the fake provider that gets to know clients while it runs."""

    registers_clients: bool = False
    """Whether the provider has a `registration_endpoint` (RFC 7591)."""
    initial_access_token: str | None = None
    """The token that a client needs to register; `None` lets anybody register."""
    rotates_registration_tokens: bool = False
    """Whether each reading or change of a registration replaces its access token (RFC 7592 §3)."""
    client_document_client: httpx.AsyncClient | None = None
    """Fetches client id metadata documents; it must belong to the event loop in which the provider runs. `None` if the
    provider does not support such clients."""

    def registration_metadata(self) -> dict[str, Any]:
        """Return what the metadata says about registration."""
        members: dict[str, Any] = {}
        if self.registers_clients or self.client_document_client is not None:
            unknown = Client("", auth_methods=("private_key_jwt",))  # what clients may use who come later
            members |= client_auth_metadata([*self.clients.values(), unknown])
        if self.registers_clients:
            members["registration_endpoint"] = f"{self.issuer.rstrip('/')}/register"
        if self.client_document_client is not None:
            members["client_id_metadata_document_supported"] = True
        return members

    def keep_registration(self, metadata: dict[str, Any], before: Registration | None = None) -> Registration:
        """Add a client with this metadata, or change one, and return its registration."""
        has_secret = metadata["token_endpoint_auth_method"] in SECRET_METHODS
        secret = (before and before.client_secret) or secrets.token_urlsafe(24)
        registration = Registration(
            before.client_id if before else f"client-{secrets.token_urlsafe(9)}",
            secret if has_secret else None,
            before.access_token if before else secrets.token_urlsafe(24),
            before.issued_at if before else self.now(),
            metadata,
        )
        self.memory.registrations[registration.client_id] = registration
        self.register(client_of(registration.client_id, registration.client_secret, metadata))
        return registration

    def remove_registration(self, registration: Registration) -> None:
        """Forget a client that registered itself."""
        del self.memory.registrations[registration.client_id]
        self.clients.pop(registration.client_id, None)

    async def fetch_client_document(self, call: Call) -> None:
        """Fetch the document of the client of a call, if its id is a URL; `client_refusals` has what is wrong."""
        client_id, http_client = self.client_id_of(call), self.client_document_client
        if http_client is None or not is_document_url(client_id):
            return
        is_known = client_id in self.clients
        is_fetched = client_id in self.memory.document_clients
        if is_known and not (is_fetched and call.path.endswith(DOCUMENT_PATHS)):
            return
        self.clients.pop(client_id, None)
        try:
            client = client_from(client_id, await http_client.get(client_id, follow_redirects=False))
        except Exception as exc:  # an app in process may raise anything; the client is then unknown
            log.warning("no metadata document of the client %s", client_id, exc_info=True)
            self.client_refusals.append(f"no metadata document: {exc}")
            return
        self.memory.document_clients.add(client_id)
        self.register(client)
