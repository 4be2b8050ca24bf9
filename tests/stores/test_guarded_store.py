"""Calls to a store have a deadline, all its failures are one error, and its answers are checked."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from asgi_oidc.errors import LoginRefused, StoreUnavailable
from asgi_oidc.stores.guarded_store import METHODS, GuardedStore
from asgi_oidc.stores.store import SessionStore
from tests.protected_site import Exchange, Site
from tests.scripted_store import ScriptedStore

CALLS: dict[str, Callable[[GuardedStore], Awaitable[object]]] = {
    "get": lambda guarded: guarded.get("key"),
    "add": lambda guarded: guarded.add("key", b"new", lifetime=60),
    "replace": lambda guarded: guarded.replace("key", b"old", b"new", lifetime=60),
    "remove": lambda guarded: guarded.remove("key", only=b"old"),
    "link": lambda guarded: guarded.link("index", "member", lifetime=60, most=3),
    "linked": lambda guarded: guarded.linked("index"),
    "unlink": lambda guarded: guarded.unlink("index", "member"),
}


async def error_of(call: Awaitable[object]) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        await call
    return caught.value


async def test_every_method_is_passed_through():
    """As it was asked, and with what the store says."""
    store = ScriptedStore()
    guarded = GuardedStore(store)

    assert await guarded.add("key", b"one", lifetime=60) is True
    assert await guarded.add("key", b"two", lifetime=60) is False
    assert await guarded.get("key") == b"one"
    assert await guarded.replace("key", b"other", b"two", lifetime=60) is False
    assert await guarded.replace("key", b"one", b"two", lifetime=60) is True
    assert await guarded.remove("key", only=b"one") is False
    assert await guarded.remove("key") is True
    assert await guarded.get("key") is None
    assert await guarded.link("index", "a", lifetime=60, most=1) == []
    assert await guarded.link("index", "b", lifetime=61, most=1) == ["a"]
    assert await guarded.linked("index") == ["b"]
    await guarded.unlink("index", "b")
    assert await guarded.linked("index") == []
    assert set(store.calls) == set(METHODS) == set(CALLS)


@pytest.mark.parametrize("method", METHODS)
async def test_any_exception_of_a_store_is_store_unavailable(method):
    """Its text stays out: it may hold an address with a password."""
    store = ScriptedStore()
    store.broken = set(METHODS)

    error = await error_of(CALLS[method](GuardedStore(store)))

    assert error.code == "store_failed"
    assert re.fullmatch(rf"{method}: OSError at [a-z_]+\.py:\d+", error.detail)
    assert isinstance(error.__cause__, OSError)


async def test_our_own_error_raised_by_a_store_is_store_unavailable_too():
    """A store of the user's own must not refuse a login by its way."""
    store = ScriptedStore()

    async def refuse() -> None:
        raise LoginRefused("by the store")

    async def overloaded() -> None:
        raise StoreUnavailable("store_overloaded", retry_after=60)

    store.before["get"] = [refuse, overloaded]
    guarded = GuardedStore(store)

    refused, busy = await error_of(guarded.get("key")), await error_of(guarded.get("key"))

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
    store = ScriptedStore()
    store.answers[method] = answer

    error = await error_of(CALLS[method](GuardedStore(store)))

    assert (error.code, error.detail) == (
        "store_garbage",
        f"{method} returned a value of an unexpected type: {type(answer).__name__}",
    )


@pytest.mark.parametrize("answer", [("a", "b"), ["a", "b"], []])
async def test_members_may_come_as_a_list_or_a_tuple(answer):
    """The protocol says a sequence."""
    store = ScriptedStore()
    store.answers["linked"] = answer

    assert await GuardedStore(store).linked("index") == list(answer)


# --- connections


class Opened(ScriptedStore):
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

    async with GuardedStore(store).running():
        await anyio.wait_all_tasks_blocked()
        assert store.said == ["open"]

    assert store.said == ["open", "closed"]


class Seven:
    """A store with the seven methods and nothing else."""

    def __init__(self) -> None:
        own = ScriptedStore()
        for method in METHODS:
            setattr(self, method, getattr(own, method))


@pytest.mark.parametrize("store", [ScriptedStore(), Seven(), Opened(fails=OSError("redis://user:s3cret@host"))])
async def test_an_app_starts_whatever_a_store_keeps_open(store, caplog):
    """Nothing, or nothing yet."""
    has_run = False

    async with GuardedStore(cast(SessionStore, store)).running():
        has_run = True

    assert has_run
    assert ("store_not_kept_open" in caplog.text) is isinstance(store, Opened)
    assert "s3cret" not in caplog.text


async def test_what_the_app_raises_comes_out_of_an_open_store():
    """It is the app's, and not the store's."""
    store = Opened()

    with pytest.raises(KeyError):
        async with GuardedStore(store).running():
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


def test_the_repr_of_a_guarded_store_names_its_store():
    """For whoever looks at the parts in a debugger; the store's own repr may show a password."""
    assert repr(GuardedStore(ScriptedStore())) == "GuardedStore(ScriptedStore)"
