"""A session has an idle limit and an absolute one, and only our own format counts."""

from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import OIDCError
from asgi_oidc.sessions.session import (
    FORMAT,
    Limits,
    Session,
    Use,
    decode_session,
    decode_use,
    encode_session,
    encode_use,
    expires_at,
    is_live,
    is_roll_due,
    used,
)

LIMITS = Limits(idle=600, lifetime=3600)
SESSION = Session(
    id="an-id",
    issuer="https://id.example.com",
    sub="alice",
    claims={"name": "Alice", "roles": ["admin"], "deep": {"a": [1, 2.5, None, True]}},
    id_token="an-id-token",
    access_token="an-access-token",
    access_expires_at=None,
    scopes=["openid"],
    created_at=1000,
    seen_at=1000,
)


def test_what_was_encoded_is_decoded():
    """Claims of any JSON value."""
    assert decode_session(encode_session(SESSION)) == SESSION


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"[1]", b"{}", b'{"id":"x"}', b"[" * 90_000, b"[1" + b',"x"' * 20 + b"]"],
    ids=lambda data: ascii(data[:12]),
)
def test_bytes_of_another_format_are_no_session(data):
    """They are ours, but from another release."""
    assert decode_session(data) is None


def test_a_session_of_another_format_number_is_none():
    """The fields may mean something else there."""
    other = msgspec.structs.replace(SESSION, format=FORMAT + 1)

    assert decode_session(encode_session(other)) is None


LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize("value", [2**70, 10**30, 1.5, [[]], {"a": None}])
def test_claims_of_any_json_value_are_kept(value):
    """A number may be larger than any machine's."""
    session = msgspec.structs.replace(SESSION, claims={"odd": value})

    assert decode_session(encode_session(session)) == session


@pytest.mark.parametrize(
    "value", [object(), {1, (2, object())}, "\ud800", Limits, LOOP], ids=lambda value: type(value).__name__
)
def test_claims_that_are_no_json_are_refused(value):
    """`on_login` may have put anything there."""
    session = msgspec.structs.replace(SESSION, claims={"bad": value})

    with pytest.raises(OIDCError) as caught:
        encode_session(session)

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
    session = used(SESSION, Use(SESSION.id, seen_at))

    assert (expires_at(session, LIMITS), is_live(session, LIMITS, now=now)) == (ends, lives)


@pytest.mark.parametrize(
    ("idle", "after", "is_due"),
    [(600, 59, False), (600, 60, True), (40, 9, False), (40, 10, True), (1, 0, False), (1, 1, True)],
)
def test_the_last_use_is_written_down_once_a_minute(idle, after, is_due):
    """With a short idle limit four times within it, or a busy user would be thrown out."""
    assert is_roll_due(SESSION, Limits(idle, 3600), now=1000 + after) is is_due


def test_rolling_changes_nothing_but_the_last_use():
    """The id and the start stay."""
    assert used(SESSION, Use(SESSION.id, 1234)) == msgspec.structs.replace(SESSION, seen_at=1234)


def test_who_it_is_and_the_tokens_hide_in_the_repr():
    """They stand in tracebacks, also in those that rich writes."""
    assert repr(SESSION) == "Session(created_at=1000, seen_at=1000)"
    assert SESSION.__rich_repr__() == [("created_at", 1000), ("seen_at", 1000)]


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b'["id"]', b"\xff"])
def test_a_use_of_another_format_is_none(data):
    """Older and newer versions may share a browser."""
    assert decode_use(data) is None


def test_a_use_is_read_as_it_was_written():
    """Nothing is lost on the way."""
    assert decode_use(encode_use(Use("id", 1234))) == Use("id", 1234)


@pytest.mark.parametrize("use", [Use("another", 2000), Use(SESSION.id, SESSION.seen_at)])
def test_a_use_of_another_session_or_an_older_one_says_nothing(use):
    """It comes in a cookie of its own, which may be left over."""
    assert used(SESSION, use) is SESSION
