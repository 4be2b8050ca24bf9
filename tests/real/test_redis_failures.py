"""Bad days of a real Redis, through the door that the library uses: right answers, or `StoreUnavailable` in time."""

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
from asgi_oidc.stores.redis_calls import MAX_AT_ONCE
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


async def ask_at_once(calls: Iterable[Callable[[], Awaitable[Any]]], *, within: float = DEADLINE + SLACK) -> list[Any]:
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


async def read_at_once(door: GuardedStore, keys: Sequence[str]) -> list[Any]:
    """Read keys at once, each until it works: a deadline may be too short for a busy machine."""
    return await ask_at_once([partial(until, partial(door.get, key), key.encode()) for key in keys], within=SOON)


async def so_it_is(condition: Callable[[], object]) -> None:
    """Look again and again until something is so."""
    with anyio.fail_after(SOON):
        while not condition():  # noqa: ASYNC110  # nobody sets an event
            await anyio.sleep(0.01)


def are_unavailable(answers: Iterable[object]) -> bool:
    """Say whether nothing was answered."""
    return all(isinstance(answer, StoreUnavailable) for answer in answers)


def gets(door: GuardedStore, keys: Iterable[str]) -> list[Callable[[], Awaitable[Any]]]:
    """Make calls that read keys."""
    return [partial(door.get, key) for key in keys]


async def write(door: GuardedStore, count: int) -> list[str]:
    """Write keys that have themselves as values."""
    keys = [f"key{number}" for number in range(count)]
    await until(lambda: door.add(keys[0], keys[0].encode(), lifetime=LONG), True)
    for key in keys[1:]:
        await ask(partial(door.add, key, key.encode(), lifetime=LONG))
        await until(partial(door.get, key), key.encode())
    return keys


def values(keys: Iterable[str]) -> list[bytes]:
    """Say what `write` wrote."""
    return [key.encode() for key in keys]


@pytest.mark.parametrize("where", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/mymaster"])
async def test_an_app_starts_while_nobody_is_there(where):
    """Pages that need no session are served, and every call ends soon."""
    door = GuardedStore(RedisStore(where.format(f"{LOOPBACK}:{free_port()}")))

    async with door.running():
        answers = await ask_at_once([*gets(door, "abc"), lambda: door.add("key", b"value", lifetime=LONG)])

    assert are_unavailable(answers)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "mounted"])
async def test_a_server_that_comes_later_is_used_without_a_restart(server, is_running):
    """Containers start in any order; a mounted app never hears that it runs."""
    store = RedisStore(server.url)
    door = GuardedStore(store)

    async def work() -> object:
        down = await ask(lambda: door.get("key"))
        with server.run():
            await until(lambda: door.add("key", b"value", lifetime=LONG), True)
            await until(lambda: door.get("key"), b"value")
        return down

    if is_running:
        async with door.running():
            down = await work()
    else:
        down = await work()
        async with door.running():
            pass  # it hangs up

    assert are_unavailable([down])


async def test_a_server_that_hangs_holds_nobody_longer_than_the_deadline(server):
    """When it goes on, the answers are those to the questions."""
    with server.run():
        door = GuardedStore(RedisStore(server.url))
        async with door.running():
            keys = await write(door, 20)
            server.pause()
            hung = await ask_at_once(gets(door, keys * 5))
            server.go_on()
            answers = await read_at_once(door, keys * 5)

    assert are_unavailable(hung)
    assert answers == values(keys * 5)


