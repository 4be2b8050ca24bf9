"""Each fault of signed authorization requests and of `authorization_details` does what its sentence says."""

from typing import Any

import pytest

from asgi_oidc.testing import FakeProvider
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider

METADATA: list[tuple[str, dict[str, Any]]] = [
    ("discovery_request_object_algs_unusable", {"request_object_signing_alg_values_supported": ["none"]}),
    ("discovery_details_types_of_wrong_type", {"authorization_details_types_supported": "payment"}),
    (
        "discovery_signed_requests_without_algs",
        {"require_signed_request_object": True, "request_object_signing_alg_values_supported": None},
    ),
]


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    return StrongRelyingParty(provider)


@pytest.mark.parametrize(("fault", "members"), METADATA)
async def test_faults_of_what_the_metadata_says(provider, fault, members):
    """A client must not send an unsigned request instead."""
    with provider.fault(fault):
        async with provider.http_client() as client:
            told = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()

    assert {name: told.get(name) for name in members} == members


DETAILS: list[tuple[str, Any]] = [
    ("authorization_details_missing", ...),
    ("authorization_details_null", None),
    ("authorization_details_empty", []),
    ("authorization_details_malformed", '[{"type":"payment"}]'),
    ("authorization_details_object", {"type": "payment"}),
    ("authorization_details_not_objects", [7, "payment"]),
    ("authorization_details_without_type", [{"actions": ["read"]}]),
    ("authorization_details_type_number", [{"type": 7}]),
    ("authorization_details_other_type", [{"type": "administration"}]),
    ("authorization_details_too_many", [{"type": "payment"}] * 20_000),
]


@pytest.mark.parametrize(("fault", "told"), DETAILS)
async def test_faults_of_what_was_granted_in_detail(provider, rp, fault, told):
    """An app that trusts it would allow too much, or crash."""
    provider.authorization_details_types = ["payment"]
    form = {"grant_type": "client_credentials", "authorization_details": '[{"type":"payment"}]'}
    with provider.fault(fault):
        members = (await rp.token_call(form)).json()

    assert members.get("authorization_details", ...) == told


async def test_details_can_be_refused_when_they_are_pushed(provider, rp):
    """As if the provider did not know their type."""
    with provider.fault("par_error_invalid_authorization_details"):
        answer = await rp.push()

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


async def test_details_can_be_refused_in_the_browser(provider, rp):
    """The same for a request that was not pushed."""
    with provider.fault("callback_error_invalid_authorization_details"):
        response = await rp.response_to(rp.authorization_url())

    assert (response["error"], "code" in response) == ("invalid_authorization_details", False)


async def test_a_login_can_end_because_of_the_request_object(provider, rp):
    """As if the provider could not verify it."""
    with provider.fault("callback_error_invalid_request_object"):
        response = await rp.response_to(rp.signed_url(rp.signed()))

    assert (response["error"], response["state"], "code" in response) == ("invalid_request_object", "a-state", False)
