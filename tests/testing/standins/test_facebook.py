"""The stand-in for Facebook behaves as Facebook's documentation says."""

import hashlib
import hmac
from typing import Any

import pytest

from asgi_oidc.testing import Account, FacebookStandIn
from tests.testing.standins.client import CREDENTIALS, NOW, REDIRECT_URI, VERIFIER, HttpClient

ME = "https://graph.facebook.com/v25.0/me"
PROOF = "appsecret_proof"


@pytest.fixture
def facebook() -> FacebookStandIn:
    return FacebookStandIn(clock=lambda: NOW)


@pytest.fixture
def client(facebook: FacebookStandIn) -> HttpClient:
    return HttpClient(facebook, "public_profile,email")


def proof_of(access_token: str, secret: str = CREDENTIALS["client_secret"]) -> str:
    return hmac.new(secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


async def user(client: HttpClient, sub: str = "1000001", **changes: str) -> Any:
    tokens = await client.tokens(sub, **changes)
    return (await client.user(tokens["access_token"], f"{ME}?fields=id,name,email,picture")).json()


async def test_a_login_ends_with_the_id_and_the_name(client):
    """More has to be named."""
    tokens = await client.tokens("1000001")

    assert (await client.user(tokens["access_token"])).json() == {"id": "1000001", "name": "Alice Adams"}


async def test_fields_name_what_is_wanted(client):
    """No member says that the address is verified, and the picture is an object."""
    found = await user(client)

    assert sorted(found) == ["email", "id", "name", "picture"]
    assert found["picture"]["data"]["url"].startswith("https://")


@pytest.mark.parametrize("scope", ["email public_profile", "email,public_profile"])
async def test_scopes_are_separated_by_commas_or_spaces(client, scope):
    """Both are documented."""
    assert (await user(client, scope=scope))["email"] == "alice@example.com"


async def test_an_address_may_be_missing(client, facebook):
    """Without the permission, with none that is valid, or with none at all."""
    facebook.personas["7"] = Account("7", "Dana Doe", "")

    assert "email" not in await user(client, scope="public_profile")
    assert "email" not in await user(client, "1000003")
    assert "email" not in await user(client, "7")


async def test_the_token_answer_has_neither_scope_nor_refresh_token(client):
    """Tokens are valid for about sixty days."""
    tokens = await client.tokens("1000001")

    assert sorted(tokens) == ["access_token", "expires_in", "token_type"]
    assert (tokens["expires_in"], tokens["token_type"]) == (5_184_000, "bearer")


async def test_a_code_can_be_exchanged_with_get(client, facebook):
    """As the documentation shows it."""
    params = {
        **CREDENTIALS,
        "redirect_uri": REDIRECT_URI,
        "code": (await client.response("1000001"))["code"],
        "code_verifier": VERIFIER,
    }
    answer = await client.call("GET", "https://graph.facebook.com/v25.0/oauth/access_token", params=params)

    assert "access_token" in answer.json()


REFUSED = [{"client_secret": "wrong"}, {"code": "made-up"}, {"code_verifier": "w" * 43}, {"redirect_uri": "https://x"}]


@pytest.mark.parametrize("changes", REFUSED)
async def test_errors_of_the_token_call_are_objects(client, changes):
    """`error` is not a text, as it is elsewhere."""
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(**{"code": code, **changes})

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "OAuthException")


async def test_a_proof_must_be_right(client):
    """It is a keyed hash of the access token, with the app's secret."""
    token = (await client.tokens("1000001"))["access_token"]
    right = await client.user(token, f"{ME}?{PROOF}={proof_of(token)}")
    wrong = await client.user(token, f"{ME}?{PROOF}={proof_of(token, 'another')}")
    of_another_token = await client.user(token, f"{ME}?{PROOF}={proof_of('another')}")

    assert [answer.status_code for answer in (right, wrong, of_another_token)] == [200, 400, 400]


async def test_a_proof_may_be_required():
    """By a setting of the app."""
    client = HttpClient(FacebookStandIn(requires_app_secret_proof=True))
    token = (await client.tokens("1000001"))["access_token"]

    assert (await client.user(token, ME)).status_code == 400
    assert (await client.user(token, f"{ME}?{PROOF}={proof_of(token)}")).status_code == 200


async def test_a_token_that_it_has_not_issued_is_refused(client):
    """A token of another provider is not an identity."""
    answer = await client.user("made-up", ME)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


async def test_all_paths_may_have_a_version(client):
    """The documentation recommends one."""
    url = "https://www.facebook.com/v25.0/dialog/oauth?client_id=web&redirect_uri=https://app.example.com/callback"

    assert (await client.call("GET", url)).status_code == 200
    assert (await client.call("GET", url.replace("v25.0", "latest"))).status_code == 404
