"""Each check of an ID Token lets the good one pass and refuses the others by the name of the claim."""

from dataclasses import replace
from typing import Any

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import LATEST_DATE, same
from asgi_oidc.protocol.id_token import (
    FIRST,
    MAX_SUB_LENGTH,
    Expected,
    ExpectedAgain,
    check_id_token,
    check_id_token_again,
)
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.testing.keys import left_half_hash

NOW = 1_800_000_000
LEEWAY = 30
EXPECTED = Expected("https://id.example.com", "web", "a-nonce", "an-access-token")
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "sub": "alice",
    "aud": "web",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "a-nonce",
}


def check(
    changes: dict[str, Any], *, expected: Expected = EXPECTED, typ: str | None = "JWT", alg: str = "RS256"
) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    check_id_token(Verified(alg, typ, claims), expected, now=NOW, leeway=LEEWAY)


def code_of(changes: dict[str, Any], **more: Any) -> str:
    with pytest.raises(TokenRejected) as caught:
        check(changes, **more)
    return caught.value.code


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iat": NOW + 300}, "the token was issued 300 s in the future: check this server's clock"),
        ({"exp": NOW - 300}, "the token expired 300 s ago: check this server's clock"),
        ({"exp": NOW - 300.5}, "the token expired 300 s ago: check this server's clock"),
        ({"nbf": NOW + 300}, "the token becomes valid only in 300 s: check this server's clock"),
        ({"auth_time": NOW + 300}, "the user signed in 300 s in the future: check this server's clock"),
        ({"auth_time": NOW - 3000}, "expected at most 60 s ago, got 3000 s ago"),
    ],
    ids=str,
)
def test_a_clock_error_is_named_as_such(changes, words):
    """Numbers of seconds since 1970 tell nobody that a container was asleep."""
    with pytest.raises(TokenRejected) as caught:
        check(changes, expected=replace(EXPECTED, max_age=60))

    assert caught.value.detail == words


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["web"]},
        {"azp": "web"},
        {"aud": ["web"], "azp": "web"},
        {"sub": "s" * MAX_SUB_LENGTH},
        {"sub": "\u6d4b"},
        {"exp": NOW - LEEWAY + 1},
        {"exp": NOW + 0.5},
        {"exp": LATEST_DATE},
        {"iat": NOW + LEEWAY},
        {"iat": 0},
        {"nbf": NOW + LEEWAY},
        {"nbf": NOW - 5},
        {"at_hash": left_half_hash("an-access-token", "RS256")},
        {"acr": "anything"},
        {"auth_time": "not looked at"},
        {"session_expiry": NOW + 1},
        {"session_expiry": NOW + 0.5},
    ],
    ids=str,
)
def test_a_good_token_passes(changes):
    """What the specification allows is allowed."""
    check(changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://id.example.com/"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"iss": ["https://id.example.com"]}, "claim_iss"),
        ({"sub": ""}, "claim_sub"),
        ({"sub": "s" * (MAX_SUB_LENGTH + 1)}, "claim_sub"),
        ({"sub": 7}, "claim_sub"),
        ({"sub": ...}, "claim_sub"),
        ({"aud": "other"}, "claim_aud"),
        ({"aud": "webb"}, "claim_aud"),
        ({"aud": []}, "claim_aud"),
        ({"aud": ["other"]}, "claim_aud"),
        ({"aud": ["web", "other"]}, "claim_aud"),
        ({"aud": ["web", 7]}, "claim_aud"),
        ({"aud": {"web": 1}}, "claim_aud"),
        ({"aud": ...}, "claim_aud"),
        ({"azp": "other"}, "claim_azp"),
        ({"azp": None}, "claim_azp"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"exp": ...}, "claim_exp"),
        ({"exp": str(NOW + 300)}, "claim_exp"),
        ({"exp": True}, "claim_exp"),
        ({"exp": float("inf")}, "claim_exp"),
        ({"exp": float("nan")}, "claim_exp"),
        ({"exp": 1e300}, "claim_exp"),
        ({"exp": 10**400}, "claim_exp"),
        ({"exp": LATEST_DATE + 1}, "claim_exp"),
        ({"exp": -1}, "claim_exp"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"iat": ...}, "claim_iat"),
        ({"iat": None}, "claim_iat"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"nbf": None}, "claim_nbf"),
        ({"nonce": "other"}, "claim_nonce"),
        ({"nonce": ...}, "claim_nonce"),
        ({"nonce": ["a-nonce"]}, "claim_nonce"),
        ({"at_hash": left_half_hash("other", "RS256")}, "claim_at_hash"),
        ({"at_hash": left_half_hash("an-access-token", "RS512")}, "claim_at_hash"),
        ({"at_hash": ""}, "claim_at_hash"),
        ({"at_hash": None}, "claim_at_hash"),
        ({"events": {}}, "token_typ"),
        ({"session_expiry": NOW}, "session_over"),
        ({"session_expiry": 0}, "session_over"),
        ({"session_expiry": None}, "claim_session_expiry"),
        ({"session_expiry": str(NOW + 60)}, "claim_session_expiry"),
        ({"session_expiry": LATEST_DATE + 1}, "claim_session_expiry"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_token_is_refused_by_the_name_of_its_claim(changes, code):
    """OIDC Core §3.1.3.7, each step."""
    assert code_of(changes) == code


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "JOSE", "application/jwt", "id_token+jwt"])
def test_the_usual_types_pass(typ):
    """Most providers write JWT or nothing."""
    check({}, typ=typ)


