"""A slow or hanging store delays requests only for a bounded time; on a clock that jumps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.stores.guarded_store import METHODS, SHORT_DEADLINE, GuardedStore
from asgi_oidc.stores.open_stores import CLOSE_DEADLINE
from tests.scripted_store import ScriptedStore
from tests.stores.test_guarded_store import CALLS, error_of

LONG = 60.0  # seconds


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time jumps to the next deadline as soon as nobody has anything to do."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


async def give_up() -> None:
    raise TimeoutError("after 5 s")


class SlowStore(ScriptedStore):
    """Answers `get` when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = anyio.Event()
        self.before["get"] = [self.go.wait] * 1000


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_is_bounded_in_time(method):
    """A store that hangs must not hang the site."""
    store = ScriptedStore()
    store.before[method] = [anyio.sleep_forever]

    error = await error_of(CALLS[method](GuardedStore(store, deadline=0.01)))

    assert (error.code, error.detail) == ("store_timeout", f"{method}: no answer within 0.01 s")


async def test_a_store_that_raises_its_own_timeout_counts_as_slow():
    """Clients have deadlines of their own."""
    store = ScriptedStore()
    store.before["get"] = [give_up]

    assert (await error_of(GuardedStore(store).get("key"))).code == "store_timeout"


async def test_a_request_that_goes_away_is_no_failure_of_the_store():
    """Cancelled is cancelled."""
    store = SlowStore()
    guarded = GuardedStore(store)

    with anyio.move_on_after(0.01) as scope:
        await guarded.get("key")

    store.go.set()
    assert scope.cancelled_caught
    assert await guarded.get("key") is None


async def slow_guarded_store() -> tuple[SlowStore, GuardedStore]:
    """Make a guarded store that knows its store as slow."""
    store = SlowStore()
    guarded = GuardedStore(store, deadline=LONG)
    store.before["get"].insert(0, give_up)
    assert (await error_of(guarded.get("key"))).code == "store_timeout"
    return store, guarded


async def test_while_a_store_is_slow_one_request_probes_it_and_others_fail_fast():
    """Else every request of the site would hang for the whole deadline."""
    store, guarded = await slow_guarded_store()
    began = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(guarded.get, "finds out")
        await anyio.wait_all_tasks_blocked()
        errors = [await error_of(guarded.get("key")) for _ in range(3)]
        waited = anyio.current_time() - began
        store.go.set()

    assert [error.code for error in errors] == ["store_timeout"] * 3
    assert waited == pytest.approx(3 * SHORT_DEADLINE, abs=0.01)


async def test_once_a_store_answers_again_all_requests_wait_normally():
    """Whoever found out tells the others."""
    store, guarded = await slow_guarded_store()
    store.go.set()
    assert await guarded.get("key") is None
    late = anyio.Event()
    store.before["get"] = [late.wait, late.wait]
    results: list[object] = []

    async def get() -> None:
        results.append(await guarded.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        group.start_soon(get)
        await anyio.sleep(SHORT_DEADLINE * 1.5)
        late.set()

    assert results == [None, None]


async def test_a_fast_failing_request_that_is_answered_ends_the_slow_state():
    """It need not be the one that waits longest."""
    store, guarded = await slow_guarded_store()
    finds_out, late = anyio.Event(), anyio.Event()
    store.before["get"] = [finds_out.wait]
    results: list[object] = []

    async def get() -> None:
        results.append(await guarded.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        await anyio.wait_all_tasks_blocked()
        await get()
        store.before["get"] = [late.wait]
        group.start_soon(get)
        await anyio.sleep(SHORT_DEADLINE * 1.5)
        late.set()
        finds_out.set()

    assert results == [None, None, None]


async def test_when_the_probing_request_is_cancelled_the_next_one_probes():
    """A browser that hangs up must not leave everybody impatient for ever."""
    store, guarded = await slow_guarded_store()
    with anyio.move_on_after(0.01):
        await guarded.get("finds out")
    results: list[object] = []

    async def get() -> None:
        results.append(await guarded.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        await anyio.sleep(SHORT_DEADLINE * 1.5)
        store.go.set()

    assert results == [None]


async def test_a_failure_does_not_make_a_store_slow():
    """What fails at once holds nobody up."""
    store = SlowStore()
    store.broken = {"add"}
    guarded = GuardedStore(store, deadline=LONG)
    results: list[object] = []

    async def get() -> None:
        results.append(await guarded.get("key"))

    for _ in range(2):
        assert (await error_of(guarded.add("key", b"x", lifetime=1))).code == "store_failed"
    async with anyio.create_task_group() as group:
        group.start_soon(get)
        group.start_soon(get)
        await anyio.sleep(SHORT_DEADLINE * 1.5)
        store.go.set()

    assert results == [None, None]


class Hanging(ScriptedStore):
    """Never gets its connections open, or never closed."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.when = when

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.when == "opening":
            await anyio.sleep_forever()
        yield
        await anyio.sleep_forever()


@pytest.mark.parametrize("when", ["opening", "closing"])
async def test_a_store_that_hangs_holds_up_neither_start_nor_end(when):
    """The app starts without it, and ends without it."""
    with anyio.fail_after(CLOSE_DEADLINE + 2):
        async with GuardedStore(Hanging(when)).running():
            await anyio.wait_all_tasks_blocked()
            has_run = True

    assert has_run
