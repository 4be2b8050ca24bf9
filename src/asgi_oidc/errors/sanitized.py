"""Removes inner frames, causes and contexts from the exceptions that leave the library.

Error reporters record the local variables of every frame of an exception, its causes and contexts. Those of our
frames, and of the libraries that we use, hold tokens, codes and secrets.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgi_oidc import events
from asgi_oidc.errors import OIDCError

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


class ForeignError(Exception):
    """Carries an exception that passes through unchanged: of the server, an outer middleware, or for a wrong call.

    Raise it outside the `except` block, in a frame that holds no secret.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def sanitizes_errors(
    call: Callable[Arguments, Awaitable[Value]],
) -> Callable[Arguments, Coroutine[Any, Any, Value]]:
    """Let only sanitized errors leave an async function."""

    @wraps(call)
    async def sanitizing(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        try:
            return await call(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  # raised below, where no context is added to it
            leaving = sanitized(error)
        del args, kwargs  # this frame is in the traceback
        raise leaving

    return sanitizing


def call_sanitized(call: Callable[Arguments, Value], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
    """Call a synchronous function, and let only sanitized errors leave it."""
    try:
        return call(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  # raised below, where no context is added to it
        leaving = sanitized(error)
    del args, kwargs  # this frame is in the traceback
    raise leaving


def sanitized(error: BaseException) -> BaseException:
    """Return the exception to raise in place of an error; raise it after the `except` block.

    An `OIDCError` is copied with its code and detail. Any other error is a bug in this library: its text may contain
    secrets, so only its class and its lines of code are logged. A cancellation must stay the same object, so only its
    frames are removed.
    """
    if isinstance(error, OIDCError):
        return _fresh(error)
    if isinstance(error, ForeignError):
        return error.error
    if isinstance(error, Exception):
        events.log(events.UNEXPECTED_ERROR, error=error)
        return OIDCError("unexpected_error", f"{type(error).__name__}: see unexpected_error in the log")
    _strip(error)
    return error


def _fresh(error: OIDCError) -> OIDCError:
    fresh = type(error).__new__(type(error), *error.args)
    fresh.__dict__.update({name: value for name, value in vars(error).items() if name != "__notes__"})
    return fresh


def _strip(error: BaseException) -> None:
    """Remove the frames of a cancellation, and its causes and contexts other than further cancellations.

    Those are kept because asyncio raises a new cancellation from an old one, and anyio searches the contexts for its
    own.
    """
    before = error.__context__
    error.__traceback__ = error.__cause__ = error.__context__ = None
    if before is not None and not isinstance(before, Exception):
        _strip(before)
        error.__context__ = before
