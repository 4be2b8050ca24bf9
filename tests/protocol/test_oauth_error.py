"""What a provider says is wrong: bounded, on one line, and without our secrets."""

import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import ProviderError, ProviderRefused
from asgi_oidc.protocol.client_auth import METHODS
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_signing import make_signing_key
from asgi_oidc.protocol.messages import Answer, check_status
from asgi_oidc.protocol.oauth_error import (
    MAX_DESCRIPTION_LENGTH,
    MAX_HEADER_LENGTH,
    PIECE_LENGTH,
    make_oauth_error,
    read_oauth_error,
)
from asgi_oidc.protocol.token_endpoint import read_refresh_answer, read_token_answer
from asgi_oidc.protocol.userinfo import userinfo_call

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJl"


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("members", "written"),
    [
        ({"error": "invalid_client"}, "invalid_client"),
        ({"error": "invalid_client", "error_description": ""}, "invalid_client"),
        ({"error": "invalid_client", "error_description": "it is expired"}, "invalid_client: it is expired"),
        ({"error": "a", "error_description": "b", "error_uri": "https://c/"}, "a: b (see https://c/)"),
        ({"error": "a", "error_description": {"b": 1}, "error_uri": 7}, "a"),
        ({"error": "a", "error_description": " b\r\n\tWARNING c\x1b[31m \u202ed "}, "a: b WARNING c [31m d"),
        ({"error": "a", "error_description": "Schl\u00fcssel abgelaufen"}, "a: Schl\u00fcssel abgelaufen"),
        ({"error": "a", "error_description": "x" * 301}, f"a: {'x' * MAX_DESCRIPTION_LENGTH}..."),
        ({"error": 7, "error_description": "b"}, ": b"),
        ({}, ""),
    ],
    ids=str,
)
def test_an_oauth_error_is_one_line(members, written):
    """Nobody forges a line of the log, and a description need not be ASCII to help."""
    assert str(make_oauth_error(members, ())) == written


@pytest.mark.parametrize(
    ("header", "written"),
    [
        ('Bearer error="invalid_token", error_description="The token expired"', "invalid_token: The token expired"),
        ('Bearer realm="x",error="a",error_description="say \\"b\\""', 'a: say \\"b\\"'),
        ('Bearer realm="error=no"', ""),
        ('DPoP algs="ES256", Bearer error="a"', "a"),
        ("Bearer", ""),
        ("Bearer " + "x" * MAX_HEADER_LENGTH + ', error="a"', ""),
    ],
)
def test_an_error_in_www_authenticate_is_read(header, written):
    """RFC 6750 §3: userinfo answers so, most often without a body."""
    assert str(read_oauth_error({"www-authenticate": header}, b"", ())) == written


def test_an_error_in_the_body_takes_precedence_over_the_header():
    """A token endpoint answers 401 with both (RFC 6749 §5.2)."""
    said = read_oauth_error({"www-authenticate": 'Basic error="b"'}, body(error="a"), ())

    assert (said.error, said.is_in_body) == ("a", True)


@pytest.mark.parametrize("secret", [TOKEN, "s3cret", "a secret with spaces", "\u00fcber-geheim"])
@pytest.mark.parametrize("text", ["{}", "token {} is unknown", "{}{}", "({}), ({})", "a {}"])
def test_our_secrets_are_taken_out(secret, text):
    """Some providers repeat what they were sent."""
    said = str(make_oauth_error({"error": "a", "error_description": text.replace("{}", secret)}, [secret]))

    assert secret not in said
    assert "[...]" in said


def twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="")


def with_small_letters(text: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), quote_plus(text))


ENCODINGS = [quote, quote_plus, twice, with_small_letters]


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize(
    "secret", ["pa/ss+wo=rd&12/34+56=78&zz", "a secret/with spaces", "\u00fcber/geheim%2F\u00e4", "s/3"]
)
def test_our_secrets_are_taken_out_in_percent_encoding(secret, encode):
    """Some providers repeat the whole form, as it was sent."""
    form = f"grant_type=x&client_secret={encode(secret)}&client_id=web"

    said = make_oauth_error({"error": "a", "error_description": form, "error_uri": f"https://x/?{form}"}, [secret])

    assert said.error_description == "grant_type=x&client_secret=[...]&client_id=web"
    assert said.error_uri == "https://x/?grant_type=x&client_secret=[...]&client_id=web"


