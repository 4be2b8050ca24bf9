"""A user API returns the user, and its answer becomes claims; nothing in it is about the login."""

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.user_api import (
    MAX_EMAIL_LENGTH,
    check_source,
    read_emails_answer,
    read_path,
    read_user_answer,
    user_api_call,
    with_verified_email,
)

API = "https://api.example.com/user"
PROOF = hmac.new(b"secret", b"at", "sha256").hexdigest()


def answer(value: Any) -> Answer:
    return Answer(200, {}, json.dumps(value).encode())


def claims_of(members: Any, *, subject: Any = "id", **claims: Any) -> dict[str, object]:
    return read_user_answer(answer(members), subject=subject, claims=claims)


def refusal_of(members: Any, subject: Any = "id") -> AnswerRejected:
    with pytest.raises(AnswerRejected) as caught:
        claims_of(members, subject=subject)
    return caught.value


# --- the call


def test_the_call_shows_the_access_token_in_a_header():
    """RFC 6750 §2.1: in the URL, it would end up in logs."""
    call = user_api_call(API, "at-secret", {"X-Version": "7"})

    assert (call.method, call.url, call.headers["authorization"]) == ("GET", API, "Bearer at-secret")
    assert (call.headers["x-version"], call.headers["accept"]) == ("7", "application/json")
    assert (call.secrets, "at-secret" in repr(call)) == (("at-secret",), False)


def test_headers_of_the_settings_may_replace_accept_but_not_the_token():
    """GitHub has a media type of its own; the access token is that of this login."""
    call = user_api_call(API, "at", {"Accept": "application/vnd.github+json", "AUTHORIZATION": "Bearer other"})

    assert call.headers == {
        "accept": "application/vnd.github+json",
        "user-agent": "asgi-oidc",
        "authorization": "Bearer at",
    }


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [(API, f"{API}?appsecret_proof={PROOF}"), (f"{API}?a=b", f"{API}?a=b&appsecret_proof={PROOF}")],
)
def test_the_call_may_prove_that_it_knows_the_client_secret(endpoint, url):
    """Facebook can require it; an access token alone is then useless."""
    call = user_api_call(endpoint, "at", {}, app_secret="secret")

    assert (call.url, call.secrets) == (url, ("at", PROOF))


# --- the subject


@pytest.mark.parametrize(
    ("members", "subject", "sub"),
    [
        ({"id": 583231}, "id", "583231"),
        ({"id": 0}, "id", "0"),
        ({"id": 2**70}, "id", str(2**70)),
        ({"id": "80351110224678912"}, "id", "80351110224678912"),
        ({"id": "Zoë Ω"}, "id", "Zoë Ω"),
        ({"id": "a" * 255}, "id", "a" * 255),
        ({"data": {"id": "7"}}, "data.id", "7"),
        ({"data": {"id": "7"}}, ("data", "id"), "7"),
        ({"a.b": {"id": 7}}, ("a.b", "id"), "7"),
        ({"sub": "me"}, "sub", "me"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_subject_is_text_or_a_whole_number(members, subject, sub):
    """A number becomes text: a `sub` is always text."""
    assert claims_of(members, subject=subject)["sub"] == sub


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"ID": 7},
        {"id": None},
        {"id": True},
        {"id": False},
        {"id": 7.0},
        {"id": 1e300},
        {"id": ""},
        {"id": "a" * 256},
        {"id": 10**300},
        {"id": {}},
        {"id": {"id": 7}},
        {"id": [7]},
        {"id": "a\n"},
        {"id": "a\u0000"},
        {"id": "a\u202eb"},
    ],
    ids=lambda members: ascii(members)[:40],
)
def test_any_other_subject_is_refused(members):
    """Two users whose ids look alike after rounding or cleaning would be one."""
    assert refusal_of(members).code == "user_api_subject"


@pytest.mark.parametrize(
    "members", [{"data": 7}, {"data": [{"id": 7}]}, {"data": "id"}, {"data": None}, {"data.id": 7}]
)
def test_a_path_leads_through_objects_only(members):
    """There is nothing to guess."""
    assert refusal_of(members, "data.id").code == "user_api_subject"


def test_the_error_names_the_path_and_the_members():
    """The path in the settings is the usual mistake."""
    detail = refusal_of({"user_id": "private", "login": "x"}).detail

    assert ("at id, got None" in detail, "the answer has user_id, login" in detail) == (True, True)
    assert "private" not in detail


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", (), ("a", "")])
def test_a_path_has_names(path):
    """A typing mistake is found at start-up."""
    with pytest.raises(ValueError, match=r"data\.id"):
        read_path(path)


