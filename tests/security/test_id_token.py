"""Every ID Token that is not for us, of now, of this login and well signed is refused, and nobody is signed in."""

from collections.abc import Callable
from typing import Any

import pytest

from asgi_oidc.testing import FakeProvider

from .attacked_site import NOW, AttackedSite, who_am_i
from .rewriting import Claims, RewritingProvider

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

LATER, BEFORE = NOW + 10_000, NOW - 10_000

# fault -> code
REFUSED = {
    "id_token_wrong_iss": "claim_iss",
    "id_token_wrong_aud": "claim_aud",
    "id_token_extra_aud": "claim_aud",
    "id_token_wrong_azp": "claim_azp",
    "id_token_expired": "claim_exp",
    "id_token_iat_future": "claim_iat",
    "id_token_exp_1e300": "claim_exp",
    "id_token_no_exp": "claim_exp",
    "id_token_wrong_nonce": "claim_nonce",
    "id_token_no_nonce": "claim_nonce",
    "id_token_bad_at_hash": "claim_at_hash",
    "id_token_sub_empty": "claim_sub",
    "id_token_sub_too_long": "claim_sub",
    "id_token_sub_number": "claim_sub",
    "id_token_no_sub": "claim_sub",
    "id_token_alg_none": "alg_not_allowed",
    "id_token_bad_signature": "signature",
    "id_token_foreign_key": "signature",
    "id_token_made_up_kid": "kid_unknown",
    "id_token_five_parts": "token_encrypted",
    "id_token_duplicate_sub": "claims_malformed",
    "id_token_lone_surrogate": "claims_malformed",
    "id_token_deep_claims": "claims_malformed",
    "id_token_array_payload": "claims_malformed",
    "id_token_crit": "header_crit",
    "id_token_hs256_with_public_key": "alg_not_allowed",
    "id_token_hs256_with_oct_key": "alg_not_allowed",
    "id_token_embedded_jwk": "kid_unknown",
    "id_token_small_rsa_key": "kid_unknown",
    "id_token_huge": "id_token_malformed",
}


async def outcome(stage: AttackedSite) -> str:
    """Finish a login as a program, which is told the code; `signed in` when it worked."""
    browser, callback = await stage.login_in_progress()

    back = await browser.fetch(callback)

    if back.status_code == 303:
        assert await who_am_i(browser) == "alice"
        return "signed in"
    assert await who_am_i(browser) is None
    assert stage.app.visits == []
    assert len(browser.cookies.starting_with("__Host-oidc")) == 0
    return f"{back.status_code} {back.json()['error']}"


def stage_with(provider: FakeProvider | None = None, **settings: Any) -> AttackedSite:
    return AttackedSite(provider or FakeProvider(clock=lambda: NOW), **settings)


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_bad_id_token_is_refused_with_its_code(fault: str) -> None:
    """Each check has a token that only it refuses."""
    stage = stage_with()
    stage.provider.faults |= {fault, "jwks_junk_keys"}

    assert await outcome(stage) == f"502 {REFUSED[fault]}"


@pytest.mark.parametrize(
    ("fault", "params", "code"),
    [
        ("id_token_old_auth_time", {"max_age": 60}, "claim_auth_time"),
        ("id_token_no_auth_time", {"max_age": 60}, "claim_auth_time"),
        ("id_token_wrong_acr", {"acr_values": "urn:example:mfa"}, "claim_acr"),
    ],
)
async def test_what_was_asked_for_is_checked(fault: str, params: dict[str, Any], code: str) -> None:
    """A provider may ignore `max_age` and `acr_values`; then it has not done what we need."""
    asked = stage_with(authorization_params=params)
    unasked = stage_with()
    for stage in (asked, unasked):
        stage.provider.faults.add(fault)

    assert await outcome(asked) == f"403 {code}"
    assert await outcome(unasked) == "signed in"
    assert await outcome(stage_with(authorization_params=params)) == "signed in"


