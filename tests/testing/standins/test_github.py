"""The stand-in for GitHub behaves as GitHub's documentation says."""

import urllib.parse

import httpx
import pytest

from asgi_oidc.testing import Account, Client, EmailAddress, GitHubStandIn
from tests.testing.standins.client import CREDENTIALS, NOW, REDIRECT_URI, HttpClient

EMAILS = "https://api.github.com/user/emails"
FORM = {"accept": "*/*"}


@pytest.fixture
def github() -> GitHubStandIn:
    return GitHubStandIn(clock=lambda: NOW)


@pytest.fixture
def client(github: GitHubStandIn) -> HttpClient:
    return HttpClient(github, "read:user user:email")


async def test_a_login_ends_with_a_user_whose_id_is_a_number(client):
    """The id never changes, the login can; `email` is the public one, which is hidden."""
    tokens = await client.tokens("1000001")

    user = (await client.user(tokens["access_token"])).json()
    assert (user["id"], user["login"], user["name"], user["email"]) == (1000001, "alice", "Alice Adams", None)


async def test_the_token_answer_has_commas_and_neither_an_expiry_nor_an_id_token(client):
    """Tokens of OAuth apps do not expire."""
    tokens = await client.tokens("1000001", scope="read:user user:email openid")

    assert sorted(tokens) == ["access_token", "scope", "token_type"]
    assert (tokens["scope"], tokens["token_type"]) == ("read:user,user:email,openid", "bearer")


async def test_the_token_answer_is_a_form_unless_json_is_accepted(client):
    """A client that forgets the header gets what it cannot read as JSON."""
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(code, headers=FORM)

    form = dict(urllib.parse.parse_qsl(answer.text))
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert (form["token_type"], form["scope"]) == ("bearer", "read:user,user:email")


