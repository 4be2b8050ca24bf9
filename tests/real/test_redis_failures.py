"""Failures of a real Redis behind `GuardedStore`: right answers, or `StoreUnavailable` in time."""

import gc
import random
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_oidc import RedisStore
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.redis_limits import MAX_AT_ONCE
from tests.real.processes import free_port, wait_until
from tests.real.redis_server import (
    LOOPBACK,
    RedisServer,
    cluster_url,
    redis_cluster,
    redis_that_is_down,
    sentinel,
    sentinel_url,
)

LONG = 600.0  # seconds
DEADLINE = 2.0  # seconds that the door waits for one answer
SLACK = 8.0  # seconds that a busy machine may take longer
SOON = 20.0  # seconds in which a store is right again when its server is
GETS = 2000  # that are cancelled at random
CALLERS = 50
ROUNDS = 15

pytestmark = pytest.mark.real


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Two clients, one for each."""
    return str(request.param)


@pytest.fixture(autouse=True)
def rubbish() -> Iterator[None]:
    """What a client left unclosed belongs to the test that did it."""
    yield
    gc.collect()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server to be hurt; it keeps what it has over a restart, and does not run yet."""
    with redis_that_is_down("--appendonly", "yes", "--appendfsync", "always") as down:
        yield down


async def ask(call: Callable[[], Awaitable[Any]], *, within: float = DEADLINE + SLACK) -> Any:
    """Return the answer or `StoreUnavailable`; another error, or one that comes late, fails the test."""
    with anyio.fail_after(within):
        try:
            return await call()
        except StoreUnavailable as exc:
            return exc


async def call_at_once(calls: Iterable[Callable[[], Awaitable[Any]]], *, within: float = DEADLINE + SLACK) -> list[Any]:
    """Ask all at once; return answers and errors in order."""
    answers: dict[int, Any] = {}

    async def work(number: int, call: Callable[[], Awaitable[Any]]) -> None:
        answers[number] = await ask(call, within=within)

    async with anyio.create_task_group() as tasks:
        for number, call in enumerate(calls):
            tasks.start_soon(work, number, call)
    return [answers[number] for number in sorted(answers)]


async def until(call: Callable[[], Awaitable[Any]], expected: object) -> Any:
    """Ask until it works, and return what came; an answer that is wrong fails the test."""
    with anyio.fail_after(SOON):
        while (answer := await ask(call)) != expected:
            assert isinstance(answer, StoreUnavailable), answer
            await anyio.sleep(0.05)
    return answer


async def read_at_once(guarded: GuardedStore, keys: Sequence[str]) -> list[Any]:
    """Read keys at once, each until it works: a deadline may be too short for a busy machine."""
    return await call_at_once([partial(until, partial(guarded.get, key), key.encode()) for key in keys], within=SOON)


async def so_it_is(condition: Callable[[], object]) -> None:
    """Look again and again until something is so."""
    with anyio.fail_after(SOON):
        while not condition():  # noqa: ASYNC110  # nobody sets an event
            await anyio.sleep(0.01)


def are_unavailable(answers: Iterable[object]) -> bool:
    """Say whether nothing was answered."""
    return all(isinstance(answer, StoreUnavailable) for answer in answers)


def gets(guarded: GuardedStore, keys: Iterable[str]) -> list[Callable[[], Awaitable[Any]]]:
    """Make calls that read keys."""
    return [partial(guarded.get, key) for key in keys]


async def write(guarded: GuardedStore, count: int) -> list[str]:
    """Write keys that have themselves as values."""
    keys = [f"key{number}" for number in range(count)]
    await until(lambda: guarded.add(keys[0], keys[0].encode(), lifetime=LONG), True)
    for key in keys[1:]:
        await ask(partial(guarded.add, key, key.encode(), lifetime=LONG))
        await until(partial(guarded.get, key), key.encode())
    return keys