@pytest.mark.parametrize("typ", ["", "at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "x"])
def test_a_token_that_says_it_is_another_kind_is_refused(typ):
    """RFC 8725 §3.11: an access token or a logout token must not sign anybody in."""
    assert code_of({}, typ=typ) == "token_typ"


def test_a_trusted_audience_passes_beside_us():
    """The setting names it."""
    expected = replace(EXPECTED, trusted_audiences=("api",))

    check({"aud": ["web", "api"]}, expected=expected)
    assert code_of({"aud": ["api"]}, expected=expected) == "claim_aud"


@pytest.mark.parametrize(
    ("auth_time", "code"),
    [
        (NOW, None),
        (NOW + LEEWAY, None),
        (NOW - 60 - LEEWAY, None),
        (NOW - 10.5, None),
        (NOW - 60 - LEEWAY - 1, "claim_auth_time"),
        (NOW + LEEWAY + 1, "claim_auth_time"),
        (..., "claim_auth_time"),
        ("now", "claim_auth_time"),
    ],
)
def test_max_age_is_checked_when_it_was_asked_for(auth_time, code):
    """OIDC Core §3.1.2.1: asking is not enough, the answer counts."""
    expected = replace(EXPECTED, max_age=60)
    if code is None:
        check({"auth_time": auth_time}, expected=expected)
    else:
        assert code_of({"auth_time": auth_time}, expected=expected) == code


@pytest.mark.parametrize(("acr", "passes"), [("mfa", True), ("pwd", True), ("weak", False), (..., False), (1, False)])
def test_one_of_the_acr_values_that_were_asked_for_comes_back(acr, passes):
    """A provider may ignore the wish (OIDC Core §5.5.1.1)."""
    expected = replace(EXPECTED, acr_values=["mfa", "pwd"])
    if passes:
        check({"acr": acr}, expected=expected)
    else:
        assert code_of({"acr": acr}, expected=expected) == "claim_acr"


def test_an_unhashable_acr_is_refused_and_not_a_crash():
    """A claim may be anything."""
    assert code_of({"acr": ["mfa"]}, expected=replace(EXPECTED, acr_values=("mfa",))) == "claim_acr"


def test_an_at_hash_of_an_algorithm_without_known_hash_is_refused():
    """What cannot be checked is never "fine"."""
    assert code_of({"at_hash": "x"}, alg="ES256K") == "claim_at_hash"


@pytest.mark.parametrize("claim", [None, 7, "", "A", "a ", b"a"])
def test_values_are_compared_byte_for_byte(claim):
    """Two names for one thing are never guessed."""
    assert same("a", "a")
    assert not same(claim, "a")


def test_the_repr_of_the_expectations_shows_no_secrets():
    """It stands in tracebacks."""
    assert "a-nonce" not in repr(EXPECTED)
    assert "an-access-token" not in repr(EXPECTED)


# --- after a refresh


FIRST_CLAIMS: dict[str, Any] = {"aud": "web", "nonce": "a-nonce", "auth_time": NOW - 500}
AGAIN = ExpectedAgain(
    issuer="https://id.example.com",
    client_id="web",
    sub="alice",
    first=FIRST_CLAIMS,
    access_token="an-access-token",
)


def check_again(
    changes: dict[str, Any],
    *,
    first: dict[str, Any] | None = None,
    expected: ExpectedAgain = AGAIN,
    typ: str | None = "JWT",
    alg: str = "RS256",
) -> str | None:
    """Check a token of a refresh; give the code of what is wrong."""
    claims = {name: value for name, value in {**CLAIMS, "nonce": ..., **changes}.items() if value is not ...}
    expected = replace(
        expected, first={name: it for name, it in {**FIRST_CLAIMS, **(first or {})}.items() if it is not ...}
    )
    try:
        check_id_token_again(Verified(alg, typ, claims), expected, now=NOW, leeway=LEEWAY)
    except TokenRejected as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, {}),
        ({"nonce": "a-nonce"}, {}),
        ({"auth_time": NOW - 500}, {}),
        ({"auth_time": NOW}, {"auth_time": ...}),
        ({"auth_time": NOW}, {}),
        ({"auth_time": NOW - 499.5}, {}),
        ({"auth_time": "as before"}, {"auth_time": "as before"}),
        ({"aud": ["web"]}, {}),
        ({"aud": "web"}, {"aud": ["web"]}),
        ({"azp": "web"}, {"azp": "web"}),
        ({"at_hash": left_half_hash("an-access-token", "RS256")}, {}),
        ({"iat": NOW - 10_000}, {}),
        ({"session_expiry": NOW + 1}, {}),
        ({"name": "Alice Other"}, {}),
    ],
    ids=str,
)
def test_a_good_token_of_a_refresh_passes(changes, first):
    """OIDC Core §12.2: it need not have a nonce; at Keycloak `auth_time` is that of the last step-up."""
    assert check_again(changes, first=first) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"sub": "bob"}, "claim_sub"),
        ({"sub": "Alice"}, "claim_sub"),
        ({"sub": ["alice"]}, "claim_sub"),
        ({"sub": ...}, "claim_sub"),
        ({"aud": "other"}, "claim_aud"),
        ({"aud": ["web", "api"]}, "claim_aud"),
        ({"aud": []}, "claim_aud"),
        ({"aud": ...}, "claim_aud"),
        ({"azp": "web"}, "claim_azp"),
        ({"azp": "other"}, "claim_azp"),
        ({"azp": None}, "claim_azp"),
        ({"nonce": "other"}, "claim_nonce"),
        ({"nonce": None}, "claim_nonce"),
        ({"auth_time": NOW - 501}, "claim_auth_time"),
        ({"auth_time": NOW + LEEWAY + 1}, "claim_auth_time"),
        ({"auth_time": "later"}, "claim_auth_time"),
        ({"auth_time": None}, "claim_auth_time"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"exp": ...}, "claim_exp"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"iat": ...}, "claim_iat"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"at_hash": left_half_hash("the-old-access-token", "RS256")}, "claim_at_hash"),
        ({"session_expiry": NOW}, "session_over"),
        ({"events": {}}, "token_typ"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_token_of_a_refresh_that_is_of_another_login_is_refused(changes, code):
    """A refresh must never turn one user's session into another's (OIDC Core §12.2)."""
    assert check_again(changes) == code


@pytest.mark.parametrize("audience", ["web", ["web"]])
def test_azp_may_disappear_if_we_are_the_only_audience(audience):
    """Some providers leave it out of a refreshed ID Token; who else should it be made for?"""
    assert check_again({"aud": audience}, first={"azp": "web"}) is None


def test_azp_may_not_disappear_if_there_are_other_audiences():
    """The same as in the first ID Token, or none as there (OIDC Core §12.2)."""
    audiences = {"aud": ["web", "api"]}
    expected = replace(AGAIN, trusted_audiences=("api",))

    assert check_again(audiences | {"azp": "web"}, first=audiences | {"azp": "web"}, expected=expected) is None
    assert check_again(audiences, first=audiences | {"azp": "web"}, expected=expected) == "claim_azp"


def test_the_audience_of_a_refresh_is_that_of_the_login():
    """Not merely one that would be fine: neither wider nor narrower."""
    expected = replace(AGAIN, trusted_audiences=("api",))

    assert check_again({"aud": ["api", "web"]}, first={"aud": ["web", "api"]}, expected=expected) is None
    assert check_again({"aud": ["web", "api"]}, expected=expected) == "claim_aud"
    assert check_again({"aud": "web"}, first={"aud": ["web", "api"]}, expected=expected) == "claim_aud"
    assert check_again({"aud": "web"}, first={"aud": ...}, expected=expected) == "claim_aud"


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt"])
def test_no_other_kind_of_token_stands_in_for_one_of_a_refresh(typ):
    """RFC 8725 §3.11."""
    assert check_again({}, typ=typ) == "token_typ"


def test_what_has_to_agree_is_what_is_remembered():
    """Each of these is compared above, but `acr` and `hd`: rules and settings look at those of the login."""
    assert FIRST == ("aud", "azp", "nonce", "auth_time", "acr", "hd")


def test_the_repr_of_the_refresh_expectations_shows_no_secrets():
    """It stands in tracebacks."""
    assert [word for word in ("a-nonce", "an-access-token", "alice") if word in repr(AGAIN)] == []


# --- providers that are not by the book


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": ...}, None),
        ({}, None),
        ({"nonce": "other"}, "claim_nonce"),
        ({"nonce": ""}, "claim_nonce"),
        ({"nonce": None}, "claim_nonce"),
        ({"nonce": ["a-nonce"]}, "claim_nonce"),
    ],
)
def test_a_nonce_that_is_not_required_still_counts(changes, code):
    """LinkedIn returns none; a token with another nonce is of another login at any provider."""
    expected = replace(EXPECTED, requires_nonce=False)
    if code is None:
        check(changes, expected=expected)
    else:
        assert code_of(changes, expected=expected) == code


