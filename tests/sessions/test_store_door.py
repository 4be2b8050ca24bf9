"""Whatever a store does, it is bounded in time, told by one error, and believed only where it says what it may say."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from asgi_oidc.errors import LoginRefused, StoreUnavailable
from asgi_oidc.stores.door import FAREWELL, IMPATIENT_DEADLINE, METHODS, StoreDoor
from asgi_oidc.stores.store import SessionStore
from tests.flow.site import Exchange, Site
from tests.sessions.stores import OwnStore

LONG = 60.0  # seconds; no test waits that long
CALLS: dict[str, Callable[[StoreDoor], Awaitable[object]]] = {
    "get": lambda door: door.get("key"),
    "add": lambda door: door.add("key", b"new", lifetime=60),
    "replace": lambda door: door.replace("key", b"old", b"new", lifetime=60),
    "remove": lambda door: door.remove("key", only=b"old"),
    "link": lambda door: door.link("index", "member", lifetime=60, most=3),
    "linked": lambda door: door.linked("index"),
    "unlink": lambda door: door.unlink("index", "member"),
}


async def error_of(call: Awaitable[object]) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        await call
    return caught.value


async def give_up() -> None:
    raise TimeoutError("after 5 s")


class SlowStore(OwnStore):
    """Answers `get` when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = anyio.Event()
        self.before["get"] = [self.go.wait] * 1000


async def test_every_method_is_passed_through():
    """As it was asked, and with what the store says."""
    store = OwnStore()
    door = StoreDoor(store)

    assert await door.add("key", b"one", lifetime=60) is True
    assert await door.add("key", b"two", lifetime=60) is False
    assert await door.get("key") == b"one"
    assert await door.replace("key", b"other", b"two", lifetime=60) is False
    assert await door.replace("key", b"one", b"two", lifetime=60) is True
    assert await door.remove("key", only=b"one") is False
    assert await door.remove("key") is True
    assert await door.get("key") is None
    assert await door.link("index", "a", lifetime=60, most=1) == []
    assert await door.link("index", "b", lifetime=61, most=1) == ["a"]
    assert await door.linked("index") == ["b"]
    await door.unlink("index", "b")
    assert await door.linked("index") == []
    assert set(store.calls) == set(METHODS) == set(CALLS)


@pytest.mark.parametrize("method", METHODS)
async def test_what_a_store_raises_is_one_error(method):
    """Its text stays out: it may hold an address with a password."""
    store = OwnStore()
    store.broken = set(METHODS)

    error = await error_of(CALLS[method](StoreDoor(store)))

    assert error.code == "store_failed"
    assert re.fullmatch(rf"{method}: OSError at [a-z_]+\.py:\d+", error.detail)
    assert isinstance(error.__cause__, OSError)


async def test_an_error_of_ours_that_a_store_raises_is_one_error_as_well():
    """A store of the user's own must not refuse a login by its way."""
    store = OwnStore()

    async def refuse() -> None:
        raise LoginRefused("by the store")

    async def overloaded() -> None:
        raise StoreUnavailable("store_overloaded", retry_after=60)

    store.before["get"] = [refuse, overloaded]
    door = StoreDoor(store)

    refused, busy = await error_of(door.get("key")), await error_of(door.get("key"))

    assert (refused.code, busy.code, busy.retry_after) == ("store_failed", "store_overloaded", 60)


NO_BYTES: Sequence[object] = ("text", 7, True, bytearray(b"x"), [b"x"])
NO_DECISIONS: Sequence[object] = (None, 1, 0, b"OK", "OK", [])
NO_LISTS: Sequence[object] = (None, "ab", b"ab", [b"a"], [1], {"a": 1}, {"a"}, ["a", None])
WRONG = [
    *(("get", answer) for answer in NO_BYTES),
    *((method, answer) for method in ("add", "replace", "remove") for answer in NO_DECISIONS),
    *((method, answer) for method in ("link", "linked") for answer in NO_LISTS),
]


@pytest.mark.parametrize(("method", "answer"), WRONG, ids=ascii)
async def test_an_answer_of_another_type_is_garbage(method, answer):
    """ "Written" and "not written" are never guessed."""
    store = OwnStore()
    store.answers[method] = answer

    error = await error_of(CALLS[method](StoreDoor(store)))

    assert (error.code, error.detail) == ("store_garbage", f"{method} answered with {type(answer).__name__}")


@pytest.mark.parametrize("answer", [("a", "b"), ["a", "b"], []])
async def test_members_may_come_as_a_list_or_a_tuple(answer):
    """The protocol says a sequence."""
    store = OwnStore()
    store.answers["linked"] = answer

    assert await StoreDoor(store).linked("index") == list(answer)


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_is_bounded_in_time(method):
    """A store that hangs must not hang the site."""
    store = OwnStore()
    store.before[method] = [anyio.sleep_forever]

    error = await error_of(CALLS[method](StoreDoor(store, deadline=0.01)))

    assert (error.code, error.detail) == ("store_timeout", method)


async def test_a_store_whose_own_time_is_over_is_slow():
    """Clients have deadlines of their own."""
    store = OwnStore()
    store.before["get"] = [give_up]

    assert (await error_of(StoreDoor(store).get("key"))).code == "store_timeout"


async def test_a_request_that_goes_away_is_no_failure_of_the_store():
    """Cancelled is cancelled."""
    store = SlowStore()
    door = StoreDoor(store)

    with anyio.move_on_after(0.01) as scope:
        await door.get("key")

    store.go.set()
    assert scope.cancelled_caught
    assert await door.get("key") is None


