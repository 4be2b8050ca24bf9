"""Each named fault of a JARM response does what its sentence says."""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from asgi_oidc.testing import Client, FakeProvider
from asgi_oidc.testing.faults import JARM_CLAIMS, JARM_PARAMS, JARM_SIGNING, RESPONSE_MODES
from tests.testing.relying_party import NOW
from tests.testing.test_jarm import claims_of, metadata_of, response_of
from tests.testing.token_reading import verified

ELSEWHERE = "https://someone-else.example.com"

# What differs from a good response; `...` for a claim that is missing.
CLAIMS: dict[str, dict[str, Any]] = {
    "jarm_no_iss": {"iss": ...},
    "jarm_wrong_iss": {"iss": ELSEWHERE},
    "jarm_no_aud": {"aud": ...},
    "jarm_wrong_aud": {"aud": "another-client"},
    "jarm_aud_list": {"aud": ["web"]},
    "jarm_extra_aud": {"aud": ["web", "another-client"]},
    "jarm_no_exp": {"exp": ...},
    "jarm_expired": {"exp": NOW - 3600},
    "jarm_exp_text": {"exp": str(NOW + 600)},
    "jarm_exp_1e300": {"exp": 1e300},
    "jarm_not_yet": {"nbf": NOW + 3600, "exp": NOW + 7200},
    "jarm_code_number": {"code": 7, "state": 7},
}


@pytest.mark.parametrize("fault", CLAIMS)
async def test_faults_of_the_claims_are_well_signed(provider, fault):
    """Only the claim is wrong: a client that checks the signature alone would accept it."""
    with provider.fault(fault):
        [(_, response)] = await response_of(provider)

    claims = claims_of(provider, response)
    code = claims.get("code")
    good = {"iss": provider.issuer, "aud": "web", "exp": NOW + 600, "state": "a-state", "code": code}
    assert claims == {name: value for name, value in {**good, **CLAIMS[fault]}.items() if value is not ...}


BADLY_SIGNED = [
    "jarm_alg_none",
    "jarm_bad_signature",
    "jarm_foreign_key",
    "jarm_made_up_kid",
    "jarm_crit",
    "jarm_hs256_with_public_key",
    "jarm_hs256_with_oct_key",
    "jarm_hs256_with_client_secret",
    "jarm_small_rsa_key",
    "jarm_embedded_jwk",
    "jarm_five_parts",
]
WELL_SIGNED: dict[str, Callable[[Any, bytes], bool]] = {
    "jarm_no_kid": lambda header, _: header == {"alg": "RS256"},
    "jarm_duplicate_code": lambda _, payload: payload.count(b'"code":') == 2,
    "jarm_lone_surrogate": lambda _, payload: b"\\ud800" in payload,
    "jarm_deep_claims": lambda _, payload: payload.count(b"[") == 20_000,
    "jarm_array_payload": lambda _, payload: payload.startswith(b"["),
    "jarm_huge": lambda _, payload: len(payload) > 100_000,
}


@pytest.mark.parametrize("fault", BADLY_SIGNED)
async def test_badly_signed_responses_do_not_verify(provider, fault):
    """Joserfc, given the provider's keys and algorithm, refuses each of them."""
    provider.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    with provider.fault(fault):
        [(_, response)] = await response_of(provider)

    with pytest.raises((JoseError, ValueError)):
        jwt.decode(response, keys, algorithms=["RS256"])


@pytest.mark.parametrize("fault", WELL_SIGNED)
async def test_odd_payloads_are_well_signed(provider, fault):
    """The signature is good, so the reader itself has to be careful."""
    with provider.fault(fault):
        [(_, response)] = await response_of(provider, "form_post.jwt")

    assert WELL_SIGNED[fault](*verified(provider, response))


async def test_the_client_secret_really_verifies(provider):
    """A client that lets the header choose the algorithm is fooled."""
    with provider.fault("jarm_hs256_with_client_secret"):
        [(_, response)] = await response_of(provider)

    secret = OctKey.import_key("web-secret-for-tests")
    assert jwt.decode(response, secret, algorithms=["HS256"]).claims["aud"] == "web"


PARAMS = {
    "jarm_response_and_code": ["code", "response"],
    "jarm_response_and_error": ["error", "response"],
    "jarm_two_responses": ["response", "response"],
    "jarm_empty_response": ["response"],
    "jarm_not_a_jwt": ["response"],
    "jarm_state_beside": ["response", "state"],
    "jarm_plain_response": ["code", "iss", "state"],
}


@pytest.mark.parametrize("mode", ["query.jwt", "form_post.jwt"])
@pytest.mark.parametrize("fault", PARAMS)
async def test_faults_of_the_parameters(provider, fault, mode):
    """What is sent is wrong, in the query and in the form alike."""
    with provider.fault(fault):
        pairs = await response_of(provider, mode)

    responses = {value.count(".") == 2 for name, value in pairs if name == "response"}
    assert sorted(name for name, _ in pairs) == PARAMS[fault]
    assert responses == ({False} if fault in ("jarm_empty_response", "jarm_not_a_jwt") else {True}) or not responses


@pytest.mark.parametrize("mode", [None, "form_post"])
async def test_a_jwt_comes_though_nobody_asked(provider, mode):
    """A client that did not ask has not agreed to what is inside."""
    with provider.fault("jarm_not_asked_for"):
        [(name, response)] = await response_of(provider, mode)

    assert (name, claims_of(provider, response)["aud"]) == ("response", "web")


async def test_a_form_can_become_a_redirect(provider: FakeProvider, rp, browser):
    """The JWT is then in the URL, and so in logs."""
    provider.sign_in_as("alice")
    with provider.fault("jarm_in_query"):
        back = await browser.get(rp.authorization_url(response_mode="form_post.jwt"), follow=False)

    assert "?response=" in back.location


async def test_another_algorithm_by_a_key_of_the_set():
    """A client that pins `ES256` gets `RS256`."""
    provider = FakeProvider(clients=[Client(authorization_signed_response_alg="ES256")], clock=lambda: NOW)
    with provider.fault("jarm_another_alg"):
        [(_, response)] = await response_of(provider)

    assert claims_of(provider, response, "RS256")["aud"] == "web"


async def test_the_metadata_can_lack_it(provider):
    """A client that looks there asks for a plain response, or not at all."""
    with provider.fault("jarm_not_in_metadata"):
        assert (await metadata_of(provider))["response_modes_supported"] == ["query", "form_post"]


def test_every_fault_is_in_a_table_above():
    """A new fault comes with a test."""
    tested = {*CLAIMS, *BADLY_SIGNED, *WELL_SIGNED, *PARAMS, "jarm_not_asked_for", "jarm_in_query", "jarm_another_alg"}

    assert {*JARM_CLAIMS, *JARM_SIGNING, *JARM_PARAMS, *RESPONSE_MODES} == tested
