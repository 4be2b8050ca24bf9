"""A few calls at once, and no more, on asyncio and on trio."""

import anyio

from asgi_oidc.provider.call_limit import CallLimit


class Crowd:
    """Calls that each keep their place until the test lets them go."""

    def __init__(self, limit: CallLimit) -> None:
        self.limit = limit
        self.inside = 0
        self.go = anyio.Event()

    async def call(self) -> None:
        async with self.limit.hold():
            self.inside += 1
            await self.go.wait()


async def test_more_calls_wait_for_a_place():
    """A provider that hangs keeps a bounded number of connections."""
    crowd = Crowd(CallLimit(3))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(crowd.call)
        await anyio.wait_all_tasks_blocked()
        inside = crowd.inside
        crowd.go.set()

    assert (inside, crowd.inside) == (3, 10)


async def test_a_call_that_is_cancelled_leaves_its_place():
    """People close the page when it takes long."""
    limit = CallLimit(1)
    first, second = Crowd(limit), Crowd(limit)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.call)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    second.go.set()
    with anyio.fail_after(5):
        await second.call()

    assert (first.inside, second.inside) == (1, 1)


async def test_one_limit_does_not_count_for_another():
    """The other providers go on."""
    full, other = Crowd(CallLimit(1)), Crowd(CallLimit(1))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(full.call)
        await anyio.wait_all_tasks_blocked()
        other.go.set()
        with anyio.fail_after(5):
            await other.call()
        full.go.set()

    assert (full.inside, other.inside) == (1, 1)
