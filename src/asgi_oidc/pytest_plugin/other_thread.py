"""Runs async code to its end from sync code, whether or not an event loop is running here."""

import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

Value = TypeVar("Value")


def run_in_thread(work: Callable[[], Awaitable[Value]]) -> Value:
    """Run async code on an event loop of its own, in a thread of its own, and wait for it.

    Here, one may be running: tests may be async, and Playwright keeps one in sync tests as well.
    """
    results: list[Value] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(anyio.run(work))
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
