"""The settings that pin algorithms: each contradiction has one clear line, and nothing weaker is accepted after."""

from typing import Any

import pytest

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_decryption import MAX_KEYS, published_key
from asgi_oidc.protocol.metadata import make_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.response_algorithms import KINDS, SETTINGS_OF_KIND, PinnedAlgorithms, ResponseAlgorithms
from asgi_oidc.settings.response_algorithm_checks import RESPONSE_ALGORITHM_READERS
from asgi_oidc.testing import ClientKey, DecryptionKey
from tests.settings.required_settings import problems, read

RSA, EC = DecryptionKey(), DecryptionKey("ECDH-ES")
TOO_MANY = [DecryptionKey("ECDH-ES").pem for _ in range(MAX_KEYS + 1)]
LONG_SECRET = "a-client-secret-of-exactly-32-b."
ISSUER = "https://id.example.com"
ENDPOINTS = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}

CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg: must be one of RS256"),
    ({"id_token_signed_response_alg": "ES256K"}, "id_token_signed_response_alg: must be one of RS256"),
    ({"userinfo_signed_response_alg": "HS256"}, "userinfo_signed_response_alg: HS256 needs allow_hs256"),
    (
        {"id_token_signed_response_alg": "PS256", "algorithms": ["ES256"]},
        "id_token_signed_response_alg: PS256 is not in algorithms",
    ),
    (
        {"id_token_signed_response_alg": "PS256", "allow_hs256": True, "client_secret": LONG_SECRET},
        "id_token_signed_response_alg: with allow_hs256, only HS256 is accepted",
    ),
    ({"id_token_encrypted_response_alg": "RSA1_5"}, "id_token_encrypted_response_alg: must be one of RSA-OAEP-256"),
    ({"id_token_encrypted_response_alg": "dir"}, "id_token_encrypted_response_alg: must be one of RSA-OAEP-256"),
    ({"id_token_encrypted_response_alg": "ECDH-ES"}, "id_token_encrypted_response_alg: needs decryption_key"),
    (
        {"id_token_encrypted_response_alg": "ECDH-ES", "decryption_key": RSA.pem},
        "decryption_key: has no key for id_token_encrypted_response_alg='ECDH-ES'",
    ),
    (
        {"userinfo_encrypted_response_alg": "RSA-OAEP-256", "decryption_key": EC.private_jwk},
        "decryption_key: has no key for userinfo_encrypted_response_alg='RSA-OAEP-256'",
    ),
    ({"id_token_encrypted_response_enc": "A192GCM"}, "id_token_encrypted_response_enc: must be one of A128CBC-HS256"),
    ({"id_token_encrypted_response_enc": "A256GCM"}, "id_token_encrypted_response_enc: needs id_token_encrypted"),
    ({"authorization_signed_response_alg": "PS256"}, "authorization_signed_response_alg: needs response_mode='jwt'"),
    (
        {"decryption_key": ClientKey(alg="EdDSA").pem},
        "decryption_key: expected a private key as PEM or as JWK (RSA, EC",
    ),
    ({"decryption_key": RSA.public_jwk}, "got a public key"),
    ({"decryption_key": {**RSA.private_jwk, "use": "sig"}}, "got a key whose use is not 'enc'"),
    ({"decryption_key": {**RSA.private_jwk, "alg": "RSA1_5"}}, "got a key whose alg is none of RSA-OAEP-256, RSA-OAEP"),
    (
        {"decryption_key": [DecryptionKey("ECDH-ES").pem for _ in range(MAX_KEYS + 1)]},
        f"decryption_key: must have at most {MAX_KEYS} keys, got 5",
    ),
]


@pytest.mark.parametrize(("changes", "text"), CONTRADICTIONS, ids=lambda value: str(value)[:60])
def test_each_contradiction_has_one_clear_line(changes, text):
    """It names the setting and the fix, and no key."""
    (problem,) = problems(**changes)

    assert text in problem
    assert "BEGIN" not in problem


def test_every_kind_has_the_same_settings():
    """Named as in the metadata of the client."""
    assert set(RESPONSE_ALGORITHM_READERS) == {f"{kind}_{name}" for kind in KINDS for name in SETTINGS_OF_KIND}


def test_what_is_pinned_reaches_the_provider():
    """Each under its own kind."""
    settings = read(
        id_token_signed_response_alg="ES512",
        userinfo_encrypted_response_alg="ECDH-ES",
        userinfo_encrypted_response_enc="A128GCM",
        decryption_key=[EC.pem, RSA.private_jwk],
    ).fixed_providers[""]

    assert settings.pinned.id_token == ResponseAlgorithms(signed="ES512")
    assert settings.pinned.userinfo == ResponseAlgorithms(encrypted="ECDH-ES", enc="A128GCM")
    assert settings.pinned.introspection == ResponseAlgorithms()
    assert [key.kid for key in settings.decryption_keys] == [EC.kid, RSA.kid]
    assert "native" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "pinned", "alg"),
    [
        (RSA.pem, {}, "RSA-OAEP-256"),
        (RSA.pem, {"id_token_encrypted_response_alg": "RSA-OAEP"}, "RSA-OAEP"),
        (EC.pem, {}, None),
        (EC.private_jwk, {}, "ECDH-ES"),
        (EC.pem, {"userinfo_encrypted_response_alg": "ECDH-ES+A256KW"}, "ECDH-ES+A256KW"),
        (
            EC.pem,
            {
                "userinfo_encrypted_response_alg": "ECDH-ES+A256KW",
                "id_token_encrypted_response_alg": "ECDH-ES",
            },
            None,
        ),
    ],
)
def test_a_published_key_has_an_algorithm_if_there_is_only_one(key, pinned, alg):
    """Providers look for a key of the algorithm that the client has registered."""
    settings = read(decryption_key=key, **pinned).fixed_providers[""]

    published = published_key(settings.decryption_keys[0], settings.pinned)

    assert (published["use"], published.get("alg"), "d" in published) == ("enc", alg, False)


@pytest.mark.parametrize(
    ("pinned", "members", "text"),
    [
        (
            PinnedAlgorithms(id_token=ResponseAlgorithms(signed="ES256")),
            {"id_token_signing_alg_values_supported": ["RS256"]},
            "id_token_signed_response_alg is ES256",
        ),
        (
            PinnedAlgorithms(id_token=ResponseAlgorithms(encrypted="ECDH-ES", enc="A256GCM")),
            {"id_token_encryption_enc_values_supported": ["A128CBC-HS256"]},
            "id_token_encrypted_response_enc is A256GCM",
        ),
        (
            PinnedAlgorithms(userinfo=ResponseAlgorithms(encrypted="RSA-OAEP-256")),
            {"userinfo_encryption_alg_values_supported": ["RSA1_5", "RSA-OAEP"]},
            "userinfo_encrypted_response_alg is RSA-OAEP-256",
        ),
    ],
)
def test_metadata_that_rules_out_what_is_pinned_is_reported(pinned, members, text):
    """Before anybody signs in."""
    (found,) = find_incompatibilities(
        make_metadata(ISSUER, {**ENDPOINTS, **members}), LoginPlan(Client("web"), pinned=pinned)
    )

    assert (found.code, text in found.text) == ("algorithms_unsupported", True)
