"""How a log event is written: one line, and the same fields on the log record.

Fields never contain a secret, a token, a code or a cookie. Text from outside is shortened and cleaned, so that it
cannot forge a line of the log.
"""

import logging
import traceback
from pathlib import PurePath
from typing import NamedTuple

logger = logging.getLogger("asgi_oidc")

MAX_FIELD_LENGTH = 200  # characters; a longer value is an attack or a mistake, and is cut
MAX_DETAIL_LENGTH = 500  # characters; a detail may quote the provider's error description
MAX_FRAMES = 5  # the innermost frames of a traceback


class Event(NamedTuple):
    """A kind of log line: its stable name and its level.

    Events with a reference that a page or a JSON response shows are at WARNING or above, which Python prints without
    configuration. Events without a reference that anyone can cause repeatedly are below that, against log flooding.
    """

    name: str
    level: int


def log(event: Event, *, error: BaseException | None = None, **fields: object) -> None:
    """Write one line: the event's name, then its fields as `key=value`; None is left out.

    The log record has the name as `event` and the fields as `oidc`, a dict that a formatter can write as JSON.

    Args:
        error: an unexpected exception of the app's own code. Its text may hold anything, so only its class and the
            lines of code that led to it are written.
    """
    if not logger.isEnabledFor(event.level):
        return
    if error is not None:
        fields["raised"] = type(error).__name__
        fields["at"] = code_lines(error)
    known = {name: value for name, value in fields.items() if value is not None}
    words = [event.name, *(f"{name}={clean(value, longest=_limit(name))}" for name, value in known.items())]
    members = {name: _structured(value, longest=_limit(name)) for name, value in known.items()}
    logger.log(event.level, "%s", " ".join(words), extra={"event": event.name, "oidc": members})


def log_text(event: Event, text: str) -> None:
    """Log a text of several lines unchanged; it must not contain anything from a request."""
    logger.log(event.level, "%s", text, extra={"event": event.name, "oidc": {}})


def code_lines(error: BaseException, *, most: int = MAX_FRAMES) -> str:
    """Return the lines of code that led to an exception, the innermost last: `app.py:12>database.py:34`."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return ">".join(f"{PurePath(filename).name}:{line}" for filename, line in lines[-most:])


def _limit(name: str) -> int:
    return MAX_DETAIL_LENGTH if name == "detail" else MAX_FIELD_LENGTH


def _structured(value: object, *, longest: int) -> str | int | bool:
    """Return a field as a value of JSON: a number stays one, and text is cut and cleaned, but not quoted."""
    if isinstance(value, int):  # a bool too
        return value if value.bit_length() < 64 else str(value)[:longest]
    text = _cut(value, longest)
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def clean(value: object, *, longest: int = MAX_FIELD_LENGTH) -> str:
    """Return a value from outside as text on one line, cut to `longest` characters."""
    text = _cut(value, longest)
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)


def _cut(value: object, longest: int) -> str:
    text = str(value)[: longest + 1]
    return text[:longest] + "..." if len(text) > longest else text
