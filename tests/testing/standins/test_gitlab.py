"""The stand-in for GitLab behaves as GitLab's documentation says."""

import httpx
import pytest

from asgi_oidc.testing import Account, GitLabStandIn
from tests.testing.standins.client import NOW, HttpClient
from tests.testing.standins.openid import discovered, verified

BASIC = httpx.BasicAuth("web", "web-secret-for-tests")


@pytest.fixture
def gitlab() -> GitLabStandIn:
    return GitLabStandIn(clock=lambda: NOW)


@pytest.fixture
def client(gitlab: GitLabStandIn) -> HttpClient:
    return HttpClient(gitlab, "openid profile email")


async def test_its_metadata_is_below_the_issuer(client, gitlab):
    """By the book, with PKCE."""
    metadata = await discovered(client, "https://gitlab.com")

    assert metadata == gitlab.metadata
    assert metadata["issuer"] == "https://gitlab.com"
    assert metadata["jwks_uri"] == "https://gitlab.com/oauth/discovery/keys"
    assert "S256" in metadata["code_challenge_methods_supported"]
    assert "end_session_endpoint" not in metadata


async def test_the_id_token_says_little_and_userinfo_the_rest(client, gitlab):
    """A name is at userinfo only; groups have another name in the ID Token."""
    gitlab.personas["7"] = Account("7", "Dana Doe", "dana@example.com", {"groups": ["acme/web"]}, login="dana")
    tokens = await client.tokens("7")
    claims = await verified(client, tokens["id_token"])
    user = (await client.user(tokens["access_token"])).json()

    assert sorted(set(claims) - {"aud", "auth_time", "exp", "iat", "iss", "nonce", "sub"}) == [
        "email",
        "email_verified",
        "groups_direct",
    ]
    assert (claims["nonce"], claims["groups_direct"]) == ("a-nonce", ["acme/web"])
    assert (user["sub"], user["name"], user["nickname"], user["groups"]) == ("7", "Dana Doe", "dana", ["acme/web"])


async def test_without_the_scope_profile_there_is_no_profile(client):
    """Nor a nickname."""
    tokens = await client.tokens("1000001", scope="openid")

    assert (await client.user(tokens["access_token"])).json() == {"sub": "1000001"}


async def test_a_refresh_token_comes_without_being_asked_for_and_works_once(client):
    """Access tokens are valid for two hours."""
    tokens = await client.tokens("1000001")
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    first = await client.exchange("", code_verifier=None, **refresh)
    again = await client.exchange("", code_verifier=None, **refresh)

    assert (tokens["expires_in"], tokens["token_type"], tokens["created_at"]) == (7200, "bearer", NOW)
    assert (first.status_code, again.json()["error"]) == (200, "invalid_grant")


@pytest.mark.parametrize("auth", [None, BASIC])
async def test_clients_authenticate_in_the_body_or_in_the_header(client, auth):
    """The metadata lists both."""
    code = (await client.response("1000001"))["code"]

    assert "id_token" in (await client.exchange(code, auth=auth)).json()


async def test_the_response_has_no_issuer(client):
    """Its metadata does not promise one."""
    assert sorted(await client.response("1000001")) == ["code", "state"]


async def test_a_wrong_verifier_is_refused(client):
    """PKCE is optional, but checked."""
    code = (await client.response("1000001"))["code"]

    assert (await client.exchange(code, code_verifier="w" * 43)).json()["error"] == "invalid_grant"


async def test_openid_must_be_among_the_scopes(client):
    """Else there would be no ID Token."""
    assert (await client.response("1000001", scope="profile"))["error"] == "invalid_scope"


async def test_a_gitlab_of_ones_own_has_its_own_issuer():
    """All at one origin, as GitLab itself is."""
    client = HttpClient(GitLabStandIn(url="https://gitlab.example.org"), "openid")
    claims = await verified(client, (await client.tokens("1000001"))["id_token"])

    assert claims["iss"] == (await discovered(client, "https://gitlab.example.org"))["issuer"]