async def test_a_write_that_got_no_answer_is_whole_or_was_not_done(server):
    """Nobody knows which; but it is not done twice, and never in part."""
    with server.run():
        door = GuardedStore(RedisStore(server.url))
        async with door.running():
            await write(door, 2)
            server.pause()
            unknown = await ask_at_once(
                [
                    lambda: door.add("added", b"new", lifetime=LONG),
                    lambda: door.replace("key0", b"key0", b"new", lifetime=LONG),
                    lambda: door.remove("key1"),
                    lambda: door.link("index", "member", lifetime=LONG, most=1),
                ]
            )
            server.go_on()
            await until(lambda: door.get("nothing"), None)
            after = await ask_at_once([*gets(door, ["added", "key0", "key1"]), lambda: door.linked("index")])

    assert are_unavailable(unknown)
    assert after[0] in (None, b"new")
    assert after[1] in (b"key0", b"new")
    assert after[2] in (None, b"key1")
    assert after[3] in ([], ["member"])


async def test_a_server_that_is_killed_is_used_again_on_the_same_port(server):
    """Under load: every answer is right, and who asks in between is told so."""
    door = GuardedStore(RedisStore(server.url))
    answers: list[object] = []

    async def load(key: str) -> None:
        while True:
            answer = await ask(lambda: door.get(key))
            answers.append(answer == key.encode() or answer)
            await anyio.sleep(0.005)

    async with door.running(), anyio.create_task_group() as tasks:
        with server.run():
            keys = await write(door, 20)
            for key in keys:
                tasks.start_soon(load, key)
            await so_it_is(lambda: answers.count(True) > len(keys))
            server.kill()
        await so_it_is(lambda: any(answer is not True for answer in answers))
        with server.run():
            right = await read_at_once(door, keys)
            tasks.cancel_scope.cancel()

    assert right == values(keys)
    assert are_unavailable(answer for answer in answers if answer is not True)


