"""Values of strong clients that are seldom seen: odd tokens, odd keys, odd certificates."""

import base64
import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from asgi_oidc.errors import RequestRejected, TokenRejected
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.certificate_pair import read_certificate_pair
from asgi_oidc.protocol.client_auth.foreign_assertion import check_foreign_assertion
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jarm import signed_response
from asgi_oidc.protocol.jose_decryption import read_decryption_key, signed_token_in
from asgi_oidc.protocol.jose_signing import read_signing_key
from asgi_oidc.protocol.profile_compatibility import missing_in_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.registered_certificate import certificate_jwk
from asgi_oidc.protocol.response_algorithms import ResponseAlgorithms
from asgi_oidc.protocol.security_profile import PROFILES
from asgi_oidc.testing import ClientKey, DecryptionKey
from tests.protocol.test_provider_compatibility import metadata_with

KEY = read_decryption_key(DecryptionKey("ECDH-ES").pem)


def encoded(header: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    """Return a self-signed certificate and its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36_500))
    signed = dated.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return signed.public_bytes(Encoding.PEM).decode() + private.decode()


def test_a_url_elsewhere_is_the_one_that_the_provider_knows():
    """Only the address of `internal_url` stands for the issuer's."""
    back_channel = BackChannel("http://keycloak:8080", frozenset({"keycloak"}))

    url = back_channel.public_url("https://tokens.example.com/token", issuer="https://id.example.com")

    assert url == "https://tokens.example.com/token"


def test_a_block_of_pem_that_does_not_end_is_refused():
    """It was cut off, and another was appended."""
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()))
    cut = pem[:200] + "\n" + pem

    with pytest.raises(ValueError, match=r"PEM|certificate|key"):
        read_certificate_pair(cut)


@pytest.mark.parametrize(
    ("key", "members"),
    [
        (rsa.generate_private_key(65537, 2048), {"kty": "RSA"}),
        (ec.generate_private_key(ec.SECP384R1()), {"kty": "EC", "crv": "P-384"}),
        (ed25519.Ed25519PrivateKey.generate(), {"kty": "OKP", "crv": "Ed25519"}),
    ],
    ids=["RSA", "EC", "Ed25519"],
)
def test_a_certificate_is_registered_as_a_key_of_its_kind(key, members):
    """A provider compares it with what the TLS handshake presents."""
    jwk = certificate_jwk(read_certificate_pair(pem_of(key)))

    assert members.items() <= jwk.items()


def test_an_assertion_that_does_not_say_when_it_expires_is_accepted():
    """The provider decides."""
    text = f"{encoded({'alg': 'RS256'})}.{encoded({'iss': 'https://cluster.example.com'})}.c2lnbmF0dXJl"

    check_foreign_assertion(text, now=1_800_000_000)

    assert text.count(".") == 2


def test_a_response_that_is_too_long_is_refused():
    """Before anything of it is decoded."""
    with pytest.raises(RequestRejected) as refused:
        signed_response([("response", "a" * 100_000)])

    assert refused.value.code == "parameter_too_long"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (f"{encoded({'alg': 'ECDH-ES'})}....{'a' * 70_000}", "token_malformed"),
        (f"{encoded({'alg': 'ECDH-ES', 'more': 'a' * 4000})}....", "token_malformed"),
        ("e30x....", "token_malformed"),
        (f"{encoded({'alg': 'ECDH-ES', 'enc': 'A128GCM', 'cty': 'text'})}....", "header_malformed"),
    ],
    ids=["long", "long header", "no JSON", "no JWT inside"],
)
def test_an_encrypted_token_with_an_odd_header_is_refused(token, code):
    """Sizes and names are checked before anything is decrypted."""
    with pytest.raises(TokenRejected) as refused:
        signed_token_in(token, [KEY], ResponseAlgorithms())

    assert refused.value.code == code


def test_a_key_none_of_whose_algorithms_is_accepted_stays_as_it_is():
    """Whoever chooses an algorithm then says which ones are missing."""
    key = read_signing_key(ClientKey("ES384").pem)

    assert key.limited_to(("PS256",)) is key


def test_a_profile_leaves_an_authentication_that_is_impossible_to_its_own_code():
    """One problem has one text."""
    client = Client("web", keys=(read_signing_key(ClientKey("ES256").pem),))
    metadata = metadata_with(token_endpoint_auth_methods_supported=["client_secret_basic"])

    missing = missing_in_metadata(metadata, PROFILES["fapi2"], client=client, response_mode=None, uses_dpop=True)

    assert not any("token_endpoint_auth_methods_supported" in text for text in missing)


def test_no_common_algorithm_of_client_assertions_is_found_before_a_login():
    """The provider would refuse every call."""
    client = Client("web", keys=(read_signing_key(ClientKey("ES256").pem),))
    metadata = metadata_with(
        token_endpoint_auth_methods_supported=["private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported=["PS512"],
    )

    found = find_incompatibilities(metadata, LoginPlan(client, None, None))

    assert any("token_endpoint_auth_signing_alg_values_supported" in each.text for each in found)
