"""A session has an idle limit and an absolute one, and only our own format counts."""

from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import OIDCError
from asgi_oidc.sessions.lifetimes import MAX_CLOCK_SETBACK, Limits, expires_at, is_live, is_use_due, refresh_due_at
from asgi_oidc.sessions.session import (
    Login,
    Session,
    UserId,
    earliest,
    ending_at,
    make_tokens,
    with_changes,
    write_claims,
)

LIMITS = Limits(idle=600, lifetime=3600)
ID = "A" * 43
ISSUER = "https://id.example.com"
LOGIN = Login(
    id=ID,
    issuer=ISSUER,
    sub="alice",
    first={"aud": "web", "nonce": "a-nonce"},
    created_at=1000,
    began=1_000_000,
)
TOKENS = make_tokens(
    written_claims=write_claims({"name": "Alice", "roles": ["admin"], "deep": {"a": [1, 2.5, None, True]}}),
    id_token="e30.e30.an-id-token",
    access_token="an-access-token",
    access_expires_at=None,
    scopes=["openid"],
)
SESSION = Session(login=LOGIN, tokens=TOKENS, seen_at=1000)


def user(sub: str, issuer: str = ISSUER) -> UserId:
    """Identify a user."""
    return UserId(issuer, sub)


def with_tokens(**changes: Any) -> Session:
    """Make the session with other tokens."""
    return msgspec.structs.replace(SESSION, tokens=with_changes(TOKENS, **changes))


LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize(
    "value", [object(), {1, (2, object())}, "\ud800", Limits, LOOP], ids=lambda value: type(value).__name__
)
def test_claims_that_are_no_json_are_refused(value):
    """`on_login` may have put anything there."""
    with pytest.raises(OIDCError) as caught:
        write_claims({"bad": value})

    assert caught.value.code == "claims_not_json"


@pytest.mark.parametrize(
    ("seen_at", "now", "ends", "lives"),
    [
        (1000, 1000, 1600, True),
        (1000, 1599, 1600, True),
        (1000, 1600, 1600, False),
        (4500, 4599, 4600, True),
        (4500, 4600, 4600, False),
        (4000, 4599, 4600, True),
    ],
)
def test_a_session_ends_at_the_nearer_of_its_limits(seen_at, now, ends, lives):
    """Use keeps it alive, but not beyond its lifetime."""
    session = msgspec.structs.replace(SESSION, seen_at=seen_at)

    assert (expires_at(session, LIMITS), is_live(session, LIMITS, now=now)) == (ends, lives)


@pytest.mark.parametrize(("ends_at", "ends"), [(None, 1600), (1599, 1599), (1601, 1600), (1000, 1000), (0, 0)], ids=str)
def test_a_session_ends_when_the_provider_says_so_and_not_later(ends_at, ends):
    """What the provider states lowers our limits and never lifts them."""
    session = with_tokens(ends_at=ends_at)

    assert expires_at(session, LIMITS) == ends
    assert is_live(session, LIMITS, now=ends - 1)
    assert not is_live(session, LIMITS, now=ends)


@pytest.mark.parametrize(
    ("ends_at", "stated", "ends"),
    [
        (None, None, None),
        (None, 500, 500),
        (None, 500.9, 500),
        (400, 500, 400),
        (500, 400, 400),
        (500, None, 500),
        (500, "400", 500),
        (500, [400], 500),
    ],
)
def test_a_stated_end_is_never_lifted(ends_at, stated, ends):
    """A later token may shorten a session that an earlier one let run."""
    assert earliest(ends_at, stated) == ends


@pytest.mark.parametrize(("ends_at", "ends"), [(None, 1030), (1010, 1010), (1100, 1030)])
def test_a_session_that_is_to_end_keeps_an_earlier_end(ends_at, ends):
    """A grace is no gift."""
    session = ending_at(with_tokens(ends_at=ends_at), 1030)

    assert session.tokens.ends_at == ends
    assert (session.login, session.tokens.access_token) == (LOGIN, TOKENS.access_token)


@pytest.mark.parametrize(
    ("expires_in", "after"), [(3600, 3540), (121, 61), (120, 60), (60, 30), (10, 5), (3, 2), (2, 1), (1, 1), (0, 1)]
)
def test_an_access_token_is_refreshed_a_minute_ahead_or_halfway(expires_in, after):
    """And never at once: each request would ask the provider."""
    assert refresh_due_at(1000, expires_in) == 1000 + after


@pytest.mark.parametrize(
    ("idle", "after", "is_due"),
    [(600, 59, False), (600, 60, True), (40, 9, False), (40, 10, True), (1, 0, False), (1, 1, True)],
)
def test_the_last_use_is_written_down_once_a_minute(idle, after, is_due):
    """With a short idle limit four times within it, or a busy user would be thrown out."""
    assert is_use_due(SESSION, Limits(idle, 3600), now=1000 + after) is is_due


def test_who_it_is_and_the_tokens_hide_in_the_repr():
    """They stand in tracebacks, also in those that rich writes."""
    assert repr(SESSION) == "Session(created_at=1000, seen_at=1000)"
    assert SESSION.__rich_repr__() == [("created_at", 1000), ("seen_at", 1000)]
    assert (repr(LOGIN), LOGIN.__rich_repr__()) == ("Login(created_at=1000)", [("created_at", 1000)])
    assert (repr(TOKENS), TOKENS.__rich_repr__()) == ("Tokens(generation=0)", [("generation", 0)])
    assert (repr(TOKENS.texts), repr(TOKENS.texts.get())) == ("TokenTexts(...)", "Texts(...)")
    assert TOKENS.texts.get().__rich_repr__() == []


def test_a_use_after_the_clock_was_set_back_counts():
    """Else it would be written down with every answer until the clock has caught up."""
    back = msgspec.structs.replace(SESSION, seen_at=400)

    assert [is_use_due(session, LIMITS, now=400) for session in (SESSION, back)] == [True, False]


@pytest.mark.parametrize(("ahead", "lives"), [(MAX_CLOCK_SETBACK, True), (MAX_CLOCK_SETBACK + 1, False)])
def test_a_session_that_began_in_the_future_has_an_end(ahead, lives):
    """The clock was wrong when it began, or is wrong now."""
    assert is_live(SESSION, LIMITS, now=SESSION.login.created_at - ahead) is lives
