"""Processes share revocations: soon, without a round trip per request, and none gets lost."""

import secrets

import anyio
import anyio.lowlevel
import msgspec
import pytest

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.revocation_feed import (
    FRESH,
    GAP,
    MAX_LISTED,
    MAX_UNWRITTEN,
    MAX_WRITTEN,
    RECENT,
    SHARDS,
    STALE,
    NoFeed,
    StoredFeed,
    try_to_write,
)
from asgi_oidc.sessions.revocations import Revocation, Revocations, plain_names
from asgi_oidc.sessions.session import Login
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.memory import MemoryStore
from tests.scripted_store import ScriptedStore
from tests.sessions.test_session import ISSUER, LOGIN

NOW = 1_800_000_000
LIFETIME = 50_000
EVERYTHING = 1 + len(SHARDS)  # lists


class Clocks:
    """One that may be set, and one that only goes forward; all processes of a test go by them."""

    def __init__(self) -> None:
        self.wall, self.ticks = float(NOW), 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.ticks += seconds


class Process:
    """One process that shares a store with others.

    Args:
        keeps_all: whether revocations are kept for processes that start later.
    """

    def __init__(self, store: ScriptedStore, clocks: Clocks, *, keeps_all: bool = True) -> None:
        self.revocations = Revocations(named, lifetime=LIFETIME, needed_for=LIFETIME)
        self.store = store
        self.clocks = clocks
        self.feed = StoredFeed(
            self.revocations,
            GuardedStore(store),
            prefix="tag",
            lifetime=LIFETIME if keeps_all else None,
            now=lambda: int(clocks.wall),
            ticks=lambda: clocks.ticks,
        )

    async def end(self, session_id: str) -> None:
        """End a session, and tell."""
        await self.feed.write(self.revocations.end(session_id, now=self.clocks.wall))

    def knows(self, session_id: str) -> bool:
        """Say whether it takes a session for over."""
        return self.revocations.is_revoked(login(session_id), now=self.clocks.wall)


