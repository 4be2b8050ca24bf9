"""Each named fault of an encrypted JWT, and of a signed userinfo answer, does what its sentence says."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from asgi_oidc.testing import Client, DecryptionKey, FakeProvider
from asgi_oidc.testing.faults import ENCRYPTION, USERINFO_JWT_CLAIMS, USERINFO_JWT_SIGNING
from tests.testing.relying_party import NOW
from tests.testing.test_encryption import signed_inside
from tests.testing.test_jarm import metadata_of
from tests.testing.token_reading import decoded, verified

KEYS = {alg: DecryptionKey(alg) for alg in ("RSA-OAEP-256", "ECDH-ES")}
USERINFO = Client(userinfo_signed_response_alg="RS256")


def provider_of(key: DecryptionKey) -> FakeProvider:
    enc = "A256GCM"
    client = Client(jwks=[key.public_jwk], id_token_encrypted_response_alg=key.alg, id_token_encrypted_response_enc=enc)
    return FakeProvider(clients=[client], clock=lambda: NOW)


def token_with(fault: str, key: DecryptionKey) -> str:
    provider = provider_of(key)
    with provider.fault(fault):
        return provider.id_token()


def header_of(token: str) -> dict[str, Any]:
    header = json.loads(decoded(token.partition(".")[0]))
    assert isinstance(header, dict)
    return header


NOT_TO_BE_OPENED = [
    "jwe_foreign_key",
    "jwe_dir",
    "jwe_pbes2",
    "jwe_unknown_enc",
    "jwe_unknown_alg",
    "jwe_crit",
    "jwe_wrong_tag",
    "jwe_short_tag",
    "jwe_off_the_curve",
]


@pytest.mark.parametrize("alg", KEYS)
@pytest.mark.parametrize("fault", NOT_TO_BE_OPENED)
def test_some_cannot_be_decrypted(fault, alg):
    """Joserfc, given the client's key and the algorithms that it registered, refuses each of them."""
    token = token_with(fault, KEYS[alg])

    key = KeySet.import_key_set({"keys": [KEYS[alg].private_jwk]})
    registry = jwe.JWERegistry(algorithms=[alg, "A256GCM"], strict_check_header=False)
    assert token.count(".") == 4
    with pytest.raises((JoseError, ValueError)):
        jwe.decrypt_compact(token, key, registry=registry)


# What is odd about the header, for a token that a careless client opens.
HEADERS: dict[str, dict[str, Any]] = {
    "jwe_unknown_kid": {"kid": "key-of-another-client"},
    "jwe_no_kid": {"kid": ...},
    "jwe_no_cty": {"cty": ...},
    "jwe_another_enc": {"enc": "A128GCM"},
    "jwe_zip": {"zip": "DEF"},
    "jwe_rsa1_5": {"alg": "RSA1_5"},
    "jwe_rsa_oaep": {"alg": "RSA-OAEP"},
}


@pytest.mark.parametrize("fault", HEADERS)
def test_faults_of_the_header_leave_the_content_good(fault):
    """Only the header is wrong, so that a client which ignores it is fooled."""
    key = KEYS["RSA-OAEP-256"]
    provider = provider_of(key)
    with provider.fault(fault):
        header, inside = key.decrypt(provider.id_token())

    good = {"alg": key.alg, "enc": "A256GCM", "kid": key.kid, "cty": "JWT"}
    assert header == {name: value for name, value in {**good, **HEADERS[fault]}.items() if value is not ...}
    assert signed_inside(provider, inside)["sub"] == "alice"


def is_signed(inside: str) -> bool:
    return inside.count(".") == 2 and header_of(inside)["alg"] != "none"


INSIDE: dict[str, Callable[[dict[str, Any], str], bool]] = {
    "jwe_unsigned": lambda header, inside: "cty" not in header and json.loads(inside)["sub"] == "alice",
    "jwe_unsigned_with_cty": lambda header, inside: header["cty"] == "JWT" and inside.startswith("{"),
    "jwe_alg_none_inside": lambda _, inside: header_of(inside) == {"alg": "none"} and inside.endswith("."),
    "jwe_encrypted_twice": lambda _, inside: inside.count(".") == 4,
}


@pytest.mark.parametrize("alg", KEYS)
@pytest.mark.parametrize("fault", INSIDE)
def test_faults_of_the_content_are_well_encrypted(fault, alg):
    """Anybody can encrypt to a public key: it is the signature inside that counts."""
    header, inside = KEYS[alg].decrypt(token_with(fault, KEYS[alg]))

    assert INSIDE[fault](header, inside)


def test_a_foreign_signature_may_be_inside():
    """Under the `kid` of the provider's key."""
    key = KEYS["ECDH-ES"]
    provider = provider_of(key)
    with provider.fault("jwe_signed_by_foreign_key"):
        _, inside = key.decrypt(provider.id_token())

    assert header_of(inside)["kid"] == provider.key.kid
    with pytest.raises(JoseError):
        signed_inside(provider, inside)


def test_encryption_can_be_left_out():
    """The token is good, but was readable on its way."""
    provider = provider_of(KEYS["ECDH-ES"])
    with provider.fault("jwe_left_out"):
        assert signed_inside(provider, provider.id_token())["sub"] == "alice"


def test_the_bomb_is_small_on_the_wire():
    """20 MB of spaces come out of it."""
    token = token_with("jwe_zip_bomb", KEYS["ECDH-ES"])

    assert (header_of(token)["zip"], len(token) < 40_000) == ("DEF", True)


