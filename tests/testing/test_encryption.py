"""The fake provider encrypts to the key of a client, with the signed JWT inside (RFC 7519 §5.2)."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from joserfc import jwe, jwt
from joserfc.jwk import KeySet, import_key

from asgi_oidc.testing import Client, ClientKey, DecryptionKey, FakeProvider
from asgi_oidc.testing.wire import Receive, Scope, Send, json_answer, send_answer
from tests.testing.relying_party import NOW, RelyingParty, read
from tests.testing.test_jarm import metadata_of, response_of

ALGS = ["RSA-OAEP-256", "RSA-OAEP", "RSA1_5", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"]
ENCS = ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"]
JWKS_URI = "https://app.example.com/auth/jwks"


def provider_for(client: Client) -> FakeProvider:
    return FakeProvider(clients=[client], clock=lambda: NOW)


def signed_inside(provider: FakeProvider, token: str) -> dict[str, Any]:
    """Check a signed JWT; give its claims."""
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


async def userinfo(provider: FakeProvider) -> httpx.Response:
    token = provider.access_token(audience=None)
    async with provider.http_client() as client:
        bearer = {"authorization": f"Bearer {token}"}
        return await client.get(provider.metadata["userinfo_endpoint"], headers=bearer)


@pytest.mark.parametrize("enc", ENCS)
@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"])
def test_an_id_token_is_signed_and_then_encrypted(alg, enc):
    """Joserfc, as a client would use it, opens it and finds a signed JWT."""
    key = DecryptionKey(alg)
    client = Client(jwks=[key.public_jwk], id_token_encrypted_response_alg=alg, id_token_encrypted_response_enc=enc)
    provider = provider_for(client)

    registry = jwe.JWERegistry(algorithms=[alg, enc])
    opened = jwe.decrypt_compact(provider.id_token(), import_key(key.private_jwk), registry=registry)
    header = {name: opened.protected[name] for name in ("alg", "enc", "kid", "cty")}
    assert header == {"alg": alg, "enc": enc, "kid": key.kid, "cty": "JWT"}
    assert signed_inside(provider, (opened.plaintext or b"").decode())["sub"] == "alice"


@pytest.mark.parametrize("alg", ALGS)
def test_the_key_decrypts_what_its_algorithm_encrypts(alg):
    """Also with the algorithms that a client should refuse."""
    key = DecryptionKey(alg)
    provider = provider_for(Client(jwks={"keys": [key.public_jwk]}, id_token_encrypted_response_alg=alg))

    header, inside = key.decrypt(provider.id_token())
    assert (header["alg"], header["enc"]) == (alg, "A128CBC-HS256")
    assert signed_inside(provider, inside)["aud"] == "web"


async def test_each_kind_of_jwt_is_encrypted_on_its_own():
    """A client registers for each of them."""
    key = DecryptionKey()
    alg = key.alg
    client = Client(
        jwks=[key.public_jwk],
        userinfo_signed_response_alg="RS256",
        userinfo_encrypted_response_alg=alg,
        introspection_encrypted_response_alg=alg,
        authorization_encrypted_response_alg=alg,
        authorization_encrypted_response_enc="A256GCM",
    )
    provider = provider_for(client)
    rp = RelyingParty(provider)
    [(_, response)] = await response_of(provider)
    header, inside = key.decrypt(response)
    tokens = read(await rp.exchange({"code": signed_inside(provider, inside)["code"]}))
    info = await userinfo(provider)
    async with provider.http_client() as http:
        accept = {"accept": "application/token-introspection+jwt"}
        form = {"token": tokens["access_token"]}
        auth = ("web", "web-secret-for-tests")
        told = await http.post(provider.metadata["introspection_endpoint"], data=form, auth=auth, headers=accept)

    assert header["enc"] == "A256GCM"
    assert tokens["id_token"].count(".") == 2
    assert signed_inside(provider, key.decrypt(info.text)[1])["sub"] == "alice"
    assert info.headers["content-type"] == "application/jwt"
    assert signed_inside(provider, key.decrypt(told.text)[1])["token_introspection"]["sub"] == "alice"


async def test_userinfo_may_be_encrypted_without_a_signature():
    """As a client gets it that registered for encryption alone (OpenID Connect Core §5.3.2)."""
    key = DecryptionKey()
    provider = provider_for(Client(jwks=[key.public_jwk], userinfo_encrypted_response_alg=key.alg))

    header, inside = key.decrypt((await userinfo(provider)).text)
    assert ("cty" in header, json.loads(inside)["sub"]) == (False, "alice")


async def test_an_encrypted_id_token_is_a_hint_too():
    """Whichever form the client kept."""
    key = DecryptionKey()
    provider = provider_for(Client(jwks=[key.public_jwk], id_token_encrypted_response_alg=key.alg))
    token = provider.id_token()
    async with provider.http_client() as client:
        hints = [token, key.decrypt(token)[1], "made.up.hint"]
        answers = [
            await client.get(provider.metadata["end_session_endpoint"], params={"id_token_hint": hint})
            for hint in hints
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 400]


def test_a_key_for_encryption_does_not_authenticate():
    """A client with a secret keeps it."""
    enc, sig = DecryptionKey().public_jwk, ClientKey().public_jwk

    methods = [Client(jwks=jwks).allowed_auth_methods for jwks in ([enc], [enc, sig], lambda: [enc])]
    secret, key = ("client_secret_basic", "client_secret_post"), ("private_key_jwt",)
    assert methods == [secret, key, key]


def test_the_fitting_key_is_used():
    """Not one for signatures, nor one of another type or algorithm."""
    key, other = DecryptionKey("ECDH-ES"), DecryptionKey("RSA-OAEP-256")
    signing = {**other.public_jwk, "use": "sig", "alg": "RS256", "kid": "signing"}
    client = Client(jwks=[signing, other.public_jwk, key.public_jwk], id_token_encrypted_response_alg="ECDH-ES")

    assert key.decrypt(provider_for(client).id_token())[0]["kid"] == key.kid
    with pytest.raises(ValueError, match="the client 'web' has no key"):
        provider_for(replace(client, jwks=[signing])).id_token()


async def test_the_keys_may_be_at_a_url(rp):
    """They are fetched for each call, so that a rotation shows at once."""
    keys = [DecryptionKey()]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_answer(json_answer({"keys": [keys[-1].public_jwk]}), send)

    auth = ["client_secret_basic"]
    client = Client(auth_methods=auth, jwks_uri=JWKS_URI, id_token_encrypted_response_alg=keys[0].alg)
    provider = provider_for(client)
    provider.always_refresh_tokens = True
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as provider.client_keys_client:
        rp.provider = provider
        tokens = await rp.login()
        keys.append(DecryptionKey())
        refreshed = read(await rp.refresh(tokens["refresh_token"]))

    assert signed_inside(provider, keys[0].decrypt(tokens["id_token"])[1])["sub"] == "alice"
    assert signed_inside(provider, keys[1].decrypt(refreshed["id_token"])[1])["sub"] == "alice"


async def test_the_metadata_announces_it(provider):
    """`RSA1_5` is not offered, although a client can register it."""
    metadata = await metadata_of(provider)

    for purpose in ("id_token", "userinfo", "introspection", "authorization"):
        assert metadata[f"{purpose}_encryption_alg_values_supported"] == [alg for alg in ALGS if alg != "RSA1_5"]
        assert metadata[f"{purpose}_encryption_enc_values_supported"] == ENCS


def test_a_key_of_an_unknown_algorithm_is_refused():
    """A misspelt algorithm would make a test pass that tests nothing."""
    with pytest.raises(ValueError, match="'RSA-OAEP-384' is not one of RSA-OAEP-256"):
        DecryptionKey("RSA-OAEP-384")


def test_the_key_shows_nothing_secret():
    """Its repr is in the output of a failing test."""
    key = DecryptionKey("ECDH-ES")

    assert repr(key) == f"DecryptionKey('ECDH-ES', kid='{key.kid}')"
    assert ("d" in key.public_jwk, "d" in key.private_jwk) == (False, True)
    assert key.pem.startswith("-----BEGIN PRIVATE KEY-----")
