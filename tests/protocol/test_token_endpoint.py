"""The token call says what the code needs; its answer holds two tokens that a header can carry."""

import json
from urllib.parse import parse_qsl

import pytest

from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import make_metadata
from asgi_oidc.protocol.token_endpoint import (
    MAX_LIFETIME,
    MAX_TOKEN_LENGTH,
    UnusableTokens,
    read_refresh_answer,
    read_token_answer,
    refresh_call,
    token_call,
)

ISSUER = "https://id.example.com"
CLIENT = Client("spa")
GOOD = {"access_token": "at", "id_token": "a.b.c", "token_type": "Bearer", "expires_in": 60, "scope": "openid"}
METADATA = make_metadata(
    ISSUER, {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
)


def answer(**changes: object) -> Answer:
    members = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return Answer(200, {}, json.dumps(members).encode())


def test_the_call_carries_the_code_and_its_verifier():
    """RFC 6749 §4.1.3, RFC 7636 §4.5."""
    call = token_call(
        METADATA, CLIENT, code="c", code_verifier="v", redirect_uri="https://app.example.com/auth/callback"
    )

    assert (call.method, call.url) == ("POST", f"{ISSUER}/token_endpoint")
    assert dict(parse_qsl((call.body or b"").decode())) == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://app.example.com/auth/callback",
        "code_verifier": "v",
        "client_id": "spa",
    }


def test_without_pkce_there_is_no_verifier_to_send():
    """LinkedIn refuses a call that has one."""
    call = token_call(
        METADATA, CLIENT, code="c", code_verifier=None, redirect_uri="https://app.example.com/auth/callback"
    )

    assert "code_verifier" not in dict(parse_qsl((call.body or b"").decode()))


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_a_good_answer_is_read(token_type):
    """RFC 6749 §5.1: the type is compared without regard to case."""
    tokens = read_token_answer(answer(token_type=token_type))

    assert (tokens.access_token, tokens.id_token, tokens.expires_in, tokens.scope) == ("at", "a.b.c", 60, "openid")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (60, 60),
        ("3600", 3600),
        (3600.0, 3600),
        (0, 0),
        (-5, 0),
        (10**15, MAX_LIFETIME),
        ("999999999999", MAX_LIFETIME),
        ("9999999999999", None),
        (True, None),
        ("soon", None),
        ("\u0663", None),
        ([], None),
        (None, None),
        (..., None),
    ],
)
def test_a_lifetime_is_read_as_providers_send_it(sent, read):
    """Some send text or a fraction; what is no number says nothing."""
    assert read_token_answer(answer(expires_in=sent)).expires_in == read