def named(kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
    """Name revocations as a store accepts them: no blanks, and no colons."""
    return tuple(f"{value}-{kind}" for _ in plain_names(kind, value, issuer=issuer))


def login(session_id: str, *, began: int = NOW * 1000) -> Login:
    return msgspec.structs.replace(LOGIN, id=session_id, sub="alice", created_at=NOW, began=began)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def store(clocks: Clocks) -> ScriptedStore:
    return ScriptedStore(lambda: clocks.wall)


@pytest.fixture
def here(store: ScriptedStore, clocks: Clocks) -> Process:
    return Process(store, clocks)


@pytest.fixture
def there(store: ScriptedStore, clocks: Clocks) -> Process:
    return Process(store, clocks)


async def test_catching_up_learns_every_earlier_revocation(here, there):
    """A login must not be overtaken by a sign-out that came in elsewhere."""
    await there.feed.catch_up()
    await here.end("x")

    await there.feed.catch_up()

    assert (there.knows("x"), there.knows("y")) == (True, False)


async def test_requests_that_catch_up_at_once_share_one_read(here, there, store):
    """Twenty logins make two looks: one that began before somebody asked tells them nothing new."""
    await there.feed.catch_up()
    store.forget_calls()
    looks, looked = anyio.Event(), anyio.Event()
    known: list[bool] = []

    async def look_slowly() -> None:
        looks.set()
        await looked.wait()

    async def catch_up() -> None:
        await there.feed.catch_up_together()
        known.append(there.knows("x"))

    store.before["linked"] = [look_slowly]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(there.feed.catch_up_together)
        await looks.wait()
        await here.end("x")
        for _ in range(20):
            tasks.start_soon(catch_up)
        await anyio.wait_all_tasks_blocked()
        looked.set()

    assert (known, store.calls.count("linked")) == ([True] * 20, 2)


async def test_the_feed_is_read_at_most_once_a_second(here, there, store, clocks):
    """However many requests there are."""
    await there.feed.catch_up()
    await here.end("x")
    store.forget_calls()

    for _ in range(100):
        clocks.advance(FRESH / 100)
        await there.feed.poll()

    assert (store.calls, there.knows("x")) == ([], False)


async def test_after_a_second_one_request_reads_the_feed_and_the_others_go_on(here, there, store, clocks):
    """No request waits for it, and it is one look for all."""
    await there.feed.catch_up()
    await here.end("x")
    store.forget_calls()
    clocks.advance(FRESH + 0.1)
    looks, looked = anyio.Event(), anyio.Event()

    async def look_slowly() -> None:
        looks.set()
        await looked.wait()

    store.before["linked"] = [look_slowly]
    for _ in range(10):
        await there.feed.poll()
    await looks.wait()
    before = there.knows("x")
    looked.set()
    with anyio.fail_after(5):
        await there.feed.drained()

    assert (before, there.knows("x"), store.calls) == (False, True, ["linked"])


async def test_after_five_seconds_a_request_waits_for_the_feed(here, there, store, clocks):
    """By then the copy of a cookie is dead everywhere; all who wait share one look."""
    await there.feed.catch_up()
    await here.end("x")
    store.forget_calls()
    clocks.advance(STALE + 0.1)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(there.feed.poll)

    assert (there.knows("x"), store.calls) == (True, ["linked"])


async def test_with_the_store_down_requests_fail_after_five_seconds(there, store, clocks):
    """A look in the background fails silently, until nobody knows any more."""
    await there.feed.catch_up()
    store.broken = {"linked"}

    clocks.advance(STALE - 0.1)
    await there.feed.poll()
    clocks.advance(0.2)
    with pytest.raises(StoreUnavailable):
        await there.feed.poll()
    with pytest.raises(StoreUnavailable):
        await there.feed.catch_up()


async def test_a_process_that_starts_later_reads_everything(here, store, clocks):
    """Also what ended hours ago."""
    names = [secrets.token_urlsafe(8) for _ in range(200)]  # they begin with whatever ids begin with
    for name in names:
        await here.end(name)
    clocks.advance(LIFETIME - 10)
    late = Process(store, clocks)
    store.forget_calls()

    await late.feed.poll()

    assert [name for name in names if not late.knows(name)] == []
    assert store.calls == ["linked"] * EVERYTHING


@pytest.mark.parametrize("pause", ["both", "slept", "set forward", "set back"])
async def test_a_process_that_slept_reads_everything_again(here, there, store, clocks, pause):
    """What is in the list of those that are news is gone from there by then; either clock may tell."""
    await there.feed.catch_up()
    await here.end("x")
    clocks.wall += {"set back": -GAP - 2.0, "slept": 0.0}.get(pause, GAP + 2.0)
    clocks.ticks += GAP + 2.0 if pause in ("both", "slept") else 0.0
    store.forget_calls()

    await there.feed.poll()

    assert (there.knows("x"), store.calls) == (True, ["linked"] * EVERYTHING)


async def test_a_process_that_reads_regularly_never_reads_everything(here, there, store, clocks):
    """The list of those that are news is enough."""
    await there.feed.catch_up()
    store.forget_calls()

    for number in range(20):
        await here.end(f"s{number}")
        clocks.advance(GAP - 1)
        await there.feed.poll()

    assert all(there.knows(f"s{number}") for number in range(20))
    assert store.calls.count("linked") == 20


async def test_the_list_of_recent_revocations_empties_itself(here, store, clocks):
    """It is read every second."""
    await here.end("x")
    recent = list(await store.linked("tag:ended"))

    clocks.advance(RECENT)

    assert (len(recent), list(await store.linked("tag:ended"))) == (1, [])


async def test_with_sessions_in_a_store_only_recent_revocations_are_shared(store, clocks):
    """What ended is gone from there; the rest is for those who are at it right now."""
    here, there = (Process(store, clocks, keeps_all=False) for _ in range(2))

    await here.end("x")
    written = store.calls.copy()
    await there.feed.poll()

    assert (written, store.calls[1:], there.knows("x")) == (["link"], ["linked"], True)


async def test_a_revocation_that_pushes_out_another_is_a_failure(here, store):
    """Whoever is dropped would live again."""
    store.answers["link"] = ["the-oldest"]

    with pytest.raises(StoreUnavailable) as caught:
        await here.end("x")

    assert (caught.value.code, store.most) == ("ended_log_full", [MAX_LISTED])


@pytest.mark.parametrize("garbage", ["", "x", "1:2:3", "1:2:3:4:5", "a:2:3:name", "1:b:3:name", "1:2:c:name"])
async def test_entries_that_we_did_not_write_count_as_an_outage(here, store, garbage):
    """Somebody else writes there, so nobody knows what is missing."""
    store.answers["linked"] = [garbage]

    with pytest.raises(StoreUnavailable) as caught:
        await here.feed.poll()

    assert caught.value.code == "store_garbage"


async def test_a_read_that_began_earlier_does_not_count_as_catching_up(here, there, store):
    """It may have read the list before the revocation was in it."""
    await there.feed.catch_up()

    async def end_meanwhile() -> None:
        await here.end("x")

    store.before["linked"] = [nothing, end_meanwhile]
    await there.feed.catch_up()
    before = there.knows("x")
    await there.feed.catch_up()

    assert (before, there.knows("x")) == (False, True)


async def nothing() -> None:
    """Let it go on."""


async def test_writing_a_revocation_may_fail_without_an_error(here, store):
    """Where the session is gone in any case."""
    store.broken = {"link"}

    await try_to_write(here.feed, here.revocations.end("x", now=NOW))

    assert here.knows("x")


async def test_an_unwritten_revocation_is_written_with_the_next_read(here, there, store, clocks):
    """Where nobody can be asked to try again."""
    store.broken = {"link"}
    await here.feed.write_soon(here.revocations.end("x", now=NOW))
    await here.feed.write_soon(here.revocations.end("y", now=NOW))
    await there.feed.catch_up()
    before = there.knows("x"), there.knows("y")

    store.broken = set()
    await here.feed.try_to_catch_up()
    store.forget_calls()
    await here.feed.try_to_catch_up()
    await there.feed.catch_up()

    assert (before, there.knows("x"), there.knows("y")) == ((False, False), True, True)
    assert "link" not in store.calls


async def test_a_revocation_that_grows_while_it_is_written_is_written_again(here, there, store):
    """The newer one ends more."""
    newer = here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW, until=NOW * 1000 + 7)
    older = [mark._replace(covers_until=NOW * 1000 - 7) for mark in newer]

    async def grow() -> None:
        await here.feed.write_soon(newer)

    store.before["link"] = [grow]
    await here.feed.write_soon(older)
    await here.feed.try_to_catch_up()
    await there.feed.catch_up()

    assert there.revocations.is_revoked(msgspec.structs.replace(login("x"), sub="alice"), now=NOW)