REFUSED = [
    ({"client_secret": "wrong"}, "incorrect_client_credentials"),
    ({"client_id": "another"}, "incorrect_client_credentials"),
    ({"code": "made-up"}, "bad_verification_code"),
    ({"code_verifier": "w" * 43}, "bad_verification_code"),
    ({"code_verifier": None}, "bad_verification_code"),
    ({"redirect_uri": REDIRECT_URI + "/other"}, "redirect_uri_mismatch"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSED)
async def test_errors_of_the_token_call_have_status_200(client, changes, error):
    """Whoever looks at the status alone takes a refusal for a success."""
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(**{"code": code, **changes})

    assert (answer.status_code, answer.json()["error"]) == (200, error)
    assert "access_token" not in answer.json()


async def test_errors_are_forms_as_well(client):
    """The header `Accept` decides, also for a refusal."""
    answer = await client.exchange("made-up", headers=FORM)

    assert dict(urllib.parse.parse_qsl(answer.text))["error"] == "bad_verification_code"


async def test_credentials_in_a_header_are_refused(client):
    """The documentation has them in the body."""
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(code, auth=httpx.BasicAuth("web", "web-secret-for-tests"))

    assert answer.json()["error"] == "incorrect_client_credentials"


async def test_a_code_works_once(client):
    """The second exchange also ends the tokens of the first."""
    code = (await client.response("1000001"))["code"]
    first = (await client.exchange(code)).json()
    again = (await client.exchange(code)).json()

    assert again["error"] == "bad_verification_code"
    assert (await client.user(first["access_token"])).status_code == 401


async def test_a_code_is_for_the_client_that_asked():
    """Another app that got hold of it cannot use it."""
    github = GitHubStandIn(clients=[Client(), Client("other", "other-secret")])
    client = HttpClient(github)
    code = (await client.response("1000001"))["code"]
    answer = await client.exchange(code, client_id="other", client_secret="other-secret")

    assert answer.json()["error"] == "bad_verification_code"


async def test_a_code_expires_after_ten_minutes():
    """An old one is worthless."""
    now = [NOW]
    client = HttpClient(GitHubStandIn(clock=lambda: now[0]))
    early, late = [(await client.response("1000001"))["code"] for _ in range(2)]

    now[0] += 600
    assert "access_token" in (await client.exchange(early)).json()
    now[0] += 1
    assert (await client.exchange(late)).json()["error"] == "bad_verification_code"


async def test_pkce_may_be_left_out_but_only_as_a_whole(client):
    """A verifier for which there is no challenge is a sign of an attack (RFC 9700 §4.8)."""
    bare = {"code_challenge": None, "code_challenge_method": None}
    codes = [(await client.response("1000001", **bare))["code"] for _ in range(2)]

    assert "access_token" in (await client.exchange(codes[0], code_verifier=None)).json()
    assert (await client.exchange(codes[1])).json()["error"] == "bad_verification_code"


async def test_plain_challenges_are_refused(client):
    """Only S256 is accepted."""
    response = await client.response("1000001", code_challenge_method="plain")

    assert response["error"] == "invalid_request"


async def test_the_response_names_github(client):
    """RFC 9207; the issuer is the one of GitHub's discovery document."""
    assert (await client.response("1000001"))["iss"] == "https://github.com/login/oauth"


async def test_a_bad_refresh_token_is_refused_with_status_200():
    """GitHub has names of its own for errors."""
    client = HttpClient(GitHubStandIn(app="github", clock=lambda: NOW))
    form = {"grant_type": "refresh_token", "refresh_token": "made-up", **CREDENTIALS}

    answer = await client.call("POST", client.standin.metadata["token_endpoint"], data=form)

    assert (answer.status_code, answer.json()["error"]) == (200, "bad_refresh_token")


async def test_a_login_needs_no_response_type_and_takes_no_response_mode(client):
    """Neither is among the documented parameters."""
    response = await client.response("1000001", response_type=None, response_mode="form_post")

    assert sorted(response) == ["code", "iss", "state"]


async def test_cancelling_comes_back_with_access_denied(client):
    """The user may change their mind."""
    assert (await client.response(None))["error"] == "access_denied"


async def test_redirect_uris_are_compared_exactly():
    """A code must not be sent to a page that happens to begin like the registered one."""
    client = HttpClient(GitHubStandIn(clients=[Client(redirect_uris=[REDIRECT_URI])]))
    answer = await client.authorize("1000001", redirect_uri=REDIRECT_URI + "/../other")

    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_the_emails_tell_which_is_primary_and_which_is_verified():
    """An address that nobody has verified may be somebody else's."""
    spare = EmailAddress("old@example.com", is_verified=False)
    octocat = Account("583231", "The Octocat", "octocat@github.com", login="octocat", other_emails=[spare])
    client = HttpClient(GitHubStandIn(accounts=[octocat]), "user:email")
    tokens = await client.tokens("583231")

    found = [tuple(email.values()) for email in (await client.user(tokens["access_token"], EMAILS)).json()]
    assert found == [("octocat@github.com", True, True, "private"), ("old@example.com", False, False, None)]


async def test_emails_come_in_pages(client, github):
    """Thirty by default, at most a hundred."""
    others = [EmailAddress(f"a{number}@example.com") for number in range(150)]
    github.personas["9"] = Account("9", "Many", "many@example.com", other_emails=others)
    token = (await client.tokens("9"))["access_token"]
    urls = [EMAILS, EMAILS + "?per_page=100&page=2", EMAILS + "?per_page=1000"]

    assert [len((await client.user(token, url)).json()) for url in urls] == [30, 51, 100]


async def test_a_user_without_an_address_has_an_empty_list(client, github):
    """An app must not rely on an address."""
    github.personas["9"] = Account("9", "None", "")
    token = (await client.tokens("9"))["access_token"]

    assert (await client.user(token, EMAILS)).json() == []


async def test_emails_need_a_scope(client):
    """Without it, the page is not found."""
    token = (await client.tokens("1000001", scope="read:user"))["access_token"]
    answer = await client.user(token, EMAILS)

    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


@pytest.mark.parametrize("url", ["https://api.github.com/user", EMAILS])
async def test_the_api_refuses_tokens_that_it_has_not_issued(client, url):
    """A token of another provider or none is not an identity."""
    unknown = await client.user("gho_made_up", url)
    none = await client.call("GET", url)

    assert (unknown.status_code, unknown.json()["message"]) == (401, "Bad credentials")
    assert (none.status_code, none.json()["message"]) == (401, "Requires authentication")


@pytest.mark.parametrize("url", ["https://api.github.com/user", EMAILS])
async def test_the_api_refuses_calls_without_a_user_agent(client, url):
    """The documentation says so, with status 403."""
    token = (await client.tokens("1000001"))["access_token"]
    answer = await client.user(token, url, **{"user-agent": ""})

    assert answer.status_code == 403


async def test_tokens_of_a_github_app_expire_and_are_refreshed():
    """Eight hours, with a refresh token that works once; scopes have no meaning."""
    now = [NOW]
    client = HttpClient(GitHubStandIn(app="github", clock=lambda: now[0]), "repo")
    tokens = await client.tokens("1000001")
    assert (tokens["expires_in"], tokens["refresh_token_expires_in"], tokens["scope"]) == (28_800, 15_897_600, "")
    assert len((await client.user(tokens["access_token"], EMAILS)).json()) == 1

    now[0] += 28_800
    assert (await client.user(tokens["access_token"])).status_code == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = (await client.exchange("", code_verifier=None, **refresh)).json()
    assert (await client.user(refreshed["access_token"])).status_code == 200
    assert refreshed["refresh_token"] != tokens["refresh_token"]


async def test_each_host_serves_only_its_own_paths(client):
    """A user API on the login host would hide a wrong URL."""
    assert (await client.call("GET", "https://github.com/user")).status_code == 404
    assert (await client.call("GET", "https://api.github.com/login/oauth/authorize")).status_code == 404


async def test_all_endpoints_can_be_on_loopback():
    """For demos and real browsers, which cannot be sent to the real hosts."""
    github = GitHubStandIn(url="http://127.0.0.1:9000")
    client = HttpClient(github, "user:email")
    tokens = await client.tokens("1000002")

    assert list(github.origins) == ["http://127.0.0.1:9000"]
    assert (await client.user(tokens["access_token"], "http://127.0.0.1:9000/user/emails")).status_code == 200
    assert (await client.user(tokens["access_token"])).json()["id"] == 1000002
