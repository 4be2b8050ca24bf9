"""The certificate of a client is read from the server or from a proxy's header, in the usual forms only (RFC 8705)."""

import datetime
import functools
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asgi_oidc.errors import ProofRejected
from asgi_oidc.protocol.client_certificate import (
    MAX_CERTIFICATE_LENGTH,
    MAX_CHAIN,
    certificate_thumbprint,
    read_certificate_header,
    read_tls_extension,
)
from asgi_oidc.testing.keys import base64url

BEGINS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@functools.cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issued(name: str, issuer: str) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key_of(name).public_key())
        .serial_number(7)
        .not_valid_before(BEGINS)
        .not_valid_after(BEGINS + datetime.timedelta(days=1))  # over: whoever ends TLS checks this
    )
    return builder.sign(key_of(issuer), hashes.SHA256())


LEAF, MIDDLE, OTHER = issued("leaf", "middle"), issued("middle", "root"), issued("other", "other")
DER, OTHER_DER = (each.public_bytes(serialization.Encoding.DER) for each in (LEAF, OTHER))
PEM, OTHER_PEM = (each.public_bytes(serialization.Encoding.PEM).decode() for each in (LEAF, OTHER))
MIDDLE_PEM = MIDDLE.public_bytes(serialization.Encoding.PEM).decode()


def plain(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


VERSION = b"\xa0\x03\x02\x01"  # as DER, before the number of the version
FUTURE = b64encode(DER.replace(VERSION + b"\x02", VERSION + b"\x07", 1)).decode()


def code_of(value: str) -> str:
    with pytest.raises(ProofRejected) as caught:
        read_certificate_header(value)
    return caught.value.code


def test_the_thumbprint_is_the_hash_of_the_der():
    """RFC 8705 §3.1."""
    assert (
        certificate_thumbprint(DER) == base64url(sha256(DER).digest()) == base64url(LEAF.fingerprint(hashes.SHA256()))
    )


@pytest.mark.parametrize(
    "value",
    [
        quote(PEM, safe=""),  # nginx's $ssl_client_escaped_cert
        quote(PEM, safe="+=/"),  # AWS's X-Amzn-Mtls-Clientcert-Leaf
        quote(PEM + MIDDLE_PEM, safe="+=/"),  # AWS's X-Amzn-Mtls-Clientcert
        PEM.replace("\n", " "),  # Apache's SSL_CLIENT_CERT
        PEM.replace("\n", "\n\t"),  # nginx's old $ssl_client_cert
        f":{plain(LEAF)}:",  # RFC 9440
        plain(LEAF),  # HAProxy's ssl_c_der,base64; Traefik
        f"{plain(LEAF)},{plain(MIDDLE)}",  # Traefik, with the chain that the client sent
        quote_plus(plain(LEAF)),  # Traefik before 2.8
        f'Hash=00;Cert="{quote(PEM, safe="")}"',  # Envoy
        f'By=spiffe://a/b;Hash=00;Cert="{quote(PEM, safe="")}";Subject="CN=leaf";URI=spiffe://a/c;DNS=a;DNS=b',
        f'By=;cert="{quote(PEM, safe="")}";Subject="CN=\\"leaf\\";Cert=\\"x"',
        f"Cert={quote(PEM, safe='')};",
        f"  {plain(LEAF)}\t",
        plain(LEAF).ljust(MAX_CERTIFICATE_LENGTH),
    ],
    ids=lambda value: value[:40],
)
def test_the_usual_forms_are_read(value):
    """Each proxy has its own."""
    assert read_certificate_header(value) == DER


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        ":",
        "::",
        "-----BEGIN CERTIFICATE-----",
        "(null)",  # Apache without a certificate
        "leaf",
        "AAAA",  # no certificate
        plain(LEAF)[:-1],
        plain(LEAF) + "\u00e4",
        f":{plain(LEAF)}",
        f":{plain(LEAF)}:;a=1",
        f":{plain(LEAF)}:, :{plain(LEAF)}:",
        quote(PEM.replace("CERTIFICATE", "PRIVATE KEY"), safe=""),
        quote(PEM, safe="") + "x",
        quote(PEM[:200], safe=""),
        f"{plain(OTHER)},{plain(LEAF)}",  # a client's header, to which a proxy has appended the certificate
        f"{plain(OTHER)}, {plain(LEAF)}",
        f"{plain(LEAF)},{plain(OTHER)}",
        f"{plain(LEAF)},{plain(MIDDLE)},{plain(OTHER)}",
        f"{plain(LEAF)},",
        quote(OTHER_PEM + PEM, safe=""),
        f"{FUTURE},{plain(MIDDLE)}",  # of a version that nobody knows
        ",".join([plain(OTHER)] * (MAX_CHAIN + 1)),  # each its own issuer
        quote(OTHER_PEM * (MAX_CHAIN + 1), safe=""),
        'Hash=00;Subject="CN=leaf"',  # Envoy that does not pass the certificate on
        f'Cert="{quote(PEM, safe="")}",Hash=00',  # two proxies
        f'Hash=00,Cert="{quote(PEM, safe="")}"',
        f'Cert="{quote(PEM, safe="")}";Cert="{quote(OTHER_PEM, safe="")}"',
        f'Chain="{quote(PEM, safe="")}"',
        'Cert="":',
        f'Cert=":{plain(LEAF)}:"',
        f'Subject="CN=leaf"; Cert="{quote(PEM, safe="")}"',
        f'Subject="CN=leaf"x;Cert="{quote(PEM, safe="")}"',
        plain(LEAF).ljust(MAX_CERTIFICATE_LENGTH + 1),
    ],
    ids=lambda value: value[:40],
)
def test_everything_else_is_refused(value):
    """A header that two readers could understand differently is not read at all."""
    assert code_of(value) == "client_certificate_malformed"


