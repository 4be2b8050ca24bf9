"""A store in memory: right as any other, and never larger than it may be."""

import threading

import anyio
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.stores.memory import MEMBERS_PER_SESSION
from asgi_oidc.testing import SessionStoreContract


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestMemoryStore(SessionStoreContract):
    """Time passes when the test says so."""

    clock: Clock

    @pytest.fixture
    def store(self) -> MemoryStore:
        self.clock = Clock()
        return MemoryStore(clock=self.clock)

    async def let_pass(self, seconds: float) -> None:
        self.clock.now += seconds


async def test_a_lifetime_ends_at_its_last_moment():
    """Not a moment later, also where nobody cleaned up."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.add("key", b"value", lifetime=10)
    await store.link("index", "member", lifetime=10, most=1)

    clock.now += 9.999
    before = await store.get("key"), await store.linked("index")
    clock.now += 0.001

    assert before == (b"value", ["member"])
    assert (await store.get("key"), await store.linked("index")) == (None, [])


async def test_the_least_recently_used_is_dropped_when_there_are_too_many():
    """Who comes back is worth more than who does not."""
    store = MemoryStore(max_sessions=3)
    for key in "abc":
        await store.add(key, b"value", lifetime=60)
    await store.get("a")
    await store.replace("b", b"value", b"new", lifetime=60)

    await store.add("d", b"value", lifetime=60)

    assert [key for key in "abcd" if await store.get(key) is not None] == ["a", "b", "d"]


async def test_the_least_recently_used_are_dropped_when_they_are_too_large():
    """As many as it takes."""
    store = MemoryStore(max_bytes=3 * (1 + 100))
    for key in "abc":
        await store.add(key, bytes(100), lifetime=60)

    await store.replace("c", bytes(100), bytes(201), lifetime=60)

    assert [len(await store.get(key) or b"") for key in "abc"] == [0, 100, 201]


async def test_small_values_push_no_large_ones_out():
    """Locks and used callbacks come from anybody; sessions are larger."""
    store = MemoryStore(max_sessions=3, max_bytes=3 * 101)
    for key in "abc":
        await store.add(key, bytes(100), lifetime=60)

    for number in range(100):
        await store.add(f"{number}", bytes(64), lifetime=60)

    assert [await store.get(key) is not None for key in ("a", "b", "c", "96", "97", "98", "99")] == [True] * 3 + [
        False,
        True,
        True,
        True,
    ]
    assert repr(store) == "MemoryStore(6 values)"


async def test_small_values_are_bounded_in_bytes_as_well():
    """By a bound of their own."""
    store = MemoryStore(max_bytes=3 * (1 + 64))
    for key in "abcd":
        await store.add(key, bytes(64), lifetime=60)

    assert [await store.get(key) is not None for key in "abcd"] == [False, True, True, True]


async def test_large_values_push_no_small_ones_out():
    """Whoever fills the store with sessions must not make a callback count twice."""
    store = MemoryStore(max_sessions=3, max_bytes=1000)
    await store.add("mark", b"1", lifetime=60)

    for number in range(10):
        await store.add(f"{number}", bytes(300), lifetime=60)

    assert await store.get("mark") == b"1"


async def test_a_value_that_grows_is_counted_once():
    """Where it was, it is gone."""
    store = MemoryStore(max_sessions=2, max_bytes=300)
    for number in range(50):
        key = f"{number}"
        await store.add(key, bytes(10), lifetime=60)
        await store.replace(key, bytes(10), bytes(100), lifetime=60)
        await store.replace(key, bytes(100), bytes(12), lifetime=60)
        await store.remove(key)

    assert (repr(store), store._values.bytes, store._small_values.bytes) == ("MemoryStore(0 values)", 0, 0)


async def test_expired_values_are_dropped_before_unused_ones():
    """Also where it was used last."""
    clock = Clock()
    store = MemoryStore(max_sessions=3, clock=clock)
    await store.add("unused", b"value", lifetime=60)
    await store.add("short", b"value", lifetime=1)
    await store.add("used", b"value", lifetime=60)
    await store.get("short")

    clock.now += 1
    await store.add("new", b"value", lifetime=60)

    assert [await store.get(key) for key in ("unused", "short", "used", "new")] == [b"value", None, b"value", b"value"]


async def test_only_as_many_expired_values_as_needed_are_dropped():
    """Also for a large value."""
    clock = Clock()
    store = MemoryStore(max_bytes=5 * 101, clock=clock)
    await store.add("u", bytes(100), lifetime=60)
    for key in "abcd":
        await store.add(key, bytes(100), lifetime=1)

    clock.now += 1
    await store.add("l", bytes(4 * 101 - 1), lifetime=60)

    assert [len(await store.get(key) or b"") for key in "ul"] == [100, 403]


async def test_bytes_are_counted_when_values_go():
    """Else it would be full for ever."""
    clock = Clock()
    store = MemoryStore(max_bytes=400, clock=clock)

    for number in range(100):
        key = f"{number:010}"
        assert await store.add(key, bytes(190), lifetime=5)
        assert await store.replace(key, bytes(190), bytes(150), lifetime=5)
        assert await store.add("other", bytes(190), lifetime=1) is True
        clock.now += 1
        assert await store.get(key) == bytes(150)
        assert await store.remove(key)


async def test_a_value_larger_than_all_is_an_error():
    """It could not be kept, and nothing else should go for it."""
    store = MemoryStore(max_bytes=100)
    await store.add("key", b"value", lifetime=60)

    with pytest.raises(ValueError, match="max_bytes"):
        await store.add("large", bytes(96), lifetime=60)

    assert await store.get("key") == b"value"
    assert await store.add("l", bytes(92), lifetime=60) is True


async def test_expired_values_are_removed_without_a_read():
    """Sessions that nobody comes back to must not stay."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    for number in range(100):
        await store.add(f"{number}", b"value", lifetime=1)
        await store.link(f"{number}", "member", lifetime=1, most=5)

    clock.now += 1
    for number in range(100, 150):
        await store.add(f"{number}", b"value", lifetime=1000)
        await store.link(f"{number}", "member", lifetime=1000, most=5)

    assert repr(store) == "MemoryStore(50 values)"
    assert (len(store._indexes), len(store._indexes._indexes)) == (50, 50)