@pytest.mark.parametrize("scope", [7, ["openid"], None, ...])
def test_a_scope_that_is_no_text_says_nothing(scope):
    """Then what was asked for counts (RFC 6749 §5.1)."""
    assert read_token_answer(answer(scope=scope)).scope is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token_type": "DPoP"}, "token_type"),
        ({"token_type": ...}, "token_type"),
        ({"token_type": 7}, "token_type"),
        ({"access_token": ...}, "access_token_missing"),
        ({"access_token": ""}, "access_token_missing"),
        ({"access_token": 7}, "access_token_missing"),
        ({"access_token": "a b"}, "access_token_malformed"),
        ({"access_token": "a\r\nx: y"}, "access_token_malformed"),
        ({"access_token": "\u00e4"}, "access_token_malformed"),
        ({"access_token": "a" * (MAX_TOKEN_LENGTH + 1)}, "access_token_malformed"),
        ({"id_token": ...}, "id_token_missing"),
        ({"id_token": {"a": 1}}, "id_token_missing"),
        ({"id_token": "a\x00b"}, "id_token_malformed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_without_usable_tokens_is_refused(changes, code):
    """A token goes into a header later: only visible ASCII can stand there."""
    with pytest.raises(AnswerRejected) as caught:
        read_token_answer(answer(**changes))

    assert caught.value.code == code


@pytest.mark.parametrize("read", [read_token_answer, read_refresh_answer])
def test_tokens_stay_out_of_the_repr(read):
    """They stand in tracebacks."""
    assert "s3cret" not in repr(read(answer(access_token="s3cret", id_token="s3cret", refresh_token="s3cret")))


# --- with a refresh token


@pytest.mark.parametrize(
    ("resource", "more"), [(None, {}), ("https://api.example.com/", {"resource": "https://api.example.com/"})]
)
def test_the_refresh_call_carries_the_refresh_token(resource, more):
    """RFC 6749 §6; the API that the token is for where there is one (RFC 8707 §2.2)."""
    call = refresh_call(METADATA, CLIENT, "a+token=", resource=resource)

    assert (call.method, call.url) == ("POST", f"{ISSUER}/token_endpoint")
    assert dict(parse_qsl((call.body or b"").decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "a+token=",
        "client_id": "spa",
        **more,
    }
    assert "a+token" not in repr(call)


@pytest.mark.parametrize(
    ("changes", "id_token", "refresh_token"),
    [
        ({}, "a.b.c", None),
        ({"refresh_token": "rt"}, "a.b.c", "rt"),
        ({"id_token": ...}, None, None),
        ({"id_token": None, "refresh_token": None, "expires_in": None, "scope": None}, None, None),
    ],
    ids=str,
)
def test_a_refresh_need_not_give_everything(changes, id_token, refresh_token):
    """RFC 6749 §6, OIDC Core §12.2; some providers write null for what they do not give."""
    tokens = read_refresh_answer(answer(**changes))

    assert (tokens.access_token, tokens.id_token, tokens.refresh_token) == ("at", id_token, refresh_token)
    assert (tokens.expires_in, tokens.scope) == ((60, "openid") if "scope" not in changes else (None, None))


@pytest.mark.parametrize("read", [read_token_answer, read_refresh_answer])
@pytest.mark.parametrize("sent", [" ", "a b", " a~b! ", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
def test_a_refresh_token_may_be_any_printable_text(read, sent):
    """RFC 6749 appendix A.17; it travels in a form, and never in a header."""
    assert read(answer(refresh_token=sent)).refresh_token == sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_token": ...},
        {"access_token": "a b"},
        {"access_token": 7},
        {"id_token": 7},
        {"id_token": "a\x00b"},
        {"token_type": "DPoP"},
        {"token_type": ...},
        {"access_token": ..., "token_type": ..., "expires_in": "soon", "scope": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("newer", "left"),
    [
        ({"refresh_token": "rt-2"}, ("rt-2", True)),
        ({"refresh_token": 7}, (None, True)),
        ({"refresh_token": ""}, (None, True)),
        ({"refresh_token": "a\r\nb"}, (None, True)),
        ({"refresh_token": None}, (None, False)),
        ({}, (None, False)),
    ],
    ids=str,
)
def test_an_answer_that_is_refused_says_which_refresh_token_is_left(wrong, newer, left):
    """It was given all the same, and the old one is used up by it; where none came, the old one stays (RFC 6749 §6)."""
    with pytest.raises(UnusableTokens) as caught:
        read_refresh_answer(answer(**wrong, **newer))

    assert (caught.value.refresh_token, caught.value.is_old_spent) == left
    assert caught.value.was_processed


@pytest.mark.parametrize(("sent", "read"), [(..., None), (None, None), ("rt", "rt")])
def test_a_login_may_come_without_a_refresh_token(sent, read):
    """Most do."""
    assert read_token_answer(answer(refresh_token=sent)).refresh_token == read


@pytest.mark.parametrize("read", [read_token_answer, read_refresh_answer])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"refresh_token": ""}, "refresh_token_missing"),
        ({"refresh_token": 7}, "refresh_token_missing"),
        ({"refresh_token": "a\tb"}, "refresh_token_malformed"),
        ({"refresh_token": "\u00e4"}, "refresh_token_malformed"),
        ({"id_token": "a b"}, "id_token_malformed"),
        ({"access_token": "a b"}, "access_token_malformed"),
        ({"refresh_token": "a" * (MAX_TOKEN_LENGTH + 1)}, "refresh_token_malformed"),
        ({"id_token": 7}, "id_token_missing"),
        ({"id_token": "a\x00b"}, "id_token_malformed"),
        ({"access_token": ...}, "access_token_missing"),
        ({"access_token": None}, "access_token_missing"),
        ({"access_token": "a\r\nb"}, "access_token_malformed"),
        ({"token_type": "DPoP"}, "token_type"),
        ({"token_type": ...}, "token_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_with_unusable_tokens_is_refused_whole(read, changes, code):
    """Nothing of it is used, also what looks fine."""
    with pytest.raises(AnswerRejected) as caught:
        read(answer(**changes))

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error":"invalid_grant"}', ProviderRefused),
        (401, b'{"error":"invalid_client"}', ProviderRefused),
        (503, b'{"error":"invalid_grant"}', ProviderUnavailable),
        (429, b"", ProviderUnavailable),
        (500, b"", ProviderUnavailable),
        (200, b"no json", AnswerRejected),
        (400, b"no json", AnswerRejected),
        (204, b"", AnswerRejected),
    ],
)
def test_only_a_plain_refusal_is_one(status, body, kind):
    """`invalid_grant` ends a session, so nothing else may be taken for it."""
    with pytest.raises(ProviderError) as caught:
        read_refresh_answer(Answer(status, {}, body))

    assert type(caught.value) is kind
    assert (caught.value.answer_status, caught.value.was_processed) == (status, status in (200, 204))