def test_without_an_access_token_there_is_no_hash_of_it():
    """Azure AD B2C issues none for `openid` alone; a hash would be that of a token that somebody else has."""
    expected = replace(EXPECTED, access_token=None)

    check({}, expected=expected)
    assert code_of({"at_hash": left_half_hash("an-access-token", "RS256")}, expected=expected) == "claim_at_hash"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": ["web", "project", "app"], "azp": "web"}, None),
        ({"aud": ["web"], "azp": "web"}, None),
        ({"aud": ["web", "project"]}, "claim_aud"),
        ({"aud": ["web", "project"], "azp": "app"}, "claim_aud"),
        ({"aud": ["web", "project"], "azp": ["web"]}, "claim_aud"),
        ({"aud": ["project"], "azp": "web"}, "claim_aud"),
        ({"aud": ["web", 7], "azp": "web"}, "claim_aud"),
        ({"azp": "app"}, "claim_azp"),
    ],
)
def test_further_audiences_pass_if_azp_is_trusted_and_ours(changes, code):
    """Zitadel names all clients of a project; `azp` is the one that the token was issued to."""
    expected = replace(EXPECTED, trusts_azp=True)
    if code is None:
        check(changes, expected=expected)
        return

    assert code_of(changes, expected=expected) == code


def test_azp_is_not_trusted_by_default():
    """Further audiences are named one by one, unless a setting says otherwise."""
    assert code_of({"aud": ["web", "project"], "azp": "web"}) == "claim_aud"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": ["web", "project", "app"], "azp": "web"}, None),
        ({"aud": ["web", "project", "app"], "azp": "app"}, "claim_aud"),
        ({"aud": ["project"], "azp": "web"}, "claim_aud"),
    ],
)
def test_audiences_may_be_added_between_refreshes_if_azp_is_trusted(changes, code):
    """Somebody adds a client to the project; a session should not end by that."""
    first = {"aud": ["web", "project"], "azp": "web"}

    assert check_again(changes, first=first, expected=replace(AGAIN, trusts_azp=True)) == code
