"""A pushed authorization request is authenticated, and its answer is read strictly."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from asgi_oidc.errors import AnswerRejected, ProviderError
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.metadata import ProviderMetadata, make_metadata
from asgi_oidc.protocol.pushed_authorization import MAX_REQUEST_URI_LENGTH, par_call, read_par_answer

ISSUER = "https://id.example.com"
PARAMETERS: dict[str, Any] = {
    "client_id": "web",
    "state": "a-random-state",
    "nonce": "a-random-nonce",
    "resource": ["https://a", "https://b"],
}
GOOD: dict[str, Any] = {
    "request_uri": "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
    "expires_in": 60,
}


def metadata(**more: Any) -> ProviderMetadata:
    members = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return make_metadata(ISSUER, {**members, "pushed_authorization_request_endpoint": f"{ISSUER}/par", **more})


def answer(status: int = 201, body: bytes | None = None, **changes: Any) -> Answer:
    members = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return Answer(status, {}, msgspec.json.encode(members) if body is None else body)


def fields(call: Call) -> dict[str, list[str]]:
    return parse_qs((call.body or b"").decode())


def test_the_call_has_the_request_and_the_credentials_of_the_client():
    """RFC 9126 §2.1; the repr hides both."""
    call = par_call(metadata(), Client("web", "a-secret"), PARAMETERS)

    assert (call.method, call.url) == ("POST", f"{ISSUER}/par")
    assert fields(call) == {
        "client_id": ["web"],
        "state": ["a-random-state"],
        "nonce": ["a-random-nonce"],
        "resource": ["https://a", "https://b"],
    }
    assert call.headers["authorization"].startswith("Basic ")
    assert "a-random" not in repr(call)
    assert {"a-random-state", "a-random-nonce", "a-secret"} <= set(call.secrets)


def test_a_public_client_sends_its_id_once():
    """It is a parameter of the request as well, and none may be repeated (RFC 6749 §3.1)."""
    call = par_call(metadata(), Client("web"), PARAMETERS)

    assert (fields(call)["client_id"], "authorization" in call.headers) == (["web"], False)


def test_without_an_endpoint_there_is_no_call():
    """The metadata is checked before, so nobody meets this."""
    with pytest.raises(AnswerRejected) as caught:
        par_call(metadata(pushed_authorization_request_endpoint=None), Client("web"), PARAMETERS)

    assert caught.value.code == "par_unsupported"


@pytest.mark.parametrize("plain", ["http://id.example.com/par", "javascript:alert(1)", "/par"])
def test_the_endpoint_is_an_https_url(plain):
    """The credentials of the client go there."""
    with pytest.raises(AnswerRejected) as caught:
        metadata(pushed_authorization_request_endpoint=plain)

    assert caught.value.code == "metadata_endpoint"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"request_uri": "https://id.example.com/requests/1?x=y"},
        {"request_uri": "urn:example:" + "x" * (MAX_REQUEST_URI_LENGTH - len("urn:example:"))},
        {"expires_in": 1},
        {"expires_in": 10**12},
        {"more": "members"},
    ],
    ids=str,
)
def test_an_answer_has_a_reference_to_the_request(changes):
    """RFC 9126 §2.2: any URI."""
    assert read_par_answer(answer(**changes)) == {**GOOD, **changes}["request_uri"]


MALFORMED = [
    {"request_uri": ...},
    {"request_uri": None},
    {"request_uri": 7},
    {"request_uri": ""},
    {"request_uri": "no-uri"},
    {"request_uri": "urn:"},
    {"request_uri": "urn:with space"},
    {"request_uri": "urn:x\r\nset-cookie: a=b"},
    {"request_uri": "urn:x\n"},
    {"request_uri": "urn:ü"},
    {"request_uri": 'urn:"'},
    {"request_uri": "urn:example:" + "x" * MAX_REQUEST_URI_LENGTH},
    {"expires_in": ...},
    {"expires_in": None},
    {"expires_in": 0},
    {"expires_in": -1},
    {"expires_in": "60"},
    {"expires_in": True},
    {"expires_in": [60]},
    {"expires_in": 1e300},
    {"expires_in": 60.5},
]


@pytest.mark.parametrize("changes", MALFORMED, ids=str)
def test_an_answer_without_a_usable_reference_is_refused(changes):
    """The browser would be sent away for nothing; the text does not repeat what the provider sent."""
    with pytest.raises(AnswerRejected) as caught:
        read_par_answer(answer(**changes))

    assert caught.value.code == "par_malformed"
    assert "set-cookie" not in caught.value.detail


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, None, "par_status"),
        (204, b"", "par_status"),
        (303, b"", "par_status"),
        (404, b"<html>", "par_status"),
        (413, b'{"error":"invalid_request"}', "par_status"),
        (429, b'{"error":"temporarily_unavailable"}', "par_unavailable"),
        (503, b"", "par_unavailable"),
        (400, b'{"error":"invalid_request"}', "provider_refused"),
        (401, b'{"error":"invalid_client"}', "provider_refused"),
        (201, b"[]", "par_not_json"),
        (201, b"", "par_not_json"),
        (201, b'{"request_uri":"urn:a","request_uri":"urn:b","expires_in":60}', "par_not_json"),
    ],
)
def test_only_created_is_success(status, body, code):
    """RFC 9126 §2.2: another status means that something else has answered."""
    with pytest.raises(ProviderError) as caught:
        read_par_answer(answer(status, body))

    assert (caught.value.code, caught.value.answer_status) == (code, status)
