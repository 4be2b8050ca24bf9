"""The stand-in for Google behaves as Google's documentation says."""

import pytest

from asgi_oidc.testing import Account, GoogleStandIn
from tests.testing.standins.client import NOW, HttpClient
from tests.testing.standins.openid import discovered, verified


@pytest.fixture
def google() -> GoogleStandIn:
    return GoogleStandIn(clock=lambda: NOW)


@pytest.fixture
def client(google: GoogleStandIn) -> HttpClient:
    return HttpClient(google, "openid profile email")


async def test_its_endpoints_are_on_other_hosts_than_its_metadata(client, google):
    """The issuer is only where the metadata is."""
    metadata = await discovered(client, "https://accounts.google.com")

    assert metadata["token_endpoint"] == "https://oauth2.googleapis.com/token"
    assert "end_session_endpoint" not in metadata
    assert list(google.origins) == [
        "https://accounts.google.com",
        "https://oauth2.googleapis.com",
        "https://openidconnect.googleapis.com",
        "https://www.googleapis.com",
    ]


async def test_the_id_token_has_the_hosted_domain_of_the_account(client, google):
    """`hd` is there for accounts of an organization only."""
    google.personas["7"] = Account("7", "Dana Doe", "dana@example.com", {"hd": "example.com"})
    claims = await verified(client, (await client.tokens("7"))["id_token"])
    without = await verified(client, (await client.tokens("1000001"))["id_token"])

    assert (claims["hd"], claims["azp"], claims["nonce"]) == ("example.com", "web", "a-nonce")
    assert ("hd" in without, "preferred_username" in without, "sid" in without) == (False, False, False)


async def test_userinfo_has_the_profile(client):
    """Without a user name, which Google does not know."""
    tokens = await client.tokens("1000001")
    user = (await client.user(tokens["access_token"])).json()

    assert (user["name"], user["email_verified"], "preferred_username" in user) == ("Alice Adams", True, False)


async def test_a_refresh_token_needs_offline_access_and_consent(client):
    """The first time a user consents, and then only if consent is asked for again."""
    offline = {"access_type": "offline"}
    first = await client.tokens("1000001", **offline)
    second = await client.tokens("1000001", **offline)
    asked = await client.tokens("1000001", **offline, prompt="consent")
    online = await client.tokens("1000002")

    assert ["refresh_token" in tokens for tokens in (first, second, asked, online)] == [True, False, True, False]


async def test_a_refresh_token_works_again_and_again(client):
    """Google does not rotate them."""
    tokens = await client.tokens("1000001", access_type="offline")
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answers = [await client.exchange("", code_verifier=None, **refresh) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "refresh_token" not in answers[0].json()


async def test_a_revoked_token_is_dead(client, google):
    """RFC 7009."""
    tokens = await client.tokens("1000001")
    url = google.metadata["revocation_endpoint"]
    credentials = {"client_id": "web", "client_secret": "web-secret-for-tests"}
    await client.call("POST", url, data={"token": tokens["access_token"], **credentials})

    assert (await client.user(tokens["access_token"])).status_code == 401