async def test_a_server_that_is_full_goes_on_reading():
    """Nobody is signed out by those who come; and who signs out makes room."""
    limits = ("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    with redis_that_is_down(*limits) as server, server.run():
        door = GuardedStore(RedisStore(server.url))
        async with door.running():
            await until(lambda: door.add("first", b"value", lifetime=LONG), True)
            outcomes = [
                await ask(partial(door.add, f"large{number}", bytes(64 * 1024), lifetime=LONG)) for number in range(100)
            ]
            written = outcomes.index(next(filter(lambda outcome: outcome is not True, outcomes)))
            read = await ask(lambda: door.get("first"))
            removed = [await ask(partial(door.remove, f"large{number}")) for number in range(written)]
            again = await ask(lambda: door.add("again", b"value", lifetime=LONG))

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
        door = GuardedStore(RedisStore(url))
        async with door.running():
            refused = [await ask(lambda: door.get("key")) for _ in range(2)]

    assert are_unavailable(refused)
    texts = "".join("".join(traceback.format_exception(each)) for each in refused)
    assert "StoreUnavailable" in texts
    assert password not in f"{texts} {refused!r} {door!r}"


async def test_gets_that_are_cancelled_at_any_time_give_nobody_a_wrong_answer(server):
    """A connection that goes back with an answer on its way would hand one user's session to another."""
    dice = random.Random(11)
    wrong: list[object] = []
    counts = {"answered": 0, "cancelled": 0}
    with server.run(), server.ask() as operator:
        door = GuardedStore(RedisStore(server.url))
        async with door.running():
            keys = await write(door, CALLERS)
            await ask_at_once(gets(door, keys))
            began = time.monotonic()
            await ask_at_once(gets(door, keys))
            usual = time.monotonic() - began

            async def work(key: str) -> None:
                while sum(counts.values()) < GETS or min(counts.values()) < GETS // 50:
                    with anyio.move_on_after(usual * 2 ** dice.uniform(-4, 2)) as scope:
                        answer = await door.get(key)
                        counts["answered"] += 1
                        if answer != key.encode():
                            wrong.append((key, answer))
                    counts["cancelled"] += scope.cancelled_caught

            with anyio.fail_after(3 * SOON):
                async with anyio.create_task_group() as tasks:
                    for key in keys:
                        tasks.start_soon(work, key)
            after = await read_at_once(door, keys * 4)
            connections = len(operator.client_list()) - 1

    assert wrong == []
    assert after == values(keys * 4)
    assert connections <= MAX_AT_ONCE


async def test_callers_who_leave_while_nobody_answers_leave_their_places(server):
    """A client that is cancelled while it connects may lose a place in its pool each time."""
    dice = random.Random(3)
    with server.run():
        door = GuardedStore(RedisStore(server.url))
        async with door.running():
            server.pause()
            for _ in range(6):
                async with anyio.create_task_group() as tasks:
                    for _ in range(100):
                        tasks.start_soon(_ask_and_leave, door, dice.uniform(0, 0.05))
            server.go_on()
            await until(lambda: door.get("nothing"), None)
            calls = [partial(until, partial(door.get, "nothing"), None)] * 200
            answers = await ask_at_once(calls, within=SOON)

    assert answers == [None] * 200


async def _ask_and_leave(door: GuardedStore, patience: float) -> None:
    with anyio.move_on_after(patience):
        await ask(lambda: door.get("nothing"))


async def test_a_node_of_a_cluster_that_dies_takes_its_own_keys_only():
    """Two thirds of the users notice nothing once the client has looked again."""
    with redis_cluster() as nodes:
        door = GuardedStore(RedisStore(cluster_url(nodes)))
        async with door.running():
            keys = await write(door, 60)
            lost, others = split(keys, nodes[0])
            nodes[0].kill()

            at_first = await ask_at_once(gets(door, keys))
            await read_at_once(door, others)
            down = await ask_at_once(gets(door, lost))
            served = await read_at_once(door, others * 3)

    assert are_right_or_unavailable(at_first, keys)
    assert are_unavailable(down)
    assert served == values(others * 3)


async def test_a_node_of_a_cluster_that_hangs_holds_its_own_users_only():
    """A client that asks it where the keys are would let everybody wait."""
    with redis_cluster() as nodes:
        door = GuardedStore(RedisStore(cluster_url(nodes)))
        async with door.running():
            keys = await write(door, 60)
            lost, others = split(keys, nodes[0])
            nodes[0].pause()

            hung, served = await ask_in_rounds(door, lost, others)
            nodes[0].go_on()
            answers = await read_at_once(door, keys * 2)

    assert are_unavailable(hung)
    assert are_right_or_unavailable(served, others * ROUNDS)
    late = [answer for answer in served if isinstance(answer, StoreUnavailable)]
    assert len(late) < len(served) / 4  # a bad moment of the machine is not the rule
    assert answers == values(keys * 2)


async def ask_in_rounds(door: GuardedStore, hung: list[str], others: list[str]) -> tuple[list[Any], list[Any]]:
    """Ask for keys that are served again and again, while others hang."""
    from_hung: list[Any] = []
    served: list[Any] = []
    async with anyio.create_task_group() as tasks:
        for key in hung:
            tasks.start_soon(_ask_into, from_hung, partial(door.get, key))
        for _ in range(ROUNDS):
            served += await ask_at_once(gets(door, others))
            await anyio.sleep(DEADLINE * 1.3 / ROUNDS)
    return from_hung, served


async def _ask_into(answers: list[Any], call: Callable[[], Awaitable[Any]]) -> None:
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
        door = GuardedStore(RedisStore(sentinel_url(watcher)))
        async with door.running():
            keys = await write(door, 10)
            server.kill()
            down = await ask_at_once(gets(door, keys))
            with server.run():
                await read_at_once(door, keys)
                # Until then it names nobody to a connection that is new.
                wait_until(lambda: names_a_primary(watcher), "the sentinel has seen that it is back", within=SOON)
                answers = await read_at_once(door, keys * 10)

    assert are_unavailable(down)
    assert answers == values(keys * 10)


def names_a_primary(watcher: RedisServer) -> bool:
    """Say whether the sentinel sees nothing wrong with the server."""
    with watcher.ask() as client:
        return bool(client.sentinel_master("mymaster")["flags"] == "master")
