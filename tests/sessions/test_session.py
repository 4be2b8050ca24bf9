"""A session has an idle limit and an absolute one, and only our own format counts."""

from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import OIDCError
from asgi_oidc.sessions.lifetimes import MAX_CLOCK_SETBACK, Limits, expires_at, is_live, is_use_due, refresh_due_at
from asgi_oidc.sessions.session import (
    FORMAT,
    Login,
    Session,
    Tokens,
    Use,
    UserId,
    decode_login,
    decode_session,
    decode_tokens,
    decode_use,
    earliest,
    encode,
    ending_at,
    with_use,
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
TOKENS = Tokens(
    written_claims=write_claims({"name": "Alice", "roles": ["admin"], "deep": {"a": [1, 2.5, None, True]}}),
    id_token="an-id-token",
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
    return msgspec.structs.replace(SESSION, tokens=msgspec.structs.replace(TOKENS, **changes))


def test_sessions_round_trip():
    """Claims of any JSON value."""
    assert decode_session(encode(SESSION)) == SESSION
    assert decode_login(encode(LOGIN)) == LOGIN
    assert decode_tokens(encode(TOKENS)) == TOKENS


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"[1]", b"{}", b'{"id":"x"}', b"[" * 90_000, b"[1" + b',"x"' * 20 + b"]"],
    ids=lambda data: ascii(data[:12]),
)
def test_bytes_of_another_format_are_no_session(data):
    """They are ours, but from another release."""
    assert (decode_session(data), decode_login(data), decode_tokens(data), decode_use(data)) == (None,) * 4


def test_tokens_that_an_older_release_wrote_are_read():
    """What it did not know is as if it had not happened: an update signs nobody out."""
    written = msgspec.json.decode(encode(TOKENS))[:11]

    assert decode_tokens(msgspec.json.encode(written)) == TOKENS


def test_a_login_that_an_older_release_wrote_is_read():
    """Its provider had no name."""
    written = msgspec.json.decode(encode(LOGIN))[:-1]

    assert decode_login(msgspec.json.encode(written)) == LOGIN
    assert LOGIN.provider == ""


def test_the_name_of_the_provider_is_kept():
    """A refresh has to go where the login went."""
    login = msgspec.structs.replace(LOGIN, provider="work")

    assert decode_login(encode(login)) == login


def test_a_session_of_another_format_number_is_none():
    """The fields may mean something else there."""
    login = msgspec.structs.replace(LOGIN, format=FORMAT + 1)

    assert decode_login(encode(login)) is None
    assert decode_session(encode(msgspec.structs.replace(SESSION, login=login))) is None


def test_one_kind_of_value_does_not_decode_as_another():
    """A login is no session, and tokens are no login."""
    assert (decode_session(encode(LOGIN)), decode_session(encode(TOKENS))) == (None, None)
    assert (decode_login(encode(SESSION)), decode_login(encode(TOKENS))) == (None, None)
    assert (decode_tokens(encode(SESSION)), decode_tokens(encode(LOGIN))) == (None, None)


LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize("value", [2**70, 10**30, 1.5, [[]], {"a": None}])
def test_claims_of_any_json_value_are_kept(value):
    """A number may be larger than any machine's."""
    session = with_tokens(written_claims=write_claims({"odd": value}))

    decoded = decode_session(encode(session))
    assert decoded == session
    assert decoded is not None
    assert decoded.tokens.claims == {"odd": value}


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
    session = with_use(SESSION, Use(SESSION.id, seen_at))

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


def test_rolling_changes_nothing_but_the_last_use():
    """The id and the start stay."""
    assert with_use(SESSION, Use(SESSION.id, 1234)) == msgspec.structs.replace(SESSION, seen_at=1234)


def test_who_it_is_and_the_tokens_hide_in_the_repr():
    """They stand in tracebacks, also in those that rich writes."""
    assert repr(SESSION) == "Session(created_at=1000, seen_at=1000)"
    assert SESSION.__rich_repr__() == [("created_at", 1000), ("seen_at", 1000)]
    assert (repr(LOGIN), LOGIN.__rich_repr__()) == ("Login(created_at=1000)", [("created_at", 1000)])
    assert (repr(TOKENS), TOKENS.__rich_repr__()) == ("Tokens(generation=0)", [("generation", 0)])
    use = Use(ID, 1000)
    assert (repr(use), use.__rich_repr__()) == ("Use(seen_at=1000)", [("seen_at", 1000)])


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b'["id"]', b"\xff"])
def test_a_use_of_another_format_is_none(data):
    """Older and newer versions may share a browser."""
    assert decode_use(data) is None


def test_a_use_is_read_as_it_was_written():
    """Nothing is lost on the way."""
    assert decode_use(encode(Use("id", 1234))) == Use("id", 1234)


def test_a_use_of_another_session_says_nothing():
    """It comes in a cookie of its own, which may be left over."""
    assert with_use(SESSION, Use("another", 2000)) is SESSION


def test_a_use_after_the_clock_was_set_back_counts():
    """Else it would be written down with every answer until the clock has caught up."""
    back = with_use(SESSION, Use(SESSION.id, 400))

    assert back.seen_at == 400
    assert [is_use_due(session, LIMITS, now=400) for session in (SESSION, back)] == [True, False]


@pytest.mark.parametrize(("ahead", "lives"), [(MAX_CLOCK_SETBACK, True), (MAX_CLOCK_SETBACK + 1, False)])
def test_a_session_that_began_in_the_future_has_an_end(ahead, lives):
    """The clock was wrong when it began, or is wrong now."""
    assert is_live(SESSION, LIMITS, now=SESSION.login.created_at - ahead) is lives
