"""Sessions in a store: one read a request, no write without need, and what is gone stays gone."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.in_store import MAX_TRIES
from asgi_oidc.sessions.repository import GONE, LOCK_LIFETIME, NOT_OURS, UNREADABLE, ActiveSession
from asgi_oidc.sessions.revocations import MAX_PER_USER
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_records import MAX_SESSIONS
from tests.sessions.store_process import SECRET, Process, refreshed
from tests.sessions.test_session import ID, ISSUER, LOGIN, SESSION, user, with_tokens
from tests.sessions.test_session_cookies import OTHER_ID, another

THIRD_ID = "I" * 43
NAMED = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, sid="a-sid"))


@pytest.fixture
def process() -> Process:
    return Process()


def seen(session: Session, at: int) -> Session:
    return msgspec.structs.replace(session, seen_at=at)


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        await call
    return caught.value.code


# --- beginning and opening


async def test_a_new_session_is_opened_by_its_cookie(process):
    """The cookie holds the id and nothing else, and opening reads once."""
    lines = await process.sessions.begin(SESSION, {})
    process.store.forget_calls()

    active = await process.sessions.open({process.session_cookies.name: ID})

    assert [line.partition(b";")[0] for line in lines] == [f"{process.session_cookies.name}={ID}".encode()]
    assert active == ActiveSession(SESSION, browser_generation=0)
    assert process.store.calls == ["get"]


async def test_the_record_cache_is_bounded_and_drops_ended_sessions(process):
    """By the bytes of the tokens and claims, and a session that is gone takes no room."""
    large = with_tokens(id_token="!" * 400_000)
    ids = [f"{number:A>42}A" for number in range(120)]
    for session_id in ids:
        await process.sessions.begin(another(large, session_id), {})
        assert await process.sessions.open({process.session_cookies.name: session_id}) is not None
    kept = len(process.sessions._cache)

    await process.store.memory.remove(process.names.key(process.names.handle(ids[-1])))

    assert 0 < kept < 100
    assert await process.sessions.open({process.session_cookies.name: ids[-1]}) is None
    assert len(process.sessions._cache) == kept - 1


@pytest.mark.parametrize("value", [None, "", "x", ID[:-1], ID + "A", "A" * 42 + "B", "1." + "A" * 41])
async def test_an_invalid_id_is_not_looked_up(process, value):
    """A visitor without a session costs the store nothing."""
    assert await process.sessions.open({} if value is None else {process.session_cookies.name: value}) is None
    assert process.store.calls == []


async def test_an_unknown_id_means_an_anonymous_user(process):
    """Ended, run out, or made up."""
    await process.begin()

    assert await process.sessions.open({process.session_cookies.name: OTHER_ID}) is None
    assert process.sessions.has_cookie({process.session_cookies.name: OTHER_ID})
    assert not process.sessions.has_cookie({})


async def test_a_record_sealed_with_an_old_secret_means_anonymous_and_is_logged(process):
    """It looks like any session that ended, so the log has to tell."""
    await Process(process, secrets=[b"t" * 32]).begin()

    assert await process.sessions.open(process.cookies()) is None
    assert await process.sessions.find(process.cookies()) == UNREADABLE


async def test_an_id_without_a_record_is_of_a_session_that_is_over(process):
    """The store forgets what ended or ran out; what is no id of ours says nothing."""
    cookies = process.cookies()

    assert await process.sessions.find(cookies) == GONE
    assert await process.sessions.find(dict.fromkeys(cookies, "no-id")) == NOT_OURS
    assert await process.sessions.find({}) == NOT_OURS


async def test_garbage_in_the_store_ends_no_session(process):
    """The store is broken, and nobody is signed out by that."""
    await process.begin()
    key = process.names.key(process.names.handle(ID))
    await process.store.memory.remove(key)
    await process.store.memory.add(key, b"garbage", lifetime=60)

    assert await code_of(process.sessions.open(process.cookies())) == "store_garbage"
    assert await code_of(process.sessions.change(SESSION, refreshed)) == "store_garbage"


async def test_an_existing_record_is_not_overwritten(process):
    """Two sessions of one id would be one session of two people."""
    await process.begin()

    assert await code_of(process.sessions.begin(with_tokens(access_token="other"), {})) == "store_id_taken"
    assert await process.stored() == SESSION


async def test_a_session_is_listed_by_its_user_and_by_its_sid(process):
    """Or it could not be ended from afar."""
    await process.begin(NAMED)
    handle = process.names.handle(ID)

    assert (await process.linked("sub", "alice"), await process.linked("sid", "a-sid")) == ([handle], [handle])
    assert (await process.linked("sub", "a-sid"), await process.linked("sid", "alice")) == ([], [])


async def test_over_the_limit_the_oldest_session_of_a_user_ends(process):
    """The index alone would leave it alive and unlisted."""
    await process.begin()
    process.store.answers["link"] = [process.names.handle(ID)]

    await process.sessions.begin(another(SESSION), {})

    assert (await process.stored(), await process.stored(another(SESSION))) == (None, another(SESSION))


async def test_a_user_has_at_most_so_many_sessions(process):
    """Whoever signs in for ever does not fill the store."""
    await process.begin(NAMED)

    assert process.store.most == [MAX_SESSIONS] * 2


@pytest.mark.parametrize("broken", ["add", "link"])
async def test_a_session_that_cannot_be_written_does_not_begin(process, broken):
    """A cookie without a session would cause a login loop."""
    process.store.broken = {broken}

    assert await code_of(process.sessions.begin(SESSION, {})) == "store_failed"


# --- changing


async def test_a_change_is_written(process):
    """And returned, and read by the next request."""
    await process.begin()

    changed = await process.sessions.change(SESSION, refreshed)

    assert changed == await process.stored() == await process.sessions.newest(SESSION) == refreshed(SESSION)


async def test_a_change_that_changes_nothing_writes_nothing(process):
    """One read, no write."""
    await process.begin()

    assert await process.sessions.change(SESSION, lambda current: current) == SESSION
    assert process.store.calls == ["get"]


async def test_another_writer_between_read_and_write_is_not_overwritten(process):
    """The change is made again of what stands there by then."""
    await process.begin()
    other = Process(process)

    async def write_first() -> None:
        assert await other.sessions.change(SESSION, lambda current: seen(current, 1060)) is not None

    process.store.before["replace"] = [write_first]
    changed = await process.sessions.change(SESSION, refreshed)

    assert changed == await process.stored() == seen(refreshed(SESSION), 1060)


async def test_a_writer_that_always_loses_the_race_gives_up(process):
    """For ever would be a request that never ends."""
    await process.begin()
    process.store.answers["replace"] = False

    assert await code_of(process.sessions.change(SESSION, refreshed)) == "store_contended"
    assert process.store.calls == ["get", "replace"] * MAX_TRIES


async def test_a_writer_that_loses_the_race_four_times_still_writes(process):
    """The fifth try counts."""
    await process.begin()
    other = Process(process)

    def write_first(at: int) -> Callable[[], Awaitable[object]]:
        return lambda: other.sessions.change(SESSION, lambda current: seen(current, at))

    # Each write of the other process takes its own place in the list: an entry that does nothing.
    for at in range(1001, 1001 + MAX_TRIES - 1):
        process.store.before["replace"] += [write_first(at), nothing]
    changed = await process.sessions.change(SESSION, refreshed)

    assert changed == await process.stored() == seen(refreshed(SESSION), 1000 + MAX_TRIES - 1)


async def nothing() -> None:
    """Let the call pass."""


async def test_a_session_that_ends_between_read_and_write_stays_dead(process):
    """A slow refresh must not restore a session that was signed out."""
    await process.begin()
    process.store.before["replace"] = [lambda: Process(process).sessions.end(SESSION)]

    assert await process.sessions.change(SESSION, refreshed) is None
    assert await process.stored() is None


async def test_a_record_that_is_gone_is_not_changed(process):
    """Nor found again."""
    assert await process.sessions.change(SESSION, refreshed) is None
    assert await process.sessions.newest(SESSION) is None
    assert process.store.calls == ["get", "get"]


async def test_an_unreadable_record_is_not_changed(process):
    """Another release, or another secret, may still need it."""
    await Process(process, secrets=[b"t" * 32]).begin()

    assert await process.sessions.change(SESSION, refreshed) is None
    assert process.store.calls == ["get"]


async def test_a_session_that_has_run_out_is_not_the_newest(process):
    """The record may outlive it by a moment."""
    process.store.memory = Process().store.memory  # its clock stands
    await process.begin()

    process.advance(599)
    before = await process.sessions.newest(SESSION)
    process.advance(1)

    assert (before, await process.sessions.newest(SESSION)) == (SESSION, None)


async def test_a_record_ends_with_its_session(process):
    """What is forgotten needs no cleaning up."""
    await process.begin()
    process.advance(599)
    before = await process.stored()
    process.advance(1)

    assert (before, await process.stored()) == (SESSION, None)


async def test_a_record_that_was_touched_lives_longer(process):
    """But not beyond the lifetime of the session."""
    await process.begin()
    for _ in range(6):
        process.advance(599)
        active = await process.sessions.open(process.cookies())
        assert active is not None
        await process.sessions.touch(active)
    process.advance(5)
    before = await process.sessions.open(process.cookies())
    process.advance(1)

    assert before is not None
    assert await process.sessions.open(process.cookies()) is None


# --- the last use


async def test_a_request_that_changes_nothing_writes_nothing(process):
    """One round trip, whatever the app does."""
    await process.begin()
    process.advance(59)
    active: Any = await process.sessions.open(process.cookies())

    await process.sessions.touch(active)

    assert process.store.calls == ["get"]
    assert process.sessions.cookies_due(active, process.cookies()) == []


async def test_the_last_use_is_written_once_a_minute(process):
    """However many requests come."""
    await process.begin()
    for _ in range(4):
        process.advance(30)
        for _ in range(3):
            active: Any = await process.sessions.open(process.cookies())
            await process.sessions.touch(active)

    assert process.store.calls.count("replace") == 2
    assert await process.stored() == seen(SESSION, 1120)


async def test_the_last_use_never_goes_back(process):
    """A slow process may come after a fast one."""
    await process.begin()
    process.advance(60)
    active: Any = await process.sessions.open(process.cookies())
    await process.sessions.change(SESSION, lambda current: seen(current, 1070))
    process.store.forget_calls()

    await process.sessions.touch(active)

    assert await process.stored() == seen(SESSION, 1070)
    assert process.store.calls == ["get"]


@pytest.mark.parametrize("broken", ["get", "replace"])
async def test_a_store_that_fails_to_write_the_last_use_ends_no_request(process, broken, caplog):
    """It is full, or slow just now; the log says so."""
    await process.begin()
    process.advance(60)
    active: Any = await process.sessions.open(process.cookies())
    process.store.broken = {broken}

    await process.sessions.touch(active)

    assert "store_failed" in caplog.text
    assert "s3cret" not in caplog.text
    assert await process.stored() == SESSION


async def test_touching_does_not_bring_back_what_ended(process):
    """A request that is under way may outlast its session."""
    await process.begin()
    process.advance(60)
    active: Any = await process.sessions.open(process.cookies())
    await process.sessions.end(SESSION)

    await process.sessions.touch(active)

    assert await process.stored() is None


# --- ending


async def test_the_end_removes_the_record_and_its_entries(process):
    """Nothing of it is left in the store."""
    await process.begin(NAMED)

    await process.sessions.end(NAMED)

    assert await process.stored() is None
    assert (await process.linked("sub", "alice"), await process.linked("sid", "a-sid")) == ([], [])
    assert process.revocations.is_ended(ID)


async def test_ending_a_session_ends_those_that_it_replaced(process):
    """Their grace too."""
    old = another(SESSION)
    new = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, replaced=[OTHER_ID]))
    await process.begin(old)
    await process.begin(new)

    await process.sessions.end(new)

    assert (await process.stored(old), await process.stored(new)) == (None, None)
    assert process.revocations.is_ended(OTHER_ID)


async def test_the_end_holds_in_this_process_also_when_the_store_is_down(process):
    """Whoever signs out is signed out here, and those it took over from as well."""
    await process.begin()
    new = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, replaced=[OTHER_ID]))
    process.store.broken = {"remove"}

    assert await code_of(process.sessions.end(new)) == "store_failed"
    assert (process.revocations.is_ended(ID), process.revocations.is_ended(OTHER_ID)) == (True, True)


async def test_a_request_that_saw_the_end_leaves_the_cookie_alone(process):
    """It is worth nothing any more, and by now it may be that of a newer session."""
    active = ActiveSession(SESSION, browser_generation=0, is_over=True)

    assert process.sessions.cookies_due(active, process.cookies()) == []
    assert process.sessions.delete({})[0].startswith(process.session_cookies.name.encode() + b"=; ")


async def test_a_session_expires_with_its_grace_in_all_processes(process):
    """The record says when it ends; this process knows it besides."""
    await process.begin()

    await process.sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    other = Process(process)
    assert await process.stored() == with_tokens(ends_at=1030)
    assert [process.revocations.is_revoked(LOGIN, now=now) for now in (1029, 1030)] == [False, True]
    process.advance(29)
    assert await other.sessions.newest(SESSION) is not None
    process.advance(1)
    assert await other.sessions.newest(SESSION) is None


async def test_a_session_without_a_grace_is_gone_at_once(process):
    """Another user has signed in."""
    await process.begin()

    await process.sessions.expire_with_grace(ID, grace=0, successor=LOGIN)

    assert await process.stored() is None
    assert process.store.calls == ["remove"]
    assert process.revocations.is_revoked(LOGIN, now=1000)


async def test_an_ended_session_gets_no_grace(process):
    """It was signed out in another tab meanwhile."""
    await process.sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    assert await process.stored() is None


def fill_up(process: Process, sub: str) -> None:
    for number in range(MAX_PER_USER):
        process.revocations.end(f"earlier-{number}", user=user(sub), now=1000)


async def test_a_sign_out_of_a_user_over_the_revocation_limit_removes_all_their_records(process):
    """The one revocation for all of them expires one day, and the records must be gone for good."""
    of_bob = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, id=THIRD_ID, sub="bob"))
    for session in (SESSION, another(SESSION), of_bob):
        await process.begin(session)
    fill_up(process, "alice")

    await process.sessions.end(SESSION)

    there = [await process.stored(session) is not None for session in (SESSION, another(SESSION), of_bob)]
    assert (there, len(process.revocations._entries)) == ([False, False, True], MAX_PER_USER + 1)


@pytest.mark.parametrize("grace", [0, 30])
async def test_over_the_revocation_limit_a_session_gets_its_grace_without_a_revocation(process, grace):
    """The record says all that others have to know."""
    await process.begin()
    fill_up(process, "alice")

    await process.sessions.expire_with_grace(ID, grace=grace, successor=LOGIN)

    assert await process.stored() == (with_tokens(ends_at=1030) if grace else None)
    assert len(process.revocations._entries) == MAX_PER_USER


async def test_outdated_tokens_end_all_sessions_of_a_user_over_the_revocation_limit(process):
    """Open connections must not keep the rights; an existing revocation is extended."""
    of_bob = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, id=THIRD_ID, sub="bob"))
    for session in (SESSION, another(SESSION), of_bob):
        await process.begin(session)
    process.revocations.revoke_older_tokens(refreshed(SESSION), now=1000)
    fill_up(process, "alice")

    await process.sessions.revoke_older_tokens(refreshed(SESSION, 2))
    before = await process.stored(SESSION) is not None
    await process.sessions.revoke_older_tokens(refreshed(another(SESSION)))

    there = [await process.stored(session) is not None for session in (SESSION, another(SESSION), of_bob)]
    assert (process.revocations.least_generation(LOGIN), before, there) == (2, True, [False, False, True])
    dead = [process.revocations.is_revoked(session.login, now=1000) for session in (SESSION, another(SESSION), of_bob)]
    assert dead == [True, True, False]


async def test_outdated_tokens_of_such_a_user_are_dead_here_while_the_store_is_down(process):
    """The revocation comes first, and nothing is raised."""
    await process.begin()
    fill_up(process, "alice")
    process.store.broken = {"linked", "link", "remove"}

    await process.sessions.revoke_older_tokens(refreshed(SESSION))

    assert process.revocations.is_revoked(LOGIN, now=1000)


# --- one renewal at a time


async def test_one_holder_has_the_lock(process):
    """Over all processes, and for each session by itself."""
    other = Process(process)

    assert await process.sessions.lock(SESSION, "one")
    assert not await other.sessions.lock(SESSION, "two")
    assert await other.sessions.lock(another(SESSION), "two")
    await process.sessions.unlock(SESSION, "one")
    assert await other.sessions.lock(SESSION, "two")


async def test_only_the_holder_releases_a_lock(process):
    """The first was so slow that its lock ended."""
    await process.sessions.lock(SESSION, "one")
    process.advance(LOCK_LIFETIME)
    assert await process.sessions.lock(SESSION, "two")

    await process.sessions.unlock(SESSION, "one")

    assert not await process.sessions.lock(SESSION, "three")


async def test_no_lock_lasts(process):
    """Its holder may have died."""
    await process.sessions.lock(SESSION, "one")

    process.advance(LOCK_LIFETIME - 1)
    before = await process.sessions.lock(SESSION, "two")
    process.advance(1)

    assert (before, await process.sessions.lock(SESSION, "two")) == (False, True)


# --- tokens that the store did not take


async def test_tokens_that_were_not_saved_are_saved_later(process):
    """The old refresh token is spent: nothing else has the new one."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))

    active = await process.sessions.open(process.cookies())

    assert active == ActiveSession(refreshed(SESSION), browser_generation=1)
    assert await process.stored() == refreshed(SESSION)
    process.store.forget_calls()
    await process.sessions.open(process.cookies())
    assert process.store.calls == ["get"]


