"""Tells whether this task is cancelled, or code of the app has let the cancellation of another task through."""

import asyncio


def is_cancelled() -> bool:
    """Return whether this task is cancelled, on asyncio: awaiting another task that was cancelled raises the same."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio, which has an exception of its own for cancellation
        return False
    return task is not None and task.cancelling() > 0
