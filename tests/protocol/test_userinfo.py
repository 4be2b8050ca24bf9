"""Userinfo adds what the ID Token lacks, about the same user, and nothing about the login."""

import pytest

from asgi_oidc.errors import AnswerRejected, ProviderUnavailable, TokenRejected
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.userinfo import (
    check_signed_userinfo,
    lacks_claims,
    merge_userinfo,
    read_userinfo_answer,
    signed_userinfo,
    userinfo_call,
)

JWT = {"content-type": "application/jwt; charset=utf-8"}


@pytest.mark.parametrize(
    ("scope", "claims", "lacks"),
    [
        ("openid", {}, False),
        ("openid profile", {}, True),
        ("openid profile", {"name": "A"}, False),
        ("openid profile", {"preferred_username": "a"}, False),
        ("openid profile email", {"name": "A"}, True),
        ("openid profile email", {"name": "A", "email": "a@b"}, False),
        ("openid address", {}, True),
        ("openid phone", {"phone_number": "1"}, False),
        ("openid offline_access api", {}, False),
    ],
)
def test_userinfo_is_needed_if_a_scope_brought_no_claims(scope, claims, lacks):
    """A call that brings nothing new is left out."""
    assert lacks_claims(scope, claims) is lacks


def test_the_call_shows_the_access_token():
    """RFC 6750 §2.1: in the header, never in the URL."""
    call = userinfo_call("https://id.example.com/me", "at")

    assert (call.method, call.url, call.headers["authorization"]) == ("GET", "https://id.example.com/me", "Bearer at")


def test_a_plain_answer_is_read():
    """OIDC Core §5.3.2."""
    answer = Answer(200, {"content-type": "application/json"}, b'{"sub":"a"}')

    assert (signed_userinfo(answer), read_userinfo_answer(answer)) == (None, {"sub": "a"})


def test_a_signed_answer_gives_its_token():
    """It is told by its content type."""
    assert signed_userinfo(Answer(200, JWT, b"a.b.c\n")) == "a.b.c"


def test_a_signed_answer_is_ascii():
    """Anything else is no token."""
    with pytest.raises(AnswerRejected) as caught:
        signed_userinfo(Answer(200, JWT, b"\xff"))

    assert caught.value.code == "userinfo_not_jwt"


def test_a_failed_userinfo_answer_is_an_error():
    """Whatever its content type says."""
    with pytest.raises(ProviderUnavailable) as caught:
        signed_userinfo(Answer(503, JWT, b"a.b.c"))

    assert caught.value.code == "userinfo_unavailable"


@pytest.mark.parametrize(
    "claims", [{}, {"iss": "i"}, {"aud": "web"}, {"iss": "i", "aud": ["x", "web"]}, {"exp": 971, "nbf": 1030}]
)
def test_signed_claims_for_us_pass(claims):
    """OIDC Core §5.3.2: `iss` and `aud` should be there, and count when they are."""
    check_signed_userinfo(Verified("RS256", "JWT", claims), issuer="i", client_id="web", now=1000, leeway=30)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "x"}, "userinfo_iss"),
        ({"iss": None}, "userinfo_iss"),
        ({"aud": "x"}, "userinfo_aud"),
        ({"aud": ["x"]}, "userinfo_aud"),
        ({"aud": "xwebx"}, "userinfo_aud"),
        ({"aud": {"web": 1}}, "userinfo_aud"),
        ({"exp": 970}, "claim_exp"),
        ({"exp": "soon"}, "claim_exp"),
        ({"nbf": 1031}, "claim_nbf"),
        ({"events": {}}, "token_typ"),
    ],
)
def test_signed_claims_for_somebody_else_are_refused(claims, code):
    """A token of this provider for another client must not count here."""
    with pytest.raises(TokenRejected) as caught:
        check_signed_userinfo(Verified("RS256", None, claims), issuer="i", client_id="web", now=1000, leeway=30)

    assert caught.value.code == code


@pytest.mark.parametrize("typ", ["logout+jwt", "application/at+jwt", "secevent+jwt"])
def test_a_signed_token_of_another_kind_is_no_userinfo(typ):
    """No token stands in for another."""
    with pytest.raises(TokenRejected) as caught:
        check_signed_userinfo(Verified("RS256", typ, {}), issuer="i", client_id="web", now=1000, leeway=30)

    assert caught.value.code == "token_typ"


def test_id_token_claims_take_precedence():
    """It is signed; userinfo may not be."""
    merged = merge_userinfo({"sub": "a", "name": "signed"}, {"sub": "a", "name": "other", "email": "a@b"})

    assert merged == {"sub": "a", "name": "signed", "email": "a@b"}


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS - {"sub"}))
def test_protocol_claims_are_the_id_tokens_alone(name):
    """Userinfo has no say in what the login was."""
    assert merge_userinfo({"sub": "a"}, {"sub": "a", name: "x"}) == {"sub": "a"}


@pytest.mark.parametrize("userinfo", [{}, {"sub": "b"}, {"sub": "A"}, {"sub": 7}, {"sub": None}, {"sub": "a "}])
def test_claims_about_somebody_else_are_refused(userinfo):
    """OIDC Core §5.3.4: or one user gets another one's mail address."""
    with pytest.raises(TokenRejected) as caught:
        merge_userinfo({"sub": "a"}, {**userinfo, "email": "x"})

    assert caught.value.code == "userinfo_sub"
