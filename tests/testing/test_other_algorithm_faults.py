"""JWTs can be signed well, but with another algorithm than the client expects."""

import json

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider
from tests.testing.relying_party import NOW, RelyingParty
from tests.testing.strong_relying_party import StrongRelyingParty


async def key_set(provider: FakeProvider) -> KeySet:
    async with provider.http_client() as client:
        return KeySet.import_key_set((await client.get(provider.metadata["jwks_uri"])).json())


@pytest.mark.parametrize(("alg", "other"), [("RS256", "PS256"), ("PS256", "ES256"), ("ES256", "PS256")])
@pytest.mark.parametrize("fault", ["id_token_other_alg", "jarm_other_alg", "userinfo_jwt_other_alg"])
async def test_a_key_of_the_set_signs_with_another_algorithm(fault, alg, other):
    """A client that takes whatever the JWKS verifies is fooled."""
    provider = FakeProvider(clock=lambda: NOW, alg=alg, signed_userinfo=True)
    with provider.fault(fault):
        token = await token_with(fault, provider)
        keys = await key_set(provider)

    verified = jwt.decode(token, keys, algorithms=[other])
    assert (verified.header["alg"], verified.claims["iss"]) == (other, provider.issuer)
    assert len((await key_set(provider)).keys) == 1


async def token_with(fault: str, provider: FakeProvider) -> str:
    """Give the JWT that the fault is about."""
    if fault == "id_token_other_alg":
        return provider.id_token()
    if fault == "jarm_other_alg":
        response = await StrongRelyingParty(provider, client_id="web").response_to(
            RelyingParty(provider).authorization_url(response_mode="jwt")
        )
        return response["response"]
    headers = {"authorization": f"Bearer {provider.access_token(audience=None)}"}
    async with provider.http_client() as client:
        answer: httpx.Response = await client.get(provider.metadata["userinfo_endpoint"], headers=headers)
    assert answer.headers["content-type"] == "application/jwt"
    return answer.text


async def test_the_other_algorithm_stays_what_the_metadata_does_not_list():
    """The client has no reason to expect it."""
    provider = FakeProvider(clock=lambda: NOW)
    with provider.fault("id_token_other_alg"):
        async with provider.http_client() as client:
            url = f"{provider.issuer}/.well-known/openid-configuration"
            told = json.loads((await client.get(url)).text)

    assert told["id_token_signing_alg_values_supported"] == ["RS256"]
