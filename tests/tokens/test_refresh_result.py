"""What a refresh makes of the tokens of a session, and whether older ones may still count."""

from typing import Any

import pytest

from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.session import Session, Tokens, write_claims
from asgi_oidc.tokens.refresh_result import (
    CHANGED_LEAD,
    DEPTH,
    NEW_IN_EVERY_TOKEN,
    claims_refreshed,
    refreshed,
    rights_may_differ,
    rotated,
    with_refresh_token,
)
from tests.sessions.test_session import SESSION, with_tokens

NOW = SESSION.login.created_at
ANSWER = RefreshAnswer("a-new-access-token")


def saying(claims: dict[str, Any], **changes: Any) -> Tokens:
    """Make tokens with these claims."""
    return with_tokens(written_claims=write_claims(claims), **changes).tokens


def saying_alice(**changes: Any) -> Session:
    """Make a session whose ID Token names nothing, and whose claims name alice."""
    return with_tokens(id_token="header.e30.signature", written_claims=write_claims({"name": "Alice"}), **changes)


def nested(value: Any, depth: int) -> Any:
    """Put a value into so many lists."""
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {}),
        ({"roles": ["a", "b"]}, {"roles": ["b", "a"]}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"realm": {"roles": ["a", {"x": [1, 2]}]}}, {"realm": {"roles": [{"x": [2, 1]}, "a"]}}),
        ({}, dict.fromkeys(NEW_IN_EVERY_TOKEN, 7)),
        (dict.fromkeys(NEW_IN_EVERY_TOKEN, 6), dict.fromkeys(NEW_IN_EVERY_TOKEN, 7)),
    ],
    ids=str,
)
def test_equal_claims_in_another_form_are_not_a_change(old, new):
    """Providers list in any order, and each token has its own times and hashes."""
    assert not rights_may_differ(saying(new), saying(old))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"roles": ["a"]}, {}),
        ({}, {"roles": ["a"]}),
        ({"roles": ["a", "b"]}, {"roles": ["a"]}),
        ({"roles": ["a", "a"]}, {"roles": ["a"]}),
        ({"level": 1}, {"level": True}),
        ({"level": "1"}, {"level": 1}),
        ({"acr": "high"}, {"acr": "low"}),
        ({"deep": nested(["a", "b"], DEPTH + 3)}, {"deep": nested(["b", "c"], DEPTH + 3)}),
    ],
    ids=str,
)
def test_any_claim_that_a_rule_could_use_is_a_change(old, new):
    """Also what was not there before: an app may refuse by it."""
    assert rights_may_differ(saying(new), saying(old))


@pytest.mark.parametrize(
    ("old", "new", "is_else"),
    [
        ({"scopes": ["a", "b"]}, {"scopes": ["b", "a"]}, False),
        ({"scopes": ["a", "b"]}, {"scopes": ["a"]}, True),
        ({"ends_at": None}, {"ends_at": 2000}, True),
        ({"ends_at": 2000}, {"ends_at": 1500}, True),
        ({"ends_at": 2000}, {"ends_at": 2000}, False),
        ({"access_token": "one"}, {"access_token": "two"}, False),
    ],
)
def test_scopes_and_the_session_end_count_as_changes(old, new, is_else):
    """And the tokens themselves do not."""
    assert rights_may_differ(saying({}, **new), saying({}, **old)) is is_else


@pytest.mark.parametrize(("generation", "age", "next_one"), [(0, 0, 1), (0, 300, 300), (300, 300, 301), (9, -50, 10)])
@pytest.mark.parametrize("further", [{}, None], ids=["access token", "ID Token"])
def test_the_generation_follows_the_time_since_the_login_and_only_grows(further, generation, age, next_one):
    """Processes that know nothing of each other order their tokens by it; the clock may be set back."""
    session = saying_alice(generation=generation)
    said = {"name": "Alice"} if further is None else {}

    for tokens in (
        refreshed(session, ANSWER, said, access_token_claims=further, now=NOW + age),
        claims_refreshed(session, ANSWER, {"name": "Alice"}, now=NOW + age),
    ):
        assert tokens.generation == next_one


def test_tokens_with_older_claims_are_not_newer_than_those_with_newer_ones():
    """The provider said nothing, or nothing that counts: another process may have been told something else since."""
    session = saying_alice(generation=7)

    made = [
        rotated(session, ANSWER),
        with_refresh_token(session, None),
        refreshed(session, ANSWER, {}, access_token_claims=None, now=NOW + 300),
        refreshed(session, ANSWER, {"exp": NOW + 600}, access_token_claims=None, now=NOW + 300),
        claims_refreshed(session, ANSWER, {}, now=NOW + 300),
    ]

    assert [tokens.generation for tokens in made] == [8] * 5


def test_a_scope_that_is_lost_was_stated_just_now():
    """Also where the claims were not."""
    session = saying_alice(scopes=["openid", "email"])
    answer = RefreshAnswer("a-new-access-token", scope="openid")

    assert refreshed(session, answer, {}, access_token_claims=None, now=NOW + 300).generation == 300 + CHANGED_LEAD


@pytest.mark.parametrize(("said", "lead"), [({"name": "Alice"}, 0), ({"name": "Alison"}, CHANGED_LEAD)])
def test_tokens_with_changes_are_newer_than_concurrent_ones(said, lead):
    """Another process may have asked just before, and its clock may be ahead."""
    tokens = refreshed(saying_alice(), ANSWER, said, access_token_claims={}, now=NOW + 300)

    assert (tokens.generation, tokens.access_token) == (300 + lead, "a-new-access-token")
    assert CHANGED_LEAD > MAX_SKEW
