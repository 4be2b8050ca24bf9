"""The only door to a session store: every call bounded in time, every failure one error, every answer looked at."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import anyio

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.connection import find_cause
from asgi_oidc.stores.store import SessionStore

DEADLINE = 2.0  # seconds for one answer; a store is near, and somebody waits
IMPATIENT_DEADLINE = 0.25  # seconds while the store is known to be slow, for all but the one call that finds out
CLOSE_DEADLINE = 3.0  # seconds that a store has to close its connections
METHODS = ("get", "add", "replace", "remove", "link", "linked", "unlink")

Value = TypeVar("Value")


class GuardedStore:
    """Asks a store, and takes nothing that it says before it was checked for its type.

    All methods raise `StoreUnavailable`: no answer in time, a failure, or an answer of another type.
    """

    def __init__(self, store: SessionStore, *, deadline: float = DEADLINE) -> None:
        self._store = store
        self._deadline = deadline
        self._is_slow = False
        self._is_tried = False

    def __repr__(self) -> str:
        return f"GuardedStore({type(self._store).__name__})"  # the repr of somebody else's store may show its password

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, None where there is none."""
        value = await self._call_store("get", lambda: self._store.get(key))
        if value is not None and not isinstance(value, bytes):
            raise _garbage("get", value)
        return value

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write where there is nothing, and say whether it was written."""
        return await self._decide("add", lambda: self._store.add(key, value, lifetime=lifetime))

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write where `old` still stands, and say whether it was written."""
        return await self._decide("replace", lambda: self._store.replace(key, old, new, lifetime=lifetime))

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove a value, or only this one, and say whether it was removed."""
        return await self._decide("remove", lambda: self._store.remove(key, only=only))

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> list[str]:
        """Put a member into an index, and return those that had to go."""
        return await self._list("link", lambda: self._store.link(index, member, lifetime=lifetime, most=most))

    async def linked(self, index: str) -> list[str]:
        """Return the members of an index."""
        return await self._list("linked", lambda: self._store.linked(index))

    async def unlink(self, index: str, member: str) -> None:
        """Take a member out of an index."""
        await self._call_store("unlink", lambda: self._store.unlink(index, member))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open meanwhile, where the store offers that; the app starts and ends without it."""
        keep_open = getattr(self._store, "running", None)
        if keep_open is None:
            yield
            return
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            leaves, has_left = anyio.Event(), anyio.Event()
            tasks.start_soon(_hold, keep_open, leaves, has_left)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                leaves.set()
                with anyio.move_on_after(CLOSE_DEADLINE):
                    await has_left.wait()
                tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _decide(self, what: str, call: Callable[[], Awaitable[bool]]) -> bool:
        value = await self._call_store(what, call)
        if not isinstance(value, bool):  # "written" and "not written" must never be guessed
            raise _garbage(what, value)
        return value

    async def _list(self, what: str, call: Callable[[], Awaitable[Sequence[str]]]) -> list[str]:
        value = await self._call_store(what, call)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise _garbage(what, value)
        return list(value)

    async def _call_store(self, what: str, call: Callable[[], Awaitable[Value]]) -> Value:
        # A store that hangs would otherwise keep every request of the site for the whole deadline.
        is_impatient = self._is_slow and self._is_tried
        self._is_tried = self._is_tried or self._is_slow
        try:
            with anyio.fail_after(IMPATIENT_DEADLINE if is_impatient else self._deadline):
                value = await call()
            self._is_slow = False
            return value
        except TimeoutError as exc:
            self._is_slow = True
            raise StoreUnavailable("store_timeout", what) from exc
        except StoreUnavailable:
            raise
        except Exception as exc:  # whatever a store raises, also one of the user's own, ends at this door
            # Its text may hold an address with a password; its class says what happened, and its last line where.
            cause = find_cause(exc)
            name = type(exc).__name__ if cause is None else f"{type(exc).__name__} ({cause.code})"
            raise StoreUnavailable("store_failed", f"{what}: {name} at {events.code_lines(exc, most=1)}") from exc
        finally:
            if not is_impatient:
                self._is_tried = False


async def _hold(
    keep_open: Callable[[], AbstractAsyncContextManager[None]], leaves: anyio.Event, has_left: anyio.Event
) -> None:
    """Open a store and close it in a task of its own: one that hangs or fails there holds nobody up."""
    try:
        async with keep_open():
            await leaves.wait()
    except Exception as exc:  # noqa: BLE001  # whatever a store of the user's own does here
        events.log(events.STORE_FAILED, code="store_not_kept_open", detail=type(exc).__name__)
    finally:
        has_left.set()


def _garbage(what: str, value: object) -> StoreUnavailable:
    return StoreUnavailable("store_garbage", f"{what} answered with {type(value).__name__}")
