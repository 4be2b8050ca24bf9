"""The setting `client_key`: private keys in any common form; anything else is refused without being shown."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from asgi_oidc import OIDCMiddleware
from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.key_readers import MAX_KEYS
from tests.certificate_texts import ED_KEY, RSA_KEY, SMALL_RSA_KEY, X25519_KEY, key_pem, new_key, public_pem
from tests.protected_site import App
from tests.settings.required_settings import REQUIRED, read

EC_KEY = new_key()
PEM, SECOND_PEM = key_pem(EC_KEY), key_pem(new_key())
EC_JWK, ED_JWK = ECKey.import_key(EC_KEY).as_dict(private=True), OKPKey.import_key(ED_KEY).as_dict(private=True)
RSA_JWK = RSAKey.import_key(RSA_KEY).as_dict(private=True)
THUMBPRINT = ECKey.import_key(EC_KEY).thumbprint()
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n"


def keys(value: Any) -> list[tuple[str, str]]:
    """Give the algorithm and the name of each key."""
    read_keys = read(client_key=value, client_secret=None).client_key or ()
    return [(key.alg, key.kid) for key in read_keys]


@pytest.mark.parametrize(
    ("value", "alg"),
    [
        (PEM, "ES256"),
        (PEM.replace("\n", "\\n"), "ES256"),
        (f"\n {PEM}", "ES256"),
        (PARAMETERS + key_pem(EC_KEY, PrivateFormat.TraditionalOpenSSL), "ES256"),
        (key_pem(new_key(ec.SECP384R1())), "ES384"),
        (key_pem(new_key(ec.SECP521R1())), "ES512"),
        (key_pem(RSA_KEY), "PS256"),
        (key_pem(RSA_KEY, PrivateFormat.TraditionalOpenSSL), "PS256"),
        (key_pem(ED_KEY), "EdDSA"),
        (EC_JWK, "ES256"),
        (json.dumps(EC_JWK), "ES256"),
        (RSA_JWK, "PS256"),
        ({name: RSA_JWK[name] for name in ("kty", "n", "e", "d")}, "PS256"),
        (RSA_JWK | {"alg": "RS256"}, "RS256"),
        (ED_JWK, "EdDSA"),
        (ED_JWK | {"alg": "Ed25519", "use": "sig", "key_ops": ["sign"], "x5c": [7]}, "Ed25519"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_a_key_is_pem_or_jwk(value, alg):
    """As text or as a mapping, and of any kind that FAPI 2.0 and OpenID providers know."""
    assert [found for found, _ in keys(value)] == [alg]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (PEM, [THUMBPRINT]),
        (EC_JWK | {"kid": "mine"}, ["mine"]),
        ([EC_JWK | {"kid": "new"}, RSA_JWK | {"kid": "old"}], ["new", "old"]),
        ({"keys": [EC_JWK | {"kid": "a"}]}, ["a"]),
        (json.dumps({"keys": [EC_JWK | {"kid": "a"}, RSA_JWK | {"kid": "b"}]}), ["a", "b"]),
        (json.dumps([PEM]), [THUMBPRINT]),
    ],
    ids=range(6),
)
def test_the_name_is_that_of_the_jwk_or_the_thumbprint(value, names):
    """The header of each signature has it, and so does `/auth/jwks`; the first key signs."""
    assert [name for _, name in keys(value)] == names


REFUSED: list[tuple[Any, str]] = [
    ("", "must be a private key as PEM or as JWK"),
    (7, "got 7"),
    (b"bytes", "got bytes"),
    ([], "must be 1 to"),
    ([PEM] * (MAX_KEYS + 1), "must be 1 to"),
    ("/run/secrets/key.pem", "neither PEM nor JSON; to give the path of a file, set the variable that ends in _FILE"),
    ("{", "begins like JSON"),
    ("x" * 20_000, "more than"),
    (public_pem(EC_KEY), "got a public key; give the private key that belongs to it"),
    ({name: value for name, value in EC_JWK.items() if name != "d"}, "got a public key; give the private key"),
    (CERTIFICATE, "got a certificate; give the private key"),
    (CERTIFICATE + PEM, "a certificate beside the key"),
    (PEM + SECOND_PEM, "2 keys in one text; write them as a list"),
    (PEM + public_pem(EC_KEY), "a public key beside the key"),
    (key_pem(EC_KEY, passphrase=b"password"), "an encrypted key; decrypt it first: openssl"),
    (key_pem(RSA_KEY, PrivateFormat.TraditionalOpenSSL, b"password"), "an encrypted key; decrypt it first: openssl"),
    (OPENSSH, "OpenSSH's own format"),
    (PEM[:100], "a damaged key"),
    (PEM.replace("MIG", "NIG"), "a damaged key"),
    (EC_JWK | {"x": "AAAA"}, "a damaged key"),
    (ED_JWK | {"x": OKPKey.generate_key("Ed25519").as_dict()["x"]}, "x does not belong to d"),
    (RSA_JWK | {"d": 7}, "a member that is not text"),
    (key_pem(SMALL_RSA_KEY), "an RSA key of 1024 bits; make one of 2048 to 8192 bits"),
    (RSAKey.import_key(RSA_KEY).as_dict(private=True) | {"n": "_" * 1400}, "an RSA key of 8400 bits"),
    (key_pem(new_key(ec.SECP256K1())), "a key on the curve secp256k1"),
    (key_pem(dsa.generate_private_key(1024)), "one of another kind"),
    (key_pem(ed448.Ed448PrivateKey.generate()), "a key on the curve Ed448"),
    (key_pem(X25519_KEY), "a key on the curve X25519"),
    (OctKey.generate_key(256).as_dict(private=True), "a shared (symmetric) key"),
    (EC_JWK | {"kid": 7}, "whose kid is not text"),
    (EC_JWK | {"kid": "a\nb"}, "whose kid is not text"),
    (EC_JWK | {"use": "enc"}, "whose use is not 'sig'"),
    (EC_JWK | {"key_ops": ["verify"]}, "whose key_ops has none of sign"),
    (EC_JWK | {"alg": "RS256"}, "whose alg is none of ES256"),
    (RSA_JWK | {"alg": "none"}, "whose alg is none of PS256"),
    ([PEM, key_pem(SMALL_RSA_KEY)], "number 2 of the list: expected"),
    ([PEM, PEM], "numbers 1 and 2 of the list are the same key"),
    ([EC_JWK | {"kid": "a"}, RSA_JWK | {"kid": "a"}], "numbers 1 and 2 of the list have the same kid"),
]


@pytest.mark.parametrize(("value", "text"), REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused_without_showing_it(value, text):
    """The error stands in the log of a start-up, and error reporters keep the variables of its frames."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(App(), **{**REQUIRED, "client_key": value, "client_secret": None})

    (problem,) = caught.value.problems
    assert problem.startswith("client_key: ")
    assert text in problem
    assert not any(secret in _shown(caught.value) for secret in _secrets_in(value))


def _secrets_in(value: Any) -> list[str]:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return [piece for piece in text.replace("\\n", "\n").replace('"', "\n").split("\n") if len(piece) > 40]


def _shown(error: BaseException) -> str:
    """Give all that an error reporter would keep of this error in our frames."""
    shown, traceback = str(error), error.__traceback__
    while traceback is not None:
        if "asgi_oidc" in traceback.tb_frame.f_code.co_filename:
            shown += repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
    assert (error.__cause__, error.__context__) == (None, None)
    return shown


def test_a_big_key_is_read():
    """8192 bits is the limit."""
    assert keys(key_pem(rsa.generate_private_key(65537, 3072)))[0][0] == "PS256"


def test_no_setting_shows_a_key():
    """Settings stand in tracebacks."""
    settings = read(client_key=EC_JWK, client_secret=None)

    shown = repr(settings) + repr(settings.client_key) + repr(settings.fixed_providers)

    assert str(EC_JWK["d"]) not in shown
    assert "native" not in shown
