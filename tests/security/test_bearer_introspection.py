"""Whatever the provider answers about a token, nobody is let in by a wrong answer, and an outage is no refusal."""

import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import FAULTS

from .api_calls import (
    PLACES,
    PROTECTED,
    PUBLIC,
    APISite,
    bearer,
    other_tokens,
    refusal_of,
    set_cookies,
    written,
)
from .attacked_site import NOW

# fault -> status and code: 401 if the token is to blame, 502 for a wrong answer, 503 for an outage
REFUSED = {
    "introspection_500": (503, "introspection_unavailable"),
    "introspection_active_list": (502, "introspection_malformed"),
    "introspection_active_null": (502, "introspection_malformed"),
    "introspection_active_number": (502, "introspection_malformed"),
    "introspection_active_text": (502, "introspection_malformed"),
    "introspection_aud_number": (502, "introspection_malformed"),
    "introspection_busy": (503, "introspection_unavailable"),
    "introspection_cnf_text": (502, "introspection_malformed"),
    "introspection_cnf_unknown": (401, "claim_cnf"),
    "introspection_deep_json": (502, "introspection_not_json"),
    "introspection_down": (503, "introspection_unavailable"),
    "introspection_empty": (502, "introspection_not_json"),
    "introspection_exp_1e300": (401, "claim_exp"),
    "introspection_exp_text": (502, "introspection_malformed"),
    "introspection_exp_true": (502, "introspection_malformed"),
    "introspection_expired": (401, "claim_exp"),
    "introspection_forbidden": (502, "provider_refused"),
    "introspection_gzip": (502, "introspection_compressed"),
    "introspection_gzip_bomb": (502, "introspection_compressed"),
    "introspection_html": (502, "introspection_not_json"),
    "introspection_huge": (502, "introspection_too_large"),
    "introspection_invalid_client": (502, "provider_refused"),
    "introspection_iss_list": (502, "introspection_malformed"),
    "introspection_json_array": (502, "introspection_not_json"),
    "introspection_json_true": (502, "introspection_not_json"),
    "introspection_jwt_alg_none": (502, "introspection_jwt"),
    "introspection_jwt_array_payload": (502, "introspection_jwt"),
    "introspection_jwt_bad_signature": (502, "introspection_jwt"),
    "introspection_jwt_crit": (502, "introspection_jwt"),
    "introspection_jwt_deep_claims": (502, "introspection_jwt"),
    "introspection_jwt_embedded_jwk": (502, "introspection_jwt"),
    "introspection_jwt_five_parts": (502, "introspection_jwt"),
    "introspection_jwt_foreign_key": (502, "introspection_jwt"),
    "introspection_jwt_hs256_with_oct_key": (502, "introspection_jwt"),
    "introspection_jwt_hs256_with_public_key": (502, "introspection_jwt"),
    "introspection_jwt_huge": (502, "introspection_jwt"),
    "introspection_jwt_lone_surrogate": (502, "introspection_jwt"),
    "introspection_jwt_made_up_kid": (502, "introspection_jwt"),
    "introspection_jwt_members_outside": (502, "introspection_jwt"),
    "introspection_jwt_members_text": (502, "introspection_jwt"),
    "introspection_jwt_no_aud": (502, "introspection_jwt"),
    "introspection_jwt_no_iss": (502, "introspection_jwt"),
    "introspection_jwt_no_members": (502, "introspection_jwt"),
    "introspection_jwt_no_typ": (502, "introspection_jwt"),
    "introspection_jwt_old": (502, "introspection_jwt"),
    "introspection_jwt_small_rsa_key": (502, "introspection_jwt"),
    "introspection_jwt_wrong_aud": (502, "introspection_jwt"),
    "introspection_jwt_wrong_iss": (502, "introspection_jwt"),
    "introspection_jwt_wrong_typ": (502, "introspection_jwt"),
    "introspection_no_active": (502, "introspection_malformed"),
    "introspection_no_aud": (401, "claim_aud"),
    "introspection_no_sub": (401, "claim_sub"),
    "introspection_not_json": (502, "introspection_not_json"),
    "introspection_not_yet": (401, "claim_nbf"),
    "introspection_redirect": (502, "introspection_redirect"),
    "introspection_scope_number": (502, "introspection_malformed"),
    "introspection_sub_empty": (401, "claim_sub"),
    "introspection_sub_number": (502, "introspection_malformed"),
    "introspection_two_actives": (502, "introspection_not_json"),
    "introspection_wrong_aud": (401, "claim_aud"),
    "introspection_wrong_iss": (401, "claim_iss"),
}
# The client is checked by rules, a token that is active needs no end, and what nobody reads harms nobody.
ACCEPTED = {
    "introspection_another_client",
    "introspection_no_client",
    "introspection_no_exp",
    "introspection_jwt_no_kid",
    "introspection_jwt_duplicate_sub",
    "introspection_jwt_left_out",
}
WAITS = {"introspection_slow", "introspection_hangs"}


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """All loggers at DEBUG, those of the libraries too."""
    with caplog.at_level(logging.DEBUG):
        yield


