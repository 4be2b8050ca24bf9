"""A session that keeps fewer tokens keeps what a refresh has to know of the others."""

from asgi_oidc.sessions.kept_tokens import ACCESS_TOKEN, NOT_KEPT, REFRESH_TOKEN, keep
from asgi_oidc.sessions.session import with_changes
from tests.sessions.test_session import TOKENS


def test_the_names_of_claims_in_earlier_id_tokens_are_kept():
    """The newest ID Token may have no claim about the user; a refresh may still remove those of earlier ones."""
    tokens = with_changes(TOKENS, id_token="an-id-token", id_token_claim_names=["name"])

    kept = keep(tokens, {ACCESS_TOKEN, REFRESH_TOKEN})

    assert (kept.id_token, kept.id_token_claim_names) == ("", ["name"])


def test_an_access_token_that_is_not_kept_is_obtained_before_it_is_used():
    """Its expiry would be that of a token that is not there."""
    kept = keep(with_changes(TOKENS, access_token="an-access-token", access_expires_at=2000), {REFRESH_TOKEN})

    assert (kept.access_token, kept.access_expires_at, kept.refresh_due_at) == (None, NOT_KEPT, NOT_KEPT)