@pytest.mark.parametrize(
    ("bad", "kind", "code"),
    [
        (Answer(200, {}, b"[]"), AnswerRejected, "user_api_not_json"),
        (Answer(200, {}, b'[{"id":7}]'), AnswerRejected, "user_api_not_json"),
        (Answer(200, {}, b"<html></html>"), AnswerRejected, "user_api_not_json"),
        (Answer(200, {}, b'{"id":1,"id":2}'), AnswerRejected, "user_api_not_json"),
        (Answer(200, {}, b'{"id":7,"a":' + b"[" * 50 + b"]" * 50 + b"}"), AnswerRejected, "user_api_not_json"),
        (Answer(404, {}, b'{"message":"Not Found"}'), AnswerRejected, "user_api_status"),
        (Answer(204, {}, b""), AnswerRejected, "user_api_status"),
        (Answer(401, {}, b'{"error":"invalid_token"}'), ProviderRefused, "provider_refused"),
        (Answer(500, {}, b"{}"), ProviderUnavailable, "user_api_unavailable"),
        (Answer(429, {}, b'{"id":7}'), ProviderUnavailable, "user_api_unavailable"),
    ],
)
def test_an_unusable_answer_is_an_error(bad, kind, code):
    """Nobody is signed in by it."""
    with pytest.raises(ProviderError) as caught:
        read_user_answer(bad, subject="id", claims={})

    assert (type(caught.value), caught.value.code) == (kind, code)


# --- the claims


def test_standard_claims_come_from_their_paths():
    """The rest stays as it is, with the names that the provider's documentation has."""
    members = {"id": 1, "login": "octocat", "avatar_url": "https://a/1", "name": None, "plan": {"name": "free"}}

    claims = claims_of(members, name="name", preferred_username="login", picture="avatar_url")

    mapped = {"sub": "1", "preferred_username": "octocat", "picture": "https://a/1"}
    assert claims == {**mapped, "id": 1, "login": "octocat", "avatar_url": "https://a/1", "plan": {"name": "free"}}


def test_a_claim_with_a_path_comes_from_there_or_not_at_all():
    """What else has its name is something else."""
    assert "name" not in claims_of({"id": 1, "name": "a nickname"}, name="full_name")


@pytest.mark.parametrize("value", [7, {"data": {}}, ["a"], True])
def test_a_standard_claim_is_text(value):
    """Facebook's picture is an object, and its address is deeper in it."""
    members = {"id": 1, "picture": value, "level": value}

    assert claims_of(members, picture="picture", level="level") == {"sub": "1", "id": 1, "level": value}


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS - {"sub"}))
def test_an_answer_says_nothing_about_the_login(name):
    """A user who can edit their profile must not be able to write `acr` or `sid` there."""
    assert claims_of({"id": 1, name: "x"}) == {"sub": "1", "id": 1}
    assert claims_of({"id": 1, "x": "y"}, **{name: "x"}) == {"sub": "1", "id": 1, "x": "y"}


def test_the_subject_is_never_that_of_another_member():
    """`sub` is what `subject` leads to."""
    assert claims_of({"id": 1, "sub": "admin"})["sub"] == "1"
    assert claims_of({"id": 1, "x": "admin"}, sub="x")["sub"] == "1"


