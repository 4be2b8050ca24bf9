"""The stand-in for X behaves as X's documentation says."""

from typing import Any

import httpx
import pytest

from asgi_oidc.testing import XStandIn
from tests.testing.standins.client import NOW, HttpClient

BASIC = httpx.BasicAuth("web", "web-secret-for-tests")
SCOPES = "tweet.read users.read users.email offline.access"
ME = "https://api.x.com/2/users/me"


@pytest.fixture
def now() -> list[int]:
    return [NOW]


@pytest.fixture
def client(now: list[int]) -> HttpClient:
    return HttpClient(XStandIn(clock=lambda: now[0]), SCOPES)


async def signed_in(client: HttpClient, sub: str = "1000001", **changes: str) -> dict[str, Any]:
    answer = await client.exchange((await client.response(sub, **changes))["code"], auth=BASIC)
    assert answer.status_code == 200
    return dict(answer.json())


async def test_a_login_ends_with_a_user_inside_of_data(client):
    """With the three members that are there by default."""
    tokens = await signed_in(client)
    answer = await client.user(tokens["access_token"])

    assert answer.json() == {"data": {"id": "1000001", "name": "Alice Adams", "username": "alice"}}


async def test_further_members_must_be_named(client):
    """`confirmed_email` is an address that the user has confirmed."""
    tokens = await signed_in(client)
    answer = await client.user(tokens["access_token"], f"{ME}?user.fields=confirmed_email,profile_image_url")

    assert sorted(answer.json()["data"]) == ["confirmed_email", "id", "name", "profile_image_url", "username"]


@pytest.mark.parametrize(("sub", "scope"), [("1000003", SCOPES), ("1000001", "tweet.read users.read")])
async def test_an_address_is_confirmed_and_needs_a_scope(client, sub, scope):
    """Otherwise it is left out."""
    tokens = await signed_in(client, sub, scope=scope)
    answer = await client.user(tokens["access_token"], f"{ME}?user.fields=confirmed_email")

    assert "confirmed_email" not in answer.json()["data"]


async def test_the_user_api_needs_two_scopes(client):
    """`users.read` alone is not enough."""
    tokens = await signed_in(client, scope="users.read")

    assert (await client.user(tokens["access_token"])).status_code == 403


async def test_the_token_answer_has_a_refresh_token_only_with_offline_access(client):
    """Access tokens are valid for two hours."""
    tokens, without = await signed_in(client), await signed_in(client, scope="tweet.read users.read")

    assert (tokens["expires_in"], tokens["token_type"]) == (7200, "bearer")
    assert ("refresh_token" in tokens, "refresh_token" in without) == (True, False)


async def test_credentials_in_the_body_are_refused(client):
    """Confidential clients use Basic."""
    answer = await client.exchange((await client.response("1000001"))["code"])

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_pkce_is_required(client):
    """There is no other flow."""
    response = await client.response("1000001", code_challenge=None, code_challenge_method=None)

    assert response["error"] == "invalid_request"


async def test_a_wrong_verifier_is_refused(client):
    """The code alone is not enough."""
    code = (await client.response("1000001"))["code"]

    assert (await client.exchange(code, auth=BASIC, code_verifier="w" * 43)).json()["error"] == "invalid_grant"


async def test_a_code_expires_after_half_a_minute(client, now):
    """Slow callbacks fail."""
    code = (await client.response("1000001"))["code"]
    now[0] += 31

    assert (await client.exchange(code, auth=BASIC)).json()["error"] == "invalid_grant"


async def test_a_state_of_more_than_500_characters_is_refused(client):
    """A limit that a sealed state may exceed."""
    assert "code" in await client.response("1000001", state="s" * 500)
    assert (await client.response("1000001", state="s" * 501))["error"] == "invalid_request"


async def test_a_token_that_it_has_not_issued_is_refused(client):
    """A token of another provider is not an identity."""
    assert (await client.user("made-up")).status_code == 401
