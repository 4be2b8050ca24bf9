"""The stand-in for LinkedIn behaves as its documentation and its users say."""

import httpx
import pytest

from asgi_oidc.testing import LinkedInStandIn
from tests.testing.standins.client import NOW, HttpClient
from tests.testing.standins.openid import discovered, verified


@pytest.fixture
def client() -> HttpClient:
    return HttpClient(LinkedInStandIn(clock=lambda: NOW), "openid profile email")


async def signed_in(client: HttpClient, sub: str = "1000001", **changes: str) -> dict[str, str]:
    answer = await client.exchange((await client.response(sub, **changes))["code"], code_verifier=None)
    assert answer.status_code == 200
    return dict(answer.json())


async def test_its_metadata_is_below_an_issuer_with_a_path(client):
    """The origin alone has none, and PKCE is not announced."""
    metadata = await discovered(client, "https://www.linkedin.com/oauth")
    at_origin = await client.call("GET", "https://www.linkedin.com/.well-known/openid-configuration")

    assert (metadata["issuer"], at_origin.status_code) == ("https://www.linkedin.com/oauth", 404)
    assert metadata["userinfo_endpoint"] == "https://api.linkedin.com/v2/userinfo"
    assert "code_challenge_methods_supported" not in metadata


async def test_the_id_token_has_no_nonce_and_a_text_for_email_verified(client):
    """A client that insists on the nonce cannot sign anybody in."""
    claims = await verified(client, (await signed_in(client))["id_token"])

    assert ("nonce" in claims, "at_hash" in claims, "sid" in claims) == (False, False, False)
    assert (claims["email_verified"], claims["name"]) == ("true", "Alice Adams")


async def test_an_address_that_is_not_verified_is_false_as_a_text(client):
    """A text that is not empty, which counts as true where nobody looks."""
    claims = await verified(client, (await signed_in(client, "1000003"))["id_token"])

    assert claims["email_verified"] == "false"


async def test_the_id_token_says_only_what_the_scopes_ask_for(client):
    """Without `email`, there is no word on it."""
    claims = await verified(client, (await signed_in(client, scope="openid"))["id_token"])

    assert sorted(claims) == ["aud", "exp", "iat", "iss", "sub"]


async def test_userinfo_has_the_locale_as_an_object(client):
    """And `email_verified` as it should be."""
    tokens = await signed_in(client)
    user = (await client.user(tokens["access_token"])).json()

    assert (user["locale"], user["email_verified"]) == ({"country": "US", "language": "en"}, True)
    assert "preferred_username" not in user


async def test_userinfo_needs_the_scope_profile_for_a_profile(client):
    """Else it has the id alone."""
    tokens = await signed_in(client, scope="openid")

    assert (await client.user(tokens["access_token"])).json() == {"sub": "1000001"}


async def test_a_code_verifier_is_refused(client):
    """Even if the authorization request had a challenge."""
    answer = await client.exchange((await client.response("1000001"))["code"])

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_used_code_is_refused(client):
    """One code, one login."""
    code = (await client.response("1000001"))["code"]
    await client.exchange(code, code_verifier=None)

    assert (await client.exchange(code, code_verifier=None)).json()["error"] == "invalid_grant"


async def test_credentials_in_a_header_are_refused(client):
    """The documentation has them in the body."""
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(code, auth=httpx.BasicAuth("web", "web-secret-for-tests"), code_verifier=None)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
