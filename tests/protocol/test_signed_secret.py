"""A client secret may be a JWT, signed for each call; the key never leaves it."""

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from asgi_oidc.protocol.client_auth import METHODS, choose_method
from asgi_oidc.protocol.client_auth.signed_secret import LIFETIME, MAX_LIFETIME, SignedSecret
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose import read_key_set_answer, verify_token
from asgi_oidc.protocol.jose_signing import SigningKey, read_p256_key, sign_jwt
from asgi_oidc.protocol.messages import Answer, check_status
from asgi_oidc.protocol.private_keys import MAX_KEY_LENGTH
from asgi_oidc.testing.keys import base64url, public_parts

NOW = 1_800_000_000
CALL: dict[str, str] = {"audience": "https://appleid.apple.com", "jti": "one-attempt"}
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any = PRIVATE, form: PrivateFormat = PrivateFormat.PKCS8, encryption: Any = None) -> str:
    return str(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode())


def private_jwk(key: ec.EllipticCurvePrivateKey = PRIVATE, alg: str = "ES256") -> dict[str, Any]:
    size = (key.curve.key_size + 7) // 8
    return {**public_parts(key, alg), "d": base64url(key.private_numbers().private_value.to_bytes(size, "big"))}


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Verify a token with the public key, as the provider does; return header and claims."""
    jwks = {"keys": [{**public_parts(PRIVATE, "ES256"), "kid": "ABC123DEFG"}]}
    keys, _ = read_key_set_answer(Answer(200, {}, json.dumps(jwks).encode()))
    header = token.partition(".")[0]
    verified = verify_token(token, keys, ["ES256"])
    return json.loads(urlsafe_b64decode(header + "==")), verified.claims


def signer(**changes: Any) -> SignedSecret:
    members = {"issuer": "DEF123GHIJ", "subject": "com.example.web", "key_id": "ABC123DEFG"}
    return SignedSecret(**{**members, "key": read_p256_key(pem()), **changes})


# --- the secret


def test_a_secret_has_the_claims_that_apple_documents():
    """ "Creating a client secret": alg, kid, iss, iat, exp, aud, sub."""
    header, claims = claims_of(signer().sign(now=NOW))

    assert header == {"alg": "ES256", "kid": "ABC123DEFG"}
    assert claims == {
        "iss": "DEF123GHIJ",
        "sub": "com.example.web",
        "aud": "https://appleid.apple.com",
        "iat": NOW,
        "exp": NOW + LIFETIME,
    }


@pytest.mark.parametrize("lifetime", [1, LIFETIME, MAX_LIFETIME])
def test_a_secret_is_valid_for_as_long_as_it_should_be(lifetime):
    """At most six months."""
    assert claims_of(signer(lifetime=lifetime).sign(now=NOW))[1]["exp"] == NOW + lifetime


@pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME + 1])
def test_a_lifetime_that_apple_refuses_is_refused_here(lifetime):
    """At start-up, and not at the first login."""
    with pytest.raises(ValueError, match=str(MAX_LIFETIME)):
        signer(lifetime=lifetime)


def test_each_call_gets_a_secret_of_its_own():
    """A secret from an old log is worth nothing."""
    client = Client("com.example.web", secret_signer=signer())

    first, second = (client.for_call(now=now, **CALL).secret or "" for now in (NOW, NOW + 60))

    assert (claims_of(first)[1]["iat"], claims_of(second)[1]["iat"]) == (NOW, NOW + 60)
    assert client.secret is None


@pytest.mark.parametrize("secret", ["s3cret", None])
def test_a_fixed_secret_stays_as_it_is(secret):
    """As with every other provider."""
    client = Client("web", secret)

    assert client.for_call(now=NOW, **CALL).secret == secret


@pytest.mark.parametrize(
    ("set_by_hand", "supported", "chosen"),
    [
        (None, ["client_secret_post"], "client_secret_post"),
        (None, ["client_secret_basic"], "client_secret_post"),
        (None, [], "client_secret_post"),
        ("client_secret_basic", ["client_secret_post"], "client_secret_basic"),
    ],
)
def test_a_signed_secret_is_sent_in_the_form(set_by_hand, supported, chosen):
    """Apple documents no other way."""
    client = Client("web", None, set_by_hand, signer())

    assert choose_method(client, supported) == chosen
    assert choose_method(client.for_call(now=NOW, **CALL), supported) == chosen


def test_the_form_has_the_secret_and_its_call_hides_it():
    """As for fixed secrets: an answer that repeats it does not bring it into the log."""
    client = Client("com.example.web", secret_signer=signer()).for_call(now=NOW, **CALL)

    call = METHODS["client_secret_post"](client, "https://appleid.apple.com/auth/token", {"code": "c"})

    form = dict(parse_qsl((call.body or b"").decode()))
    secret = form["client_secret"]
    assert claims_of(secret)[1]["sub"] == form["client_id"] == "com.example.web"
    assert secret in call.secrets
    body = json.dumps({"error": "invalid_client", "error_description": f"bad {secret}"}).encode()
    with pytest.raises(Exception, match=r"bad \[\.\.\.\]"):
        check_status(Answer(400, {}, body, call.secrets), endpoint="token")


def test_reprs_show_neither_key_nor_secret():
    """They stand in tracebacks."""
    client = Client("com.example.web", secret_signer=signer()).for_call(now=NOW, **CALL)

    shown = repr(client) + repr(signer()) + repr(read_p256_key(pem()))

    assert "native" not in shown
    assert str(client.secret) not in shown


# --- the key


@pytest.mark.parametrize(
    "text",
    [
        pem(),
        pem(form=PrivateFormat.TraditionalOpenSSL),
        f"\n  {pem()}\n",
        pem().replace("\n", "\r\n"),
        pem().replace("\n", "\\n"),
        json.dumps(private_jwk()),
        json.dumps({**private_jwk(), "kid": 7, "use": None, "key_ops": "sign", "x5c": [7]}, indent=2),
    ],
    ids=["pkcs8", "sec1", "padded", "crlf", "escaped", "jwk", "odd jwk"],
)
def test_a_key_is_pem_or_jwk(text):
    """As Apple's download has it, and as secret stores keep it."""
    token = sign_jwt({"a": 1}, read_p256_key(text), kid="ABC123DEFG")

    assert claims_of(token)[1] == {"a": 1}


PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
OTHER = ec.generate_private_key(ec.SECP256R1())
BIG = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "neither PEM nor JSON"),
        ("AuthKey_ABC123DEFG.p8", "neither PEM nor JSON"),
        ("x" * (MAX_KEY_LENGTH + 1), "more than"),
        (PUBLIC, "a public key"),
        (json.dumps(public_parts(PRIVATE, "ES256")), "a public key"),
        (pem(BIG), "P-384"),
        (json.dumps(private_jwk(BIG, "ES384")), "P-384"),
        (pem(rsa.generate_private_key(65537, 2048)), "another kind"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "another kind"),
        (pem(encryption=BestAvailableEncryption(b"password")), "encrypted"),
        (pem(form=PrivateFormat.TraditionalOpenSSL, encryption=BestAvailableEncryption(b"password")), "encrypted"),
        (pem()[:120], "damaged"),
        (pem().replace("MIG", "NIG"), "damaged"),
        ("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----", "damaged"),
        ("{", "not one object"),
        ('{"kty":"EC","kty":"EC"}', "not one object"),
        ("{}", "damaged"),
        (json.dumps({**private_jwk(), "kty": "oct", "k": "c2VjcmV0"}), "symmetric"),
        (json.dumps({**private_jwk(), "d": None}), "damaged"),
        (json.dumps({**private_jwk(), "d": private_jwk(OTHER)["d"]}), "damaged"),
        (json.dumps({**private_jwk(), "crv": "P-256K"}), "damaged"),
    ],
    ids=lambda text: str(text)[:30].replace("\n", " "),
)
def test_any_other_key_is_refused_without_showing_it(text, found):
    """The error stands in the log of a start-up."""
    with pytest.raises(ValueError, match="private key on the curve P-256") as caught:
        read_p256_key(text)

    error = caught.value
    assert found in str(error)
    assert not any(len(word) > 20 and word in str(error) for word in text.split())
    assert (error.__cause__, error.__context__) == (None, None)


def test_a_signing_key_is_made_once():
    """To parse one takes longer than to sign with it."""
    key = read_p256_key(pem())

    assert isinstance(key, SigningKey)
    assert sign_jwt({}, key, kid="a") != sign_jwt({}, key, kid="a")
