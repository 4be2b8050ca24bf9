"""Which nonces of servers are repeated in proofs, and which are not (RFC 9449 §8)."""

import pytest

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.dpop.server_nonces import MAX_NONCE_LENGTH, read_demanded_nonce, read_nonce


@pytest.mark.parametrize("nonce", ["a", "eyJ7S_zG.eyJH0-Z.HX4w-7v", "!#$,:;[]^_{}~", "n" * MAX_NONCE_LENGTH])
def test_a_nonce_of_the_allowed_characters_is_repeated(nonce):
    """It means nothing to the client (§8.1)."""
    assert read_nonce({"dpop-nonce": nonce}) == nonce


UNUSABLE = {
    "missing": ({}, "dpop_nonce_missing"),
    "empty": ({"dpop-nonce": ""}, "dpop_nonce_malformed"),
    "two headers": ({"dpop-nonce": "one, two"}, "dpop_nonce_malformed"),
    "a space": ({"dpop-nonce": "a b"}, "dpop_nonce_malformed"),
    "a quote": ({"dpop-nonce": 'a"b'}, "dpop_nonce_malformed"),
    "a backslash": ({"dpop-nonce": "a\\b"}, "dpop_nonce_malformed"),
    "a control character": ({"dpop-nonce": "a\x7fb"}, "dpop_nonce_malformed"),
    "a line break": ({"dpop-nonce": "a\n"}, "dpop_nonce_malformed"),
    "not ASCII": ({"dpop-nonce": "é"}, "dpop_nonce_malformed"),
    "too long": ({"dpop-nonce": "n" * (MAX_NONCE_LENGTH + 1)}, "dpop_nonce_malformed"),
    "the one that was sent": ({"dpop-nonce": "sent"}, "dpop_nonce_refused"),
}


@pytest.mark.parametrize(("headers", "code"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_demand_that_no_nonce_satisfies_is_an_error(headers, code):
    """A repetition could not succeed, so the call is not repeated."""
    with pytest.raises(AnswerRejected) as error:
        read_demanded_nonce(headers, sent="sent", source="the token endpoint", status=400)

    assert (error.value.code, error.value.answer_status) == (code, 400)
    assert not error.value.was_processed


@pytest.mark.parametrize("headers", [headers for headers, code in UNUSABLE.values() if code != "dpop_nonce_refused"])
def test_an_unusable_nonce_is_not_learned(headers):
    """An answer that demands none goes on as if it had told none."""
    assert read_nonce(headers) is None
