"""The fake provider grants `authorization_details` (RFC 9396)."""

import json
from typing import Any

import pytest

from asgi_oidc.testing import FakeProvider
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider

READ: dict[str, Any] = {"type": "account", "actions": ["read"]}
PAY: dict[str, Any] = {"type": "payment", "amount": {"currency": "EUR", "value": "10.00"}}
MACHINE = {"grant_type": "client_credentials"}


@pytest.fixture
def provider() -> FakeProvider:
    provider = strong_provider()
    provider.authorization_details_types = ["account", "payment"]
    return provider


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    return StrongRelyingParty(provider, scope="openid offline_access", authorization_details=json.dumps([READ, PAY]))


async def tokens_of(rp: StrongRelyingParty, url: str, **form: str) -> Any:
    return (await rp.exchange(await rp.response_to(url), **form)).json()


@pytest.mark.parametrize("way", ["plain", "pushed", "signed", "signed_list", "pushed_signed"])
async def test_details_can_be_asked_for_in_every_kind_of_request(rp, way):
    """By parameter, pushed, and in a request object, as text or as JSON."""
    if way == "pushed":
        url = rp.pushed_url((await rp.push()).json()["request_uri"])
    elif way == "pushed_signed":
        form = {"client_id": "strong", "request": rp.signed()}
        url = rp.pushed_url((await rp.call("pushed_authorization_request_endpoint", form)).json()["request_uri"])
    elif way == "plain":
        url = rp.authorization_url()
    else:
        url = rp.signed_url(rp.signed(**({"authorization_details": [READ, PAY]} if way == "signed_list" else {})))

    assert (await tokens_of(rp, url))["authorization_details"] == [READ, PAY]


async def test_the_grant_is_told_to_client_and_api(provider, rp):
    """In each token answer (§7), in the access token (§9.1) and by introspection (§9.2)."""
    provider.jwt_access_tokens = True
    first = await tokens_of(rp, rp.authorization_url())
    second = (await rp.refresh(first["refresh_token"])).json()
    about = (await rp.call("introspection_endpoint", {"token": second["access_token"]})).json()

    assert second["authorization_details"] == about["authorization_details"] == [READ, PAY]
    assert provider.memory.access_tokens[first["access_token"]].claims["authorization_details"] == [READ, PAY]


async def test_without_details_nothing_is_told(provider):
    """Scopes are enough for most."""
    members = await StrongRelyingParty(provider).login()

    assert "authorization_details" not in members
    assert "authorization_details" not in provider.memory.access_tokens[members["access_token"]].claims


async def test_the_provider_may_grant_less_or_more_in_detail(provider, rp):
    """Such as the account that the user has picked (§7.1)."""
    provider.granted_details = lambda asked: [dict(asked[0]) | {"account": "DE02"}]

    assert (await tokens_of(rp, rp.authorization_url()))["authorization_details"] == [READ | {"account": "DE02"}]


async def test_a_token_call_may_name_some_of_the_details(rp):
    """A token for one purpose; the refresh token keeps the rest (§6)."""
    first = await tokens_of(rp, rp.authorization_url(), authorization_details=json.dumps([PAY]))
    second = (await rp.refresh(first["refresh_token"], authorization_details=json.dumps([READ]))).json()
    third = (await rp.refresh(second["refresh_token"])).json()

    assert [it["authorization_details"] for it in (first, second, third)] == [[PAY], [READ], [READ, PAY]]


async def test_a_token_call_gets_no_more_than_was_granted(rp):
    """And a refresh token that is refused for this is not used up."""
    more = json.dumps([PAY | {"amount": {"currency": "EUR", "value": "1000.00"}}])
    first = await tokens_of(rp, rp.authorization_url())
    refused = await rp.refresh(first["refresh_token"], authorization_details=more)

    assert (await tokens_of(rp, rp.authorization_url(), authorization_details=more))["error"] == refused.json()["error"]
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")
    assert (await rp.refresh(first["refresh_token"])).status_code == 200


async def test_a_client_gets_details_for_itself(rp):
    """`client_credentials` takes them as well (§6)."""
    form = MACHINE | {"authorization_details": json.dumps([READ])}
    refused = await rp.token_call(MACHINE | {"authorization_details": "[7]"})

    assert (await rp.token_call(form)).json()["authorization_details"] == [READ]
    assert refused.json()["error"] == "invalid_authorization_details"


REFUSED = [
    "not JSON",
    "7",
    "{}",
    "[7]",
    "[{}]",
    '[{"type":7}]',
    '[{"type":["account"]}]',
    '[{"type":"administration"}]',
    '[{"type":"account"},{"type":"administration"}]',
    "[" * 15_000,
]


@pytest.mark.parametrize("details", REFUSED, ids=range(len(REFUSED)))
async def test_details_that_are_wrong_or_unknown_are_refused(rp, details):
    """Wherever they are sent (§5)."""
    pushed = await rp.push(authorization_details=details)
    response = await rp.response_to(rp.signed_url(rp.signed(authorization_details=details)))

    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_authorization_details")
    assert response["error"] == "invalid_authorization_details"


async def test_the_metadata_lists_the_types(provider, rp):
    """And a provider without types knows no details at all."""
    url = f"{provider.issuer}/.well-known/openid-configuration"
    async with provider.http_client() as client:
        listed = (await client.get(url)).json()
        provider.authorization_details_types = []
        unlisted = (await client.get(url)).json()

    assert listed["authorization_details_types_supported"] == ["account", "payment"]
    assert "authorization_details_types_supported" not in unlisted
    assert (await rp.push()).json()["error"] == "invalid_authorization_details"