def test_a_chain_of_the_largest_size_is_read():
    """One more is refused."""
    assert read_certificate_header(",".join([plain(OTHER)] * MAX_CHAIN)) == OTHER_DER


def test_a_name_in_the_subject_cannot_be_a_certificate():
    """Quotes in a quoted value are escaped."""
    forged = f'Subject="CN=\\";Cert=\\"{quote(OTHER_PEM, safe="")}\\"";Cert="{quote(PEM, safe="")}"'

    assert read_certificate_header(forged) == DER


def scope_with(**tls: Any) -> dict[str, Any]:
    return {"type": "http", "extensions": {"tls": tls}}


@pytest.mark.parametrize("chain", [[PEM], (PEM, MIDDLE_PEM), iter([PEM])], ids=["list", "tuple", "iterator"])
def test_the_first_certificate_of_the_extension_is_that_of_the_client(chain):
    """ASGI TLS Extension: an iterable of PEM, the client's first."""
    assert read_tls_extension(scope_with(client_cert_chain=chain, client_cert_error=None)) == DER


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"extensions": None},
        {"extensions": {}},
        {"extensions": {"tls": None}},
        scope_with(),
        scope_with(client_cert_chain=[]),
        scope_with(client_cert_chain=None),
    ],
    ids=str,
)
def test_a_connection_without_a_certificate_has_none(scope):
    """No server has to have the extension."""
    assert read_tls_extension(scope) is None


@pytest.mark.parametrize(
    ("tls", "code"),
    [
        ({"client_cert_chain": [PEM], "client_cert_error": "expired"}, "client_certificate_unverified"),
        ({"client_cert_chain": [DER]}, "client_certificate_malformed"),
        ({"client_cert_chain": ["leaf"]}, "client_certificate_malformed"),
        ({"client_cert_chain": [PEM + MIDDLE_PEM]}, "client_certificate_malformed"),
        ({"client_cert_chain": [PEM + " " * MAX_CERTIFICATE_LENGTH]}, "client_certificate_malformed"),
    ],
    ids=["unverified", "DER", "text", "two", "long"],
)
def test_a_certificate_that_the_server_does_not_vouch_for_is_refused(tls, code):
    """Only what the TLS connection has proven counts."""
    with pytest.raises(ProofRejected) as caught:
        read_tls_extension(scope_with(**tls))

    assert caught.value.code == code