async def test_the_queue_of_unwritten_revocations_is_bounded(here, store):
    """A store may take nothing for hours."""
    store.broken = {"link"}
    mark = here.revocations.end("x", now=NOW)[0]

    await here.feed.write_soon(mark._replace(name=f"name-{number}") for number in range(MAX_UNWRITTEN + 1))

    assert (len(here.feed._unwritten), "name-0" in here.feed._unwritten) == (MAX_UNWRITTEN, False)


async def test_a_single_process_writes_no_feed():
    """And nothing to wait for."""
    feed = NoFeed()
    await feed.try_to_catch_up()
    await feed.drained()

    with anyio.move_on_after(0) as no_time:
        await feed.poll()
        await feed.catch_up()
        await feed.write([])
        await feed.write_soon([])

    assert not no_time.cancelled_caught


async def test_a_memory_store_serves_as_well(clocks):
    """Two apps in one process."""
    store = MemoryStore(clock=lambda: clocks.wall)
    revocations = [Revocations(named, lifetime=LIFETIME, needed_for=LIFETIME) for _ in range(2)]
    feeds = [
        StoredFeed(each, GuardedStore(store), prefix="t", lifetime=9, now=lambda: NOW, ticks=lambda: 0.0)
        for each in revocations
    ]

    await feeds[0].write(revocations[0].sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW))
    await feeds[1].catch_up()

    assert revocations[1].is_revoked(msgspec.structs.replace(login("x"), sub="alice"), now=NOW)


