"""Certificates and keys of clients as PEM, right and wrong ones."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
RSA_KEY = rsa.generate_private_key(65537, 2048)
SMALL_RSA_KEY = rsa.generate_private_key(65537, 1024)
X25519_KEY = x25519.X25519PrivateKey.generate()
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def key_pem(key: Any, style: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes | None = None) -> str:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return str(key.private_bytes(Encoding.PEM, style, encryption), "ascii")


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "ascii")


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)

    @property
    def both(self) -> str:
        return self.pem + self.key_pem


def make(
    name: str = "web",
    *,
    issuer: Made | None = None,
    key: Any = None,
    days: tuple[float, float] = (-1, 365),
    usages: Sequence[x509.ObjectIdentifier] = (),
) -> Made:
    """Make a certificate, by default self-signed.

    Args:
        days: from now, in which it is valid.
    """
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signer = (subject, key) if issuer is None else (issuer.certificate.subject, issuer.key)
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Made(builder.sign(signer, algorithm), key)


FOR_SERVERS = (ExtendedKeyUsageOID.SERVER_AUTH,)
FOR_CLIENTS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
ROOT = make("root")
INTERMEDIATE = make("intermediate", issuer=ROOT)
LEAF = make("web", issuer=INTERMEDIATE)
SELF_SIGNED, OTHER = make("web"), make("other")