# claims put in (... takes one out) -> code
CLAIMS: dict[str, tuple[Claims, str]] = {
    "iss with a slash": ({"iss": "https://id.example.com/"}, "claim_iss"),
    "iss in upper case": ({"iss": "https://ID.example.com"}, "claim_iss"),
    "iss a list": ({"iss": ["https://id.example.com"]}, "claim_iss"),
    "no iss": ({"iss": ...}, "claim_iss"),
    "no aud": ({"aud": ...}, "claim_aud"),
    "aud empty": ({"aud": []}, "claim_aud"),
    "aud an object": ({"aud": {"web": True}}, "claim_aud"),
    "aud with a number": ({"aud": ["web", 1]}, "claim_aud"),
    "aud in upper case": ({"aud": "WEB"}, "claim_aud"),
    "aud with a space": ({"aud": "web "}, "claim_aud"),
    "aud longer": ({"aud": "web2"}, "claim_aud"),
    "azp another": ({"azp": "web2"}, "claim_azp"),
    "azp null": ({"azp": None}, "claim_azp"),
    "azp a list": ({"azp": ["web"]}, "claim_azp"),
    "exp in text": ({"exp": str(LATER)}, "claim_exp"),
    "exp true": ({"exp": True}, "claim_exp"),
    "exp null": ({"exp": None}, "claim_exp"),
    "exp negative": ({"exp": -1}, "claim_exp"),
    "exp a list": ({"exp": [LATER]}, "claim_exp"),
    "exp of 400 digits": ({"exp": 10**400}, "claim_exp"),
    "exp at the end of the leeway": ({"exp": NOW - 30}, "claim_exp"),
    "no iat": ({"iat": ...}, "claim_iat"),
    "iat in text": ({"iat": str(NOW)}, "claim_iat"),
    "iat after the leeway": ({"iat": NOW + 31}, "claim_iat"),
    "nbf after the leeway": ({"nbf": NOW + 31}, "claim_nbf"),
    "nbf in text": ({"nbf": "soon"}, "claim_nbf"),
    "nonce null": ({"nonce": None}, "claim_nonce"),
    "nonce empty": ({"nonce": ""}, "claim_nonce"),
    "nonce a list": ({"nonce": ["x"]}, "claim_nonce"),
    "at_hash null": ({"at_hash": None}, "claim_at_hash"),
    "at_hash empty": ({"at_hash": ""}, "claim_at_hash"),
    "sub null": ({"sub": None}, "claim_sub"),
    "sub a list": ({"sub": ["alice"]}, "claim_sub"),
    "a logout token": ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "token_typ"),
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_a_claim_of_another_value_or_type_is_refused(name: str) -> None:
    """Claims are compared byte for byte, and a wrong type is no value."""
    stage = stage_with()
    stage.provider.id_token_overrides, code = CLAIMS[name]

    assert await outcome(stage) == f"502 {code}"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 29},
        {"iat": NOW + 30},
        {"nbf": NOW + 30},
        {"exp": LATER + 0.5, "iat": NOW - 0.5},
        {"aud": ["web"]},
        {"aud": ["web"], "azp": "web"},
        {"at_hash": ...},
        {"sub": "alice", "unknown": {"deep": [1, 2, {"x": None}]}},
        {"auth_time": ..., "acr": ..., "amr": ["pwd"]},
        {"typ": "Bearer"},
    ],
    ids=str,
)
async def test_a_good_token_in_an_unusual_form_is_taken(claims: Claims) -> None:
    """What the specification allows must work."""
    stage = stage_with()
    stage.provider.id_token_overrides = claims

    assert await outcome(stage) == "signed in"


Tamper = Callable[[FakeProvider, Claims], str]

HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "typ of an access token": ({"typ": "at+jwt"}, "token_typ"),
    "typ of a logout token": ({"typ": "logout+jwt"}, "token_typ"),
    "typ of an event": ({"typ": "application/secevent+jwt"}, "token_typ"),
    "typ a number": ({"typ": 1}, "header_malformed"),
    "kid a number": ({"kid": 1}, "header_malformed"),
    "kid a list": ({"kid": ["x"]}, "header_malformed"),
    "kid an object": ({"kid": {}}, "header_malformed"),
    "kid empty": ({"kid": ""}, "kid_unknown"),
    "kid a path": ({"kid": "../../etc/passwd"}, "kid_unknown"),
    "kid with SQL": ({"kid": "x' UNION SELECT 'k"}, "kid_unknown"),
    "kid with a line break": ({"kid": "x\r\nWARNING forged"}, "kid_unknown"),
    "kid of 10 kB": ({"kid": "k" * 10_000}, "token_malformed"),
    "alg None": ({"alg": "None"}, "alg_not_allowed"),
    "alg NONE": ({"alg": "NONE"}, "alg_not_allowed"),
    "alg nOnE": ({"alg": "nOnE"}, "alg_not_allowed"),
    "alg empty": ({"alg": ""}, "alg_not_allowed"),
    "alg null": ({"alg": None}, "alg_not_allowed"),
    "alg a list": ({"alg": ["RS256"]}, "alg_not_allowed"),
    "alg HS256": ({"alg": "HS256"}, "alg_not_allowed"),
    "alg RS1": ({"alg": "RS1"}, "alg_not_allowed"),
    "alg rs256": ({"alg": "rs256"}, "alg_not_allowed"),
    "alg dir": ({"alg": "dir"}, "alg_not_allowed"),
    "alg not in the metadata": ({"alg": "ES256"}, "alg_not_allowed"),
    "crit": ({"crit": ["exp"]}, "header_crit"),
    "crit empty": ({"crit": []}, "header_crit"),
    "b64 false": ({"b64": False}, "header_crit"),
}


def with_header(header: dict[str, Any]) -> Tamper:
    return lambda provider, claims: provider.sign(claims, **header)


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_asks_for_something_else_is_refused(name: str) -> None:
    """The header is written by whoever wrote the token, and chooses nothing."""
    header, code = HEADERS[name]

    assert await outcome(rewritten(with_header(header))) == f"502 {code}"


def rewritten(tamper: Tamper) -> AttackedSite:
    provider = FakeProvider(clock=lambda: NOW)
    return AttackedSite(provider, http_client=RewritingProvider(provider, tamper).http_client())


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"typ": "jwt"},
        {"typ": "application/id_token+jwt"},
        {"cty": "JWT", "zip": "DEF", "unknown": [1]},
    ],
    ids=str,
)
async def test_members_of_the_header_that_mean_nothing_to_us_are_ignored(header: dict[str, Any]) -> None:
    """Keys come from the issuer's key set alone, whatever the token brings."""
    stage = rewritten(with_header(header))

    assert await outcome(stage) == "signed in"
    assert all(call.path.endswith(("/jwks", "/token", "/authorize", "configuration")) for call in stage.provider.calls)


SPELLINGS: dict[str, tuple[Callable[[str], str], str]] = {
    "without a signature": (lambda token: token.rpartition(".")[0] + ".", "signature"),
    "without the last part": (lambda token: token.rpartition(".")[0], "token_malformed"),
    "with a part more": (lambda token: token + ".x", "token_malformed"),
    "dots alone": (lambda token: "." * 60_000, "token_malformed"),
    "two dots": (lambda token: "..", "token_malformed"),
    "a dot at the start": (lambda token: "." + token, "token_malformed"),
    "another last character": (lambda token: token[:-1] + ("A" if token[-1] != "A" else "Q"), "signature"),
    "the first half of the signature": (lambda token: token[:-100], "signature"),
    "plain words": (lambda token: "hello", "token_malformed"),
    "a JSON object": (lambda token: '{"payload":"e30","signatures":[]}', "token_malformed"),
    "spaces inside": (lambda token: token.replace(".", ". "), "id_token_malformed"),
    "a line break at the end": (lambda token: token + "\n", "id_token_malformed"),
    "Unicode": (lambda token: token + "\u0131", "id_token_malformed"),
    "empty": (lambda token: "", "id_token_missing"),
}


