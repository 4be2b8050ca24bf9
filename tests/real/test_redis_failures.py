"""Failures of a real Redis behind `GuardedStore`: right answers, or `StoreUnavailable` in time."""

import gc
import secrets
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_oidc import RedisStore
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore
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
from tests.real.store_calls import (
    DEADLINE,
    LONG,
    SOON,
    are_unavailable,
    ask,
    call_at_once,
    gets,
    read_at_once,
    until,
    values,
    write,
)

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


@pytest.mark.parametrize("where", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/mymaster"])
async def test_an_app_starts_while_no_server_is_there(where):
    """Pages that need no session are served, and every call ends soon."""
    guarded = GuardedStore(RedisStore(where.format(f"{LOOPBACK}:{free_port()}")))

    async with guarded.running():
        answers = await call_at_once([*gets(guarded, "abc"), lambda: guarded.add("key", b"value", lifetime=LONG)])

    assert are_unavailable(answers)


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
