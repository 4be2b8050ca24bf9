"""Each fault of signed authorization requests does what its sentence says."""

from typing import Any

import pytest

from asgi_oidc.testing import FakeProvider
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider

METADATA: list[tuple[str, dict[str, Any]]] = [
    ("discovery_request_object_algs_unusable", {"request_object_signing_alg_values_supported": ["none"]}),
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
async def test_faults_of_what_the_metadata_says_about_signed_requests(provider, fault, members):
    """A client must not send an unsigned one instead."""
    with provider.fault(fault):
        async with provider.http_client() as client:
            told = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()

    assert {name: told.get(name) for name in members} == members


async def test_a_login_can_end_because_of_the_request_object(provider, rp):
    """As if the provider could not verify it."""
    with provider.fault("callback_error_invalid_request_object"):
        response = await rp.response_to(rp.signed_url(rp.signed()))

    assert (response["error"], response["state"], "code" in response) == ("invalid_request_object", "a-state", False)