async def test_tokens_that_still_cannot_be_saved_serve_this_process(process):
    """Until the store is better."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    process.store.broken = {"replace"}

    for _ in range(2):
        active: Any = await process.sessions.open(process.cookies())
        assert active.session == await process.sessions.newest(SESSION) == refreshed(SESSION)
    process.store.broken = set()
    await process.sessions.open(process.cookies())

    assert await process.stored() == refreshed(SESSION)


async def test_tokens_of_a_session_that_ended_are_not_saved(process):
    """Dead stays dead, in whichever process it died."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    await Process(process).sessions.end(SESSION)

    assert await process.sessions.open(process.cookies()) is None
    assert await process.stored() is None


async def test_tokens_of_a_session_that_ends_while_they_are_saved_are_not_saved(process):
    """The same, a moment later."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    process.store.before["replace"] = [lambda: Process(process).sessions.end(SESSION)]

    assert await process.sessions.open(process.cookies()) is None
    assert await process.stored() is None


async def test_signing_out_forgets_unsaved_tokens(process):
    """And a session of the same id would not get them."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    await process.sessions.end(SESSION)
    await process.begin()

    active: Any = await process.sessions.open(process.cookies())

    assert active.session == SESSION


async def test_newer_tokens_in_the_store_win_over_unsaved_ones(process):
    """Another process has refreshed the session since."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION, 1))
    await Process(process).sessions.change(SESSION, lambda current: refreshed(current, 2))

    active: Any = await process.sessions.open(process.cookies())

    assert active.session == await process.stored() == refreshed(SESSION, 2)


async def test_newer_tokens_that_come_while_unsaved_ones_are_saved_win(process):
    """The same, a moment later."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION, 1))
    process.store.before["replace"] = [
        lambda: Process(process).sessions.change(SESSION, lambda current: refreshed(current, 2))
    ]

    active: Any = await process.sessions.open(process.cookies())

    assert active.session == await process.stored() == refreshed(SESSION, 2)