async def test_recent_revocations_are_kept_for_longer_than_a_login_may_take(store, clocks):
    """It may have begun with the session that was signed out."""
    here, there = (Process(store, clocks, keeps_all=False) for _ in range(2))
    await here.end("x")

    clocks.advance(660)
    await there.feed.catch_up()

    assert there.knows("x")


async def test_a_full_read_has_a_deadline(store, clocks):
    """Each list may be slow; somebody waits for all of them."""
    late = Process(store, clocks)

    async def be_slow() -> None:
        clocks.ticks += 1.5

    store.before["linked"] = [be_slow] * EVERYTHING
    with pytest.raises(StoreUnavailable) as caught:
        await late.feed.poll()

    assert (caught.value.code, len(store.calls) < 10) == ("store_timeout", True)


async def test_reading_ahead_neither_waits_nor_fails(here, there, store):
    """So that no request has to."""
    await here.end("x")

    store.broken = {"linked"}
    await there.feed.try_to_catch_up()
    before = there.knows("x")
    store.broken = set()
    await there.feed.try_to_catch_up()

    assert (before, there.knows("x")) == (False, True)


async def test_what_was_recent_members_is_not_read_again(here, there, store):
    """The list of two minutes is looked at every second."""
    for number in range(50):
        await here.end(f"s{number}")
    await there.feed.catch_up()
    read = there.feed._recent_members

    await here.end("new")
    await there.feed.catch_up()

    assert (len(read), len(there.feed._recent_members - read), there.knows("new")) == (50, 1, True)


async def test_a_new_process_forgets_the_oldest_of_too_many_revocations(store, clocks):
    """And not those of the list that it reads first."""
    here, late = Process(store, clocks), Process(store, clocks)
    late.revocations = Revocations(named, lifetime=LIFETIME, needed_for=100, max_revocations=20)
    late.feed._revocations = late.revocations  # the same log, with less room
    for number in range(60):
        await here.end(f"{secrets.token_urlsafe(4)}{number}")
        clocks.advance(100)
    alice = msgspec.structs.replace(login("alice"), created_at=int(clocks.wall) - 50, began=int(clocks.wall) * 1000)

    await late.feed.catch_up()

    assert not late.revocations.is_revoked(alice, now=clocks.wall)


@pytest.mark.parametrize("keeps_all", [True, False])
async def test_repeated_sign_outs_take_one_entry_in_each_list(store, clocks, keeps_all):
    """The provider may say it a thousand times; lists have a bound that all users share."""
    here, there = Process(store, clocks, keeps_all=keeps_all), Process(store, clocks, keeps_all=keeps_all)
    for seconds in (0, 1, 1, 0, 60):
        clocks.advance(seconds)
        await here.feed.write(here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=clocks.wall))

    await there.feed.catch_up()

    lists = ["tag:ended", *(f"tag:ended:{first}" for first in SHARDS)]
    members = [len(await store.memory.linked(name)) for name in lists]
    assert (members[0], sum(members[1:])) == (1, int(keeps_all))
    assert there.revocations.is_revoked(login("of alice", began=int(clocks.wall * 1000)), now=clocks.wall)


async def test_a_sign_out_that_reaches_less_far_takes_nothing_back(here, there, store, clocks):
    """One that ends older sessions only comes after one that ended all."""
    await here.feed.write(here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=clocks.wall))
    clocks.advance(1)
    await here.feed.write(here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=clocks.wall, until=5))

    await there.feed.catch_up()

    assert there.revocations.is_revoked(login("of alice"), now=clocks.wall)


async def test_failing_to_remove_an_older_revocation_is_not_an_error(here, store, clocks, caplog):
    """The newer one stands, and that is what counts."""
    await here.feed.write(here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=clocks.wall))
    clocks.advance(1)
    store.broken = {"unlink"}

    await here.feed.write(here.revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=clocks.wall))

    assert "store_failed" in caplog.text
    assert len(await store.memory.linked("tag:ended")) == 2


async def test_the_number_of_removable_revocations_is_bounded(here, clocks):
    """Those that were written longest ago stay until their time is over."""
    for number in range(MAX_WRITTEN + 1):
        here.feed._remember_written(Revocation(f"sub-{number}", 1, 0, NOW))

    assert len(here.feed._written) == MAX_WRITTEN
