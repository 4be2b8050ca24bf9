"""Calls of a store behind `GuardedStore` whose server is hurt: a right answer, or `StoreUnavailable` in time."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import anyio

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore

LONG = 600.0  # seconds
DEADLINE = 2.0  # seconds that the door waits for one answer
SLACK = 8.0  # seconds that a busy machine may take longer
SOON = 20.0  # seconds in which a store is right again when its server is


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
