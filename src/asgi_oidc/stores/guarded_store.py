"""Guards every call to a session store: a deadline, one error for all failures, and a check of what it returns."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc import events, telemetry
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.connection import find_cause
from asgi_oidc.health import HealthCheck
from asgi_oidc.health.call_outcomes import CallOutcomes
from asgi_oidc.single_flight import run_var
from asgi_oidc.stores.memory import MemoryStore, session_table_of
from asgi_oidc.stores.memory_sessions import SessionTable
from asgi_oidc.stores.open_stores import OpenStores
from asgi_oidc.stores.store import SessionStore
from asgi_oidc.stores.store_failures import log_store_error

DEADLINE = 2.0  # seconds for one call; a store is nearby, and a user is waiting
SHORT_DEADLINE = 0.25  # seconds while the store is known to be slow, for all calls but the one that probes it
# The names of databases in OpenTelemetry (`db.system.name`), by our classes; another store has that of its class.
SYSTEMS = {"RedisStore": "redis", "PostgresStore": "postgresql"}
METHODS = ("get", "add", "replace", "remove", "link", "linked", "unlink")

Value = TypeVar("Value")


class GuardedStore:
    """A session store whose calls have a deadline, and whose results are checked for their type.

    All methods raise `StoreUnavailable` if the store does not answer in time, fails, or returns a wrong type.

    Attributes:
        local: the sessions of a `MemoryStore`, which never waits and has no deadline; None for any other store.
    """

    def __init__(
        self, store: SessionStore, *, deadline: float = DEADLINE, clock: Callable[[], float] = time.time
    ) -> None:
        """Guard a store.

        Args:
            clock: returns seconds since the epoch.
        """
        self._outcomes = CallOutcomes()  # failures of all calls; only checks of the health record their success
        self.system = _system_of(store)
        self.local: SessionTable | None = session_table_of(store)
        self._store = store
        self._clock = clock
        self._deadline = deadline
        self._keepers: RunVar[list[OpenStores]] = run_var("open_stores")
        self._is_slow = False
        self._is_being_probed = False  # by one call with the full deadline, which finds out whether it still is slow

    def __repr__(self) -> str:
        return f"GuardedStore({type(self._store).__name__})"  # the store's own repr may contain a password

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if there is none."""
        value = await self._call_store("get", lambda: self._store.get(key))
        if value is not None and not isinstance(value, bytes):
            raise self._wrong_type("get", value)
        return value

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write the value if there is none yet; return whether it was written."""
        return await self._call_for_bool("add", lambda: self._store.add(key, value, lifetime=lifetime))

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write `new` if the value is still `old`; return whether it was written."""
        return await self._call_for_bool("replace", lambda: self._store.replace(key, old, new, lifetime=lifetime))

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove the value, or only if it equals `only`; return whether it was removed."""
        return await self._call_for_bool("remove", lambda: self._store.remove(key, only=only))

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> list[str]:
        """Add a member to an index; return the members that were dropped, because there are more than `most`."""
        return await self._call_for_texts("link", lambda: self._store.link(index, member, lifetime=lifetime, most=most))

    async def linked(self, index: str) -> list[str]:
        """Return the members of an index that have not expired."""
        return await self._call_for_texts("linked", lambda: self._store.linked(index))

    async def unlink(self, index: str, member: str) -> None:
        """Remove a member from an index."""
        await self._call_store("unlink", lambda: self._store.unlink(index, member))

    async def check_health(self, key: str) -> HealthCheck:
        """Read a key, and return the state of the store; log a failure, and raise nothing."""
        try:
            await self.get(key)
        except StoreUnavailable as error:
            log_store_error(error)
            return self._outcomes.check(has_result=False)
        self._outcomes.succeeded(now=self._clock())
        return self._outcomes.check(has_result=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open while the app runs, if the store can; the app starts and stops even if this fails."""
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            open_stores = OpenStores(tasks)
            open_stores.open(self._store)
            keepers = self._keepers_of_this_loop()
            keepers.append(open_stores)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                keepers.remove(open_stores)
                await open_stores.close()
                tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    def replace_store(self, store: SessionStore) -> None:
        """Use another store from the next call on; the old one is closed when its calls under way are done."""
        self._store, self.system, self._is_slow = store, _system_of(store), False
        self.local = session_table_of(store)
        for keeper in self._keepers_of_this_loop():
            keeper.open(store)

    def _keepers_of_this_loop(self) -> list[OpenStores]:
        keepers = self._keepers.get(None)
        if keepers is None:
            keepers = []
            self._keepers.set(keepers)
        return keepers

    async def _call_for_bool(self, method: str, call: Callable[[], Awaitable[bool]]) -> bool:
        value = await self._call_store(method, call)
        if not isinstance(value, bool):  # never guess whether something was written
            raise self._wrong_type(method, value)
        return value

    async def _call_for_texts(self, method: str, call: Callable[[], Awaitable[Sequence[str]]]) -> list[str]:
        value = await self._call_store(method, call)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self._wrong_type(method, value)
        return list(value)

    @telemetry.traced_store_call
    async def _call_store(self, method: str, call: Callable[[], Awaitable[Value]]) -> Value:
        # With the full deadline for every call, a store that hangs would delay all requests of the site by it.
        is_short = self._is_slow and self._is_being_probed
        self._is_being_probed = self._is_being_probed or self._is_slow
        try:
            if self.local is not None:
                return await call()
            with anyio.fail_after(SHORT_DEADLINE if is_short else self._deadline):
                value = await call()
            self._is_slow = False
            return value
        except TimeoutError as exc:
            self._is_slow = True
            detail = f"{method}: no answer within {SHORT_DEADLINE if is_short else self._deadline:g} s"
            raise self._failed(StoreUnavailable("store_timeout", detail)) from exc
        except StoreUnavailable as error:
            self._failed(error)
            raise
        except Exception as exc:  # any store, one of the app's own included: all its errors become one of ours here
            # The error's text may contain an address with a password, so only its class and last line of code are used.
            cause = find_cause(exc)
            name = type(exc).__name__ if cause is None else f"{type(exc).__name__} ({cause.code})"
            detail = f"{method}: {name} at {events.code_lines(exc, most=1)}"
            raise self._failed(StoreUnavailable("store_failed", detail)) from exc
        finally:
            if not is_short:
                self._is_being_probed = False

    def _wrong_type(self, method: str, value: object) -> StoreUnavailable:
        detail = f"{method} returned a value of an unexpected type: {type(value).__name__}"
        return self._failed(StoreUnavailable("store_garbage", detail))

    def _failed(self, error: StoreUnavailable) -> StoreUnavailable:
        self._outcomes.failed(error.code, error.detail, now=self._clock())
        return error


def _system_of(store: SessionStore) -> str | None:
    """Return the name of the database, for traces and metrics; None if there is none."""
    classes = type(store).__mro__
    if MemoryStore in classes:
        return None
    return next((SYSTEMS[each.__name__] for each in classes if each.__name__ in SYSTEMS), type(store).__name__)
