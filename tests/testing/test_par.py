"""The fake provider keeps authorization requests that clients push (RFC 9126)."""

from typing import Any

import pytest

from asgi_oidc.testing import Client, FakeProvider
from tests.testing.relying_party import NOW
from tests.testing.strong_relying_party import STRONG, StrongRelyingParty, strong_provider


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    return StrongRelyingParty(provider)


async def pushed(rp: StrongRelyingParty, **changes: Any) -> str:
    answer = await rp.push(**changes)
    assert answer.status_code == 201, answer.text
    request_uri: str = answer.json()["request_uri"]
    return request_uri


async def test_a_pushed_request_is_answered_with_a_reference(provider, rp):
    """201, a URI that nobody can guess, and how long it lasts (§2.2)."""
    first, second = await rp.push(), await rp.push()

    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    assert first.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert (first.json()["expires_in"], provider.count("/par")) == (60, 2)
    assert first.json()["request_uri"] != second.json()["request_uri"]


async def test_a_login_with_a_pushed_request_takes_client_and_reference_only(provider, rp):
    """Everything else has come over the back channel, such as the resources and the nonce."""
    provider.requires_par = True
    resources = ["https://api.example.com", "https://other.example.com"]
    request_uri = await pushed(rp, resource=resources)
    response = await rp.response_to(rp.pushed_url(request_uri))
    tokens = (await rp.exchange(response)).json()

    assert (response["state"], provider.ignored_params) == ("a-state", [])
    assert provider.token_info(tokens["access_token"]).audience == tuple(resources)
    assert provider.memory.id_tokens[tokens["id_token"]].nonce == "a-nonce"


async def test_the_login_page_keeps_the_reference(provider, rp):
    """The user takes a moment to sign in; then the reference is used up."""
    url = rp.pushed_url(await pushed(rp))
    browser = rp.browser()
    page = await browser.get(url)
    again = await browser.get(url)
    signed_in = await browser.submit(button="bob")

    assert ("bob" in page.text, again.status_code, signed_in.json()["status"]) == (True, 200, 200)
    assert (await browser.get(url)).status_code == 400


@pytest.mark.parametrize("ends_by", ["code", "error"])
async def test_a_reference_works_once(provider, rp, ends_by):
    """Whoever finds it in a log has nothing (§7.3)."""
    url = rp.pushed_url(await pushed(rp, prompt="none"))
    provider.sign_in_as("alice" if ends_by == "code" else None)
    first = await rp.browser().get(url, follow=False)
    second = await rp.browser().get(url, follow=False)

    assert (ends_by in first.location, second.status_code) == (True, 400)
    assert "used before" in second.text


@pytest.mark.parametrize(
    ("client_id", "later", "text"),
    [("strong", 59, ""), ("strong", 60, "has expired"), ("web", 0, "another client"), ("", 0, "another client")],
)
async def test_a_reference_is_bound_to_client_and_time(client_id, later, text):
    """Nobody else can use it, and it does not lie around."""
    now = [NOW]
    provider = FakeProvider(clock=lambda: now[0], clients=[STRONG, Client()])
    rp = StrongRelyingParty(provider)
    url = rp.pushed_url(await pushed(rp), client_id)
    provider.sign_in_as("alice")
    now[0] += later
    back = await rp.browser().get(url, follow=False)

    assert (back.status_code, text in back.text) == (400 if text else 303, True)


async def test_other_parameters_beside_a_reference_count_for_nothing(provider, rp):
    """A browser could have added them; the provider notes them for the test (§4)."""
    url = rp.pushed_url(await pushed(rp), scope="openid admin", state="another", prompt="none")
    response = await rp.response_to(url)

    assert response["state"] == "a-state"
    assert provider.ignored_params == ["scope", "state", "prompt"]


async def test_an_unknown_reference_is_refused(rp):
    """There is nowhere to send the browser."""
    back = await rp.browser().get(rp.pushed_url("urn:ietf:params:oauth:request_uri:made-up"), follow=False)

    assert back.status_code == 400


async def test_only_pushed_requests_are_accepted_where_that_is_required(provider, rp):
    """And the metadata says so (§5)."""
    plain = await rp.response_to(rp.authorization_url())
    provider.requires_par = True
    refused = await rp.response_to(rp.authorization_url())
    async with provider.http_client() as client:
        metadata = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()

    assert ("code" in plain, refused["error"]) == (True, "invalid_request")
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["pushed_authorization_request_endpoint"] == f"{provider.issuer}/par"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ({"client_id": None}, "invalid_request"),
    ({"redirect_uri": "https://evil.example.com/callback"}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"state": ["a", "b"]}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"resource": "https://unknown.example.com"}, "invalid_target"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSED)
async def test_a_request_is_checked_when_it_is_pushed(changes, error):
    """The client learns of a mistake before the browser goes anywhere."""
    registered = Client(
        "strong", None, jwks=STRONG.jwks, redirect_uris=["https://app.example.com/callback", "https://app/other"]
    )
    provider = FakeProvider(clock=lambda: NOW, clients=[registered])
    provider.targets = ["https://api.example.com"]
    answer = await StrongRelyingParty(provider).push(**changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert provider.memory.pushed_requests == {}


async def test_only_the_client_itself_pushes(rp):
    """Its credential is checked, and is no part of the request."""
    refused = await rp.push(**rp.assertion(sub="web"))

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "client_assertion" not in dict(rp.fake.memory.pushed_requests[await pushed(rp)].params)


@pytest.mark.parametrize(("client_id", "auth"), [("web", ("web", "web-secret-for-tests")), ("spa", None)])
async def test_clients_with_a_secret_and_public_ones_push_as_well(provider, client_id, auth):
    """PAR is for every client (§2)."""
    rp = StrongRelyingParty(provider, client_id=client_id)
    async with provider.http_client() as client:
        endpoint = provider.metadata["pushed_authorization_request_endpoint"]
        answer = await client.post(endpoint, data=rp.request(), auth=auth)
    response = await rp.response_to(rp.pushed_url(answer.json()["request_uri"], client_id))

    assert "code" in response


async def test_a_client_pushes_for_itself_only(provider, rp):
    """It could else make a browser start a login of another client."""
    async with provider.http_client() as client:
        endpoint = provider.metadata["pushed_authorization_request_endpoint"]
        answer = await client.post(endpoint, data=rp.request(), auth=("web", "web-secret-for-tests"))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_pushes_can_be_held(provider, rp):
    """So that a test sees what happens in the meantime."""
    with provider.hold("par") as gate:
        gate.open()
        assert (await rp.push()).status_code == 201
