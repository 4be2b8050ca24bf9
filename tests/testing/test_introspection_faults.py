"""Each named fault of an introspection answer does what its sentence says."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import INTROSPECTION_JWT_CLAIMS, INTROSPECTION_JWT_SIGNING, INTROSPECTION_MEMBERS
from tests.testing.relying_party import NOW
from tests.testing.token_reading import verified

API = "https://api.example.com"
ELSEWHERE = "https://someone-else.example.com"
SIGNED = "application/token-introspection+jwt"


async def answer_with(*faults: str, accept: str = "application/json") -> httpx.Response:
    provider = FakeProvider(clock=lambda: NOW, signed_introspection=True)
    provider.slow_by = 0.01
    token = provider.access_token("alice", audience=API, claims={"jti": "a-jti"})
    async with provider.http_client() as client:
        with provider.fault(*faults):
            return await client.post(
                provider.metadata["introspection_endpoint"],
                data={"token": token},
                auth=("web", "web-secret-for-tests"),
                headers={"accept": accept},
            )


# What differs from a good answer; `...` for a member that is missing.
MEMBERS: dict[str, dict[str, Any]] = {
    "introspection_active_text": {"active": "true"},
    "introspection_active_number": {"active": 1},
    "introspection_active_list": {"active": [True]},
    "introspection_active_null": {"active": None},
    "introspection_no_active": {"active": ...},
    "introspection_wrong_iss": {"iss": ELSEWHERE},
    "introspection_iss_list": {"iss": ["https://id.example.com"]},
    "introspection_wrong_aud": {"aud": "https://another-api.example.com"},
    "introspection_no_aud": {"aud": ...},
    "introspection_aud_number": {"aud": 7},
    "introspection_no_exp": {"exp": ...},
    "introspection_exp_text": {"exp": "1900000000"},
    "introspection_exp_true": {"exp": True},
    "introspection_exp_1e300": {"exp": 1e300},
    "introspection_sub_number": {"sub": 12345},
    "introspection_sub_empty": {"sub": ""},
    "introspection_no_sub": {"sub": ..., "username": ...},
    "introspection_no_client": {"client_id": ...},
    "introspection_another_client": {"client_id": "another-client"},
    "introspection_scope_number": {"scope": 7},
    "introspection_cnf_text": {"cnf": "jkt"},
    "introspection_cnf_unknown": {"cnf": {"urn:example:method": "x"}},
    "introspection_expired": {"iat": NOW - 7200, "exp": NOW - 3600},
    "introspection_not_yet": {"nbf": NOW + 3600},
}


def repr_of(members: Any) -> str:
    """Tell `1` from `true`, which are equal in Python."""
    return json.dumps(members, sort_keys=True)


@pytest.mark.parametrize("fault", MEMBERS)
async def test_faults_of_the_members_spoil_nothing_else(fault):
    """An answer that is wrong in two ways would not show which one was noticed."""
    good, spoilt = (await answer_with()).json(), (await answer_with(fault)).json()

    changed = {name: value for name, value in {**good, **MEMBERS[fault]}.items() if value is not ...}
    assert repr_of(spoilt) == repr_of(changed) != repr_of(good)


ANSWERS: dict[str, Callable[[httpx.Response], bool]] = {
    "introspection_500": lambda it: it.status_code == 500,
    "introspection_down": lambda it: it.status_code == 503,
    "introspection_busy": lambda it: (it.status_code, it.headers["retry-after"]) == (429, "7"),
    "introspection_html": lambda it: it.status_code == 200 and it.text.startswith("<!doctype html>"),
    "introspection_empty": lambda it: (it.status_code, it.content) == (200, b""),
    "introspection_not_json": lambda it: it.text.startswith('{"active": true') and not it.text.endswith("}"),
    "introspection_json_array": lambda it: it.json()[0]["active"] is True,
    "introspection_json_true": lambda it: it.json() is True,
    "introspection_two_actives": lambda it: it.text.count('"active"') == 2,
    "introspection_deep_json": lambda it: it.text.count("[") >= 100_000,
    "introspection_huge": lambda it: len(it.content) > 10_000_000 and it.json()["active"] is True,
    "introspection_redirect": lambda it: (it.status_code, it.headers["location"][:9]) == (307, "https://c"),
    "introspection_invalid_client": lambda it: (it.status_code, it.json()["error"]) == (401, "invalid_client"),
    "introspection_forbidden": lambda it: it.status_code == 403,
    "introspection_slow": lambda it: it.json()["active"] is True,
}


@pytest.mark.parametrize("fault", ANSWERS)
async def test_faults_of_the_answer(fault):
    """Whatever a broken endpoint or something in between may answer."""
    assert ANSWERS[fault](await answer_with(fault))


@pytest.mark.parametrize(
    ("fault", "encoding"), [("introspection_gzip", "gzip"), ("introspection_gzip_bomb", "gzip, gzip")]
)
async def test_answers_may_be_compressed(fault, encoding):
    """Nobody asked for that; a client that unpacks is to be careful."""
    provider = FakeProvider()
    provider.faults.add(fault)
    form = {"token": provider.access_token(audience=API)}
    async with provider.http_client() as client:
        url = provider.metadata["introspection_endpoint"]
        async with client.stream("POST", url, data=form, auth=("web", "web-secret-for-tests")) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == encoding
    assert len(gzip.decompress(raw)) < 1_000_000


async def test_the_endpoint_may_hang():
    """It neither answers nor refuses."""
    with anyio.move_on_after(0.05) as patience:
        await answer_with("introspection_hangs")

    assert patience.cancelled_caught


JWT_CLAIMS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "introspection_jwt_wrong_iss": lambda it: it["iss"] == ELSEWHERE,
    "introspection_jwt_no_iss": lambda it: "iss" not in it,
    "introspection_jwt_wrong_aud": lambda it: it["aud"] == "another-client",
    "introspection_jwt_no_aud": lambda it: "aud" not in it,
    "introspection_jwt_old": lambda it: it["iat"] == NOW - 86_400,
    "introspection_jwt_no_members": lambda it: "token_introspection" not in it,
    "introspection_jwt_members_outside": lambda it: it["active"] and "token_introspection" not in it,
    "introspection_jwt_members_text": lambda it: it["token_introspection"] == '{"active": true}',
}
JWT_HEADERS: dict[str, Any] = {
    "introspection_jwt_wrong_typ": "at+jwt",
    "introspection_jwt_no_typ": None,
}
KEYS = KeySet.import_key_set({"keys": FakeProvider().published_keys})


@pytest.mark.parametrize("fault", [*JWT_CLAIMS, *JWT_HEADERS])
async def test_faults_of_signed_answers_are_well_signed(fault):
    """Only one thing is wrong: a reader that checks the signature alone would take it."""
    signed = jwt.decode((await answer_with(fault, accept=SIGNED)).text, KEYS)

    if fault in JWT_CLAIMS:
        assert JWT_CLAIMS[fault](signed.claims)
    assert signed.header.get("typ") == JWT_HEADERS.get(fault, "token-introspection+jwt")


BADLY_SIGNED = [
    "introspection_jwt_alg_none",
    "introspection_jwt_bad_signature",
    "introspection_jwt_crit",
    "introspection_jwt_embedded_jwk",
    "introspection_jwt_five_parts",
    "introspection_jwt_foreign_key",
    "introspection_jwt_hs256_with_oct_key",
    "introspection_jwt_hs256_with_public_key",
    "introspection_jwt_made_up_kid",
    "introspection_jwt_small_rsa_key",
]
WELL_SIGNED = [
    "introspection_jwt_array_payload",
    "introspection_jwt_deep_claims",
    "introspection_jwt_duplicate_sub",
    "introspection_jwt_huge",
    "introspection_jwt_lone_surrogate",
    "introspection_jwt_no_kid",
]


@pytest.mark.parametrize("fault", BADLY_SIGNED)
async def test_badly_signed_answers_do_not_verify(fault):
    """Joserfc, given our keys and algorithm, refuses each of them."""
    token = (await answer_with(fault, accept=SIGNED)).text
    two_keys = FakeProvider()
    two_keys.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round

    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, KeySet.import_key_set({"keys": two_keys.published_keys}), algorithms=["RS256"])


@pytest.mark.parametrize("fault", WELL_SIGNED)
async def test_odd_signed_answers_verify(fault):
    """The signature is good, so the reader itself has to be careful."""
    _, payload = verified(FakeProvider(), (await answer_with(fault, accept=SIGNED)).text)

    assert b'"token_introspection":{"active":true' in payload
    assert set(INTROSPECTION_JWT_SIGNING) == {*BADLY_SIGNED, *WELL_SIGNED, *JWT_HEADERS}
    assert (set(INTROSPECTION_JWT_CLAIMS), set(INTROSPECTION_MEMBERS)) == (set(JWT_CLAIMS), set(MEMBERS))


async def test_a_signed_answer_can_be_left_out():
    """Though the call asked for it."""
    plain = await answer_with("introspection_jwt_left_out", accept=SIGNED)

    assert (plain.headers["content-type"], plain.json()["active"]) == ("application/json", True)
