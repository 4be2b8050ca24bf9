"""A client certificate is refused when the app starts, not in the first handshake."""

from base64 import b64decode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from asgi_oidc.protocol.certificate_pair import find_certificate_problems, read_certificate_pair
from tests.certificate_texts import (
    ED_KEY,
    FOR_CLIENTS,
    FOR_SERVERS,
    INTERMEDIATE,
    LEAF,
    NOW,
    OTHER,
    ROOT,
    RSA_KEY,
    SELF_SIGNED,
    SMALL_RSA_KEY,
    X25519_KEY,
    key_pem,
    make,
    new_key,
    public_pem,
)

CHAIN = LEAF.pem + INTERMEDIATE.pem + ROOT.pem
SEC1 = key_pem(SELF_SIGNED.key, PrivateFormat.TraditionalOpenSSL)
CURVE = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
BAGS = "Bag Attributes\n    friendlyName: web\nsubject=CN = web\n"
DAY = 86_400


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (SELF_SIGNED.both, None),
        (SELF_SIGNED.key_pem + SELF_SIGNED.pem, None),
        (SELF_SIGNED.pem, SELF_SIGNED.key_pem),
        (CHAIN + LEAF.key_pem, None),
        (LEAF.pem + INTERMEDIATE.pem, LEAF.key_pem),
        (SELF_SIGNED.pem + SEC1, None),
        (SELF_SIGNED.pem + CURVE + SEC1, None),
        (BAGS + SELF_SIGNED.pem + BAGS + SELF_SIGNED.key_pem, None),
        (SELF_SIGNED.both.replace("\n", "\r\n"), None),
        (SELF_SIGNED.both.strip().replace("\n", "\\n"), None),
        (make(key=RSA_KEY).both, None),
        (make(key=RSA_KEY).pem + key_pem(RSA_KEY, PrivateFormat.TraditionalOpenSSL), None),
        (make(key=ED_KEY).both, None),
        (make(key=new_key(ec.SECP384R1())).both, None),
    ],
)
def test_a_certificate_with_its_key_is_read(certificate, key):
    """In each form in which tools write them: one file or two, PKCS #8 or not, with notes in between."""
    pair = read_certificate_pair(certificate, key)

    assert pair.chain.startswith("-----BEGIN CERTIFICATE-----\n")
    assert pair.key.count("-----BEGIN ") == 1


def test_the_thumbprint_is_that_of_the_first_certificate():
    """A token is bound to it (RFC 8705 §3.1)."""
    pair = read_certificate_pair(CHAIN + LEAF.key_pem)

    der = LEAF.certificate.public_bytes(Encoding.DER)
    assert b64decode(pair.thumbprint + "=", altchars="-_") == sha256(der).digest()


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        (OTHER.pem + SELF_SIGNED.key_pem, None, "does not belong to the certificate"),
        (OTHER.pem, SELF_SIGNED.key_pem, "does not belong to the certificate"),
        (SELF_SIGNED.key_pem, None, "has no certificate"),
        (SELF_SIGNED.pem, None, "has no private key"),
        (SELF_SIGNED.both + OTHER.key_pem, None, "has 2 private keys"),
        (SELF_SIGNED.both, SELF_SIGNED.key_pem, "has 2 private keys"),
        (SELF_SIGNED.pem, SELF_SIGNED.both, "the key contains a certificate"),
        (SELF_SIGNED.pem + key_pem(SELF_SIGNED.key, passphrase=b"s3cret"), None, "has a passphrase"),
        (SELF_SIGNED.pem + key_pem(SELF_SIGNED.key, PrivateFormat.TraditionalOpenSSL, b"s"), None, "has a passphrase"),
        (INTERMEDIATE.pem + LEAF.pem + LEAF.key_pem, None, "has to come first"),
        (LEAF.pem + ROOT.pem + INTERMEDIATE.pem + LEAF.key_pem, None, "certificate 2 of 3 is not the issuer"),
        (LEAF.pem + OTHER.pem + LEAF.key_pem, None, "certificate 2 of 2 is not the issuer"),
        (make(key=SMALL_RSA_KEY).both, None, "at least 2048 bits, got 1024"),
        (make(key=new_key(ec.SECP256K1())).both, None, "got secp256k1"),
        (SELF_SIGNED.pem + key_pem(X25519_KEY), None, "of a type that TLS cannot use"),
        (SELF_SIGNED.pem + public_pem(SELF_SIGNED.key), None, "got PUBLIC KEY"),
        (SELF_SIGNED.both[:-60], None, "a PRIVATE KEY has no end"),
        (SELF_SIGNED.pem[:100] + SELF_SIGNED.key_pem, None, "a CERTIFICATE has no end"),
        (SELF_SIGNED.pem.replace("MII", "AAA") + SELF_SIGNED.key_pem, None, "certificate 1 of 1 is malformed"),
        (SELF_SIGNED.pem + SELF_SIGNED.key_pem.replace("MIG", "AAA"), None, "the private key is malformed"),
        ("/tls/tls.crt", None, "must be PEM"),
        (SELF_SIGNED.pem, "/tls/tls.key", "must be PEM"),
        (ROOT.pem * 11 + ROOT.key_pem, None, "at most 10 certificates, got 11"),
        (SELF_SIGNED.both + " " * 65_536, None, "at most 65536 characters"),
    ],
)
def test_anything_else_says_what_is_wrong_and_shows_no_key(certificate, key, problem):
    """Each would fail in the handshake, with a word of OpenSSL that says little."""
    with pytest.raises(ValueError, match=problem) as caught:
        read_certificate_pair(certificate, key)

    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert all(line not in shown for line in SELF_SIGNED.key_pem.splitlines()[1:-1])


def test_the_repr_shows_no_key():
    """Error reporters print the values of variables."""
    pair = read_certificate_pair(SELF_SIGNED.both)

    assert (pair.thumbprint in repr(pair), "BEGIN" in repr(pair)) == (True, False)


@pytest.mark.parametrize(
    ("days", "usages", "after", "problem"),
    [
        ((-1, 365), (), 0, None),
        ((-1, 365), FOR_CLIENTS, 0, None),
        ((-1, 1), (), 0, None),  # a certificate of a mesh lives for hours
        ((-30, 5), (), 0, "expires within 7 days"),
        ((-1, 365), (), 365 * DAY, "has expired"),
        ((1, 365), (), 0, "not valid yet"),
        ((-1, 365), FOR_SERVERS, 0, "lacks clientAuth"),
    ],
)
def test_what_providers_may_refuse_is_a_warning(days, usages, after, problem):
    """The app starts: clocks differ, and a renewal may be under way."""
    pair = read_certificate_pair(make(days=days, usages=usages).both)

    problems = find_certificate_problems(pair, now=int(NOW.timestamp()) + after)

    assert [problem in each for each in problems] == ([] if problem is None else [True])
