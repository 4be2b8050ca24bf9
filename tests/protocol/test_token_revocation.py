"""A refresh token is given back where the provider knows how, and an answer says whether it is gone."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from asgi_oidc.errors import AnswerRejected, ProviderError
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import ProviderMetadata, make_metadata
from asgi_oidc.protocol.token_revocation import check_revocation_answer, revocation_call

ISSUER = "https://id.example.com"
CLIENT = Client("web", "a-secret")


def metadata(**more: Any) -> ProviderMetadata:
    members = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return make_metadata(ISSUER, {**members, **more})


def test_the_call_names_the_token_and_its_kind():
    """RFC 7009 §2.1; the repr hides it."""
    call = revocation_call(metadata(), CLIENT, "a-refresh-token", url=f"{ISSUER}/revoke")

    assert (call.method, call.url) == ("POST", f"{ISSUER}/revoke")
    assert dict(parse_qsl((call.body or b"").decode())) == {
        "token": "a-refresh-token",
        "token_type_hint": "refresh_token",
    }
    assert call.headers["authorization"].startswith("Basic ")
    assert "a-refresh-token" not in repr(call)


@pytest.mark.parametrize(
    ("token", "revocation", "is_basic"),
    [
        (None, None, True),
        (["client_secret_post"], None, False),
        (["client_secret_post"], ["client_secret_basic"], True),
        (["client_secret_basic"], ["client_secret_post"], False),
        (["client_secret_post"], [], False),
    ],
)
def test_the_client_proves_who_it_is_as_the_endpoint_wants_it(token, revocation, is_basic):
    """RFC 8414 §2; where nothing is said, as at the token endpoint."""
    call = revocation_call(
        metadata(token_endpoint_auth_methods_supported=token, revocation_endpoint_auth_methods_supported=revocation),
        CLIENT,
        "a-refresh-token",
        url=f"{ISSUER}/revoke",
    )

    assert ("authorization" in call.headers, b"client_secret=" in (call.body or b"")) == (is_basic, not is_basic)


def test_there_is_no_silent_step_down():
    """A client with a secret never goes without one."""
    only_by_key = metadata(revocation_endpoint_auth_methods_supported=["private_key_jwt"])

    with pytest.raises(AnswerRejected) as caught:
        revocation_call(only_by_key, CLIENT, "rt", url=f"{ISSUER}/revoke")

    assert caught.value.code == "client_auth_unsupported"


@pytest.mark.parametrize("body", [b"", b"{}", b"whatever"])
def test_a_token_that_is_gone_is_gone_whatever_the_body_says(body):
    """RFC 7009 §2.2: the status counts."""
    passed = check_revocation_answer(Answer(200, {}, body))  # type: ignore[func-returns-value]  # that it returns counts

    assert passed is None


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b'{"error":"unsupported_token_type"}', "provider_refused"),
        (401, b'{"error":"invalid_client"}', "provider_refused"),
        (503, b"", "revocation_unavailable"),
        (404, b"", "revocation_status"),
        (302, b"", "revocation_status"),
    ],
)
def test_a_token_that_may_still_be_good_is_an_error(status, body, code):
    """The log has to say so."""
    with pytest.raises(ProviderError) as caught:
        check_revocation_answer(Answer(status, {}, body))

    assert caught.value.code == code
