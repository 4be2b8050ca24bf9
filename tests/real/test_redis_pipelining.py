"""Commands that are called at the same moment go to Redis together, and nobody gets an answer that is too old."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_oidc import RedisStore
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.redis_batches import MAX_BYTES, MAX_COMMANDS
from tests.protected_site import Site, cookie_header
from tests.real.redis_server import RedisServer, redis
from tests.real.relay import LOOPBACK, Relay
from tests.real.store_calls import LONG, ask, call_at_once, gets, so_it_is, until

PAGE_LOAD = 30  # requests that a browser makes at once
FEW = 3  # round trips; one, unless the machine pauses in between

pytestmark = pytest.mark.real


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Two clients, one for each."""
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def rubbish() -> Iterator[None]:
    """What a client left unclosed belongs to these tests, not to those that come next."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One server for all tests."""
    with redis() as started:
        yield started


@pytest.fixture(autouse=True)
def empty(server: RedisServer) -> None:
    """Each test has it for itself."""
    with server.ask() as operator:
        operator.flushall()


@pytest.fixture
async def relay(server: RedisServer) -> AsyncIterator[Relay]:
    """What the store connects to."""
    async with Relay(server.port).run() as running:
        yield running


@pytest.fixture
async def store(relay: Relay) -> AsyncIterator[RedisStore]:
    """A store that has connected."""
    store = RedisStore(f"redis://{LOOPBACK}:{relay.port}")
    async with store.running():
        await until(lambda: ask(partial(GuardedStore(store).get, "nothing")), None)
        yield store


async def in_a_task(tasks: Any, call: Callable[[], Awaitable[Any]], into: list[Any]) -> anyio.CancelScope:
    """Start a call that can be cancelled; it has been made when this returns, and is answered later."""
    scope = anyio.CancelScope()

    async def work() -> None:
        with scope:
            into.append(await call())

    tasks.start_soon(work)
    await anyio.wait_all_tasks_blocked()
    return scope


async def page_load(site: Site, cookies: Sequence[str]) -> list[int]:
    """Make requests at once; return their status codes."""
    exchanges = await call_at_once([partial(site.call, "/page", headers={"cookie": each}) for each in cookies])
    return [exchange.status for exchange in exchanges]


# -- what a page load costs


async def test_a_page_load_of_one_browser_is_one_round_trip(server, relay, store):
    """All its requests read the same session; each sends nothing else."""
    site = Site(store=store)
    browser = await site.signed_in()
    before = relay.sent

    with server.counting() as commands:
        statuses = await page_load(site, [cookie_header(browser)] * PAGE_LOAD)

    assert statuses == [200] * PAGE_LOAD
    assert commands["get"] == relay.sent - before <= FEW


async def test_requests_of_many_browsers_at_once_go_to_redis_together(server, relay, store):
    """Each has a session of its own to read."""
    site = Site(store=store)
    cookies = [cookie_header(await site.signed_in(sub)) for sub in ("alice", "erin", "bob")]
    before = relay.sent

    with server.counting() as commands:
        statuses = await page_load(site, cookies * 10)

    assert statuses == [200] * PAGE_LOAD
    assert relay.sent - before <= FEW
    assert 3 <= commands["get"] <= 3 * FEW


async def test_calls_of_all_kinds_go_together_and_each_gets_its_own_result(relay, store):
    """A batch has the order in which its commands were called."""
    await store.add("old", b"1", lifetime=LONG)
    before = relay.sent

    results = await call_at_once(
        [
            partial(store.get, "old"),
            partial(store.replace, "old", b"1", b"2", lifetime=LONG),
            partial(store.replace, "old", b"1", b"3", lifetime=LONG),
            partial(store.remove, "old", only=b"2"),
            *[partial(store.add, "new", b"%d" % number, lifetime=LONG) for number in range(3)],
            partial(store.link, "index", "member", lifetime=LONG, most=5),
            partial(store.linked, "index"),
        ]
    )

    assert relay.sent - before == 1
    assert sorted(results[4:7]) == [False, False, True]  # trio runs tasks in any order
    assert await store.get("new") == b"%d" % results[4:7].index(True)
    assert results[7] == []
    assert results[0] in (b"1", b"2", b"3", None)  # before or after each of the others
    assert {type(result) for result in results[1:]} <= {bool, list}


async def test_a_write_never_shares_the_command_of_a_read(store):
    """A lock that only looks taken, or a session that only looks signed out, is neither."""
    await store.add("session", b"record", lifetime=LONG)

    results = await call_at_once(
        [
            partial(store.get, "lock"),
            partial(store.add, "lock", b"holder", lifetime=LONG),
            partial(store.get, "session"),
            partial(store.remove, "session"),
        ]
    )

    assert (results[1], results[3]) == (True, True)
    assert (await store.get("lock"), await store.get("session")) == (b"holder", None)


async def test_a_lone_call_is_one_command_and_does_not_wait(server, relay, store):
    """A command never waits for others to join its batch."""
    await store.add("key", b"value", lifetime=LONG)
    before = relay.sent

    with server.counting() as commands:
        values = [await store.get("key") for _ in range(5)]

    assert values == [b"value"] * 5
    assert commands["get"] == relay.sent - before == 5


# -- dead stays dead


