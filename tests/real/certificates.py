"""Certificate authorities for one test run: one for this machine, and one for the clients of a provider."""

import base64
import datetime
import hashlib
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """The PEM files of a certificate, by default for localhost and 127.0.0.1.

    Attributes:
        ca: what a client has to trust.
        chain, key: what a server needs.
        spki: base64 of the SHA-256 of its public key, by which Chromium can be told to trust it.
    """

    ca: str
    chain: str
    key: str
    spki: str


def make_certificate(folder: Path, *, name: str = "localhost", begins_in: datetime.timedelta = -HOUR) -> Certificate:
    """Make an authority and a certificate, as files in a folder.

    Args:
        name: of the host, beside the address of this machine where it is `localhost`.
        begins_in: from now; a certificate lasts for a day.
    """
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key)
    leaf = _leaf(leaf_key, ca, ca_key, name=name, begins_in=begins_in)
    return Certificate(
        ca=_written(folder / "ca.pem", _pem(ca)),
        chain=_written(folder / "leaf.pem", _pem(leaf) + _pem(ca)),
        key=_written(folder / "leaf.key", _key_pem(leaf_key)),
        spki=_spki(leaf_key),
    )


@dataclass(frozen=True)
class OwnCertificate:
    """The certificate of a client, and its key, as PEM files.

    Attributes:
        thumbprint: what a token has in `cnf` as `x5t#S256`.
        escaped: as nginx writes it in `$ssl_client_escaped_cert`.
    """

    files: tuple[str, str]
    thumbprint: str
    escaped: str

    @property
    def pem(self) -> str:
        """The certificate, then its key: the setting `client_certificate`."""
        return "".join(Path(file).read_text("ascii") for file in self.files)

    @property
    def x5c(self) -> list[str]:
        """The certificate as a JWK has it (RFC 7517 §4.7)."""
        return ["".join(Path(self.files[0]).read_text("ascii").splitlines()[1:-1])]


def make_client_certificate(folder: Path, name: str) -> OwnCertificate:
    """Make a certificate that a client has signed itself, as files in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _builder(_name(name), _name(name), key.public_key()).sign(key, hashes.SHA256())
    return _own(folder, name, certificate, key)


@dataclass(frozen=True)
class ClientAuthority:
    """An authority whose certificates are for clients.

    Attributes:
        ca: PEM file, which a provider has to trust.
    """

    ca: str
    _certificate: x509.Certificate = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def issue(self, name: str) -> OwnCertificate:
        """Make a certificate whose subject is `CN=` and this name, as files beside that of the authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(_name(name), self._certificate.subject, key.public_key())
        certificate = builder.add_extension(usage, critical=False).sign(self._key, hashes.SHA256())
        return _own(Path(self.ca).parent, name, certificate, key)


def make_client_authority(folder: Path) -> ClientAuthority:
    """Make an authority for clients, as a file in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority(key)
    return ClientAuthority(_written(folder / "clients.pem", _pem(certificate)), certificate, key)


def _own(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> OwnCertificate:
    pem, digest = _pem(certificate), certificate.fingerprint(hashes.SHA256())
    return OwnCertificate(
        files=(_written(folder / f"{name}.pem", pem), _written(folder / f"{name}.key", _key_pem(key))),
        thumbprint=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        escaped=quote(pem.decode(), safe=""),
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    name = _name("asgi-oidc tests: authority")
    builder = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(key, hashes.SHA256())


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    begins_in: datetime.timedelta,
) -> x509.Certificate:
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "localhost" else []
    names = x509.SubjectAlternativeName([x509.DNSName(name), *addresses])
    builder = (
        _builder(_name(name), ca.subject, key.public_key(), begins_in=begins_in)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    return builder.sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    begins_in: datetime.timedelta = -HOUR,
) -> x509.CertificateBuilder:
    begins_at = datetime.datetime.now(datetime.UTC) + begins_in
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins_at)
        .not_valid_after(begins_at + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _spki(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)
