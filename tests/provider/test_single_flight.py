"""One call per key at a time, whoever goes away in between, on asyncio and on trio."""

import anyio
import pytest

from asgi_oidc.single_flight import SingleFlight
from tests.provider.stage import all_at_once


class Work:
    """A call that counts, waits to be let go, and may fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = anyio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.calls += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.calls


async def test_many_waiters_make_one_call():
    """A hundred logins on a cold process ask the provider once."""
    flight, work = SingleFlight[int](), Work()

    async with anyio.create_task_group() as group:
        results: list[int] = []

        async def gather() -> None:
            results.extend(await all_at_once(100, lambda: flight.run("key", work)))

        group.start_soon(gather)
        await anyio.wait_all_tasks_blocked()
        assert flight.is_under_way("key")
        work.go.set()

    assert (results, work.calls, flight.is_under_way("key")) == ([1] * 100, 1, False)


async def test_a_failure_is_shared_and_not_kept():
    """Everybody who waited learns of it; the next one tries again."""
    flight, work = SingleFlight[int](), Work()
    work.go.set()
    work.error = ValueError("no")

    assert {type(result) for result in await all_at_once(5, lambda: flight.run("key", work))} == {ValueError}
    calls = work.calls
    work.error = None

    assert await flight.run("key", work) == calls + 1


async def test_waiters_share_one_failure():
    """One call, not one for each."""
    flight, work = SingleFlight[int](), Work()
    work.error = ValueError("no")
    results: list[object] = []

    async def gather() -> None:
        results.extend(await all_at_once(10, lambda: flight.run("key", work)))

    async with anyio.create_task_group() as group:
        group.start_soon(gather)
        await anyio.wait_all_tasks_blocked()
        work.go.set()

    assert (len(results), {type(result) for result in results}, work.calls) == (10, {ValueError}, 1)


async def test_when_the_first_is_cancelled_a_waiter_takes_over():
    """Nobody's disconnect is another one's error."""
    flight, work = SingleFlight[int](), Work()
    results: list[int] = []

    async def first(scope: anyio.CancelScope) -> None:
        with scope:
            await flight.run("key", work)

    async def gather() -> None:
        results.extend(await all_at_once(5, lambda: flight.run("key", work)))

    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(first, scope)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(gather)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        work.go.set()

    assert (results, work.calls) == ([2] * 5, 2)


async def test_a_waiter_that_is_cancelled_disturbs_nobody():
    """The call goes on for the others."""
    flight, work = SingleFlight[int](), Work()
    results: list[int] = []

    async def one(scope: anyio.CancelScope) -> None:
        with scope:
            results.append(await flight.run("key", work))

    async with anyio.create_task_group() as group:
        scopes = [anyio.CancelScope() for _ in range(3)]
        for scope in scopes:
            group.start_soon(one, scope)
            await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()
        await anyio.wait_all_tasks_blocked()
        work.go.set()

    assert (results, work.calls) == ([1, 1], 1)


async def test_keys_do_not_wait_for_each_other():
    """Two issuers, two calls."""
    flight, slow, fast = SingleFlight[int](), Work(), Work()
    fast.go.set()

    async with anyio.create_task_group() as group:
        group.start_soon(flight.run, "slow", slow)
        await anyio.wait_all_tasks_blocked()
        assert await flight.run("fast", fast) == 1
        slow.go.set()


def test_one_object_serves_several_loops():
    """Test clients make a new loop for each request; a lock of a dead loop would block for ever."""
    flight = SingleFlight[int]()

    async def once() -> int:
        work = Work()
        work.go.set()
        return await flight.run("key", work)

    async def cut_off() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await flight.run("key", Work())

    results = []
    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(cut_off, backend=backend)
        results.append(anyio.run(once, backend=backend))

    assert results == [1, 1, 1]


@pytest.mark.parametrize("kind", [KeyError, RuntimeError])
async def test_what_the_call_raises_comes_out_as_it_is(kind):
    """The caller knows what to do with it."""
    flight, work = SingleFlight[int](), Work()
    work.go.set()
    work.error = kind("x")

    with pytest.raises(kind):
        await flight.run("key", work)
