"""Each fault of DPoP and of client assertions does what its sentence says."""

from typing import Any

import httpx
import pytest

from asgi_oidc.testing import DPoPKey, FakeProvider
from tests.testing.relying_party import NOW
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider

MACHINE = {"grant_type": "client_credentials"}


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    rp = StrongRelyingParty(provider)
    rp.dpop_key = DPoPKey(clock=lambda: NOW)
    return rp


async def userinfo(rp: StrongRelyingParty, token: str) -> httpx.Response:
    url = rp.fake.metadata["userinfo_endpoint"]
    assert rp.dpop_key is not None
    headers = {"authorization": f"DPoP {token}", "dpop": rp.dpop_key.proof("GET", url, access_token=token)}
    async with rp.fake.http_client() as client:
        return await client.get(url, headers=headers)


NONCES: list[tuple[str, str, list[str]]] = [
    ("dpop_nonce_forever", "userinfo_dpop_nonce_forever", ["a-nonce-that-leads-nowhere"]),
    ("dpop_nonce_error_without_header", "userinfo_dpop_nonce_error_without_header", []),
    ("dpop_nonce_empty", "userinfo_dpop_nonce_empty", [""]),
    ("dpop_nonce_malformed", "userinfo_dpop_nonce_malformed", ['a "nonce" \\']),
    ("dpop_nonce_too_long", "userinfo_dpop_nonce_too_long", ["n" * 20_000]),
    ("dpop_nonce_twice", "userinfo_dpop_nonce_twice", ["a-nonce-that-leads-nowhere", "another-nonce"]),
]


@pytest.mark.parametrize(("fault", "userinfo_fault", "nonces"), NONCES)
async def test_faults_of_nonces(provider, rp, fault, userinfo_fault, nonces):
    """The demand comes however often the client tries, and nothing is processed."""
    with provider.fault(fault):
        answers = [await rp.token_call(MACHINE), await rp.push(), await rp.token_call(MACHINE)]
    with provider.fault(userinfo_fault):
        refused = await userinfo(rp, "any")

    assert {(it.status_code, it.json()["error"]) for it in answers} == {(400, "use_dpop_nonce")}
    assert [it.headers.get_list("dpop-nonce") for it in answers] == [nonces] * 3
    assert (refused.status_code, refused.headers.get_list("dpop-nonce")) == (401, nonces)
    assert refused.headers["www-authenticate"] == 'DPoP error="use_dpop_nonce"'
    assert (provider.memory.access_tokens, provider.memory.pushed_requests) == ({}, {})


async def test_a_demand_can_bring_another_nonce_each_time(provider, rp):
    """A client that tries again for each new nonce would never stop."""
    with provider.fault("dpop_nonce_always_new"):
        nonces = {(await rp.token_call(MACHINE)).headers["dpop-nonce"] for _ in range(3)}

    assert len(nonces) == 3


async def test_a_nonce_can_come_unasked(provider, rp):
    """The client sends it the next time, and it is ignored."""
    with provider.fault("dpop_nonce_in_200"):
        first, second, refused = await rp.token_call(MACHINE), await rp.push(), await rp.push(scope="x")

    assert first.headers["dpop-nonce"] == second.headers["dpop-nonce"] == "a-nonce-for-next-time"
    assert (second.status_code, "dpop-nonce" in refused.headers) == (201, False)


ERRORS: list[tuple[str, int, str]] = [
    ("dpop_nonce_in_500", 500, "use_dpop_nonce"),
    ("dpop_nonce_in_other_error", 400, "invalid_grant"),
]


@pytest.mark.parametrize(("fault", "status", "error"), ERRORS)
async def test_a_nonce_in_another_error_is_no_demand(provider, rp, fault, status, error):
    """The call was processed: a code must not be sent again."""
    with provider.fault(fault):
        answer = await rp.token_call(MACHINE)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("dpop-nonce" in answer.headers, len(provider.memory.access_tokens)) == (True, 1)


async def test_proofs_can_be_refused(provider, rp):
    """With an error that no other nonce would cure."""
    token = (await rp.token_call(MACHINE)).json()["access_token"]
    with provider.fault("dpop_proof_refused"):
        answers = [await rp.token_call(MACHINE), await rp.push()]
    with provider.fault("userinfo_dpop_proof_refused"):
        refused = await userinfo(rp, token)

    assert {(it.status_code, it.json()["error"]) for it in answers} == {(400, "invalid_dpop_proof")}
    assert (refused.status_code, "invalid_dpop_proof" in refused.headers["www-authenticate"]) == (401, True)


async def test_client_assertions_can_be_refused_everywhere(provider, rp):
    """As if the provider did not know the key."""
    with provider.fault("client_assertion_refused"):
        answers = [
            await rp.token_call(MACHINE),
            await rp.push(),
            await rp.call("revocation_endpoint", {"token": "x"}),
            await rp.call("introspection_endpoint", {"token": "x"}),
        ]

    assert {(it.status_code, it.json()["error"]) for it in answers} == {(401, "invalid_client")}


TYPES: list[tuple[str, Any]] = [
    ("token_type_bearer_for_dpop", "Bearer"),
    ("token_type_other_case", "dpOp"),
    ("token_type_missing", None),
    ("token_type_unknown", "mac"),
    ("token_type_number", 7),
    ("token_type_empty", ""),
]


@pytest.mark.parametrize(("fault", "token_type"), TYPES)
async def test_faults_of_the_token_type(provider, rp, fault, token_type):
    """The client must look at it, without regard to case."""
    with provider.fault(fault):
        members = (await rp.token_call(MACHINE)).json()

    assert members.get("token_type") == token_type
    assert "access_token" in members


METADATA: list[tuple[str, dict[str, Any]]] = [
    ("discovery_dpop_algs_unusable", {"dpop_signing_alg_values_supported": ["none", "HS256"]}),
    ("discovery_dpop_algs_of_wrong_type", {"dpop_signing_alg_values_supported": "ES256"}),
    ("discovery_assertion_algs_unusable", {"token_endpoint_auth_signing_alg_values_supported": ["none"]}),
    ("discovery_without_assertion_algs", {"token_endpoint_auth_signing_alg_values_supported": None}),
]


@pytest.mark.parametrize(("fault", "members"), METADATA)
async def test_faults_of_what_the_metadata_says_about_algorithms(provider, fault, members):
    """A client must not fall back to something weaker."""
    with provider.fault(fault):
        async with provider.http_client() as client:
            told = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()

    assert {name: told.get(name) for name in members} == members