def introspecting_site(*, signed: bool = False, **settings: Any) -> APISite:
    return APISite(FakeProvider(clock=lambda: NOW, signed_introspection=signed), **settings)


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_wrong_answer_lets_nobody_in(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """`active` is true, in an answer that is for us and about a token for this API, or the token does not count."""
    site = introspecting_site(signed="_jwt_" in fault)
    cookie = await site.session_cookie("alice")
    token = site.token("bob", opaque=True)
    site.provider.faults |= {fault, "jwks_junk_keys"}

    for place in PLACES:
        for session in ([], [cookie]):
            answer = await site.call(place, [*session, bearer(token)])
            refusal = refusal_of(answer)
            assert (refusal.status, refusal.code) == REFUSED[fault], place
            assert len(refusal.challenges) == (1 if refusal.status == 401 else 0)
            assert (b"retry-after" in dict(answer.sent[0]["headers"])) is (refusal.status == 503)
            assert set_cookies(answer) == []
    assert site.app.visits == []
    assert site.provider.count("/introspect") <= 2 * len(PLACES)
    assert token not in written(caplog.records)


def test_every_fault_of_introspection_is_tried() -> None:
    """A new fault is refused, or accepted on purpose."""
    assert {name for name in FAULTS if name.startswith("introspection_")} == {*REFUSED, *ACCEPTED, *WAITS}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("fault", [None, *sorted(ACCEPTED)])
async def test_a_good_answer_counts_alone(fault: str | None, signed: bool) -> None:
    """The user of the session beside it is somebody else; and the provider is asked once."""
    site = introspecting_site(signed=signed)
    cookie = await site.session_cookie("alice")
    token = site.token("bob", opaque=True)
    with site.provider.fault(*([fault] if fault else [])):
        answers = [await site.call(PROTECTED, headers) for headers in ([bearer(token)], [cookie, bearer(token)])]

    assert [answer.status for answer in answers] == [200, 200]
    assert {sub for _, sub in site.app.visits} == {"bob"}
    assert site.provider.count("/introspect") == 1


@pytest.mark.parametrize("name", ["made up", "a refresh token", "revoked", "expired", "of another API", "of a login"])
async def test_tokens_that_do_not_count_are_refused(name: str) -> None:
    """Each is known to the provider, or was."""
    site = introspecting_site()
    site.provider.always_refresh_tokens = True
    await site.signed_in("bob")
    site.app.visits.clear()
    memory = site.provider.memory
    tokens = {
        "made up": "at-made-up-by-somebody",
        "a refresh token": next(iter(memory.refresh_tokens)),
        "of a login": next(iter(memory.access_tokens)),
        "expired": site.token(opaque=True, lifetime=-60),
        "of another API": site.token(opaque=True, audience="https://other.example.com"),
        "revoked": site.token(opaque=True),
    }
    memory.revoke(memory.access_tokens[tokens["revoked"]].grant)

    refusals = [refusal_of(await site.call(PROTECTED, [bearer(tokens[name])])) for _ in range(3)]

    assert {refusal.status for refusal in refusals} == {401}
    assert site.app.visits == []
    assert site.provider.count("/introspect") == 1


async def test_a_revoked_token_ends_within_the_time_of_the_cache() -> None:
    """Seconds, and not as long as it would live."""
    site = introspecting_site()
    token = site.token(opaque=True)
    assert (await site.call(PROTECTED, [bearer(token)])).status == 200
    site.provider.memory.revoke(site.provider.memory.access_tokens[token].grant)

    site.clock.now += 31

    assert (await site.call(PROTECTED, [bearer(token)])).status == 401


async def test_an_outage_lets_no_token_live_on() -> None:
    """Once its answer is old, nobody knows whether it still counts; afterwards it counts again."""
    site = introspecting_site()
    token = site.token(opaque=True)
    assert (await site.call(PROTECTED, [bearer(token)])).status == 200

    site.clock.now += 31
    with site.provider.fault("introspection_down"):
        assert (await site.call(PROTECTED, [bearer(token)])).status == 503

    assert (await site.call(PROTECTED, [bearer(token)])).status == 200


async def test_while_an_answer_is_awaited_nobody_else_waits() -> None:
    """One user never pays for another."""
    site = introspecting_site()
    cookie = await site.session_cookie("alice")
    slow, jwt = site.token("bob", opaque=True), site.token("chloe")
    answers = []

    async def call_slowly() -> None:
        answers.append((await site.call(PROTECTED, [bearer(slow)])).status)

    with site.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(call_slowly)
            await gate.until_held()
            others = [(await site.call(PROTECTED, [it])).status for it in (cookie, bearer(jwt))]
            public = (await site.call(PUBLIC)).status
            assert (others, public, answers) == ([200, 200], 200, [])
            gate.open()

    assert answers == [200] * 50
    assert site.provider.count("/introspect") == 1


async def test_a_flood_of_made_up_tokens_costs_no_sign_in_and_no_known_token() -> None:
    """They wait for slots of their own, and what is too much gets 503."""
    site = introspecting_site()
    known = site.token("chloe", opaque=True)
    await site.call(PROTECTED, [bearer(known)])
    site.clock.now += 31  # so that it has to be asked about again
    statuses: list[int] = []

    async def flood(number: int) -> None:
        statuses.append((await site.call(PROTECTED, [bearer(f"made-up-{number}")])).status)

    with site.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(flood, number)
            await gate.until_held(10)
            await site.signed_in("alice")
            held = len(gate.held)
            tasks.start_soon(site.call, PROTECTED, [bearer(known)])
            await gate.until_held(held + 1)
            gate.open()

    assert held <= 20
    assert set(statuses) <= {401, 503}
    assert site.app.visits[-1] == (PROTECTED, "chloe")


@pytest.mark.parametrize("name", sorted(other_tokens(FakeProvider())))
async def test_introspected_jwts_are_held_to_both(name: str) -> None:
    """With `introspect_jwt`, what is no access token stays none, even if the provider calls it active."""
    site = introspecting_site(bearer={"introspect_jwt": True})
    token = other_tokens(site.provider)[name]
    site.provider.introspection_overrides = {"active": True, "iss": site.provider.issuer}

    answer = await site.call(PROTECTED, [bearer(token)])

    assert (answer.status, site.app.visits) == (401, [])


async def test_an_answer_about_another_token_does_not_count() -> None:
    """A mixed-up cache at the provider must not make one user another."""
    site = introspecting_site(bearer={"introspect_jwt": True})
    site.provider.introspection_overrides = {"sub": "admin"}

    answer = await site.call(PROTECTED, [bearer(site.token("bob"))])

    assert (answer.status, site.app.visits) == (502, [])
