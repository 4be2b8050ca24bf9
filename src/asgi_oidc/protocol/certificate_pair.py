"""Reads the certificate of this client and its private key, with which it authenticates in TLS (RFC 8705).

Errors say what is wrong with them, and never show what a key contains.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

MAX_LENGTH = 65_536  # characters of a PEM, with the whole chain
MAX_CHAIN = 10  # certificates
MIN_RSA_BITS = 2048  # RFC 9325 §4.5, NIST SP 800-57
EXPIRES_SOON = 7 * 86_400  # seconds; a warning comes early enough for a person to act

CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
PRIVATE_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
IGNORED = ("EC PARAMETERS",)  # OpenSSL writes the name of the curve before a key
_CURVES = ("secp256r1", "secp384r1", "secp521r1")  # those that TLS servers accept
_BEGIN, _END, _DASHES = "-----BEGIN ", "-----END ", "-----"
_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_FOREIGN = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate with its chain, and the private key that belongs to it.

    Attributes:
        chain: PEM; the client's certificate is the first, and each of the others has issued the one before it.
        key: PEM, without a passphrase.
        thumbprint: of the first certificate; tokens that are bound to it have it in `cnf` as `x5t#S256`.
        begins_at: when it becomes valid, in seconds since the epoch.
        expires_at: when it expires.
        is_for_clients: whether its extended key usage, if it has one, includes the authentication of clients.
    """

    chain: str = field(repr=False)
    key: str = field(repr=False)
    thumbprint: str = field(compare=False)
    begins_at: int = field(compare=False)
    expires_at: int = field(compare=False)
    is_for_clients: bool = field(compare=False)


def read_certificate_pair(certificate: str, key: str | None = None) -> CertificatePair:
    r"""Read a certificate and its private key from PEM.

    A PEM may have `\n` in place of its line breaks, as environment files and secret stores often keep it.

    Args:
        certificate: the certificates, and also the private key if that is not given separately.
        key: the private key.

    Raises:
        ValueError: something is missing, malformed or too weak, or the two do not belong together.
    """
    chain, keys = _read_blocks(certificate)
    if key is not None:
        more, separate_keys = _read_blocks(key)
        if more:
            raise ValueError("the key contains a certificate: put only the private key there")
        keys += separate_keys
    certificates = _load_chain(chain)
    private_key = _load_key(keys)
    _check_fit(certificates, private_key)
    _check_order(certificates)
    first = certificates[0]
    return CertificatePair(
        chain="".join(chain),
        key=keys[0],
        thumbprint=urlsafe_b64encode(first.fingerprint(hashes.SHA256())).rstrip(b"=").decode("ascii"),
        begins_at=int(first.not_valid_before_utc.timestamp()),
        expires_at=int(first.not_valid_after_utc.timestamp()),
        is_for_clients=_is_for_clients(first),
    )


def find_certificate_problems(pair: CertificatePair, *, now: int) -> list[str]:
    """Return why providers may refuse a certificate although it is well-formed; empty if nothing is wrong.

    Args:
        now: seconds since the epoch.
    """
    problems = []
    if now < pair.begins_at:
        problems.append("it is not valid yet: check this server's clock, or wait until it is")
    if now >= pair.expires_at:
        problems.append("it has expired: renew it")
    elif now >= pair.expires_at - EXPIRES_SOON and pair.expires_at - pair.begins_at > 2 * EXPIRES_SOON:
        problems.append(f"it expires within {EXPIRES_SOON // 86_400} days: renew it")
    if not pair.is_for_clients:
        problems.append("its extended key usage lacks clientAuth, so most providers refuse it: have one issued with it")
    return problems


