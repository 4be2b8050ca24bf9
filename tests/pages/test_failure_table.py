"""Which error is shown how: each has its own page, and an unknown one is our fault."""

import pytest

from asgi_oidc.errors import (
    AccessTokenExpired,
    AnswerRejected,
    LoginLoop,
    LoginRefused,
    OIDCError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RefreshFailed,
    RequestRejected,
    SessionEnded,
    SessionTooLarge,
    StoreUnavailable,
    TokenRejected,
)
from asgi_oidc.pages.failure_table import failure_for
from tests.pages.rendered import LOGIN, failures, navigation


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (LoginLoop("login_loop_without_cookie"), 400, "login_loop_without_cookie"),
        (LoginLoop("login_loop_with_cookie"), 400, "login_loop_with_cookie"),
        (LoginLoop("login_loop_signed_in", status=403), 403, "login_loop_signed_in"),
        (TokenRejected("claim_acr"), 403, "step_up_not_done"),
        (TokenRejected("claim_auth_time"), 403, "step_up_not_done"),
        (TokenRejected("claim_iss"), 502, "provider_answer_invalid"),
        (RequestRejected("foreign_origin", status=403), 403, "foreign_origin"),
        (RequestRejected("transaction_missing"), 400, "login_cookie_missing"),
        (RequestRejected("transaction_unreadable"), 400, "login_cookie_unreadable"),
        (RequestRejected("signed_out_meanwhile"), 400, "signed_out_meanwhile"),
        (RequestRejected("body_too_large", status=413), 413, "bad_request"),
        (OIDCError("check_failed"), 500, "check_failed"),
        (OIDCError("step_up_invalid"), 500, "step_up_impossible"),
        (LoginRefused(), 403, "login_refused"),
        (TokenRejected("claim_hd"), 403, "login_refused"),
        (SessionTooLarge(), 500, "session_too_large"),
        (ProviderUnavailable(), 503, "provider_unavailable"),
        (RefreshFailed(), 503, "tokens_unavailable"),
        (AccessTokenExpired(), 503, "tokens_unavailable"),
        (SessionEnded(), 403, "session_ended"),
        (StoreUnavailable(), 503, "store_unavailable"),
        (ProviderRefused("access_denied"), 403, "login_cancelled"),
        (ProviderRefused("user_cancelled_authorize"), 403, "login_cancelled"),
        (ProviderRefused("user_cancelled_login"), 403, "login_cancelled"),
        (ProviderRefused("invalid_grant"), 400, "login_expired"),
        (ProviderRefused("login_required"), 403, "interaction_required"),
        (ProviderRefused("invalid_client"), 502, "misconfigured"),
        (ProviderRefused("a_word_of_its_own"), 502, "provider_answer_invalid"),
        (ProviderError("metadata_issuer"), 502, "misconfigured"),
        (AnswerRejected(), 502, "provider_answer_invalid"),
        (OIDCError(), 500, "internal_error"),
    ],
    ids=lambda value: value.code if isinstance(value, OIDCError) else None,
)
def test_an_error_has_its_status_and_texts(error, status, name):
    """A user can do something about some of them, and has to be told what."""
    failure = failure_for(error)

    assert (failure.status, failure.name) == (status, name)


@pytest.mark.parametrize(
    ("path", "title"),
    [("/auth/login", b"<h1>Sign in to continue</h1>"), ("/auth/form", b"<h1>This link does not work</h1>")],
)
def test_a_login_that_cannot_start_in_a_frame_is_offered_in_the_window(path, title):
    """The provider's page would refuse to be shown there."""
    response = failures(login=LOGIN).response(navigation(path), RequestRejected("not_a_navigation"))

    assert title in response.body


@pytest.mark.parametrize(
    ("error", "wait"), [(ProviderUnavailable(retry_after=9), b"9"), (ProviderRefused("server_error"), b"5")]
)
def test_an_outage_says_when_to_come_back(error, wait):
    """As the error says, where it does."""
    response = failures().response(navigation(), error)

    assert dict(response.headers)[b"retry-after"] == wait


def test_a_login_loop_that_was_explained_is_counted_anew():
    """A user who has fixed the cause must not be stopped again."""
    loop, other = (
        failures().response(navigation(), error) for error in (LoginLoop("login_loop_with_cookie"), OIDCError())
    )

    assert (loop.cookies, other.cookies) == ([b"count=gone"], [])
