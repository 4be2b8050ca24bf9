"""A site whose client authenticates by a certificate, and its provider behind real TLS."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from asgi_oidc.testing import Client, ClientCertificate, FakeProvider, serve
from tests.protected_site import Clock
from tests.real.certificates import Certificate

MINE, RENEWED, UNKNOWN = ClientCertificate("web"), ClientCertificate("web renewed"), ClientCertificate("unknown")
REGISTERED = Client(
    "web",
    client_secret=None,
    auth_methods=["self_signed_tls_client_auth"],
    jwks=[MINE.public_jwk, RENEWED.public_jwk],
    tls_client_certificate_bound_access_tokens=True,
)


def registered(**changes: Any) -> Client:
    """Return the client, registered in another way."""
    return replace(REGISTERED, **changes)


@contextmanager
def provider_over_tls(
    certificate: Certificate, folder: Path, *, client: Client = REGISTERED, mtls: bool = True
) -> Iterator[FakeProvider]:
    """Serve a provider over https; it asks for a client certificate.

    Args:
        certificate: of the server.
        mtls: whether only the aliases below `/mtls` see the client's certificate.
    """
    provider = FakeProvider(clients=[client], clock=Clock(), alg="ES256")
    accepted = folder / "accepted.pem"
    accepted.write_text(MINE.pem + RENEWED.pem)
    files: dict[str, Any] = {"certfile": certificate.chain, "keyfile": certificate.key, "client_ca": str(accepted)}
    with serve(provider, **files) as server:
        provider.issuer = server.url
        provider.mtls_url = f"{server.url}/mtls" if mtls else None
        yield provider


def certificates_at(provider: FakeProvider, path: str) -> list[str | None]:
    """Return the client certificates of the calls to an endpoint, as PEM."""
    return [
        None if call.client_certificate is None else normalized(call.client_certificate)
        for call in provider.calls
        if call.path.endswith(path)
    ]


def normalized(pem: str) -> str:
    """Return a certificate as OpenSSL writes it."""
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem))
