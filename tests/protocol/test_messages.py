"""An answer counts only with status 200; all others say what kind of failure they are."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.messages import Answer, Call, form_call, read_json_answer

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(TEXT, TEXT))
def test_a_form_carries_any_text(fields):
    """A code or a secret may hold "&", "%", "+" or umlauts."""
    call = form_call("https://id.example.com/token", fields, {"x": "y"})

    assert dict(parse_qsl((call.body or b"").decode(), keep_blank_values=True)) == fields
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.headers["x"] == "y"


def test_a_good_answer_is_read():
    """Status 200 and a JSON object."""
    assert read_json_answer(Answer(200, {}, b'{"a":1}'), endpoint="token") == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (Answer(200, {}, b"<html>"), AnswerRejected, "token_not_json"),
        (Answer(200, {}, b"[]"), AnswerRejected, "token_not_json"),
        (Answer(200, {}, b""), AnswerRejected, "token_not_json"),
        (Answer(201, {}, b"{}"), AnswerRejected, "token_status"),
        (Answer(204, {}, b""), AnswerRejected, "token_status"),
        (Answer(404, {}, b'{"error":"invalid_grant"}'), AnswerRejected, "token_status"),
        (Answer(400, {}, b"no JSON"), AnswerRejected, "token_status"),
        (Answer(400, {}, b'{"error":7}'), AnswerRejected, "token_status"),
        (Answer(400, {}, b"{}"), AnswerRejected, "token_status"),
        (Answer(400, {}, b'{"error":"invalid_grant"}'), ProviderRefused, "provider_refused"),
        (Answer(401, {}, b'{"error":"invalid_client"}'), ProviderRefused, "provider_refused"),
        (Answer(403, {}, b'{"error":"access_denied"}'), ProviderRefused, "provider_refused"),
        (Answer(429, {}, b"{}"), ProviderUnavailable, "token_unavailable"),
        (Answer(500, {}, b"{}"), ProviderUnavailable, "token_unavailable"),
        (Answer(503, {}, b'{"error":"x"}'), ProviderUnavailable, "token_unavailable"),
    ],
)
def test_a_bad_answer_says_what_kind_it_is(answer, kind, code):
    """A reader of the log must see whether to wait or to fix something."""
    with pytest.raises(ProviderError) as caught:
        read_json_answer(answer, endpoint="token")

    assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"message": "Bad credentials"}', "expected status 200, got 404: Bad credentials"),
        (b'{"title": "Forbidden", "detail": "Not yours"}', "expected status 200, got 404: Not yours"),
        (b'{"message": "a s3cr3t-t0ken b"}', "expected status 200, got 404: a [...] b"),
        (b'{"message": "one\\ntwo"}', "expected status 200, got 404: one two"),
        (b'{"message": 7, "detail": ""}', "expected status 200, got 404"),
        (b"<html>", "expected status 200, got 404"),
    ],
)
def test_what_an_answer_says_without_an_oauth_error_is_told(body, detail):
    """GitHub and Discord have a `message`, problem details have a `detail`; neither shows a secret."""
    with pytest.raises(AnswerRejected) as caught:
        read_json_answer(Answer(404, {}, body, ("s3cr3t-t0ken",)), endpoint="user_api")

    assert caught.value.detail == detail


def test_an_oauth_error_keeps_its_name_on_one_clean_line():
    """The error is matched by name later, and no provider forges a line of our log."""
    with pytest.raises(ProviderRefused) as caught:
        read_json_answer(Answer(400, {}, b'{"error":"a\\nb"}'), endpoint="token")

    assert caught.value.error == "'a\\nb'"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("7", 7),
        ("0", 1),
        ("300", 300),
        ("9999", 300),
        ("99999999999", 5),
        ("-1", 5),
        ("", 5),
        ("\u0663", 5),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 5),
    ],
)
def test_retry_after_is_taken_within_limits(asked, waits):
    """A provider does not decide how long our users wait."""
    with pytest.raises(ProviderUnavailable) as caught:
        read_json_answer(Answer(503, {"retry-after": asked}), endpoint="token")

    assert caught.value.retry_after == waits


def test_reprs_of_calls_and_answers_show_no_secrets():
    """They stand in tracebacks."""
    call = Call("POST", "https://id.example.com/token", {"authorization": "s3cret"}, b"s3cret")
    answer = Answer(200, {"set-cookie": "s3cret"}, b"s3cret")

    assert "s3cret" not in repr(call) + repr(answer)