@pytest.mark.parametrize("name", SPELLINGS)
async def test_a_token_spelt_otherwise_is_refused(name: str) -> None:
    """There is one way to write a signed token: three parts, base64url."""
    spell, code = SPELLINGS[name]

    result = await outcome(rewritten(lambda provider, claims: spell(provider.sign(claims))))

    assert result == f"502 {code}"


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_algorithm_works_and_no_bit_of_its_signature_is_idle(alg: str) -> None:
    """The default algorithms, each with a token that is good and one that is not."""
    good, bad = (
        stage_with(FakeProvider(clock=lambda: NOW, alg=alg)),
        stage_with(FakeProvider(clock=lambda: NOW, alg=alg)),
    )
    bad.provider.faults.add("id_token_foreign_key")

    assert await outcome(good) == "signed in"
    assert await outcome(bad) == "502 signature"


async def test_an_algorithm_beyond_the_default_is_taken_by_name_only() -> None:
    """A list of our own is a choice; a list of the provider's is not."""
    unnamed, named = (
        stage_with(FakeProvider(clock=lambda: NOW, alg="ES384"), **it) for it in ({}, {"algorithms": ["ES384"]})
    )
    del unnamed.provider.metadata["id_token_signing_alg_values_supported"]

    assert await outcome(unnamed) == "502 alg_not_allowed"
    assert await outcome(named) == "signed in"


async def test_no_login_begins_whose_id_token_would_be_refused() -> None:
    """The metadata says that no algorithm is one of ours."""
    stage = stage_with(FakeProvider(clock=lambda: NOW, alg="ES384"))

    page = await stage.browser().get("/page")

    assert (page.status_code, page.path, stage.provider.count("/authorize")) == (502, "/page", 0)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"id_token_no_kid"}, "signed in"),
        ({"id_token_no_kid", "jwks_junk_keys"}, "signed in"),
        ({"jwks_junk_keys"}, "signed in"),
        ({"jwks_empty"}, "502 kid_unknown"),
        ({"token_expires_in_text"}, "signed in"),
        ({"callback_unknown_params"}, "signed in"),
    ],
    ids=str,
)
async def test_key_sets_and_answers_as_the_world_has_them(faults: set[str], expected: str) -> None:
    """A provider with keys of the future, or without key ids, is still a provider."""
    stage = stage_with()
    stage.provider.faults |= faults

    assert await outcome(stage) == expected


async def test_without_a_kid_every_key_of_the_set_is_tried() -> None:
    """Legal while it is clear which keys may have signed (OIDC Core §10.1)."""
    stage = stage_with()
    stage.provider.rotate_keys(keep_old=True)
    stage.provider.faults.add("id_token_no_kid")

    assert await outcome(stage) == "signed in"


async def test_a_trusted_audience_may_stand_beside_ours() -> None:
    """Only by its name in the settings."""
    stage = stage_with(trusted_audiences=["another-client"])
    stage.provider.faults.add("id_token_extra_aud")

    assert await outcome(stage) == "signed in"


@pytest.mark.parametrize("is_signed", [True, False])
async def test_userinfo_adds_claims_and_overwrites_none(is_signed: bool) -> None:
    """It may speak of the user, and never of the login."""
    stage = stage_with(FakeProvider(clock=lambda: NOW, claims_in_id_token=False, signed_userinfo=is_signed))
    stage.provider.faults.add("userinfo_overwrites_protocol_claims")
    if is_signed:
        assert (await outcome(stage)).startswith("502 userinfo_")  # it says that it is another provider's
        return

    browser = await stage.signed_in()

    claims = (await browser.fetch("/auth/session")).json()["claims"]
    assert (claims["iss"], claims["aud"], claims["email"]) == (stage.provider.issuer, "web", "alice@example.com")
    assert "made-up" not in str(claims)
