"""Certificates of clients, for access tokens that are bound to one (RFC 8705 §3)."""

import base64
import datetime
import hashlib
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

LIFETIME = datetime.timedelta(days=3650)


class ClientCertificate:
    """A new self-signed certificate, as a client would present it in the TLS handshake.

    Args:
        name: The common name of its subject.
    """

    def __init__(self, name: str = "client") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        dated = builder.not_valid_before(start).not_valid_after(start + LIFETIME)
        self.certificate = dated.sign(key, hashes.SHA256())

    @cached_property
    def pem(self) -> str:
        """The certificate as PEM, as the ASGI TLS extension has it in `client_cert_chain`."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @cached_property
    def thumbprint(self) -> str:
        """What a token has in `cnf` as `x5t#S256` (RFC 8705 §3.1)."""
        digest = hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