def _read_blocks(text: str) -> tuple[list[str], list[str]]:
    """Return the PEM blocks of certificates, and of private keys."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters, got {len(text)}")
    if "\n" not in text.strip():
        text = text.replace("\\n", "\n")
    certificates, keys = [], []
    for label, block in _blocks(text):
        if label in CERTIFICATES:
            certificates.append(block)
        elif label in PRIVATE_KEYS:
            keys.append(block)
        elif label not in IGNORED:
            raise ValueError(f"expected CERTIFICATE and PRIVATE KEY as PEM, got {label[:40]}")
    if not certificates and not keys:
        raise ValueError("must be PEM, which begins with -----BEGIN, got something else")
    return certificates, keys


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each PEM block (RFC 7468 §2); what is between them is ignored."""
    label, lines = "", list[str]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith(_BEGIN) and line.endswith(_DASHES):
            if label:
                break
            label, lines = line[len(_BEGIN) : -len(_DASHES)], [line]
        elif label:
            lines.append(line)
            if line == f"{_END}{label}{_DASHES}":
                yield label, "\n".join(lines) + "\n"
                label = ""
    if label:
        raise ValueError(f"the PEM is cut off: a {label[:40]} has no end")


def _load_chain(blocks: Sequence[str]) -> list[x509.Certificate]:
    if not blocks:
        raise ValueError("has no certificate: put the certificate, and those of its issuers, before the private key")
    if len(blocks) > MAX_CHAIN:
        raise ValueError(f"must have at most {MAX_CHAIN} certificates, got {len(blocks)}")
    certificates = []
    for number, block in enumerate(blocks, 1):
        certificate = _load_certificate(block)
        if certificate is None:
            raise ValueError(f"certificate {number} of {len(blocks)} is malformed")
        certificates.append(certificate)
    return certificates


def _load_certificate(block: str) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(block.encode())
        certificate.public_key()  # decoded only here
    except _FOREIGN:
        return None
    return certificate


def _load_key(blocks: Sequence[str]) -> _PrivateKey:
    if not blocks:
        raise ValueError("has no private key: add it as PEM, or set client_certificate_key")
    if len(blocks) > 1:
        raise ValueError(f"has {len(blocks)} private keys: leave only that of the certificate")
    if "ENCRYPTED" in blocks[0]:
        raise ValueError("the private key has a passphrase: remove it, with openssl pkey for example")
    key = _load_private_key(blocks[0])  # an error raised in there would have the key in its frames
    if key is None:
        raise ValueError("the private key is malformed, or of a type that TLS cannot use")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"the private key must have at least {MIN_RSA_BITS} bits, got {key.key_size}")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES:
        raise ValueError(f"the private key must be on the curve P-256, P-384 or P-521, got {key.curve.name}")
    return key


def _load_private_key(block: str) -> _PrivateKey | None:
    try:
        # Whether the numbers of an RSA key are primes takes long to find out; the pair is compared below.
        key = load_pem_private_key(block.encode(), None, unsafe_skip_rsa_key_validation=True)
    except _FOREIGN:
        return None
    return key if isinstance(key, _PrivateKey) else None


def _check_fit(certificates: Sequence[x509.Certificate], key: _PrivateKey) -> None:
    public = key.public_key()
    fits = [certificate.public_key() == public for certificate in certificates]
    if not any(fits):
        raise ValueError("the private key does not belong to the certificate: both have to be from the same renewal")
    if not fits[0]:
        raise ValueError("the certificate of the private key has to come first, then that of its issuer")


def _check_order(certificates: Sequence[x509.Certificate]) -> None:
    """Refuse a chain that is out of order: TLS servers need not sort it (RFC 5246 §7.4.2)."""
    for number, (certificate, issuer) in enumerate(pairwise(certificates), 2):
        if not _has_issued(issuer, certificate):
            raise ValueError(
                f"certificate {number} of {len(certificates)} is not the issuer of the one before it: put them in "
                "order, the client's first, or leave out those that do not belong there"
            )


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as exc:
        # A signature that cannot be checked here is for the provider to check; the names at least have to be the same.
        return isinstance(exc, UnsupportedAlgorithm) and certificate.issuer == issuer.subject
    return True


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True  # if some extension is malformed, whether that matters is for the provider to say
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