@given(st.text(min_size=1), st.text(max_size=30), st.sampled_from(ENCODINGS))
def test_encoded_secrets_are_removed(secret, around, encode):
    """Whatever stands beside it."""
    secret += "0123456789"

    said = make_oauth_error({"error": "a", "error_description": f"{around}={encode(secret)}"}, [secret])

    assert "01234567" not in said.error_description


def test_decoding_for_secrets_is_bounded():
    """It comes from outside."""
    said = make_oauth_error({"error": "a", "error_description": "%" + "25" * 500}, ["a-secret"])

    assert said.error_description.startswith("%2525")


@given(st.text(), st.text(max_size=30), st.data())
def test_no_usable_part_of_a_secret_is_left(secret, around, data):
    """Some show the first half of a token, or its end."""
    start = data.draw(st.integers(0, len(secret)))
    part = secret[start : data.draw(st.integers(start, len(secret)))]

    said = make_oauth_error({"error": around + part, "error_description": part + around}, [secret])

    parts = {secret[at : at + PIECE_LENGTH] for at in range(len(secret) - PIECE_LENGTH + 1)}
    assert not any(piece in text for text in said[:3] for piece in parts if piece.isprintable() and piece.strip())


def test_words_that_a_secret_happens_to_have_stay():
    """Else a secret such as "web-secret-for-tests" would hide why it was refused."""
    said = make_oauth_error({"error": "a", "error_description": "client secret is expired"}, ["web-secret-for-tests"])

    assert said.error_description == "client secret is expired"


SECRET = "client:s3cret%-of-32-bytes-or-more"


@pytest.mark.parametrize("method", METHODS)
def test_a_call_names_its_secrets(method):
    """Whatever way the client authenticates."""
    client = Client("web", SECRET if method.startswith("client_secret_") else None, keys=(make_signing_key(),))
    client = client.for_call(now=1, audience="https://id.example.com", jti="j")
    fields = {"grant_type": "x", "code": "the-code", "code_verifier": "the-verifier", "refresh_token": "the-token"}

    call = METHODS[method](client, "https://id.example.com/token", fields)

    assert {"the-code", "the-verifier", "the-token"} <= set(call.secrets)
    assert "x" not in call.secrets
    sent = "eyJ" if method.endswith("_jwt") else SECRET
    has_credential = any(secret.startswith(sent) for secret in call.secrets)
    assert has_credential == (method.startswith("client_secret_") or method.endswith("_jwt"))
    assert all(value.removeprefix("Basic ") in call.secrets for value in [call.headers.get("authorization")] if value)
    assert userinfo_call("https://id.example.com/me", "the-token").secrets == ("the-token",)
    assert not any(secret in repr(call) for secret in call.secrets)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_every_failure_says_what_the_provider_says(status):
    """Also an outage: "maintenance until noon"."""
    answer = Answer(status, {}, body(error="e", error_description=f"why, {TOKEN}"), (TOKEN,))

    with pytest.raises(ProviderError) as caught:
        check_status(answer, endpoint="token")

    assert caught.value.detail == f"e: why, [...], from the token endpoint with status {status}"


def test_a_refused_client_is_told_what_to_check():
    """Most often the secret is wrong or has expired, and the provider does not say so."""
    with pytest.raises(ProviderRefused) as caught:
        check_status(Answer(401, {}, body(error="invalid_client")), endpoint="token")

    assert caught.value.error == "invalid_client"
    assert caught.value.detail == (
        "invalid_client, from the token endpoint with status 401: check client_id and client_secret or client_key, "
        "then client_auth; some providers accept signed assertions only with client_assertion_typ "
        "(OIDC_CLIENT_ASSERTION_TYP) set to JWT"
    )


def test_only_a_body_refuses():
    """`invalid_grant` ends a session; a proxy writes headers."""
    answer = Answer(400, {"www-authenticate": 'Bearer error="invalid_grant", error_description="b"'}, b"")

    with pytest.raises(ProviderError) as caught:
        check_status(answer, endpoint="token")

    assert not isinstance(caught.value, ProviderRefused)
    assert caught.value.detail == "invalid_grant: b, from the token endpoint with status 400"


@pytest.mark.parametrize("read", [read_token_answer, read_refresh_answer])
def test_an_error_with_status_200_is_told(read):
    """Some providers answer all errors so; it ends no session, and spends nothing."""
    with pytest.raises(ProviderError) as caught:
        read(Answer(200, {}, body(error="bad_code", error_description="it is old")))

    assert (caught.value.code, caught.value.detail) == ("token_error", "bad_code: it is old, with status 200")
    assert not isinstance(caught.value, ProviderRefused)
