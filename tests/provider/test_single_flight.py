"""One call per key at a time, whoever goes away in between, on asyncio and on trio."""

import asyncio
import contextvars
import gc
import weakref

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import SingleFlight
from tests.provider.provider_caches import all_at_once


class Work:
    """A call that counts, waits to be let go, and may fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.ended = 0
        self.go = anyio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.calls += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        self.ended += 1
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


# --- calls that use something up


class Caller:
    """Somebody who waits for a call, and may go away."""

    def __init__(self, flight: SingleFlight[int], work: Work) -> None:
        self.scope = anyio.CancelScope()
        self.result: object = None
        self._flight, self._work = flight, work

    async def __call__(self) -> None:
        with self.scope:
            try:
                self.result = await self._flight.run_to_the_end("key", self._work)
            except ValueError as error:
                self.result = error


async def waiting(group: TaskGroup, callers: list[Caller]) -> None:
    """Start them all, and let each of them get to where it waits."""
    for caller in callers:
        group.start_soon(caller)
    await anyio.wait_all_tasks_blocked()


async def test_a_hundred_callers_make_one_call_to_the_end():
    """A refresh token is good for one use."""
    flight, work = SingleFlight[int](), Work()
    callers = [Caller(flight, work) for _ in range(100)]

    async with anyio.create_task_group() as group:
        await waiting(group, callers)
        assert flight.is_under_way("key")
        work.go.set()

    assert ([caller.result for caller in callers], work.calls, flight.is_under_way("key")) == ([1] * 100, 1, False)


@pytest.mark.parametrize("gone", [[0], [1, 2], range(5)], ids=["the first", "two waiters", "all"])
async def test_a_call_goes_to_the_end_whoever_goes_away(gone):
    """The rotated token is stored also when the browser hangs up, and the call is never made twice."""
    flight, work = SingleFlight[int](), Work()
    callers = [Caller(flight, work) for _ in range(5)]

    async with anyio.create_task_group() as group:
        await waiting(group, callers)
        for number in gone:
            callers[number].scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert flight.is_under_way("key")
        late = Caller(flight, work)
        await waiting(group, [late])
        work.go.set()

    assert late.result == 1
    assert [caller.result for caller in callers] == [None if number in gone else 1 for number in range(5)]
    assert (work.calls, work.ended, flight.is_under_way("key")) == (1, 1, False)


async def test_a_call_goes_to_the_end_when_all_are_gone_for_good():
    """Nobody is left who could end it, and nobody has to."""
    flight, work = SingleFlight[int](), Work()
    callers = [Caller(flight, work) for _ in range(3)]
    async with anyio.create_task_group() as group:
        await waiting(group, callers)
        group.cancel_scope.cancel()

    work.go.set()
    await flight.drained()

    assert (work.calls, work.ended, flight.is_under_way("key")) == (1, 1, False)


async def test_a_call_to_the_end_is_not_stopped_by_a_caller_whose_time_is_over():
    """Deadlines of the caller are not the call's."""
    flight, work = SingleFlight[int](), Work()

    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await flight.run_to_the_end("key", work)

    work.go.set()
    assert await flight.run_to_the_end("key", work) == 1
    assert work.calls == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_call_goes_to_the_end_when_asyncio_cancels_its_callers(anyio_backend):
    """Servers on asyncio cancel a request's task by itself, without anyio."""
    flight, work = SingleFlight[int](), Work()
    tasks = [asyncio.create_task(flight.run_to_the_end("key", work)) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()

    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    work.go.set()
    await flight.drained()

    assert {type(end) for end in ends} == {asyncio.CancelledError}
    assert (work.calls, work.ended, flight.is_under_way("key")) == (1, 1, False)


async def test_a_failure_at_the_end_reaches_everybody_and_is_not_kept():
    """The next one tries again."""
    flight, work = SingleFlight[int](), Work()
    work.error = ValueError("no")
    callers = [Caller(flight, work) for _ in range(10)]

    async with anyio.create_task_group() as group:
        await waiting(group, callers)
        callers[0].scope.cancel()
        await anyio.wait_all_tasks_blocked()
        work.go.set()

    assert [caller.result for caller in callers] == [None, *[work.error] * 9]
    work.error = None
    assert await flight.run_to_the_end("key", work) == 2


async def test_a_failure_that_nobody_waits_for_harms_nobody():
    """It is not an error of the event loop either."""
    flight, work = SingleFlight[int](), Work()
    work.error = ValueError("no")
    caller = Caller(flight, work)
    async with anyio.create_task_group() as group:
        await waiting(group, [caller])
        group.cancel_scope.cancel()

    work.go.set()
    await flight.drained()
    work.error = None

    assert await flight.run_to_the_end("key", work) == 2


async def test_draining_waits_for_every_call_and_for_those_that_start_meanwhile():
    """A process that stops first finishes what it has begun."""
    flight, one, two = SingleFlight[int](), Work(), Work()
    order: list[str] = []

    async def first() -> int:
        await one.go.wait()
        order.append("one")
        group.start_soon(flight.run_to_the_end, "two", second)
        await anyio.lowlevel.checkpoint()
        return 1

    async def second() -> int:
        await two.go.wait()
        order.append("two")
        return 2

    async def wait() -> None:
        await flight.drained()
        order.append("landed")

    async with anyio.create_task_group() as group:
        group.start_soon(flight.run_to_the_end, "one", first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert order == []
        one.go.set()
        await anyio.wait_all_tasks_blocked()
        assert order == ["one"]
        two.go.set()

    assert order == ["one", "two", "landed"]


async def test_draining_is_immediate_without_calls():
    """Most processes stop in a quiet moment."""
    with anyio.fail_after(1):
        assert await SingleFlight[int]().drained() is None  # type: ignore[func-returns-value]  # that it returns counts


async def test_draining_completes_after_a_failure():
    """A failed call is finished too."""
    flight, work = SingleFlight[int](), Work()
    work.error = ValueError("no")
    async with anyio.create_task_group() as group:
        group.start_soon(Caller(flight, work))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(flight.drained)
        await anyio.wait_all_tasks_blocked()
        work.go.set()

    assert not flight.is_under_way("key")


async def test_calls_to_the_end_do_not_wait_for_each_other():
    """Two sessions, two refreshes."""
    flight, slow, fast = SingleFlight[int](), Work(), Work()
    fast.go.set()

    async with anyio.create_task_group() as group:
        group.start_soon(flight.run_to_the_end, "slow", slow)
        await anyio.wait_all_tasks_blocked()
        assert await flight.run_to_the_end("fast", fast) == 1
        slow.go.set()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_ends_first_leaves_nothing_behind_for_the_next_one(backend):
    """Test clients make a new loop for each request."""
    flight = SingleFlight[int]()

    async def cut_off() -> None:
        with anyio.move_on_after(0.01):
            await flight.run_to_the_end("key", Work())

    async def once() -> int:
        assert not flight.is_under_way("key")
        work = Work()
        work.go.set()
        return await flight.run_to_the_end("key", work)

    anyio.run(cut_off, backend=backend)

    assert anyio.run(once, backend=backend) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_call_that_the_end_of_the_loop_stops_is_told_to_whoever_still_waits(anyio_backend):
    """They must not wait for ever, nor take nothing for a result."""
    flight = SingleFlight[int]()

    async def stopped() -> int:
        raise asyncio.CancelledError  # as a loop that ends does to every task

    with pytest.raises(RuntimeError, match="before the call did"):
        await flight.run_to_the_end("key", stopped)

    assert not flight.is_under_way("key")


async def test_shielded_calls_are_made_once_each_and_outlive_who_waits():
    """Two of the same kind are two: the second may be about what came after the first began."""
    flight, one, two = SingleFlight[int](), Work(), Work()
    async with anyio.create_task_group() as group:
        group.start_soon(flight.run_shielded, one)
        group.start_soon(flight.run_shielded, two)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    one.go.set()
    two.go.set()

    await flight.drained()

    assert (one.ended, two.ended) == (1, 1)


async def test_a_call_to_the_end_sees_the_context_variables_of_who_asked():
    """It may call the app's own code, whose log and whose database go by them."""
    request_id = contextvars.ContextVar[str]("request_id")
    request_id.set("seven")

    async def call() -> str:
        await anyio.lowlevel.checkpoint()
        return request_id.get("none")

    assert await SingleFlight[str]().run_shielded(call) == "seven"


async def test_equal_keys_of_two_objects_are_two_calls():
    """Each provider has a flight of its own, and all of them fetch their keys from `/jwks`."""
    one, two = Work(), Work()
    one.go.set()
    two.go.set()

    await all_at_once(1, lambda: SingleFlight[int]().run("key", one))
    await all_at_once(1, lambda: SingleFlight[int]().run("key", two))

    assert (one.calls, two.calls) == (1, 1)


async def test_an_object_that_has_gone_leaves_nothing_behind():
    """A tenant's connection is made anew whenever its settings change, while the event loop runs for months."""
    work = Work()
    work.go.set()
    await SingleFlight[int]().run("key", work)
    before = count_run_vars()

    for _ in range(100):
        await SingleFlight[int]().run("key", work)

    assert count_run_vars() - before < 10


def test_an_event_loop_that_ends_before_a_call_begins_is_forgotten():
    """Test clients end loops in the middle of what runs in the background; what they hold on to would stay."""
    flight, calls, loops = SingleFlight[None](), list[str](), list[weakref.ref[asyncio.AbstractEventLoop]]()

    async def inner() -> None:
        calls.append("inner")

    async def outer() -> None:
        calls.append("outer")
        await flight.run_to_the_end("inner", inner)

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        flight.start("outer", outer)  # it begins in the last turn of the event loop, and the inner call never does

    asyncio.run(main())
    gc.collect()

    assert calls == ["outer"]
    assert loops[0]() is None


def count_run_vars() -> int:
    """Count the variables that event loops hold on to."""
    gc.collect()
    return sum(type(each) is RunVar for each in gc.get_objects())
