"""Refreshed tokens are found by requests that still have the old ones, and memory stays bounded."""

import msgspec
import pytest

from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.undelivered_tokens import UndeliveredTokens
from tests.sessions.store_process import refreshed
from tests.sessions.test_session import ID, SESSION, TOKENS, with_tokens
from tests.sessions.test_session_cookies import another


def numbered(number: int) -> Session:
    return another(refreshed(SESSION), f"{number:043}")


def known(refreshed_tokens: UndeliveredTokens, session: Session) -> bool:
    return refreshed_tokens.newest(session.id, TOKENS).generation == 1


def test_tokens_that_were_never_refreshed_are_unchanged():
    """The tokens of the cookie."""
    assert UndeliveredTokens().newest(ID, TOKENS) is TOKENS


def test_older_tokens_are_replaced_by_the_newest():
    """The old refresh token is spent."""
    refreshed_tokens = UndeliveredTokens()
    refreshed_tokens.keep(refreshed(SESSION, 1))
    refreshed_tokens.keep(refreshed(SESSION, 2))

    assert refreshed_tokens.newest(ID, TOKENS) == refreshed(SESSION, 2).tokens
    assert refreshed_tokens.newest(ID, refreshed(SESSION, 1).tokens) == refreshed(SESSION, 2).tokens


@pytest.mark.parametrize("generation", [2, 3])
def test_the_newest_tokens_are_kept(generation):
    """A browser may have newer tokens than this process, if another one refreshed its session."""
    refreshed_tokens, own = UndeliveredTokens(), with_tokens(generation=generation, access_token="own").tokens
    refreshed_tokens.keep(with_tokens(generation=2, access_token="kept"))

    assert refreshed_tokens.newest(ID, own).access_token == "own"


def test_what_was_tried_is_known_also_with_the_same_tokens():
    """A refresh that failed leaves the tokens as they are, and is not to be tried again at once."""
    refreshed_tokens = UndeliveredTokens()
    refreshed_tokens.keep(with_tokens(retry_at=1010, forced_at=1000))

    assert refreshed_tokens.newest(ID, TOKENS) == with_tokens(retry_at=1010, forced_at=1000).tokens


def test_claims_that_the_app_changes_change_for_one_request():
    """Another user's request must never see them, and the next one of the same neither."""
    refreshed_tokens = UndeliveredTokens()
    refreshed_tokens.keep(refreshed(SESSION))

    refreshed_tokens.newest(ID, TOKENS).claims["roles"].append("made up")

    assert refreshed_tokens.newest(ID, TOKENS).claims == TOKENS.claims == SESSION.tokens.claims
    assert "made up" not in TOKENS.claims["roles"]


def test_sessions_do_not_share_tokens():
    """One user never gets the tokens of another."""
    refreshed_tokens = UndeliveredTokens()
    refreshed_tokens.keep(numbered(1))

    assert refreshed_tokens.newest(ID, TOKENS) is TOKENS


def test_dropped_tokens_are_forgotten():
    """Once, or twice."""
    refreshed_tokens = UndeliveredTokens()
    refreshed_tokens.keep(refreshed(SESSION))

    for _ in range(2):
        refreshed_tokens.drop(ID)

    assert refreshed_tokens.newest(ID, TOKENS) is TOKENS


def test_over_the_limit_the_least_recently_used_are_dropped():
    """Memory is bounded."""
    refreshed_tokens = UndeliveredTokens(max_entries=3)
    for number in range(3):
        refreshed_tokens.keep(numbered(number))
    assert known(refreshed_tokens, numbered(0))

    refreshed_tokens.keep(numbered(3))

    assert [known(refreshed_tokens, numbered(number)) for number in range(4)] == [True, False, True, True]


def test_tokens_are_counted_by_their_size():
    """Ten thousand large ones would not fit."""
    size = refreshed(SESSION).tokens.texts.size
    refreshed_tokens = UndeliveredTokens(max_bytes=3 * size)
    for number in range(3):
        for _ in range(5):  # again and again: each counts once
            refreshed_tokens.keep(numbered(number))
    assert [known(refreshed_tokens, numbered(number)) for number in range(3)] == [True] * 3

    refreshed_tokens.keep(numbered(3))
    refreshed_tokens.drop(numbered(3).id)
    refreshed_tokens.keep(numbered(4))

    assert [known(refreshed_tokens, numbered(number)) for number in range(5)] == [False, True, True, False, True]


def test_tokens_that_are_larger_than_everything_are_not_kept():
    """And leave no count behind."""
    refreshed_tokens = UndeliveredTokens(max_bytes=1000)
    refreshed_tokens.keep(msgspec.structs.replace(with_tokens(access_token="x" * 2000, generation=1)))

    assert refreshed_tokens.newest(ID, TOKENS) is TOKENS
    refreshed_tokens.keep(refreshed(SESSION))
    assert known(refreshed_tokens, SESSION)