async def test_a_last_use_that_comes_while_unsaved_tokens_are_saved_is_kept(process):
    """The tokens alone are taken over."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    process.store.before["replace"] = [
        lambda: Process(process).sessions.change(SESSION, lambda current: seen(current, 1060))
    ]

    await process.sessions.open(process.cookies())

    assert await process.stored() == seen(refreshed(SESSION), 1060)


async def test_a_session_in_its_grace_still_ends_when_unsaved_tokens_are_saved(process):
    """Tokens bring a session no longer life than another process left it."""
    await process.begin()
    process.sessions.keep_unsaved(refreshed(SESSION))
    await Process(process).sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    await process.sessions.open(process.cookies())

    stored = await process.stored()
    assert stored is not None
    assert (stored.tokens.generation, stored.tokens.ends_at) == (1, 1030)


async def test_a_lock_that_is_kept_lives_on(process):
    """Tokens that cannot be written yet need it for longer."""
    await process.sessions.lock(SESSION, "one")
    process.advance(LOCK_LIFETIME - 1)

    await process.sessions.keep_lock(SESSION, "one")
    process.advance(LOCK_LIFETIME - 1)

    assert not await process.sessions.lock(SESSION, "two")


async def test_a_lost_lock_is_taken_again_if_it_is_free(process):
    """A store may forget it; another holder stays."""
    await process.sessions.lock(SESSION, "one")
    process.advance(LOCK_LIFETIME)
    await process.sessions.keep_lock(SESSION, "one")
    kept = not await process.sessions.lock(SESSION, "two")
    process.advance(LOCK_LIFETIME)
    await process.sessions.lock(SESSION, "two")

    await process.sessions.keep_lock(SESSION, "one")
    await process.sessions.unlock(SESSION, "one")

    assert (kept, await process.sessions.lock(SESSION, "three")) == (True, False)


@pytest.mark.parametrize(
    ("named", "gone"),
    [
        ({"sub": "alice", "sid": None}, [True, True, False]),
        ({"sub": None, "sid": "s1"}, [True, False, True]),
        ({"sub": "alice", "sid": "s1"}, [True, False, False]),
        ({"sub": "bob", "sid": "s2"}, [False, False, False]),
        ({"sub": "carol", "sid": None}, [False, False, False]),
    ],
    ids=str,
)
async def test_sessions_end_by_user_by_session_at_the_provider_or_by_both(named, gone):
    """And no others."""
    process = Process()
    sessions = [of(ID, "alice", "s1"), of(OTHER_ID, "alice", "s2"), of(THIRD_ID, "bob", "s1")]
    for each in sessions:
        await process.begin(each)

    count = await process.sessions.end_all(issuer=ISSUER, **named)

    assert ([await process.stored(each) is None for each in sessions], count) == (gone, sum(gone))


async def test_sessions_of_before_a_change_of_the_secret_end_too():
    """They are in an index of its own name."""
    old = Process()
    await old.begin(of(ID, "alice", "s1"))
    new = Process(old, secrets=(b"n" * 32, SECRET))

    assert await new.sessions.end_all(issuer=ISSUER, sub="alice", sid="s1") == 1
    assert await old.stored(of(ID, "alice", "s1")) is None


async def test_a_session_at_the_provider_is_known_by_its_user():
    """As long as it is there."""
    process = Process()
    await process.begin(of(ID, "alice", "s1"))

    asked = [("s1", "alice"), ("s1", "bob"), ("s2", "bob")]

    known = [await process.sessions.is_sid_of_another_user(sid, user(sub)) for sid, sub in asked]
    await process.sessions.end_all(issuer=ISSUER, sub="alice", sid=None)

    assert (known, await process.sessions.is_sid_of_another_user("s1", user("bob"))) == ([False, True, False], False)


def of(session_id: str, sub: str, sid: str) -> Session:
    """Make a session with these names."""
    return msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, id=session_id, sub=sub, sid=sid))
