"""An opaque token counts if the provider says so, plainly or signed; whatever else it answers, nobody gets in."""

from typing import Any

import pytest

from asgi_oidc.errors import ProviderRefused
from asgi_oidc.protocol.bearer_token import ExpectedToken
from asgi_oidc.provider.jwks import BURST
from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults.registry import (
    INTROSPECTION_JWT_CLAIMS,
    INTROSPECTION_JWT_SIGNING,
    INTROSPECTION_MEMBERS,
)
from tests.provider.token_connection import API, TokenConnection

MALFORMED = "AnswerRejected introspection_malformed"
ERRORS = {
    "introspection_active_text": MALFORMED,
    "introspection_active_number": MALFORMED,
    "introspection_active_list": MALFORMED,
    "introspection_active_null": MALFORMED,
    "introspection_no_active": MALFORMED,
    "introspection_wrong_iss": "TokenRejected claim_iss",
    "introspection_iss_list": MALFORMED,
    "introspection_wrong_aud": "TokenRejected claim_aud",
    "introspection_no_aud": "TokenRejected claim_aud",
    "introspection_aud_number": MALFORMED,
    "introspection_no_exp": "",
    "introspection_exp_text": MALFORMED,
    "introspection_exp_true": MALFORMED,
    "introspection_exp_1e300": "TokenRejected claim_exp",
    "introspection_sub_number": MALFORMED,
    "introspection_sub_empty": "TokenRejected claim_sub",
    "introspection_no_sub": "TokenRejected claim_sub",
    "introspection_no_client": "",
    "introspection_another_client": "",
    "introspection_scope_number": MALFORMED,
    "introspection_cnf_text": MALFORMED,
    "introspection_cnf_unknown": "TokenRejected claim_cnf",
    "introspection_expired": "TokenRejected claim_exp",
    "introspection_not_yet": "TokenRejected claim_nbf",
    "introspection_500": "ProviderUnavailable introspection_unavailable",
    "introspection_down": "ProviderUnavailable introspection_unavailable",
    "introspection_busy": "ProviderUnavailable introspection_unavailable",
    "introspection_html": "AnswerRejected introspection_not_json",
    "introspection_empty": "AnswerRejected introspection_not_json",
    "introspection_not_json": "AnswerRejected introspection_not_json",
    "introspection_json_array": "AnswerRejected introspection_not_json",
    "introspection_json_true": "AnswerRejected introspection_not_json",
    "introspection_two_actives": "AnswerRejected introspection_not_json",
    "introspection_deep_json": "AnswerRejected introspection_not_json",
    "introspection_huge": "AnswerRejected introspection_too_large",
    "introspection_gzip": "AnswerRejected introspection_compressed",
    "introspection_gzip_bomb": "AnswerRejected introspection_compressed",
    "introspection_redirect": "AnswerRejected introspection_redirect",
    "introspection_invalid_client": "ProviderRefused provider_refused",
    "introspection_forbidden": "ProviderRefused provider_refused",
}
# A signed answer needs no kid, and its own claims have no sub that could be there twice.
HARMLESS = ("introspection_jwt_no_kid", "introspection_jwt_duplicate_sub")
JWT_FAULTS = [name for name in (*INTROSPECTION_JWT_CLAIMS, *INTROSPECTION_JWT_SIGNING) if name not in HARMLESS]
# These change the text of an answer, so of a signed one, they leave no JWT.
CHANGED_TEXT = [f"introspection_{name}" for name in ("not_json", "json_array", "json_true", "two_actives", "deep_json")]


def signing() -> TokenConnection:
    return TokenConnection(FakeProvider(alg="ES256", signed_introspection=True))


@pytest.mark.parametrize("make", [TokenConnection, signing])
async def test_an_opaque_token_is_introspected(make):
    """It says nothing itself."""
    site = make()

    token = await site.introspect(site.token(opaque=True, scopes=["orders:read"]))

    assert (token.sub, token.client_id, token.scopes) == ("alice", "program", ("orders:read",))
    assert (token.is_machine, token.issued_at, site.introspections) == (False, int(site.clock.now), 1)


async def test_an_opaque_token_of_a_machine_says_so():
    """Client credentials (RFC 6749 §4.4)."""
    site = TokenConnection()

    token = await site.introspect(site.provider.machine_token("robot", audience=API, opaque=True))

    assert (token.is_machine, token.client_id) == (True, "robot")


@pytest.mark.parametrize("token", ["made-up", "x" * 5000, "a.b.c.d.e", "%00", "+/=="])
async def test_a_token_that_the_provider_does_not_know_is_inactive(token):
    """Whatever it looks like."""
    assert await TokenConnection().introspection_error(token) == "TokenRejected token_inactive"


async def test_an_expired_token_is_inactive():
    """The provider has the clock."""
    site = TokenConnection()
    token = site.token(opaque=True, lifetime=60)
    site.clock.advance(61)

    assert await site.introspection_error(token) == "TokenRejected token_inactive"


async def test_a_refresh_token_opens_no_api():
    """The provider knows it and calls it active; only its answer differs (RFC 7662 §2.2)."""
    site = TokenConnection()
    lax = ExpectedToken(audiences=(API,), allow_missing_audience=True)
    memory = site.provider.memory
    memory.refresh_tokens["refresh-token"] = memory.access_tokens[site.token(opaque=True)]

    assert await site.introspection_error("refresh-token") == "TokenRejected claim_aud"
    assert await site.introspection_error("refresh-token", lax) == "TokenRejected token_typ"