@pytest.mark.parametrize(
    ("verified", "counts"),
    [
        (True, True),
        ("true", True),
        (False, False),
        ("false", False),
        (1, False),
        ("1", False),
        ([], False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("name", ["email_verified", "verified"])
def test_a_verification_is_true_or_the_text_true(name, verified, counts):
    """Anything else does not verify an address."""
    mapped = {"email_verified": name} if name == "verified" else {}

    assert claims_of({"id": 1, "email": "a@b", name: verified}, **mapped)["email_verified"] is counts


def test_a_verification_stays_with_its_address():
    """What the provider says of one address says nothing of another."""
    members = {"id": 1, "email": "a@b", "email_verified": True, "data": {"email": "c@d"}}

    claims = claims_of(members, email="data.email")

    assert (claims["email"], "email_verified" in claims) == ("c@d", False)


def test_the_same_address_at_another_path_keeps_its_verification():
    """It is about the address, wherever it stands."""
    members = {"id": 1, "email": "a@b", "email_verified": True, "data": {"email": "a@b"}}

    assert claims_of(members, email="data.email")["email_verified"] is True


@pytest.mark.parametrize("members", [{}, {"email": None}, {"email": 7}, {"email": ["a@b"]}])
def test_without_an_address_nothing_is_verified(members):
    """It must not confirm an address that is set later."""
    assert "email_verified" not in claims_of({"id": 1, **members, "email_verified": True})


def test_a_verification_that_is_null_is_none():
    """Null neither confirms nor denies."""
    assert "email_verified" not in claims_of({"id": 1, "email": "a@b", "email_verified": None})


def test_a_phone_number_is_treated_alike():
    """OIDC Core §5.1."""
    claims = claims_of({"id": 1, "tel": "+1", "ok": "true"}, phone_number="tel", phone_number_verified="ok")

    assert (claims["phone_number"], claims["phone_number_verified"]) == ("+1", True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.dictionaries(st.sampled_from(["id", "email", "email_verified", "data", "acr"]), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["email", "email_verified", "data", "acr", "sub"]), JSON))
def test_whatever_the_answer_is_claims_are_safe(members):
    """The provider may send anything."""
    claims = claims_of({**members, "id": 1}, email="data.email")

    assert (claims["sub"], claims.keys() & PROTOCOL_CLAIMS) == ("1", {"sub"})
    assert claims.get("email_verified", False) in (True, False)


# --- claims with paths in braces

AVATAR = "https://cdn.example.com/{id}/{data.avatar}.png"


@pytest.mark.parametrize(
    ("members", "picture"),
    [
        ({"data": {"avatar": "abc"}}, "https://cdn.example.com/7/abc.png"),
        ({"data": {"avatar": "../../x?y#z"}}, "https://cdn.example.com/7/..%2F..%2Fx%3Fy%23z.png"),
        ({"data": {"avatar": None}}, None),
        ({"data": {"avatar": ""}}, None),
        ({"data": {"avatar": {}}}, None),
        ({"data": {}}, None),
        ({}, None),
    ],
)
def test_a_claim_may_be_a_text_with_paths_in_braces(members, picture):
    """Discord tells only the hash of an avatar."""
    assert claims_of({"id": "7", **members}, picture=AVATAR).get("picture") == picture


@pytest.mark.parametrize("source", ["id", "data.id", ("a.b", "c"), AVATAR, "{id}", "x{id}{id}y"])
def test_a_source_of_a_claim_is_a_path_or_a_text_with_paths(source):
    """Whatever is accepted at start-up can be read."""
    check_source(source)


@pytest.mark.parametrize("source", ["", ".", "a..b", (), ("a", ""), "{", "}", "{}", "{a", "a}", "{a}}", "{a..b}", "}{"])
def test_any_other_source_is_refused(source):
    """A typing mistake is found at start-up."""
    with pytest.raises(ValueError, match="expected"):
        check_source(source)


# --- e-mail addresses


@pytest.mark.parametrize(
    ("members", "claims"),
    [
        ({"email": "a@b"}, {"email": "a@b", "email_verified": True}),
        ({"email": "a@b", "email_verified": None}, {"email": "a@b", "email_verified": True}),
        ({"email": "a@b", "email_verified": False}, {"email": "a@b", "email_verified": False}),
        ({"email": "a@b", "email_verified": "false"}, {"email": "a@b", "email_verified": False}),
        ({"email": None}, {"email": None}),
        ({"email": 7}, {"email": 7}),
        ({}, {}),
    ],
)
def test_emails_are_verified_makes_every_address_verified_unless_it_is_denied(members, claims):
    """X has no member that says so; a member that denies it counts, as for `trusted_email_domains`."""
    user = read_user_answer(answer({"id": "7", **members}), subject="id", claims={}, emails_are_verified=True)

    assert user == {"sub": "7", "id": "7", **claims}


def entry(email: Any, *, primary: Any = False, verified: Any = True) -> dict[str, Any]:
    return {"email": email, "primary": primary, "verified": verified, "visibility": None}


@pytest.mark.parametrize(
    ("entries", "email"),
    [
        ([entry("a@b"), entry("c@d", primary=True)], "c@d"),
        ([entry("a@b", verified=False), entry("c@d"), entry("e@f")], None),
        ([entry("a@b", primary=True, verified=False), entry("c@d")], None),
        ([entry("a@b", primary=True, verified=False)], None),
        ([entry("a@b", verified="true")], None),
        ([entry("a@b", verified=1)], None),
        ([entry("a@b"), entry("c@d", primary="yes")], None),
        ([{"email": "a@b", "primary": True}], None),
        ([entry(7), entry(None), entry(""), entry("no address"), entry("a@b\n"), "a@b", None, [], {}], None),
        ([entry("a@" + "b" * MAX_EMAIL_LENGTH)], None),
        ([], None),
    ],
)
def test_only_a_verified_primary_address_is_taken(entries, email):
    """Adding somebody else's address to an account must not make it one's own here."""
    assert read_emails_answer(answer(entries)) == email


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (Answer(200, {}, b"{}"), "user_api_not_json"),
        (Answer(200, {}, b"<html>"), "user_api_not_json"),
        (Answer(404, {}, b'{"message":"Not Found"}'), "user_api_status"),
        (Answer(503, {}, b""), "user_api_unavailable"),
    ],
)
def test_an_unusable_list_is_an_error(bad, code):
    """The caller decides whether a login may do without."""
    with pytest.raises(ProviderError) as caught:
        read_emails_answer(bad)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("claims", "email", "merged"),
    [
        ({"sub": "1"}, "a@b", {"sub": "1", "email": "a@b", "email_verified": True}),
        ({"email": "public@b"}, "a@b", {"email": "a@b", "email_verified": True}),
        ({"email": "public@b"}, None, {}),
        ({"email": "public@b", "email_verified": True}, None, {}),
        ({"sub": "1"}, None, {"sub": "1"}),
        ({"email": None}, None, {}),
    ],
)
def test_the_verified_address_replaces_that_of_the_profile(claims, email, merged):
    """The address of a profile is what its owner has made public."""
    assert with_verified_email(claims, email) == merged
