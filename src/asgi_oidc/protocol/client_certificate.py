"""Reads the client's TLS certificate, from the server or from a proxy's header, for bound tokens (RFC 8705 §3).

Only the hash of a certificate counts: a token is bound to exactly those bytes. Who issued a certificate, and whether it
has expired, is for the server or proxy that ends TLS to check.
"""

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from asgi_oidc.errors import ProofRejected

MAX_CERTIFICATE_LENGTH = 16_384  # characters of a header or a PEM, a chain included
MAX_CHAIN = 10  # certificates in a header

_MALFORMED = "client_certificate_malformed"
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
# Envoy: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
_XFCC_START = re.compile(r"(?i:by|hash|cert|chain|subject|uri|dns)=")
_XFCC_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)(;|\Z)')


def certificate_thumbprint(certificate: bytes) -> str:
    """Return the `x5t#S256` of a certificate in DER: its SHA-256, base64url-encoded (RFC 8705 §3.1)."""
    return urlsafe_b64encode(sha256(certificate).digest()).rstrip(b"=").decode("ascii")


def read_tls_extension(scope: Mapping[str, Any]) -> bytes | None:
    """Return the certificate of the connection's client in DER; None if the server has none, or does not tell.

    Raises:
        ProofRejected: the certificate cannot be read, or the server says that it failed its verification.

    Source: ASGI TLS Extension 0.2 (client_cert_chain, client_cert_error).
    """
    tls = (scope.get("extensions") or {}).get("tls") or {}
    first = next(iter(tls.get("client_cert_chain") or ()), None)
    if first is None:
        return None
    if tls.get("client_cert_error"):
        raise ProofRejected("client_certificate_unverified", "the server did not accept the certificate of the client")
    if not isinstance(first, str) or len(first) > MAX_CERTIFICATE_LENGTH or (pem := _PEM.fullmatch(first)) is None:
        raise ProofRejected(_MALFORMED, "the server's client_cert_chain does not begin with a certificate as PEM")
    return _decode(pem[1])


def read_certificate_header(value: str) -> bytes:
    """Return the client's certificate in DER, from a proxy's header in any of the usual forms.

    These are URL-encoded PEM (nginx, AWS), base64 between colons (RFC 9440), plain base64 (HAProxy, Traefik), and
    `Cert="..."` (Envoy). If it is a chain, the client's certificate is the first, and each of the others has to be the
    issuer of the one before: otherwise a client could put another certificate in front of what the proxy appends.

    Raises:
        ProofRejected: it is in none of these forms.
    """
    if len(value) > MAX_CERTIFICATE_LENGTH:
        raise ProofRejected(_MALFORMED, f"expected a header of at most {MAX_CERTIFICATE_LENGTH} characters")
    value = value.strip(" \t")
    if _XFCC_START.match(value):
        value = _certificate_of_xfcc(value)
    if value.startswith(":"):
        return _decode(value[1:-1]) if value.endswith(":") else _decode("")
    value = unquote(value)
    encoded = _bodies_of_pem(value) if value.startswith("-----BEGIN") else value.split(",", MAX_CHAIN)
    if len(encoded) > MAX_CHAIN:
        raise ProofRejected(_MALFORMED, f"expected at most {MAX_CHAIN} certificates")
    return _first_of_chain([_decode(each) for each in encoded])


def _certificate_of_xfcc(value: str) -> str:
    """Return `Cert` of the only element; several ones would be of several proxies, or of the client itself."""
    certificates, position = [], 0
    while position < len(value):
        pair = _XFCC_PAIR.match(value, position)
        if pair is None:
            raise ProofRejected(_MALFORMED, "expected one element of key=value pairs in x-forwarded-client-cert")
        if pair[1].lower() == "cert":
            certificates.append(pair[2].strip('"'))
        position = pair.end()
    if len(certificates) != 1 or not certificates[0].startswith("-----BEGIN"):
        raise ProofRejected(_MALFORMED, "expected one Cert in x-forwarded-client-cert: the proxy has to send it")
    return certificates[0]


def _bodies_of_pem(text: str) -> list[str]:
    position = 0
    bodies: list[str] = []
    while position < len(text):
        pem = _PEM.match(text, position)
        if pem is None:
            raise ProofRejected(_MALFORMED, "expected certificates as PEM")
        bodies.append(pem[1])
        position = pem.end()
    return bodies


def _first_of_chain(chain: Sequence[bytes]) -> bytes:
    try:
        certificates = [x509.load_der_x509_certificate(each) for each in chain] if len(chain) > 1 else []
        for certificate, issuer in pairwise(certificates):
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion) as exc:
        raise ProofRejected(_MALFORMED, "several certificates are no chain: expected only that of the client") from exc
    return chain[0]


def _decode(encoded: str) -> bytes:
    try:
        certificate = b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ProofRejected(_MALFORMED, "the certificate is not base64") from exc
    if not certificate.startswith(b"\x30"):  # an ASN.1 sequence
        raise ProofRejected(_MALFORMED, "expected a certificate")
    return certificate
