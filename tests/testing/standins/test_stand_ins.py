"""What holds for every stand-in."""

import urllib.parse

import httpx
import pytest

from asgi_oidc.testing import (
    Account,
    Browser,
    DiscordStandIn,
    FacebookStandIn,
    GitHubStandIn,
    Network,
    OAuth2StandIn,
    Persona,
    StandIn,
    XStandIn,
)
from asgi_oidc.testing.wire import Answer, Receive, Scope, Send, send_answer
from tests.testing.standins.client import HttpClient


async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that has nothing to say."""
    await send_answer(Answer(200), send)


def login_url(standin: StandIn) -> str:
    params = {"client_id": "web", "redirect_uri": "https://app.example.com/callback", "state": "a-state"}
    return f"{standin.metadata['authorization_endpoint']}?{urllib.parse.urlencode(params)}"


async def test_a_browser_signs_in_by_login_and_is_remembered():
    """The login page names the accounts; the second login needs none."""
    github = GitHubStandIn()
    browser = Browser(nothing, others=Network(github).apps)
    page = await browser.get(login_url(github))
    first = await browser.submit(page, "bob", follow=False)
    again = await browser.get(login_url(github), follow=False)

    assert first.location.startswith("https://app.example.com/callback?code=")
    assert again.location.startswith("https://app.example.com/callback?code=")


async def test_a_persona_that_is_no_account_can_sign_in():
    """What is known from the fake provider works here too."""
    github = GitHubStandIn()
    github.personas["7"] = Persona("7", "Dana Doe", "dana@example.com", {"company": "Doe & Co"})
    client = HttpClient(github, "user:email")
    token = (await client.tokens("7"))["access_token"]

    user = (await client.user(token)).json()
    assert (user["id"], user["login"], user["company"]) == (7, "7", "Doe & Co")
    assert (await client.user(token, "https://api.github.com/user/emails")).json()[0]["verified"] is True


def test_an_account_without_an_address_has_no_claim_about_one():
    """An address and whether it is verified come together, or not at all."""
    scopes = ("profile", "email")
    unverified = Account("1", "Ann Archer", "ann@example.com", login="ann", email_verified=False).claims_for(scopes)
    none = Account("2", "Ben Baker", "").claims_for(scopes)

    assert (unverified["preferred_username"], unverified["email_verified"]) == ("ann", False)
    assert sorted(none) == ["family_name", "given_name", "name", "preferred_username"]


USER_APIS: list[tuple[type[OAuth2StandIn], str, int | str]] = [
    (GitHubStandIn, "", 1),
    (DiscordStandIn, "identify", "admin"),
    (FacebookStandIn, "", "admin"),
    (XStandIn, "tweet.read users.read", "admin"),
]


@pytest.mark.parametrize(("kind", "scope", "another"), USER_APIS)
async def test_the_faults_of_userinfo_are_those_of_the_user_api(kind, scope, another):
    """They know where each provider has the user's id, and of which type it is."""
    standin = kind()
    client = HttpClient(standin, scope)
    answer = await client.exchange((await client.response("1000001"))["code"], auth=credentials_of(standin))
    token = answer.json()["access_token"]
    ids = {}
    for fault in ("userinfo_wrong_sub", "userinfo_no_sub", "userinfo_sub_null"):
        with standin.fault(fault):
            found = (await client.user(token)).json()
            ids[fault] = found.get("data", found).get("id", "none")

    assert ids == {"userinfo_wrong_sub": another, "userinfo_no_sub": "none", "userinfo_sub_null": None}


def credentials_of(standin: StandIn) -> httpx.BasicAuth | None:
    """Return the header of a client, or None if its credentials belong into the body."""
    if "client_secret_post" in standin.client_auth_methods:
        return None
    return httpx.BasicAuth("web", "web-secret-for-tests")


async def test_calls_to_the_user_api_can_be_held_and_counted():
    """Gates and counters work as with the fake provider."""
    github = GitHubStandIn()
    with github.hold("emails"), github.hold("code_exchange") as gate:
        gate.open()
        await HttpClient(github).tokens("1000001")

    assert (github.count("/access_token"), github.count("/user")) == (1, 0)