def values(keys: Iterable[str]) -> list[bytes]:
    """Say what `write` wrote."""
    return [key.encode() for key in keys]


@pytest.mark.parametrize("where", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/mymaster"])
async def test_an_app_starts_while_no_server_is_there(where):
    """Pages that need no session are served, and every call ends soon."""
    guarded = GuardedStore(RedisStore(where.format(f"{LOOPBACK}:{free_port()}")))

    async with guarded.running():
        answers = await call_at_once([*gets(guarded, "abc"), lambda: guarded.add("key", b"value", lifetime=LONG)])

    assert are_unavailable(answers)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "mounted"])
async def test_a_server_that_comes_later_is_used_without_a_restart(server, is_running):
    """Containers start in any order; a mounted app never hears that it runs."""
    store = RedisStore(server.url)
    guarded = GuardedStore(store)

    async def work() -> object:
        down = await ask(lambda: guarded.get("key"))
        with server.run():
            await until(lambda: guarded.add("key", b"value", lifetime=LONG), True)
            await until(lambda: guarded.get("key"), b"value")
        return down

    if is_running:
        async with guarded.running():
            down = await work()
    else:
        down = await work()
        async with guarded.running():
            pass  # it hangs up

    assert are_unavailable([down])


async def test_a_server_that_hangs_holds_nobody_longer_than_the_deadline(server):
    """When it goes on, the answers are those to the questions."""
    with server.run():
        guarded = GuardedStore(RedisStore(server.url))
        async with guarded.running():
            keys = await write(guarded, 20)
            server.pause()
            hung = await call_at_once(gets(guarded, keys * 5))
            server.go_on()
            answers = await read_at_once(guarded, keys * 5)

    assert are_unavailable(hung)
    assert answers == values(keys * 5)


async def test_a_write_that_got_no_answer_is_whole_or_was_not_done(server):
    """Nobody knows which; but it is not done twice, and never in part."""
    with server.run():
        guarded = GuardedStore(RedisStore(server.url))
        async with guarded.running():
            await write(guarded, 2)
            server.pause()
            unknown = await call_at_once(
                [
                    lambda: guarded.add("added", b"new", lifetime=LONG),
                    lambda: guarded.replace("key0", b"key0", b"new", lifetime=LONG),
                    lambda: guarded.remove("key1"),
                    lambda: guarded.link("index", "member", lifetime=LONG, most=1),
                ]
            )
            server.go_on()
            await until(lambda: guarded.get("nothing"), None)
            after = await call_at_once([*gets(guarded, ["added", "key0", "key1"]), lambda: guarded.linked("index")])

    assert are_unavailable(unknown)
    assert after[0] in (None, b"new")
    assert after[1] in (b"key0", b"new")
    assert after[2] in (None, b"key1")
    assert after[3] in ([], ["member"])


async def test_a_server_that_is_killed_is_used_again_on_the_same_port(server):
    """Under load: every answer is right, and who asks in between is told so."""
    guarded = GuardedStore(RedisStore(server.url))
    answers: list[object] = []

    async def load(key: str) -> None:
        while True:
            answer = await ask(lambda: guarded.get(key))
            answers.append(answer == key.encode() or answer)
            await anyio.sleep(0.005)

    async with guarded.running(), anyio.create_task_group() as tasks:
        with server.run():
            keys = await write(guarded, 20)
            for key in keys:
                tasks.start_soon(load, key)
            await so_it_is(lambda: answers.count(True) > len(keys))
            server.kill()
        await so_it_is(lambda: any(answer is not True for answer in answers))
        with server.run():
            right = await read_at_once(guarded, keys)
            tasks.cancel_scope.cancel()

    assert right == values(keys)
    assert are_unavailable(answer for answer in answers if answer is not True)