async def test_index_entries_are_bounded_in_all():
    """Those that would have ended first go, whosever they are."""
    store = MemoryStore(max_sessions=2)
    most = 2 * MEMBERS_PER_SESSION
    for number in range(3 * most):
        await store.link(f"index{number % 3}", f"{number}", lifetime=100 + number, most=1000)

    members = [member for index in range(3) for member in await store.linked(f"index{index}")]

    assert sorted(members, key=int) == [str(number) for number in range(2 * most, 3 * most)]


async def test_an_empty_index_uses_no_memory():
    """However it became empty."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.link("unlinked", "member", lifetime=60, most=1)
    await store.link("ended", "member", lifetime=1, most=1)
    await store.link("dropped", "member", lifetime=1, most=0)

    await store.unlink("unlinked", "member")
    await store.unlink("never", "member")
    clock.now += 1
    await store.linked("ended")

    assert (len(store._indexes), store._indexes._indexes) == (0, {})


async def test_rewriting_one_session_uses_no_more_memory():
    """What is out of date is cleaned up behind it."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.add("first", b"value", lifetime=500)  # nothing behind it is looked at before it ends
    await store.link("first", "member", lifetime=500, most=5)
    await store.add("key", b"0", lifetime=1000)
    for number in range(2000):
        clock.now += 0.1
        await store.replace("key", b"%d" % number, b"%d" % (number + 1), lifetime=1000)
        await store.link("index", "member", lifetime=1000 + number, most=5)

    assert await store.get("key") == b"2000"
    assert len(store._values._queue) + len(store._small_values._queue) < 30
    assert len(store._indexes._queue) < 30


@pytest.mark.parametrize("bounds", [{"max_sessions": 0}, {"max_bytes": 0}, {"max_sessions": -1}])
def test_a_limit_below_one_is_an_error(bounds):
    """At start-up, not at the first sign-in."""
    with pytest.raises(ValueError, match="at least 1"):
        MemoryStore(**bounds)


async def test_the_repr_of_a_memory_store_shows_no_keys_or_values():
    """It may end in a log."""
    store = MemoryStore()
    await store.add("s3cret-key", b"s3cret-value", lifetime=60)
    await store.link("s3cret-index", "s3cret-member", lifetime=60, most=1)

    assert repr(store) == str(store) == "MemoryStore(1 values)"


def test_threads_may_share_it():
    """One middleware may serve several event loops."""
    store, won = MemoryStore(), []

    async def work(thread: int) -> None:
        for number in range(500):
            if await store.add(f"{number}", b"%d" % thread, lifetime=60):
                won.append(number)
            await store.link("index", f"{number}", lifetime=60, most=100)
            await store.linked("index")
            await store.unlink("index", f"{number - 50}")

    threads = [threading.Thread(target=anyio.run, args=(work, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(won) == list(range(500))
