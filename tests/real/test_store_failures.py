"""Failures of real servers behind `GuardedStore`: right answers, or `StoreUnavailable` in time."""

import gc
import random
import time
from collections.abc import Iterator
from functools import partial

import anyio
import pytest

from asgi_oidc.settings.value_checks import read_store
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.postgres_url import POOL_SIZE
from asgi_oidc.stores.redis_batches import MAX_AT_ONCE
from tests.real.postgres_server import PostgresServer, postgres_that_is_down
from tests.real.redis_server import RedisServer, redis_that_is_down
from tests.real.store_calls import (
    LONG,
    SOON,
    are_unavailable,
    ask,
    call_at_once,
    gets,
    read_at_once,
    so_it_is,
    until,
    values,
    write,
)

GETS = 2000  # that are cancelled at random
CALLERS = 50

pytestmark = pytest.mark.real


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The clients differ."""
    return str(request.param)


@pytest.fixture(autouse=True)
def rubbish() -> Iterator[None]:
    """What a client left unclosed belongs to the test that did it."""
    yield
    gc.collect()


async def _call_and_leave(guarded: GuardedStore, patience: float) -> None:
    with anyio.move_on_after(patience):
        await ask(lambda: guarded.get("nothing"))


class StoreFailures:
    """What happens to a server must not happen to the app. A subclass has the fixture `server`."""

    most_connections: int  # of one store

    @pytest.mark.parametrize("is_running", [True, False], ids=["running", "mounted"])
    async def test_a_server_that_comes_later_is_used_without_a_restart(self, server, is_running):
        """Containers start in any order; a mounted app never hears that it runs."""
        store = read_store(server.url)
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

    async def test_a_server_that_hangs_holds_nobody_longer_than_the_deadline(self, server):
        """When it goes on, the answers are those to the questions."""
        with server.run():
            guarded = GuardedStore(read_store(server.url))
            async with guarded.running():
                keys = await write(guarded, 20)
                server.pause()
                hung = await call_at_once(gets(guarded, keys * 5))
                server.go_on()
                answers = await read_at_once(guarded, keys * 5)

        assert are_unavailable(hung)
        assert answers == values(keys * 5)

    async def test_a_write_that_got_no_answer_is_whole_or_was_not_done(self, server):
        """Nobody knows which; but it is not done twice, and never in part."""
        with server.run():
            guarded = GuardedStore(read_store(server.url))
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

    async def test_a_server_that_is_killed_is_used_again_on_the_same_port(self, server):
        """Under load: every answer is right, and who asks in between is told so."""
        guarded = GuardedStore(read_store(server.url))
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

    async def test_gets_that_are_cancelled_at_any_time_give_nobody_a_wrong_answer(self, server):
        """A connection that goes back with an answer on its way would hand one user's session to another."""
        dice = random.Random(11)
        wrong: list[object] = []
        counts = {"answered": 0, "cancelled": 0}
        with server.run():
            guarded = GuardedStore(read_store(server.url))
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
                connections = server.count_connections()

        assert wrong == []
        assert after == values(keys * 4)
        assert connections <= self.most_connections

    async def test_cancelled_callers_release_their_connections(self, server):
        """A client that is cancelled while it connects may lose a place in its pool each time."""
        dice = random.Random(3)
        with server.run():
            guarded = GuardedStore(read_store(server.url))
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


class TestRedis(StoreFailures):
    """It keeps what it has over a restart."""

    most_connections = MAX_AT_ONCE

    @pytest.fixture
    def server(self) -> Iterator[RedisServer]:
        with redis_that_is_down("--appendonly", "yes", "--appendfsync", "always") as down:
            yield down


class TestPostgres(StoreFailures):
    """As Debian packages it."""

    most_connections = POOL_SIZE

    @pytest.fixture
    def server(self) -> Iterator[PostgresServer]:
        with postgres_that_is_down() as down:
            yield down