async def slow_door() -> tuple[SlowStore, StoreDoor]:
    """Make a door that knows its store as slow."""
    store = SlowStore()
    door = StoreDoor(store, deadline=LONG)
    store.before["get"].insert(0, give_up)
    assert (await error_of(door.get("key"))).code == "store_timeout"
    return store, door


async def test_while_a_store_is_slow_one_finds_out_and_the_others_are_impatient():
    """Else every request of the site would hang for the whole deadline."""
    store, door = await slow_door()
    began = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(door.get, "finds out")
        await anyio.wait_all_tasks_blocked()
        errors = [await error_of(door.get("key")) for _ in range(3)]
        waited = anyio.current_time() - began
        store.go.set()

    assert [error.code for error in errors] == ["store_timeout"] * 3
    assert 3 * IMPATIENT_DEADLINE <= waited < LONG / 4


async def test_once_a_store_answers_again_everybody_is_patient():
    """Whoever found out tells the others."""
    store, door = await slow_door()
    store.go.set()
    assert await door.get("key") is None
    late = anyio.Event()
    store.before["get"] = [late.wait, late.wait]
    results: list[object] = []

    async def get() -> None:
        results.append(await door.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        group.start_soon(get)
        await anyio.sleep(IMPATIENT_DEADLINE * 1.5)
        late.set()

    assert results == [None, None]


async def test_an_impatient_request_that_is_answered_tells_it_too():
    """It need not be the one that waits longest."""
    store, door = await slow_door()
    finds_out, late = anyio.Event(), anyio.Event()
    store.before["get"] = [finds_out.wait]
    results: list[object] = []

    async def get() -> None:
        results.append(await door.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        await anyio.wait_all_tasks_blocked()
        await get()
        store.before["get"] = [late.wait]
        group.start_soon(get)
        await anyio.sleep(IMPATIENT_DEADLINE * 1.5)
        late.set()
        finds_out.set()

    assert results == [None, None, None]


async def test_when_the_one_that_finds_out_goes_away_the_next_one_does():
    """A browser that hangs up must not leave everybody impatient for ever."""
    store, door = await slow_door()
    with anyio.move_on_after(0.01):
        await door.get("finds out")
    results: list[object] = []

    async def get() -> None:
        results.append(await door.get("key"))

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        await anyio.sleep(IMPATIENT_DEADLINE * 1.5)
        store.go.set()

    assert results == [None]


async def test_a_failure_does_not_make_a_store_slow():
    """What fails at once holds nobody up."""
    store = SlowStore()
    store.broken = {"add"}
    door = StoreDoor(store, deadline=LONG)
    results: list[object] = []

    async def get() -> None:
        results.append(await door.get("key"))

    for _ in range(2):
        assert (await error_of(door.add("key", b"x", lifetime=1))).code == "store_failed"
    async with anyio.create_task_group() as group:
        group.start_soon(get)
        group.start_soon(get)
        await anyio.sleep(IMPATIENT_DEADLINE * 1.5)
        store.go.set()

    assert results == [None, None]


# --- connections


class Opened(OwnStore):
    """Writes down when it was open."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        super().__init__()
        self.said: list[str] = []
        self.fails = fails

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.fails is not None:
            raise self.fails
        self.said.append("open")
        yield
        self.said.append("closed")


async def test_a_store_is_open_while_the_app_runs():
    """Connections belong to one event loop."""
    store = Opened()

    async with StoreDoor(store).running():
        await anyio.wait_all_tasks_blocked()
        assert store.said == ["open"]

    assert store.said == ["open", "closed"]


class Seven:
    """A store with the seven methods and nothing else."""

    def __init__(self) -> None:
        own = OwnStore()
        for method in METHODS:
            setattr(self, method, getattr(own, method))


@pytest.mark.parametrize("store", [OwnStore(), Seven(), Opened(fails=OSError("redis://user:s3cret@host"))])
async def test_an_app_starts_whatever_a_store_keeps_open(store, caplog):
    """Nothing, or nothing yet."""
    has_run = False

    async with StoreDoor(cast(SessionStore, store)).running():
        has_run = True

    assert has_run
    assert ("store_not_kept_open" in caplog.text) is isinstance(store, Opened)
    assert "s3cret" not in caplog.text


class Hanging(OwnStore):
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
    with anyio.fail_after(FAREWELL + 2):
        async with StoreDoor(Hanging(when)).running():
            await anyio.wait_all_tasks_blocked()
            has_run = True

    assert has_run


async def test_what_the_app_raises_comes_out_of_an_open_store():
    """It is the app's, and not the store's."""
    store = Opened()

    with pytest.raises(KeyError):
        async with StoreDoor(store).running():
            raise KeyError("the app's")


@pytest.mark.parametrize("fails", [None, OSError("down")])
async def test_the_middleware_opens_its_store_with_the_app(fails):
    """And starts without it."""
    store: Any = Opened(fails=fails)
    site = Site(store=store)
    exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert [message["type"] for message in exchange.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert store.said == ([] if fails else ["open", "closed"])


def test_a_door_says_what_is_behind_it():
    """For whoever looks at the parts in a debugger; the store's own repr may show a password."""
    assert repr(StoreDoor(OwnStore())) == "StoreDoor(OwnStore)"
