"""The stand-in for Discord behaves as Discord's documentation says."""

import httpx
import pytest

from asgi_oidc.testing import Account, DiscordStandIn
from tests.testing.standins.client import NOW, HttpClient

BASIC = httpx.BasicAuth("web", "web-secret-for-tests")


@pytest.fixture
def discord() -> DiscordStandIn:
    return DiscordStandIn(clock=lambda: NOW)


@pytest.fixture
def client(discord: DiscordStandIn) -> HttpClient:
    return HttpClient(discord, "identify email")


async def test_a_login_ends_with_a_user_whose_id_is_a_text(client):
    """`verified` is about the e-mail address."""
    tokens = await client.tokens("1000003")
    user = (await client.user(tokens["access_token"])).json()

    assert (user["id"], user["username"], user["global_name"]) == ("1000003", "mallory", "Mallory Moss")
    assert (user["email"], user["verified"]) == ("alice@example.com", False)


async def test_the_address_needs_a_scope(client):
    """Without `email`, nothing is said about it."""
    tokens = await client.tokens("1000001", scope="identify")
    user = (await client.user(tokens["access_token"])).json()

    assert ("email" in user, "verified" in user) == (False, False)


async def test_the_user_api_needs_the_scope_identify(client):
    """A token for something else is no identity."""
    tokens = await client.tokens("1000001", scope="guilds")

    assert (await client.user(tokens["access_token"])).status_code == 401


async def test_an_account_may_lack_an_address_and_a_display_name(client, discord):
    """Both are null then."""
    discord.personas["7"] = Account("7", "", "")
    user = (await client.user((await client.tokens("7"))["access_token"])).json()

    assert (user["email"], user["global_name"], user["username"]) == (None, None, "7")


async def test_tokens_are_valid_for_a_week_and_come_with_a_refresh_token(client):
    """A refresh token comes without being asked for."""
    tokens = await client.tokens("1000001")
    assert (tokens["expires_in"], tokens["token_type"], tokens["scope"]) == (604_800, "Bearer", "identify email")

    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = (await client.exchange("", code_verifier=None, **refresh)).json()
    assert (await client.user(refreshed["access_token"])).status_code == 200


@pytest.mark.parametrize("auth", [None, BASIC])
async def test_clients_authenticate_in_the_body_or_in_the_header(client, auth):
    """Both are documented."""
    code = (await client.response("1000001"))["code"]

    assert "access_token" in (await client.exchange(code, auth=auth)).json()


async def test_a_wrong_secret_is_refused(client):
    """The client is checked before the code."""
    answer = await client.exchange((await client.response("1000001"))["code"], client_secret="wrong")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("verifier", [None, "w" * 43])
async def test_a_challenge_needs_its_verifier(client, verifier):
    """PKCE is not documented, but checked."""
    answer = await client.exchange((await client.response("1000001"))["code"], code_verifier=verifier)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_used_code_is_refused(client):
    """One code, one login."""
    code = (await client.response("1000001"))["code"]
    await client.exchange(code)

    assert (await client.exchange(code)).json()["error"] == "invalid_grant"


async def test_json_is_refused_by_the_token_endpoint(client, discord):
    """Only forms are accepted."""
    answer = await client.call("POST", discord.metadata["token_endpoint"], json={"grant_type": "authorization_code"})

    assert answer.status_code == 401


async def test_a_revoked_token_is_dead(client, discord):
    """RFC 7009, at an address of its own."""
    tokens = await client.tokens("1000001")
    url = discord.metadata["revocation_endpoint"]
    answer = await client.call("POST", url, data={"token": tokens["access_token"]}, auth=BASIC)

    assert (answer.status_code, url) == (200, "https://discord.com/api/oauth2/token/revoke")
    assert (await client.user(tokens["access_token"])).status_code == 401


async def test_paths_of_the_api_may_have_a_version(client):
    """The documentation recommends one."""
    tokens = await client.tokens("1000001")

    assert (await client.user(tokens["access_token"], "https://discord.com/api/v10/users/@me")).status_code == 200
    assert (await client.user(tokens["access_token"], "https://discord.com/v10/users/@me")).status_code == 404


async def test_a_token_that_it_has_not_issued_is_refused(client):
    """A token of another provider is not an identity."""
    assert (await client.user("made-up")).status_code == 401
