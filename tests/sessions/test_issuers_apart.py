"""The same `sub` and the same `sid` at another issuer are another user and another session."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from asgi_oidc.sessions.digests import UserDigests
from asgi_oidc.sessions.in_cookies import CookieSessions
from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.revocation_feed import NoFeed
from asgi_oidc.sessions.revocations import MAX_PER_USER, NamingScheme, Revocations, plain_names
from asgi_oidc.sessions.session import Login, Session
from asgi_oidc.sessions.session_records import RecordsOfStore
from asgi_oidc.sessions.user_sessions import UserSessions
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore
from tests.sessions.store_process import CONTEXT, SECRET, Process
from tests.sessions.test_in_cookies import Process as CookieProcess
from tests.sessions.test_session import ID, ISSUER, LOGIN, SESSION, user
from tests.sessions.test_session_cookies import OTHER_ID

OTHER_ISSUER = "https://other.example.com"
NOW = 1000
TARGETS = [{"sub": "alice", "sid": None}, {"sub": None, "sid": "s1"}, {"sub": "alice", "sid": "s1"}]


def login_at(issuer: str, *, sid: str | None = "s1", session_id: str = ID) -> Login:
    return msgspec.structs.replace(LOGIN, id=session_id, issuer=issuer, sid=sid)


def session_at(issuer: str, *, session_id: str = ID) -> Session:
    return msgspec.structs.replace(SESSION, login=login_at(issuer, session_id=session_id))


def names_with(default_issuer: str | None) -> NamingScheme:
    return RecordNames([SECRET], context=CONTEXT, default_issuer=default_issuer).revocation_names


schemes = pytest.mark.parametrize(
    "names",
    [plain_names, names_with(ISSUER), names_with(OTHER_ISSUER), names_with(None)],
    ids=["in one process", "flat", "flat at the other issuer", "several providers"],
)


def revocations_with(names: NamingScheme, **options: Any) -> Revocations:
    return Revocations(names, lifetime=5000, needed_for=5000, **options)


@schemes
@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("sid", ["s1", None])
def test_a_sign_out_does_not_reach_another_issuer(names, target, sid):
    """Each provider signs out its own users alone; even two sessions of one id are told apart."""
    revocations = revocations_with(names)
    theirs, ours = login_at(ISSUER, sid=sid), login_at(OTHER_ISSUER, sid=sid)

    revocations.sign_out(issuer=ISSUER, **target, now=NOW)

    reached = target["sid"] is None or sid is not None or target["sub"] is not None
    assert [revocations.is_revoked(login, now=NOW) for login in (theirs, ours)] == [reached, False]


@schemes
def test_a_revocation_at_another_issuer_does_not_delay_the_start_of_a_session(names):
    """A session begins after the revocations of its own user."""
    revocations = revocations_with(names)
    revocations.sign_out(issuer=ISSUER, sub="alice", sid="s1", now=NOW)
    moment = revocations.moment(now=NOW)

    starts = [revocations.session_start(moment, user("alice", issuer), sid="s1") for issuer in (ISSUER, OTHER_ISSUER)]

    assert (starts[0] > moment.at, starts[1]) == (True, moment.at)


def test_revocations_count_against_a_user_of_one_issuer():
    """A provider that signs out its user all day costs the user of another nothing."""
    revocations = revocations_with(plain_names, max_per_user=2)
    for number in range(2):
        revocations.end(f"x{number}", user=user("alice"), now=NOW)

    assert [revocations.is_at_limit(user("alice", issuer)) for issuer in (ISSUER, OTHER_ISSUER)] == [True, False]


def test_the_users_of_a_sid_are_those_of_one_issuer():
    """Two providers may give the same `sid`."""
    revocations = revocations_with(plain_names, max_per_user=1)
    revocations.remember_user(user("alice"), sid="s1")
    revocations.remember_user(user("alice", OTHER_ISSUER), sid="s1")
    revocations.remember_user(user("bob", OTHER_ISSUER), sid="s2")
    revocations.end("x", user=user("alice", OTHER_ISSUER), now=NOW)

    revocations.sign_out(issuer=ISSUER, sub=None, sid="s1", now=NOW)

    assert list(revocations.users_of("s1", issuer=ISSUER)) == [user("alice")]
    assert list(revocations.users_of("s2", issuer=ISSUER)) == []
    assert not revocations.is_revoked(login_at(ISSUER, sid="s3", session_id=OTHER_ID), now=NOW)


@pytest.mark.parametrize("default_issuer", [None, ISSUER])
def test_names_of_two_issuers_never_meet(default_issuer):
    """Whatever stands in a `sub`, it cannot name the user of another issuer, or a pair of other texts."""
    names, digests = (
        RecordNames([SECRET], context=CONTEXT, default_issuer=default_issuer),
        UserDigests(default_issuer),
    )
    users = [
        user("alice"),
        user("alice", OTHER_ISSUER),
        user("alice", OTHER_ISSUER + "x"),
        user("xalice", OTHER_ISSUER),
        user(f"{len(OTHER_ISSUER)} {OTHER_ISSUER} alice"),
        user(f"{OTHER_ISSUER}\nalice"),
        user("", OTHER_ISSUER),
        user(OTHER_ISSUER, ""),
    ]
    namings: list[Callable[[str, str], object]] = [
        lambda issuer, sub: plain_names("sub", sub, issuer=issuer),
        lambda issuer, sub: names.revocation_names("sub", sub, issuer=issuer),
        lambda issuer, sub: names.once_key(sub, issuer=issuer),
        lambda issuer, sub: digests.of(user(sub, issuer)),
    ]

    counts = [len({naming(*each) for each in users}) for naming in namings]

    assert counts == [len(users)] * len(namings)


def test_the_digest_of_a_user_has_a_length_of_its_own():
    """No `sub` at the default issuer can be chosen so that its digest is that of another issuer's user."""
    digests = UserDigests(ISSUER)

    assert [len(digests.of(user("alice", issuer))) for issuer in (ISSUER, OTHER_ISSUER)] == [43, 32]