async def test_a_read_does_not_share_an_answer_that_is_under_way(server, relay, store):
    """It may be older than the call: what was removed before the call must be gone for it."""
    await store.add("key", b"value", lifetime=LONG)
    results: list[Any] = []

    async with anyio.create_task_group() as tasks:
        relay.hold()
        await in_a_task(tasks, lambda: store.get("key"), results)
        await relay.holds.wait()
        with server.ask() as operator:
            assert operator.delete("asgi-oidc:key") == 1
        await in_a_task(tasks, lambda: store.get("key"), results)
        relay.go_on()

    assert results == [b"value", None]


async def test_a_sign_out_that_has_completed_is_seen_by_every_later_request(server, relay, store):
    """Also if the process is still waiting for the answer to an earlier request of the same browser."""
    site, there = Site(store=store), RedisStore(server.url)
    browser = await site.signed_in()
    cookies, results = [cookie_header(browser)], list[Any]()

    async with there.running(), anyio.create_task_group() as tasks:
        elsewhere = site.restarted(store=there)
        relay.hold()
        await in_a_task(tasks, lambda: page_load(site, cookies), results)
        await relay.holds.wait()
        await elsewhere.browser_of(browser).post("/auth/logout", follow=False)
        await in_a_task(tasks, lambda: page_load(site, cookies * PAGE_LOAD), results)
        relay.go_on()

    assert results == [[200], [401] * PAGE_LOAD]


# -- one caller and the others


@pytest.mark.parametrize("when", ["before it is sent", "while the answer is under way"])
async def test_a_caller_that_is_cancelled_leaves_the_others_their_answers(when, relay, store):
    """One browser tab is closed; the others load."""
    await store.add("key", b"value", lifetime=LONG)
    results: list[Any] = []
    left = anyio.CancelScope()

    async def leave() -> None:
        with left:
            results.append(await store.get("key"))

    async def stay(key: str) -> None:
        results.append(await store.get(key))

    relay.hold()
    async with anyio.create_task_group() as tasks:
        for call in (leave, partial(stay, "key"), partial(stay, "key"), partial(stay, "other")):
            tasks.start_soon(call)
        if when == "before it is sent":
            left.cancel()
        else:
            await relay.holds.wait()
            left.cancel()
        await anyio.wait_all_tasks_blocked()
        relay.go_on()

    assert left.cancelled_caught
    assert sorted(results, key=str) == [None, b"value", b"value"]


async def test_an_error_is_that_of_its_own_command(server, store):
    """One value that somebody else has written with another type spoils one session."""
    await store.add("key", b"value", lifetime=LONG)
    with server.ask() as operator:
        operator.lpush("asgi-oidc:list", "value")
    guarded = GuardedStore(store)

    results = await call_at_once(gets(guarded, ["key", "list", "none", "list", "other"]))

    assert [results[0], results[2], results[4]] == [b"value", None, None]
    assert isinstance(results[1], StoreUnavailable)
    assert isinstance(results[3], StoreUnavailable)


async def test_a_call_that_cannot_be_sent_fails_alone(store):
    """A pipeline is encoded as a whole."""
    results: dict[str, object] = {}

    async def work(key: str) -> None:
        try:
            results[key] = await store.get(key)
        except UnicodeEncodeError as exc:
            results[key] = type(exc)

    async with anyio.create_task_group() as tasks:
        for key in ("key", "\ud800", "other"):
            tasks.start_soon(work, key)

    assert results == {"key": None, "\ud800": UnicodeEncodeError, "other": None}


async def test_a_lost_connection_fails_its_batch_and_no_later_call(server, store):
    """Nobody knows what of it was done; nothing is sent twice."""
    guarded = GuardedStore(store)
    adds = [partial(guarded.add, f"key{number}", b"value", lifetime=LONG) for number in range(PAGE_LOAD)]
    results: list[Any] = []
    with server.ask() as operator:
        operator.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        async with anyio.create_task_group() as tasks:
            await in_a_task(tasks, lambda: call_at_once(adds), results)
            await so_it_is(lambda: blocked(operator) == 1)
            operator.client_kill_filter(_type="normal", skipme=True)
        operator.execute_command("CLIENT", "UNPAUSE")

    after = await call_at_once(adds)

    assert [type(result) for result in results[0]] == [StoreUnavailable] * PAGE_LOAD
    assert [result.code for result in results[0]] == ["store_failed"] * PAGE_LOAD
    assert after == [True] * PAGE_LOAD


def blocked(operator: Any) -> int:
    """Count the connections whose commands wait."""
    return int(operator.info("clients")["blocked_clients"])


@pytest.mark.parametrize(
    ("count", "size", "batches"),
    [(2 * MAX_COMMANDS, 1, 2), (4, MAX_BYTES // 2, 2), (2, MAX_BYTES + 1, 2)],
    ids=["commands", "bytes", "larger than a batch"],
)
async def test_a_batch_is_bounded(count, size, batches, server, store):
    """The first of many calls does not wait for the answers to all."""
    adds = [partial(store.add, f"key{number}", bytes(size), lifetime=LONG) for number in range(count)]
    results: list[Any] = []
    with server.ask() as operator:
        operator.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        async with anyio.create_task_group() as tasks:
            await in_a_task(tasks, lambda: call_at_once(adds), results)
            await so_it_is(lambda: blocked(operator) >= batches)
            connections = blocked(operator)
            operator.execute_command("CLIENT", "UNPAUSE")

    assert connections == batches
    assert results == [[True] * count]