@pytest.mark.parametrize("fault", ERRORS)
async def test_each_faulty_answer_has_its_error(fault):
    """The token is to blame for what it is; the provider for what it answers (502), or that it does not (503)."""
    site = TokenConnection()
    token = site.token(opaque=True)

    with site.provider.fault(fault):
        assert await site.introspection_error(token) == ERRORS[fault]


@pytest.mark.parametrize("fault", [*INTROSPECTION_MEMBERS, *CHANGED_TEXT])
async def test_a_signed_answer_is_checked_as_a_plain_one(fault):
    """The signature says who has said it, not that it is right."""
    site = signing()
    token = site.token(opaque=True)

    with site.provider.fault(fault):
        error = await site.introspection_error(token)

    assert error == ("AnswerRejected introspection_jwt" if fault in CHANGED_TEXT else ERRORS[fault])


def test_the_table_has_all_faults_of_the_members():
    """The test kit may learn new ones."""
    assert set(INTROSPECTION_MEMBERS) <= ERRORS.keys()


@pytest.mark.parametrize("fault", JWT_FAULTS)
async def test_a_faulty_signed_answer_is_refused(fault):
    """As strictly as an ID Token."""
    site = signing()
    token = site.token(opaque=True)

    with site.provider.fault(fault):
        error = await site.introspection_error(token)

    assert error == "AnswerRejected introspection_jwt"


async def test_a_plain_answer_is_accepted_where_a_signed_one_was_asked_for():
    """Many providers sign answers only for clients that are registered for it; TLS protects either."""
    site = signing()
    site.provider.signed_introspection = False

    assert await site.introspection_error(site.token(opaque=True)) == ""


async def test_answers_with_made_up_keys_use_up_nothing_of_sign_ins():
    """They have the budget of forged tokens."""
    site = signing()
    assert await site.introspection_error(site.token(opaque=True)) == ""

    with site.provider.fault("introspection_jwt_made_up_kid"):
        for _ in range(10):
            assert await site.introspection_error(site.token(opaque=True)) == "AnswerRejected introspection_jwt"

    assert site.key_calls == 1 + BURST
    assert await site.signs_in_with_a_new_key()


async def test_forged_jwts_that_would_be_introspected_use_up_nothing_of_sign_ins():
    """They have the budget of forged tokens too."""
    site = TokenConnection()
    assert await site.introspection_error(site.token()) == ""

    for number in range(10):
        made_up = site.token(header={"kid": f"made-up-{number}"})
        assert await site.introspection_error(made_up) == "KeyUnknown kid_unknown"

    assert (site.key_calls, site.introspections) == (1 + BURST, 1)
    assert await site.signs_in_with_a_new_key()


@pytest.mark.parametrize(
    "settings",
    [
        {"client_secret": ...},
        {"metadata": {"introspection_endpoint": None}},
    ],
    ids=str,
)
async def test_where_nobody_can_be_asked_an_opaque_token_is_refused(settings):
    """No endpoint, or no secret to call it with."""
    site = TokenConnection(**settings)

    assert await site.introspection_error(site.token(opaque=True)) == "TokenRejected introspection_unsupported"
    assert site.introspections == 0


async def test_a_provider_without_metadata_is_an_outage():
    """It is not known where to ask."""
    site = TokenConnection()

    with site.provider.fault("discovery_down"):
        error = await site.introspection_error("opaque")

    assert error.startswith("ProviderUnavailable metadata_")


async def test_a_lightweight_jwt_is_verified_and_introspected():
    """Keycloak's have neither audience nor user; the answer has."""
    site = TokenConnection()
    light = site.token(style="keycloak-lightweight", scopes=["orders:read"])

    assert await site.check_error(light) == "TokenRejected claim_aud"
    token = await site.introspect(light)
    assert (token.sub, token.client_id, token.scopes) == ("alice", "program", ("orders:read",))


def changed(site: TokenConnection) -> dict[str, str]:
    token = site.token(style="keycloak-lightweight")
    header, payload, signature = token.split(".")
    return {
        "signature": f"{header}.{payload}.{signature[:-4]}AAAA",
        "claim_iss": site.token(claims={"iss": "https://other.example.com"}),
        "claim_aud": site.token(audience="https://other.example.com"),
        "token_typ": site.token(header={"typ": "logout+jwt"}),
        "alg_not_allowed": site.token(header={"alg": "none"}),
        "kid_unknown": site.token(header={"kid": "made-up"}),
    }


@pytest.mark.parametrize("code", changed(TokenConnection()))
async def test_a_forged_jwt_is_not_asked_about(code):
    """It costs no call, and no answer makes it good."""
    site = TokenConnection()

    error = await site.introspection_error(changed(site)[code])

    assert (error.partition(" ")[2], site.introspections) == (code, 0)


async def test_a_revoked_jwt_is_inactive():
    """That is what introspecting JWTs is for."""
    site = TokenConnection()
    token = site.token()
    assert await site.introspection_error(token) == ""

    site.provider.memory.access_tokens.clear()

    assert await site.check_error(token) == ""
    assert await site.introspection_error(token) == "TokenRejected token_inactive"


async def test_no_token_and_no_secret_is_in_an_error():
    """They are logged."""
    site: Any = TokenConnection()
    token = site.token(opaque=True)

    with site.provider.fault("introspection_invalid_client"), pytest.raises(ProviderRefused) as caught:
        await site.introspect(token)

    assert token not in f"{caught.value!r} {caught.value}"
