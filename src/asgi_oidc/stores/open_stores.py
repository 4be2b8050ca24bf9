"""Keeps the connections of a store open while an app runs, and of the one that replaces it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.abc import TaskGroup

from asgi_oidc.stores.store import SessionStore
from asgi_oidc.stores.store_failures import log_store_failure

CLOSE_DEADLINE = 3.0  # seconds for stores to close their connections


class _OpenStore:
    """A store that is open: when to close it, and whether it is closed."""

    def __init__(self) -> None:
        self.is_stopping, self.is_closed = anyio.Event(), anyio.Event()


class OpenStores:
    """Keeps one store open, and closes those that it has replaced; a store that hangs or fails delays nobody."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._open: list[_OpenStore] = []

    def open(self, store: SessionStore) -> None:
        """Open a store, if it can be opened, and close the one before it."""
        for each in self._open:
            each.is_stopping.set()  # a store closes when its calls under way are done
        self._open = [each for each in self._open if not each.is_closed.is_set()]
        keep_open = getattr(store, "running", None)
        if keep_open is not None:
            opened = _OpenStore()
            self._open.append(opened)
            self._tasks.start_soon(_hold_open, keep_open, opened)

    async def close(self) -> None:
        """Close what is open."""
        for each in self._open:
            each.is_stopping.set()
        with anyio.move_on_after(CLOSE_DEADLINE):
            for each in self._open:
                await each.is_closed.wait()


async def _hold_open(keep_open: Callable[[], AbstractAsyncContextManager[None]], opened: _OpenStore) -> None:
    """Open a store and close it, in a task of its own."""
    try:
        async with keep_open():
            await opened.is_stopping.wait()
    except Exception as exc:  # noqa: BLE001  # any store, one of the app's own included
        log_store_failure("store_not_kept_open", type(exc).__name__)
    finally:
        opened.is_closed.set()