def test_the_client_secret_really_opens_it():
    """A client that lets the header choose the algorithm is fooled."""
    token = token_with("jwe_dir", KEYS["RSA-OAEP-256"])

    secret = OctKey.import_key(hashlib.sha256(b"web-secret-for-tests").digest())
    opened = jwe.decrypt_compact(token, secret, registry=jwe.JWERegistry(algorithms=["dir", "A256GCM"]))
    assert is_signed((opened.plaintext or b"").decode())


def test_two_recipients_are_in_the_json_form():
    """The compact form has room for one alone."""
    token = json.loads(token_with("jwe_two_recipients", KEYS["RSA-OAEP-256"]))

    assert [recipient.get("header") for recipient in token["recipients"]] == [{"kid": "unknown"}, None]


async def userinfo_with(*faults: str) -> tuple[FakeProvider, httpx.Response]:
    provider = FakeProvider(clients=[USERINFO], clock=lambda: NOW)
    token = provider.access_token(audience=None)
    async with provider.http_client() as client:
        with provider.fault(*faults):
            bearer = {"authorization": f"Bearer {token}"}
            return provider, await client.get(provider.metadata["userinfo_endpoint"], headers=bearer)


USERINFO_CLAIMS: dict[str, dict[str, Any]] = {
    "userinfo_jwt_wrong_iss": {"iss": "https://someone-else.example.com"},
    "userinfo_jwt_no_iss": {"iss": ...},
    "userinfo_jwt_wrong_aud": {"aud": "another-client"},
    "userinfo_jwt_no_aud": {"aud": ...},
}


@pytest.mark.parametrize("fault", USERINFO_CLAIMS)
async def test_faults_of_the_userinfo_claims_are_well_signed(fault):
    """Only the claim is wrong."""
    provider, good = await userinfo_with()
    _, spoilt = await userinfo_with(fault)

    expected = {**signed_inside(provider, good.text), **USERINFO_CLAIMS[fault]}
    assert signed_inside(provider, spoilt.text) == {name: it for name, it in expected.items() if it is not ...}


USERINFO_BADLY_SIGNED = [
    "userinfo_jwt_alg_none",
    "userinfo_jwt_bad_signature",
    "userinfo_jwt_foreign_key",
    "userinfo_jwt_made_up_kid",
    "userinfo_jwt_crit",
    "userinfo_jwt_hs256_with_public_key",
    "userinfo_jwt_hs256_with_oct_key",
    "userinfo_jwt_small_rsa_key",
    "userinfo_jwt_embedded_jwk",
    "userinfo_jwt_five_parts",
]
USERINFO_WELL_SIGNED: dict[str, Callable[[Any, bytes], bool]] = {
    "userinfo_jwt_no_kid": lambda header, _: header == {"alg": "RS256"},
    "userinfo_jwt_duplicate_sub": lambda _, payload: payload.count(b'"sub":') == 2,
    "userinfo_jwt_lone_surrogate": lambda _, payload: b"\\ud800" in payload,
    "userinfo_jwt_deep_claims": lambda _, payload: payload.count(b"[") > 20_000,
    "userinfo_jwt_array_payload": lambda _, payload: payload.startswith(b"["),
    "userinfo_jwt_huge": lambda _, payload: len(payload) > 100_000,
}


@pytest.mark.parametrize("fault", USERINFO_BADLY_SIGNED)
async def test_badly_signed_userinfo_does_not_verify(fault):
    """Joserfc, given the provider's keys and algorithm, refuses each of them."""
    provider, answer = await userinfo_with(fault)

    provider.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(answer.text, keys, algorithms=["RS256"])


@pytest.mark.parametrize("fault", USERINFO_WELL_SIGNED)
async def test_odd_userinfo_is_well_signed(fault):
    """The signature is good, so the reader itself has to be careful."""
    provider, answer = await userinfo_with(fault)

    assert USERINFO_WELL_SIGNED[fault](*verified(provider, answer.text))


async def test_userinfo_can_be_plain_or_badly_declared():
    """Though a JWT was registered."""
    _, plain = await userinfo_with("userinfo_jwt_left_out")
    provider, declared = await userinfo_with("userinfo_jwt_as_json")

    assert (plain.headers["content-type"], plain.json()["sub"]) == ("application/json", "alice")
    assert declared.headers["content-type"] == "application/json"
    assert signed_inside(provider, declared.text)["sub"] == "alice"


async def test_userinfo_can_have_another_algorithm():
    """By a key of the set."""
    provider, answer = await userinfo_with("userinfo_jwt_another_alg")

    provider.further_algs = ["PS256"]
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    assert jwt.decode(answer.text, keys, algorithms=["PS256"]).claims["sub"] == "alice"


async def test_the_metadata_can_lack_it():
    """Or offer nothing that is safe."""
    provider = provider_of(KEYS["ECDH-ES"])
    with provider.fault("jwe_not_in_metadata"):
        silent = await metadata_of(provider)
    with provider.fault("jwe_rsa1_5_in_metadata"):
        weak = await metadata_of(provider)

    assert [name for name in silent if "_encryption_" in name] == []
    assert weak["id_token_encryption_alg_values_supported"] == ["RSA1_5"]


def test_every_fault_is_in_a_table_above():
    """A new fault comes with a test."""
    single = {"jwe_signed_by_foreign_key", "jwe_left_out", "jwe_zip_bomb", "jwe_two_recipients"}

    assert {*NOT_TO_BE_OPENED, *HEADERS, *INSIDE, *single} == set(ENCRYPTION)
    assert {*USERINFO_CLAIMS, *USERINFO_BADLY_SIGNED, *USERINFO_WELL_SIGNED, "userinfo_jwt_another_alg"} == {
        *USERINFO_JWT_CLAIMS,
        *USERINFO_JWT_SIGNING,
    }
