"""The Redis store on real servers: one, a cluster, one that a sentinel watches; on good days and on bad ones."""

import asyncio
import gc
import random
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_oidc import RedisStore
from asgi_oidc.stores.redis_batches import MAX_AT_ONCE
from asgi_oidc.testing import SessionStoreContract
from tests.real.certificates import Certificate
from tests.real.processes import free_port
from tests.real.redis_server import (
    LOOPBACK,
    RedisServer,
    cluster_url,
    redis,
    redis_cluster,
    redis_that_is_down,
    redis_with_sentinel,
    sentinel,
    sentinel_url,
)

LONG = 600.0  # seconds
PATIENCE = 20.0  # seconds for what does come about; a machine may be busy
IMPATIENCE = 0.5  # seconds for what does not
DEADLINE = 2.0  # seconds; our caller puts every call under it
HELD_UP = 8.0  # seconds in which whoever is held up by nobody has ended, also on a busy machine
# Debian has Valkey only in newer releases.
PROGRAMS = ["redis-server", *(name for name in ["valkey-server"] if shutil.which(name))]

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


@pytest.fixture(scope="module", params=PROGRAMS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """One server for all tests that do not hurt it."""
    with redis(program=request.param) as started:
        yield started


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    """Three nodes."""
    with redis_cluster() as servers:
        yield servers


@pytest.fixture(scope="module")
def watched() -> Iterator[str]:
    """The URL of a server that a sentinel watches."""
    with redis_with_sentinel() as (_, url):
        yield url


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server to be hurt; it keeps what it has over a restart, and does not run yet."""
    options = ("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")
    with redis_that_is_down(*options) as server:
        yield server


class TestOneServer(SessionStoreContract):
    """While the app runs."""

    short = 0.05

    @pytest.fixture
    async def store(self, server: RedisServer) -> AsyncIterator[RedisStore]:
        store = RedisStore(server.url)
        async with store.running():
            yield store


class TestWithoutLifespan(SessionStoreContract):
    """A mounted app gets no lifespan events, and coredis no task to live in."""

    short = 0.05

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    @pytest.fixture
    async def store(self, server: RedisServer) -> AsyncIterator[RedisStore]:
        store = RedisStore(server.url)
        yield store
        async with store.running():
            pass  # it hangs up


class TestCluster(SessionStoreContract):
    """Three nodes, each with a third of the keys."""

    short = 0.05

    @pytest.fixture
    async def store(self, cluster: Sequence[RedisServer]) -> AsyncIterator[RedisStore]:
        store = RedisStore(cluster_url(cluster))
        async with store.running():
            yield store


class TestSentinel(SessionStoreContract):
    """The sentinel says where the server is."""

    short = 0.05

    @pytest.fixture
    async def store(self, watched: str) -> AsyncIterator[RedisStore]:
        store = RedisStore(watched)
        async with store.running():
            yield store


async def asked(call: Callable[[], Awaitable[Any]], *, within: float = PATIENCE) -> Any:
    """Ask as our caller does, under a deadline; return the answer, or the error."""
    try:
        with anyio.fail_after(within):
            return await call()
    except Exception as exc:  # noqa: BLE001  # whatever it is, the caller looks at it
        return exc


async def until_right(call: Callable[[], Awaitable[Any]], expected: object) -> None:
    """Ask until the answer is right; anything but that or an error is a wrong one."""
    with anyio.fail_after(PATIENCE):
        while (answer := await asked(call)) != expected:
            assert isinstance(answer, Exception), answer
            await anyio.sleep(0.05)


async def at_once(
    calls: Sequence[Callable[[], Awaitable[Any]]], *, within: float = PATIENCE, together: bool = True
) -> list[Any]:
    """Ask all at once; return answers and errors in order.

    Args:
        together: all in one turn of the event loop, so that they go to the server together.
    """
    answers: list[Any] = [None] * len(calls)

    async def work(number: int) -> None:
        answers[number] = await asked(calls[number], within=within)

    async with anyio.create_task_group() as tasks:
        for number in range(len(calls)):
            tasks.start_soon(work, number)
            for _ in range(0 if together else 3):
                await anyio.lowlevel.checkpoint()
    return answers


def reads(store: RedisStore, count: int) -> list[Callable[[], Awaitable[Any]]]:
    """Make calls that read keys, none of which exists."""
    return [partial(store.get, f"none{number}") for number in range(count)]


async def until_open(store: RedisStore) -> None:
    """Wait until the client for the whole run is open and has connected."""
    await until_right(lambda: store.get("nothing"), None)


async def until(condition: Callable[[], object]) -> None:
    """Look again and again until something is so."""
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  # nobody sets an event
            await anyio.sleep(0.01)


def commands_of(server: RedisServer) -> dict[str, int]:
    """Count what a server was asked since the last look, without what the look itself takes."""
    with server.ask() as client:
        stats = client.info("commandstats")
        client.config_resetstat()
    counts = {name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in stats.items()}
    looks = ("info", "config|resetstat", "client|setinfo", "hello", "cluster", "ping", "select", "auth", "replconf")
    return {name: count for name, count in counts.items() if name not in looks}


# -- what a call costs


async def test_every_call_is_one_command(server):
    """One round trip each: a request with a session makes one."""
    store = RedisStore(server.url)
    async with store.running():
        await until_open(store)
        costs = {}
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "add": lambda: store.add("key", b"one", lifetime=LONG),
            "get": lambda: store.get("key"),
            "replace": lambda: store.replace("key", b"one", b"two", lifetime=LONG),
            "remove only": lambda: store.remove("key", only=b"one"),
            "remove": lambda: store.remove("key"),
            "link": lambda: store.link("index", "member", lifetime=LONG, most=5),
            "linked": lambda: store.linked("index"),
            "unlink": lambda: store.unlink("index", "member"),
        }
        for name, call in calls.items():
            commands_of(server)
            await call()
            costs[name] = commands_of(server)

    assert costs["get"] == {"get": 1}
    assert costs["add"] == {"set": 1}
    assert costs["remove"] == {"del": 1}
    for name in ("replace", "remove only", "link", "linked", "unlink"):
        assert costs[name].pop("eval") == 1, name
        assert set(costs[name]) <= {
            *("get", "set", "del", "time", "zadd", "zcard", "zrange", "zrangebyscore", "zrem"),
            *("zremrangebyscore", "zremrangebyrank", "pexpireat"),
        }


async def test_many_gets_are_as_many_commands(server, cluster):
    """No connection is checked, named or greeted again, on one server or on a cluster."""
    for url, servers in ((server.url, [server]), (cluster_url(cluster), cluster)):
        store = RedisStore(url)
        async with store.running():
            await until_open(store)
            for number in range(60):
                await store.get(f"key{number}")
            for each in servers:
                commands_of(each)
            for number in range(60):
                await store.get(f"key{number}")
        counts = [commands_of(each) for each in servers]

        assert sum(count.pop("get", 0) for count in counts) == 60
        assert not any(counts)


async def test_reads_of_one_key_of_a_cluster_at_once_are_one_command(cluster):
    """A page load reads one session."""
    store = RedisStore(cluster_url(cluster))
    async with store.running():
        await until_open(store)
        await store.add("page", b"one", lifetime=LONG)
        for each in cluster:
            commands_of(each)
        answers = await at_once([lambda: store.get("page")] * 30)
        counts = [commands_of(each) for each in cluster]

    assert answers == [b"one"] * 30
    assert sum(count.get("get", 0) for count in counts) == 1


async def test_a_cluster_is_asked_for_its_nodes_before_it_is_asked_for_keys(cluster):
    """The first requests come all at once; none goes astray, and none waits for a list of all that Redis can do."""
    for server in cluster:
        commands_of(server)
    name = free_port()  # the servers are shared with other tests
    store = RedisStore(cluster_url(cluster))
    async with store.running():
        answers = await at_once([partial(store.add, f"new{name}:{n}", b"one", lifetime=LONG) for n in range(300)])
    errors: list[str] = []
    connections = 0
    asked = [commands_of(server) for server in cluster]
    for server in cluster:
        with server.ask() as client:
            errors += client.info("errorstats")
            connections += client.info("stats")["total_connections_received"]

    assert answers == [True] * 300
    assert sum(one.pop("set") for one in asked) == 300
    assert not any("command" in one for one in asked)
    assert "errorstat_MOVED" not in errors
    assert connections < 200  # nobody opened a client of its own meanwhile


async def test_an_app_that_ends_leaves_the_connections_of_another(own):
    """Two apps in one process may share a store."""
    with own.run(), own.ask() as operator:
        store = RedisStore(own.url)
        async with store.running():
            await until_open(store)
            before = operator.info("stats")["total_connections_received"]
            async with store.running():
                await store.get("key")
            await store.get("key")
            after = operator.info("stats")["total_connections_received"]

    assert before == after


async def test_when_the_first_of_two_apps_ends_the_other_goes_on(server):
    """Its calls have a client as before, and errors of neither hit the other."""
    store = RedisStore(server.url)
    first_runs, first_ends, first_ended = anyio.Event(), anyio.Event(), anyio.Event()

    async def run_first() -> None:
        async with store.running():
            await store.get("key")
            first_runs.set()
            await first_ends.wait()
        first_ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_first)
        await first_runs.wait()
        async with store.running():
            first_ends.set()
            await first_ended.wait()
            answers = [await store.get("key") for _ in range(5)]

    assert answers == [None] * 5


async def test_connections_are_bounded(own):
    """However many wait; and each gets its answer."""
    with own.run(), own.ask() as watcher:
        store = RedisStore(own.url)
        async with store.running():
            await until_open(store)
            watcher.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
            calls = [partial(store.add, f"key{n}", b"%d" % n, lifetime=LONG) for n in range(300)]

            async def go_on() -> None:
                await until(lambda: watcher.info("clients")["blocked_clients"])
                await anyio.sleep(IMPATIENCE)  # all that want a connection of their own have one by then
                watcher.execute_command("CLIENT", "UNPAUSE")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(go_on)
                answers = await at_once(calls, together=False)
            connected = watcher.info("stats")["total_connections_received"]

    assert answers == [True] * 300
    assert connected <= MAX_AT_ONCE + 4  # what the test itself made, and a client that was opened before


# -- what lies on the server


async def test_every_key_expires(server):
    """Nothing is left behind, whoever forgets it."""
    store = RedisStore(server.url, prefix="expires:")
    async with store.running():
        await store.add("added", b"one", lifetime=LONG)
        await store.add("replaced", b"one", lifetime=5)
        await store.replace("replaced", b"one", b"two", lifetime=LONG)
        await store.link("index", "long", lifetime=LONG, most=2)
        await store.link("index", "short", lifetime=5, most=2)
        await store.link("unlinked", "a", lifetime=LONG, most=2)
        await store.link("unlinked", "b", lifetime=5, most=2)
        await store.unlink("unlinked", "a")
        await store.link("soon", "a", lifetime=5, most=2)

    with server.ask() as client:
        left = {key.decode(): client.pttl(key) / 1000 for key in client.scan_iter("expires:*")}

    assert set(left) == {f"expires:{name}" for name in ("added", "replaced", "index/index", "unlinked/index")} | {
        "expires:soon/index"
    }
    assert all(0 < seconds <= LONG for seconds in left.values())
    assert left["expires:index/index"] > LONG - 60
    assert left["expires:soon/index"] <= 5


async def test_an_index_holds_no_more_than_it_says(server):
    """Members that have ended are pruned, and an index without members is no key."""
    store = RedisStore(server.url, prefix="pruned:")
    async with store.running():
        await store.link("index", "ended", lifetime=0.05, most=5)
        await anyio.sleep(0.1)
        await store.link("index", "a", lifetime=LONG, most=5)
        await store.link("empty", "a", lifetime=LONG, most=5)
        await store.unlink("empty", "a")
        await store.link("nothing", "a", lifetime=LONG, most=0)

    with server.ask() as client:
        assert client.zrange("pruned:index/index", 0, -1) == [b"a"]
        assert client.keys("pruned:*") == [b"pruned:index/index"]


async def test_two_prefixes_share_a_server_without_conflict(server):
    """Two deployments, one Redis."""
    name = free_port()  # the servers are shared with other tests
    one, two = (RedisStore(server.url, prefix=f"{which}{name}:") for which in ("one", "two"))
    async with one.running(), two.running():
        await one.add("key", b"one", lifetime=LONG)
        await one.link("index", "member", lifetime=LONG, most=1)

        assert [await two.get("key"), list(await two.linked("index"))] == [None, []]
        assert await two.remove("key") is False
        assert await two.add("key", b"two", lifetime=LONG) is True
        assert list(await two.link("index", "other", lifetime=LONG, most=1)) == []
        assert [await one.get("key"), await one.linked("index")] == [b"one", ["member"]]


# -- callers that go away


@pytest.mark.parametrize("where", ["server", "cluster"])
async def test_a_call_that_is_cancelled_gives_nobody_a_wrong_answer(where, server, cluster):
    """Whenever that happens: while it connects, before, while and after it is sent; and no connection gets lost."""
    url = {"server": server.url, "cluster": cluster_url(cluster)}[where]
    store = RedisStore(url, prefix=f"cancelled{free_port()}:")
    counts = {"right": 0, "cancelled": 0}
    wrong: list[object] = []
    dice = random.Random(7)

    async def ask(number: int, patience: float) -> None:
        with anyio.move_on_after(patience) as scope:
            answer = await store.get(f"key{number}")
            counts["right"] += 1
            if answer != b"%d" % number:
                wrong.append((number, answer))
        counts["cancelled"] += scope.cancelled_caught

    async with store.running():
        for number in range(50):
            await store.add(f"key{number}", b"%d" % number, lifetime=LONG)
    usual = 0.05  # seconds for all, connections included
    async with store.running():
        for _ in range(20):
            async with anyio.create_task_group() as tasks:
                for number in range(200):
                    tasks.start_soon(ask, number % 50, dice.uniform(0, 2 * usual))
            began = time.monotonic()
            await at_once([partial(store.get, f"key{n % 50}") for n in range(200)])
            usual = time.monotonic() - began
            if min(counts.values()) > 100:  # when it happens, this machine decides
                break
        answers = await at_once([partial(store.get, f"key{n % 50}") for n in range(200)])

    assert wrong == []
    assert min(counts.values()) > 100
    assert answers == [b"%d" % (number % 50) for number in range(200)]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_is_cancelled_gives_nobody_a_wrong_answer(server, anyio_backend):
    """A server that does not know anyio cancels tasks."""
    store = RedisStore(server.url, prefix="tasks:")
    dice = random.Random(7)
    async with store.running():
        for number in range(50):
            await store.add(f"key{number}", b"%d" % number, lifetime=LONG)
        tasks = [asyncio.ensure_future(store.get(f"key{number % 50}")) for number in range(300)]
        for task in dice.sample(tasks, 100):
            await asyncio.sleep(dice.uniform(0, 0.0005))
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

    known = [(number % 50, answer) for number, answer in enumerate(answers) if isinstance(answer, bytes)]
    assert all(answer == b"%d" % number for number, answer in known)
    assert 200 <= len(known) < 300
    assert all(isinstance(answer, bytes | asyncio.CancelledError) for answer in answers)


# -- bad days


async def test_an_app_starts_while_the_server_is_down(own):
    """And goes on with it, without a restart, when it comes."""
    store = RedisStore(own.url)
    async with store.running():
        with anyio.fail_after(HELD_UP):
            downs = [await asked(lambda: store.get("key")) for _ in range(3)]
        with own.run():
            await until_right(lambda: store.get("key"), None)
            assert await store.add("key", b"one", lifetime=LONG) is True

    assert all(isinstance(down, Exception) for down in downs)


@pytest.mark.parametrize("kind", ["redis+cluster://{}", "redis+sentinel://{}/mymaster"])
async def test_an_app_starts_without_a_cluster_and_without_sentinels(kind):
    """Nobody is asked at start-up, and hanging up is no matter either."""
    store = RedisStore(kind.format(f"{LOOPBACK}:{free_port()},{LOOPBACK}:{free_port()}"))
    with anyio.fail_after(HELD_UP):
        async with store.running():
            downs = await at_once(reads(store, 20))

    assert all(isinstance(down, Exception) for down in downs)


async def test_a_sentinel_that_was_down_for_long_is_asked_again(own):
    """A client must not lose its places while nobody names a server."""
    with redis_that_is_down() as place:
        store = RedisStore(sentinel_url(place))
        async with store.running():
            downs = await at_once(reads(store, 200), within=IMPATIENCE, together=False)
            with own.run(), sentinel(own, port=place.port):
                await until_right(lambda: store.get("key"), None)
                answers = await at_once(reads(store, 100), together=False)

    assert all(isinstance(down, Exception) for down in downs)
    assert answers == [None] * 100


async def test_a_server_that_hangs_and_recovers(own):
    """Calls end with their callers' patience, with warm connections and new ones; then all is as before."""
    with own.run():
        store = RedisStore(own.url)
        async with store.running():
            await until_open(store)
            await store.add("key", b"one", lifetime=LONG)
            own.pause()
            hung = []
            with anyio.fail_after(HELD_UP):
                for _ in range(3):
                    with anyio.move_on_after(IMPATIENCE):
                        hung += await at_once(reads(store, 150), together=False)
            own.go_on()
            await until_right(lambda: store.get("key"), b"one")
            answers = await at_once([*reads(store, 200), lambda: store.get("key")], together=False)

    assert hung == []
    assert answers == [*[None] * 200, b"one"]


async def test_a_server_that_hung_at_the_start(own):
    """Its port was open, and nobody spoke."""
    with own.run():
        own.pause()
        store = RedisStore(own.url)
        async with store.running():
            with anyio.fail_after(HELD_UP):
                hung = await at_once(reads(store, 100), within=IMPATIENCE, together=False)
            own.go_on()
            await until_right(lambda: store.get("key"), None)
            answers = await at_once(reads(store, 100), together=False)

    assert all(isinstance(each, Exception) for each in hung)
    assert answers == [None] * 100


async def test_an_app_ends_while_the_server_hangs(own):
    """Deployments must not wait for it."""
    with own.run():
        store = RedisStore(own.url)
        ended = False
        with anyio.fail_after(HELD_UP):
            async with anyio.create_task_group() as tasks:
                async with store.running():
                    await until_open(store)
                    own.pause()
                    tasks.start_soon(asked, lambda: store.get("key"))
                    await anyio.lowlevel.checkpoint()
                ended = True
                tasks.cancel_scope.cancel()
        own.go_on()

    assert ended


async def test_a_server_that_is_killed_and_started_again_under_load(own):
    """No wrong answer, nobody stuck, and then right without a restart of the app."""
    store = RedisStore(own.url)
    answers: list[object] = []

    async def load(number: int) -> None:
        while True:
            answer = await asked(lambda: store.get(f"key{number}"), within=DEADLINE)
            answers.append(answer == b"%d" % number or answer)
            await anyio.sleep(0.01)

    async with store.running(), anyio.create_task_group() as tasks:
        with own.run():
            for number in range(20):
                await until_right(partial(store.add, f"key{number}", b"%d" % number, lifetime=LONG), True)
                tasks.start_soon(load, number)
            await until(lambda: len(answers) > 100)
            own.kill()
        await until(lambda: any(isinstance(answer, Exception) for answer in answers))
        with own.run():
            for number in range(20):
                await until_right(partial(store.get, f"key{number}"), b"%d" % number)
            right = await at_once([partial(store.get, f"key{n}") for n in range(20)])
            tasks.cancel_scope.cancel()

    assert right == [b"%d" % number for number in range(20)]
    assert all(answer is True or isinstance(answer, Exception) for answer in answers)


async def test_connections_that_the_server_closed_are_no_error(own):
    """It hangs up on those that are idle, and so do many networks."""
    with own.run(), own.ask() as operator:
        store = RedisStore(own.url)
        async with store.running():
            await until_open(store)
            await at_once(reads(store, 30), together=False)
            operator.client_kill_filter(_type="normal", skipme=True)
            await until(partial(_is_alone, operator))
            await anyio.sleep(0.05)  # the event loop looks at its connections

            answers = [await asked(partial(store.add, f"key{n}", b"1", lifetime=LONG)) for n in range(5)]

    assert answers == [True] * 5


async def test_connections_that_a_cluster_closed_are_no_error_for_those_who_read(cluster):
    """Its client does not see it before it asks; a write is not sent twice, and may fail once."""
    store = RedisStore(cluster_url(cluster))
    async with store.running():
        await until_open(store)
        await at_once([partial(store.get, f"none{number}") for number in range(60)])
        for server in cluster:
            with server.ask() as operator:
                operator.client_kill_filter(_type="normal", skipme=True)
                await until(partial(_is_alone, operator))
        await anyio.sleep(0.05)  # the event loop looks at its connections

        answers = [await asked(partial(store.get, f"none{number}")) for number in range(30)]

    assert answers == [None] * 30


async def test_a_full_server_still_reads(own):
    """People who are signed in go on, and signing out works."""
    with own.run(), own.ask() as operator:
        operator.config_set("maxmemory-policy", "noeviction")
        store = RedisStore(own.url)
        async with store.running():
            await until_open(store)
            for key in ("key", "other"):
                await store.add(key, b"one", lifetime=LONG)
            await store.link("index", "member", lifetime=LONG, most=5)
            operator.config_set("maxmemory", 1)

            refused = [
                await asked(lambda: store.add("new", b"one", lifetime=LONG)),
                await asked(lambda: store.replace("key", b"one", b"two", lifetime=LONG)),
                await asked(lambda: store.link("index", "new", lifetime=LONG, most=5)),
            ]
            read = [await asked(lambda: store.get("key")), await asked(lambda: store.linked("index"))]
            removed = [
                await asked(lambda: store.remove("key")),
                await asked(lambda: store.remove("other", only=b"one")),
            ]
            await store.unlink("index", "member")
            operator.config_set("maxmemory", 0)
            again = await asked(lambda: store.add("new", b"one", lifetime=LONG))

    assert all(isinstance(each, Exception) for each in refused)
    assert (read, removed, again) == ([b"one", ["member"]], [True, True], True)


async def test_a_wrong_password_is_an_error_until_it_is_right(own):
    """The server gets the right password."""
    with own.run(), own.ask() as operator:
        operator.execute_command("ACL", "SETUSER", "app", "on", ">another", "~*", "+@all")
        store = RedisStore(own.url.replace("redis://", "redis://app:s3cret@"))
        async with store.running():
            refused = [await asked(lambda: store.get("key")) for _ in range(3)]
            operator.execute_command("ACL", "SETUSER", "app", "on", ">s3cret")
            await until_right(lambda: store.get("key"), None)

    assert all(isinstance(each, Exception) for each in refused)
    assert "s3cret" not in f"{refused}"


async def test_a_node_of_a_cluster_that_dies_takes_its_own_keys_only(cluster):
    """The others go on; and when it is back, so are they all."""
    store = RedisStore(cluster_url(cluster))
    keys = [f"dies{number}" for number in range(30)]
    async with store.running():
        await until_open(store)
        for key in keys:
            await store.remove(key)
            assert await store.add(key, key.encode(), lifetime=LONG) is True
        lost = {key for key in keys if _is_on(cluster[0], key)}
        cluster[0].kill()

        for key in sorted(set(keys) - lost):
            await until_right(partial(store.get, key), key.encode())
        down = await at_once([partial(store.get, key) for key in keys])
        cluster[0].start_again()
        for key in sorted(lost):
            await until_right(partial(store.get, key), None)
        back = await at_once([partial(store.get, key) for key in keys])

    assert 0 < len(lost) < len(keys)
    for key, answer in zip(keys, down, strict=True):
        assert isinstance(answer, Exception) if key in lost else answer == key.encode()
    assert back == [None if key in lost else key.encode() for key in keys]


async def test_a_node_of_a_cluster_that_hangs_keeps_only_its_own_users_waiting(cluster):
    """However many those are; and the app does not ask it again and again who the others are."""
    store = RedisStore(cluster_url(cluster))
    keys = [f"hangs{number}" for number in range(60)]
    async with store.running():
        await until_open(store)
        for key in keys:
            await store.remove(key)
            assert await store.add(key, key.encode(), lifetime=LONG) is True
        lost = {key for key in keys if _is_on(cluster[0], key)}
        others = sorted(set(keys) - lost)
        served: list[object] = []
        began = time.monotonic()
        await at_once([partial(store.get, key) for key in others])
        usual = time.monotonic() - began  # seconds that this machine takes just now

        async def press(key: str) -> None:
            while True:
                await asked(partial(store.get, key), within=IMPATIENCE)

        async with anyio.create_task_group() as tasks:
            cluster[0].pause()
            for key in sorted(lost) * 10:
                tasks.start_soon(press, key)
            await anyio.sleep(IMPATIENCE)
            for _ in range(8):
                answers = await at_once([partial(store.get, key) for key in others], within=max(1.0, 20 * usual))
                served += [answer == key.encode() or answer for key, answer in zip(others, answers, strict=True)]
                await anyio.sleep(IMPATIENCE / 2)
            tasks.cancel_scope.cancel()
        cluster[0].go_on()
        for key in keys:
            await until_right(partial(store.get, key), key.encode())

    assert 0 < len(lost) < len(keys)
    late = [answer for answer in served if answer is not True]
    assert len(late) < len(served) / 4, late  # one bad moment of the machine is one round of eight


def _is_alone(operator: Any) -> bool:
    return len(operator.client_list(_type="normal")) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_commands_do_not_wait_while_a_cluster_is_asked_for_its_nodes(cluster, anyio_backend):
    """The node that is asked may be the one that hangs."""
    store: Any = RedisStore(cluster_url(cluster))
    async with store.running():
        await until_open(store)
        for server in cluster:
            server.pause()
        began = time.monotonic()
        error = await asked(partial(store.get, "key"))
        failed = time.monotonic()
        for _ in range(5):
            await store._backend()._loop().client.initialize()
        went_on = time.monotonic()
        for server in cluster:
            server.go_on()
        await until_right(partial(store.get, "key"), None)

    assert isinstance(error, Exception)
    assert not isinstance(error, TimeoutError)  # the client's own, so that it has begun to ask
    assert went_on - failed < failed - began  # five that do not wait, and one that waited


def _is_on(server: RedisServer, key: str) -> bool:
    with server.ask() as client:
        return any(found.decode() == f"asgi-oidc:{key}" for found in client.keys("*"))


async def test_a_slot_that_moves_is_followed(cluster):
    """A cluster that grows hands keys from node to node."""
    key = f"moves{free_port()}"
    store = RedisStore(cluster_url(cluster))
    async with store.running():
        await until_open(store)
        await store.add(key, b"one", lifetime=LONG)
        source = next(server for server in cluster if _is_on(server, key))
        target = next(server for server in cluster if server is not source)
        _move(f"asgi-oidc:{key}", source, target, cluster)

        assert await store.get(key) == b"one"
        assert await store.replace(key, b"one", b"two", lifetime=LONG) is True
        assert await store.remove(key, only=b"two") is True
        _move(f"asgi-oidc:{key}", target, source, cluster)


def _move(key: str, source: RedisServer, target: RedisServer, cluster: Sequence[RedisServer]) -> None:
    with source.ask() as old, target.ask() as new:
        slot = old.execute_command("CLUSTER", "KEYSLOT", key)
        old_id, new_id = (client.execute_command("CLUSTER", "MYID").decode() for client in (old, new))
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
        if keys := old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            old.execute_command("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *keys)
    for server in (target, source, *cluster):
        with server.ask() as client:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new_id)


async def test_the_sentinel_names_a_new_primary(own):
    """Connections to the old one are left."""
    with own.run(), redis("--replicaof", f"{LOOPBACK} {own.port}") as replica, sentinel(own) as watcher:
        _until_replicated(own)
        store = RedisStore(sentinel_url(watcher))
        async with store.running():
            await until_open(store)
            assert await store.add("key", b"one", lifetime=LONG) is True
            await until_right(lambda: _copied(replica), b"one")
            with watcher.ask() as client:
                await until_right(lambda: _failed_over(client), True)
            await until_right(lambda: _role(replica), "master")
            own.kill()

            await until_right(lambda: store.get("key"), b"one")
            await until_right(lambda: store.replace("key", b"one", b"two", lifetime=LONG), True)

        with replica.ask() as client:
            assert client.get("asgi-oidc:key") == b"two"


def _until_replicated(primary: RedisServer) -> None:
    assert primary.process is not None
    with primary.ask() as client:
        primary.process.wait_until(
            lambda: client.info("replication").get("slave0", {}).get("state") == "online", "the replica is there"
        )


async def _copied(replica: RedisServer) -> object:
    with replica.ask() as client:
        return client.get("asgi-oidc:key") or LookupError()


async def _failed_over(watcher: Any) -> object:
    watcher.execute_command("SENTINEL", "FAILOVER", "mymaster")  # it raises while the replica is not known
    return True


async def _role(server: RedisServer) -> object:
    with server.ask() as client:
        role = client.info("replication")["role"]
        return role if role == "master" else LookupError()


# -- other ways to the server


async def test_tls_is_for_the_server_that_was_named(certificate: Certificate, tmp_path):
    """A certificate of an unknown authority or for another name is refused."""
    port = free_port()
    files = (
        "--tls-cert-file",
        certificate.chain,
        "--tls-key-file",
        certificate.key,
        "--tls-ca-cert-file",
        certificate.ca,
    )
    options = ("--bind", LOOPBACK, "127.0.0.2", "--tls-port", str(port), "--tls-auth-clients", "no", *files)
    with redis(*options):
        urls = {
            "trusted": f"rediss://localhost:{port}?ssl_ca_certs={certificate.ca}",
            "unknown": f"rediss://localhost:{port}",
            "other name": f"rediss://127.0.0.2:{port}?ssl_ca_certs={certificate.ca}",
        }
        answers = {}
        for name, url in urls.items():
            store = RedisStore(url)
            async with store.running():
                answers[name] = await asked(partial(store.add, "key", b"one", lifetime=LONG))

    assert answers.pop("trusted") is True
    assert all(isinstance(answer, Exception) for answer in answers.values())


async def test_a_unix_socket_works_too(tmp_path):
    """The same machine needs no network; and a database may be named."""
    path = tmp_path / "redis.sock"
    with redis("--unixsocket", str(path)) as server:
        store = RedisStore(f"unix://{path}?db=3")
        async with store.running():
            assert await store.add("key", b"one", lifetime=LONG) is True
            assert await store.get("key") == b"one"

        with server.ask() as client:
            assert client.info("keyspace")["db3"]["keys"] == 1


async def test_an_error_of_the_app_passes_through_as_it_is(server):
    """Nothing wraps it."""
    store = RedisStore(server.url)

    with pytest.raises(LookupError, match="of the app"):
        async with store.running():
            raise LookupError("of the app")