def test_the_repr_of_a_user_id_hides_the_user():
    """It stands in tracebacks."""
    assert repr(user("alice")) == "UserId(...)"


# --- sessions in a store


@pytest.mark.parametrize("target", TARGETS, ids=str)
async def test_records_of_another_issuer_are_not_deleted(target):
    """Sessions are listed by issuer."""
    process = Process()
    theirs, ours = session_at(ISSUER), session_at(OTHER_ISSUER, session_id=OTHER_ID)
    await process.begin(theirs)
    await process.begin(ours)

    count = await process.sessions.end_all(issuer=ISSUER, **target)

    assert (count, await process.stored(theirs), await process.stored(ours)) == (1, None, ours)


async def test_a_user_at_the_limit_ends_no_session_of_another_issuer():
    """The one revocation for all sessions of a user is for one issuer."""
    process = Process()
    theirs, ours = session_at(ISSUER), session_at(OTHER_ISSUER, session_id=OTHER_ID)
    await process.begin(theirs)
    await process.begin(ours)
    for number in range(MAX_PER_USER):
        process.revocations.end(f"x{number}", user=user("alice"), now=NOW)

    await process.sessions.end(theirs)

    assert (await process.stored(theirs), await process.stored(ours)) == (None, ours)
    assert not process.revocations.is_revoked(ours.login, now=NOW)


def with_store() -> StoredSessions:
    return Process().sessions


def with_cookies() -> CookieSessions:
    process = CookieProcess()
    process.revocations.remember_user(user("alice"), sid="s1")
    return process.sessions


@pytest.mark.parametrize("make", [with_store, with_cookies])
async def test_a_sid_belongs_to_a_user_of_the_same_issuer(make):
    """The user of another issuer is no "another user" of the `sid`."""
    sessions = make()
    await sessions.begin(session_at(ISSUER), {})

    asked = [user("alice"), user("bob"), user("alice", OTHER_ISSUER), user("bob", OTHER_ISSUER)]

    assert [await sessions.is_sid_of_another_user("s1", each) for each in asked] == [False, True, False, False]


async def test_an_active_session_is_one_of_the_same_issuer():
    """Else a refresh token would not be revoked because of somebody else's session."""
    sessions = with_store()
    await sessions.begin(session_at(ISSUER), {})

    asked = [
        await sessions.may_have_active_session(user("alice", issuer), sid=sid)
        for issuer in (ISSUER, OTHER_ISSUER)
        for sid in (None, "s1")
    ]

    assert asked == [True, True, False, False]


# --- listing and ending from code


def user_sessions(process: Process, *, issuer: str | None) -> UserSessions:
    return UserSessions(
        RecordsOfStore(GuardedStore(process.store), process.names, process.limits),
        process.revocations,
        NoFeed(),
        process.sessions.end_all,
        SingleFlight(),
        issuer=issuer,
        now=lambda: NOW,
    )


async def test_sessions_are_listed_and_ended_at_one_issuer():
    """`sub` alone does not identify a user."""
    process = Process()
    theirs, ours = session_at(ISSUER), session_at(OTHER_ISSUER, session_id=OTHER_ID)
    await process.begin(theirs)
    await process.begin(ours)
    listed, handle = user_sessions(process, issuer=None), process.names.handle(OTHER_ID)

    assert [info.id for info in await listed.of("alice", issuer=OTHER_ISSUER)] == [handle]
    assert not await listed.end("alice", handle, issuer=ISSUER)
    assert await listed.end_all("alice", issuer=ISSUER) == 1
    assert (await process.stored(theirs), await process.stored(ours)) == (None, ours)
    assert await listed.end("alice", handle, issuer=OTHER_ISSUER)
    assert await listed.of("alice", issuer=OTHER_ISSUER) == []


async def test_the_only_provider_need_not_be_named():
    """And naming it is the same."""
    process = Process()
    await process.begin(session_at(ISSUER))
    listed = user_sessions(process, issuer=ISSUER)

    assert await listed.of("alice") == await listed.of("alice", issuer=ISSUER) != []
    assert await listed.of("alice", issuer=OTHER_ISSUER) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda sessions: sessions.of("alice"),
        lambda sessions: sessions.end("alice", "x"),
        lambda sessions: sessions.end_all("alice"),
    ],
    ids=["of", "end", "end_all"],
)
async def test_with_several_providers_a_sub_alone_is_an_error(call):
    """It says what to pass; ending the sessions of nobody would look like a success."""
    with pytest.raises(ValueError, match=r"pass issuer=user\.issuer"):
        await call(user_sessions(Process(), issuer=None))
