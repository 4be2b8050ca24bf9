"""The token answer of a provider without OpenID Connect: an access token; an ID Token is ignored."""

import json
from typing import Any

import pytest

from asgi_oidc.errors import AnswerRejected, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.token_endpoint import (
    RefreshAnswer,
    TokenAnswer,
    UnusableTokens,
    read_oauth2_refresh_answer,
    read_oauth2_token_answer,
)

GOOD = {"access_token": "at", "token_type": "bearer"}


def answer(status: int = 200, /, **members: Any) -> Answer:
    return Answer(status, {}, json.dumps({name: value for name, value in members.items() if value is not ...}).encode())


@pytest.mark.parametrize("id_token", [..., None, "a.b.c", 7, {}])
def test_an_id_token_is_left_out(id_token):
    """It is not verified, so a malformed one does no harm either."""
    good = answer(**GOOD, id_token=id_token)

    assert read_oauth2_token_answer(good) == TokenAnswer("at", "")
    assert read_oauth2_refresh_answer(good) == RefreshAnswer("at")


def test_everything_else_is_read():
    """X, Discord and GitHub Apps have refresh tokens."""
    good = answer(**GOOD, refresh_token="rt", expires_in=7200, scope="a,b c")

    assert read_oauth2_token_answer(good) == TokenAnswer("at", "", "rt", 7200, "a b c")
    assert read_oauth2_refresh_answer(good) == RefreshAnswer("at", None, "rt", 7200, "a b c")


@pytest.mark.parametrize("read", [read_oauth2_token_answer, read_oauth2_refresh_answer])
@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("bad_verification_code", "invalid_grant"),
        ("bad_refresh_token", "invalid_grant"),
        ("incorrect_client_credentials", "invalid_client"),
        ("redirect_uri_mismatch", "invalid_request"),
        ("invalid_grant", "invalid_grant"),
        ("unverified_user_email", "unverified_user_email"),
    ],
)
def test_an_error_with_status_200_has_its_standard_name(read, error, name):
    """GitHub has names of its own; the log keeps them, with the description."""
    with pytest.raises(ProviderRefused) as caught:
        read(answer(error=error, error_description="Because."))

    assert (caught.value.error, f"{error}: Because." in caught.value.detail) == (name, True)


@pytest.mark.parametrize("read", [read_oauth2_token_answer, read_oauth2_refresh_answer])
def test_an_error_beside_an_access_token_does_not_count(read):
    """The token is there."""
    assert read(answer(**GOOD, error="odd")).access_token == "at"


@pytest.mark.parametrize("read", [read_oauth2_token_answer, read_oauth2_refresh_answer])
def test_an_error_of_facebook_is_told(read):
    """It is an object."""
    nested = {"message": "Error validating client secret.", "type": "OAuthException", "code": 1}

    with pytest.raises(ProviderRefused) as caught:
        read(answer(400, error=nested))

    assert "OAuthException: Error validating client secret." in caught.value.detail


@pytest.mark.parametrize("nested", [{}, {"type": 7}, {"type": ""}, {"message": "no type"}])
def test_an_object_without_a_type_is_no_oauth_error(nested):
    """There is no name to go by."""
    with pytest.raises(AnswerRejected) as caught:
        read_oauth2_token_answer(answer(400, error=nested))

    assert caught.value.code == "token_status"


def test_a_refresh_whose_tokens_cannot_be_used_keeps_what_is_left():
    """The old refresh token is used up if there is a new one."""
    with pytest.raises(UnusableTokens) as caught:
        read_oauth2_refresh_answer(answer(token_type="bearer", refresh_token="new"))

    assert (caught.value.code, caught.value.refresh_token, caught.value.is_old_spent) == (
        "access_token_missing",
        "new",
        True,
    )


def test_an_outage_is_an_outage():
    """The next attempt may work."""
    with pytest.raises(ProviderUnavailable):
        read_oauth2_token_answer(answer(503))
