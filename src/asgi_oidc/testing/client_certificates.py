"""Certificates of clients, for client authentication (RFC 8705 §2) and access tokens that are bound to one (§3)."""

import base64
import datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from .keys import public_parts
from .mutual_tls import thumbprint_of
from .wire import ASGIApp, Receive, Scope, Send

LIFETIME = datetime.timedelta(days=3650)


class ClientCertificate:
    """A new self-signed certificate, as a client would present it in the TLS handshake.

        certificate = ClientCertificate("web")
        web = Client("web", client_secret=None, tls_client_auth_subject_dn=certificate.subject_dn)
        app = OIDCMiddleware(my_app, client_certificate=certificate.pem_with_key, ...)

    Args:
        name: The common name of its subject.
    """

    def __init__(self, name: str = "client") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = x509.CertificateBuilder(subject, subject, self._key.public_key(), x509.random_serial_number())
        dated = builder.not_valid_before(start).not_valid_after(start + LIFETIME)
        self.certificate = dated.sign(self._key, hashes.SHA256())

    @cached_property
    def pem(self) -> str:
        """The certificate as PEM, as the ASGI TLS extension has it in `client_cert_chain`."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @cached_property
    def pem_with_key(self) -> str:
        """The certificate, then its private key, as PEM."""
        return self.pem + self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @cached_property
    def thumbprint(self) -> str:
        """What a token has in `cnf` as `x5t#S256` (RFC 8705 §3.1)."""
        return thumbprint_of(self.certificate)

    @property
    def subject_dn(self) -> str:
        """Its subject, as a client registers it for `tls_client_auth` (RFC 4514)."""
        return self.certificate.subject.rfc4514_string()

    @property
    def public_jwk(self) -> dict[str, Any]:
        """Its key with the certificate in `x5c`, as a client registers it for `self_signed_tls_client_auth`."""
        chain = [base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()]
        return {**public_parts(self._key, "ES256"), "use": "sig", "x5c": chain, "x5t#S256": self.thumbprint}


def presenting(app: ASGIApp, certificate: str) -> ASGIApp:
    """Return the app as behind a server to which clients present this certificate (PEM; the ASGI TLS extension)."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        tls: dict[str, Any] = {"client_cert_chain": [certificate], "client_cert_error": None}
        await app({**scope, "extensions": {**scope.get("extensions", {}), "tls": tls}}, receive, send)

    return served