async def test_a_server_that_is_full_goes_on_reading():
    """Nobody is signed out by those who come; and who signs out makes room."""
    limits = ("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    with redis_that_is_down(*limits) as server, server.run():
        guarded = GuardedStore(RedisStore(server.url))
        async with guarded.running():
            await until(lambda: guarded.add("first", b"value", lifetime=LONG), True)
            outcomes = [
                await ask(partial(guarded.add, f"large{number}", bytes(64 * 1024), lifetime=LONG))
                for number in range(100)
            ]
            written = outcomes.index(next(filter(lambda outcome: outcome is not True, outcomes)))
            read = await ask(lambda: guarded.get("first"))
            removed = [await ask(partial(guarded.remove, f"large{number}")) for number in range(written)]
            again = await ask(lambda: guarded.add("again", b"value", lifetime=LONG))

    assert written > 5
    assert are_unavailable(outcomes[-1:])
    assert (read, set(removed), again) == (b"value", {True}, True)


@pytest.mark.parametrize("where", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/mymaster"])
async def test_a_wrong_password_is_nowhere_in_the_error(where, server):
    """Errors end in logs, with all their causes."""
    password = secrets.token_hex(12)
    with server.run(), server.ask() as operator:
        operator.config_set("requirepass", secrets.token_hex(12))
        url = where.format(f"app:{password}@{LOOPBACK}:{server.port}")
        guarded = GuardedStore(RedisStore(url))
        async with guarded.running():
            refused = [await ask(lambda: guarded.get("key")) for _ in range(2)]

    assert are_unavailable(refused)
    texts = "".join("".join(traceback.format_exception(each)) for each in refused)
    assert "StoreUnavailable" in texts
    assert password not in f"{texts} {refused!r} {guarded!r}"


async def test_gets_that_are_cancelled_at_any_time_give_nobody_a_wrong_answer(server):
    """A connection that goes back with an answer on its way would hand one user's session to another."""
    dice = random.Random(11)
    wrong: list[object] = []
    counts = {"answered": 0, "cancelled": 0}
    with server.run(), server.ask() as operator:
        guarded = GuardedStore(RedisStore(server.url))
        async with guarded.running():
            keys = await write(guarded, CALLERS)
            await call_at_once(gets(guarded, keys))
            began = time.monotonic()
            await call_at_once(gets(guarded, keys))
            usual = time.monotonic() - began

            async def work(key: str) -> None:
                while sum(counts.values()) < GETS or min(counts.values()) < GETS // 50:
                    with anyio.move_on_after(usual * 2 ** dice.uniform(-4, 2)) as scope:
                        answer = await guarded.get(key)
                        counts["answered"] += 1
                        if answer != key.encode():
                            wrong.append((key, answer))
                    counts["cancelled"] += scope.cancelled_caught

            with anyio.fail_after(3 * SOON):
                async with anyio.create_task_group() as tasks:
                    for key in keys:
                        tasks.start_soon(work, key)
            after = await read_at_once(guarded, keys * 4)
            connections = len(operator.client_list()) - 1

    assert wrong == []
    assert after == values(keys * 4)
    assert connections <= MAX_AT_ONCE


async def test_cancelled_callers_release_their_connections(server):
    """A client that is cancelled while it connects may lose a place in its pool each time."""
    dice = random.Random(3)
    with server.run():
        guarded = GuardedStore(RedisStore(server.url))
        async with guarded.running():
            server.pause()
            for _ in range(6):
                async with anyio.create_task_group() as tasks:
                    for _ in range(100):
                        tasks.start_soon(_call_and_leave, guarded, dice.uniform(0, 0.05))
            server.go_on()
            await until(lambda: guarded.get("nothing"), None)
            calls = [partial(until, partial(guarded.get, "nothing"), None)] * 200
            answers = await call_at_once(calls, within=SOON)

    assert answers == [None] * 200


async def _call_and_leave(guarded: GuardedStore, patience: float) -> None:
    with anyio.move_on_after(patience):
        await ask(lambda: guarded.get("nothing"))


async def test_a_node_of_a_cluster_that_dies_takes_its_own_keys_only():
    """Two thirds of the users notice nothing once the client has looked again."""
    with redis_cluster() as nodes:
        guarded = GuardedStore(RedisStore(cluster_url(nodes)))
        async with guarded.running():
            keys = await write(guarded, 60)
            lost, others = split(keys, nodes[0])
            nodes[0].kill()

            at_first = await call_at_once(gets(guarded, keys))
            await read_at_once(guarded, others)
            down = await call_at_once(gets(guarded, lost))
            served = await read_at_once(guarded, others * 3)

    assert are_right_or_unavailable(at_first, keys)
    assert are_unavailable(down)
    assert served == values(others * 3)


async def test_a_node_of_a_cluster_that_hangs_holds_its_own_users_only():
    """A client that asks it where the keys are would let everybody wait."""
    with redis_cluster() as nodes:
        guarded = GuardedStore(RedisStore(cluster_url(nodes)))
        async with guarded.running():
            keys = await write(guarded, 60)
            lost, others = split(keys, nodes[0])
            nodes[0].pause()

            hung, served = await call_in_rounds(guarded, lost, others)
            nodes[0].go_on()
            answers = await read_at_once(guarded, keys * 2)

    assert are_unavailable(hung)
    assert are_right_or_unavailable(served, others * ROUNDS)
    late = [answer for answer in served if isinstance(answer, StoreUnavailable)]
    assert len(late) < len(served) / 4  # a bad moment of the machine is not the rule
    assert answers == values(keys * 2)


async def call_in_rounds(guarded: GuardedStore, hung: list[str], others: list[str]) -> tuple[list[Any], list[Any]]:
    """Ask for keys that are served again and again, while others hang."""
    from_hung: list[Any] = []
    served: list[Any] = []
    async with anyio.create_task_group() as tasks:
        for key in hung:
            tasks.start_soon(_call_into, from_hung, partial(guarded.get, key))
        for _ in range(ROUNDS):
            served += await call_at_once(gets(guarded, others))
            await anyio.sleep(DEADLINE * 1.3 / ROUNDS)
    return from_hung, served


async def _call_into(answers: list[Any], call: Callable[[], Awaitable[Any]]) -> None:
    answers.append(await ask(call))


def split(keys: list[str], node: RedisServer) -> tuple[list[str], list[str]]:
    """Tell the keys that are on a node from the others."""
    with node.ask() as client:
        there = set(client.keys("*"))
    lost = [key for key in keys if f"asgi-oidc:{key}".encode() in there]
    others = [key for key in keys if key not in lost]
    assert min(len(lost), len(others)) > 5
    return lost, others


def are_right_or_unavailable(answers: Iterable[object], keys: Iterable[str]) -> bool:
    """Say whether no answer is a wrong one."""
    pairs = zip(answers, values(keys), strict=True)
    return all(answer == value or isinstance(answer, StoreUnavailable) for answer, value in pairs)


async def test_a_server_that_restarts_behind_its_sentinel_is_used_again(server):
    """Nobody takes its place; the sentinel names the same one, before and after."""
    with server.run(), sentinel(server) as watcher:
        guarded = GuardedStore(RedisStore(sentinel_url(watcher)))
        async with guarded.running():
            keys = await write(guarded, 10)
            server.kill()
            down = await call_at_once(gets(guarded, keys))
            with server.run():
                await read_at_once(guarded, keys)
                # Until then it names nobody to a connection that is new.
                wait_until(lambda: names_a_primary(watcher), "the sentinel has seen that it is back", within=SOON)
                answers = await read_at_once(guarded, keys * 10)

    assert are_unavailable(down)
    assert answers == values(keys * 10)


def names_a_primary(watcher: RedisServer) -> bool:
    """Say whether the sentinel sees nothing wrong with the server."""
    with watcher.ask() as client:
        return bool(client.sentinel_master("mymaster")["flags"] == "master")
