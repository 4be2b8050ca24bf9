"""The call that asks about a token authenticates the client, and a signed answer is for this client and this call."""

from typing import Any

import pytest

from asgi_oidc.errors import AnswerRejected, ProviderRefused, ProviderUnavailable, TokenRejected
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.introspection import (
    MAX_ANSWER_AGE,
    check_signed_introspection,
    introspection_call,
    read_introspection_answer,
    signed_introspection,
)
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import make_metadata

NOW = 1_800_000_000
LEEWAY = 30
ISSUER = "https://id.example.com"
ENDPOINTS = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
INTROSPECT = f"{ISSUER}/introspect"
SIGNED = "application/token-introspection+jwt"
CLIENT = Client("web", "a-client-secret")
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": "web", "iat": NOW, "token_introspection": {"active": True}}


def call(client: Client = CLIENT, **members: Any) -> Any:
    metadata = make_metadata(ISSUER, {**ENDPOINTS, "introspection_endpoint": INTROSPECT, **members})
    return introspection_call(metadata, client, "the-token")


def test_it_asks_about_an_access_token_as_an_authenticated_client():
    """RFC 7662 §2.1: without authentication, anyone could try out tokens."""
    made = call()

    assert (made.method, made.url, made.body) == ("POST", INTROSPECT, b"token=the-token&token_type_hint=access_token")
    assert made.headers["authorization"].startswith("Basic ")
    assert {"the-token", "a-client-secret"} <= set(made.secrets)
    assert "the-token" not in repr(made)


@pytest.mark.parametrize(
    ("members", "is_basic"),
    [
        ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, False),
        (
            {
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
            },
            True,
        ),
    ],
)
def test_it_authenticates_as_the_endpoint_supports_it(members, is_basic):
    """By default, that is as at the token endpoint (RFC 8414 §2)."""
    made = call(**members)

    assert ("authorization" in made.headers, b"client_secret=" in made.body) == (is_basic, not is_basic)


@pytest.mark.parametrize("client", [Client("spa"), Client("spa", auth_method="none")])
def test_a_client_that_cannot_authenticate_does_not_ask(client):
    """Nor does it send tokens to an endpoint that cannot know who asks."""
    assert call(client) is None


def test_without_an_endpoint_there_is_no_call():
    """Many providers have JWTs only."""
    assert introspection_call(make_metadata(ISSUER, ENDPOINTS), CLIENT, "the-token") is None


def test_without_a_common_method_there_is_no_call_either():
    """Never a weaker one."""
    with pytest.raises(AnswerRejected) as caught:
        call(introspection_endpoint_auth_methods_supported=["private_key_jwt"])

    assert caught.value.code == "client_auth_unsupported"


@pytest.mark.parametrize(
    ("supported", "accept"),
    [
        (None, "application/json"),
        ([], "application/json"),
        (["ES256"], f"{SIGNED}, application/json;q=0.5"),
    ],
)
def test_it_asks_for_a_signed_answer_where_the_provider_signs(supported, accept):
    """RFC 9701 §4."""
    assert call(introspection_signing_alg_values_supported=supported).headers["accept"] == accept


@pytest.mark.parametrize(
    ("content_type", "is_signed"),
    [
        (SIGNED, True),
        (f"{SIGNED.upper()}; charset=utf-8", True),
        ("application/json", False),
        ("application/jwt", False),
        ("", False),
    ],
)
def test_the_media_type_says_whether_an_answer_is_signed(content_type, is_signed):
    """RFC 9701 §5."""
    answer = Answer(200, {"content-type": content_type}, b'{"active":true}')

    assert (signed_introspection(answer) is not None) == is_signed


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500, {}, b"oops"), ProviderUnavailable),
        (Answer(503, {}, b""), ProviderUnavailable),
        (Answer(500, {"content-type": SIGNED}, b"a.b.c"), ProviderUnavailable),
        (Answer(429, {"retry-after": "7"}, b""), ProviderUnavailable),
        (Answer(401, {}, b'{"error":"invalid_client"}'), ProviderRefused),
        (Answer(401, {}, b'{"active":true}'), AnswerRejected),
        (Answer(403, {}, b""), AnswerRejected),
        (Answer(204, {}, b""), AnswerRejected),
        (Answer(200, {"content-type": SIGNED}, b"\xff.x.y"), AnswerRejected),
        (Answer(200, {}, b"<!doctype html>"), AnswerRejected),
        (Answer(200, {}, b'[{"active":true}]'), AnswerRejected),
        (Answer(200, {}, b'{"active":false,"active":true}'), AnswerRejected),
        (Answer(200, {}, b""), AnswerRejected),
    ],
    ids=str,
)
def test_an_answer_that_is_not_one_says_nothing_about_the_token(answer, error):
    """Neither that it is good nor that it is bad."""
    with pytest.raises(error):
        assert signed_introspection(answer) or read_introspection_answer(answer)


def members(changes: dict[str, Any], typ: str | None = "token-introspection+jwt") -> Any:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    token = Verified("ES256", typ, claims)
    return check_signed_introspection(token, issuer=ISSUER, client_id="web", now=NOW, leeway=LEEWAY)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["web"]},
        {"aud": ["web", "https://api.example.com"]},
        {"iat": NOW + LEEWAY},
        {"iat": NOW - LEEWAY - MAX_ANSWER_AGE},
    ],
    ids=str,
)
def test_a_signed_answer_for_this_client_passes(changes):
    """What it says is in one member, so that it cannot be taken for an access token."""
    assert members(changes) == {"active": True}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"aud": "other"}, "claim_aud"),
        ({"aud": ["other"]}, "claim_aud"),
        ({"aud": ...}, "claim_aud"),
        ({"aud": 7}, "claim_aud"),
        ({"iat": ...}, "claim_iat"),
        ({"iat": "now"}, "claim_iat"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"iat": NOW - LEEWAY - MAX_ANSWER_AGE - 1}, "claim_iat"),
        ({"token_introspection": ...}, "claims_malformed"),
        ({"token_introspection": '{"active":true}'}, "claims_malformed"),
        ({"token_introspection": [{"active": True}]}, "claims_malformed"),
        ({"token_introspection": ..., "active": True}, "claims_malformed"),
        ({"events": {}}, "token_typ"),
    ],
    ids=str,
)
def test_another_signed_answer_is_refused(changes, code):
    """One for another client, or one of yesterday, is about something else."""
    with pytest.raises(TokenRejected) as caught:
        members(changes)

    assert caught.value.code == code


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "token-introspection", ""])
def test_another_kind_of_token_is_no_answer(typ):
    """RFC 9701 §5: else an access token with a claim of that name could be one."""
    with pytest.raises(TokenRejected) as caught:
        members({}, typ)

    assert caught.value.code == "token_typ"
