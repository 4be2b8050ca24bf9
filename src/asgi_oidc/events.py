"""Every log event of asgi-oidc: its name, its level and how its fields are written.

Fields never hold a secret, a token, a code or a cookie; what came from outside is cut and cleaned, so
that nobody forges a line of the log.
"""

import logging
import traceback
from pathlib import PurePath
from typing import NamedTuple

logger = logging.getLogger("asgi_oidc")

MAX_FIELD_LENGTH = 200  # characters; more is an attack or a mistake, and neither belongs into a log
MAX_DETAIL_LENGTH = 500  # characters; it may quote what a provider says, which is bounded as well
MAX_FRAMES = 5  # of a traceback, the innermost


class Event(NamedTuple):
    """A kind of log line: its stable name and its level.

    Everything that a page or a JSON answer gives a reference for is at WARNING or above, which Python prints without
    configuration. What anybody can cause repeatedly without getting a reference is below: nobody can flood the log.
    """

    name: str
    level: int


SETTINGS_INVALID = Event("settings_invalid", logging.CRITICAL)
LOGIN_STARTED = Event("login_started", logging.DEBUG)
LOGIN_SUCCEEDED = Event("login_succeeded", logging.INFO)
LOGIN_FAILED = Event("login_failed", logging.WARNING)
LOGIN_REPEATED = Event("login_repeated", logging.INFO)
SESSIONS_NOT_SHARED = Event("sessions_not_shared", logging.WARNING)
SESSIONS_IN_THIS_PROCESS = Event("sessions_in_this_process", logging.INFO)
LOGOUT_NOT_SHARED = Event("logout_not_shared", logging.WARNING)
LOGOUT_IN_THIS_PROCESS = Event("logout_in_this_process", logging.INFO)
LOGOUT_TOKEN_WITHOUT_EXP = Event("logout_token_without_exp", logging.WARNING)
LOGOUT_REFUSED = Event("logout_refused", logging.WARNING)
LOGGED_OUT = Event("logged_out", logging.INFO)
LOGIN_REQUIRED = Event("login_required", logging.INFO)
ACCESS_DENIED = Event("access_denied", logging.WARNING)
USERINFO_REFUSED = Event("userinfo_refused", logging.WARNING)
ACCESS_TOKEN_UNREAD = Event("access_token_unread", logging.WARNING)
CLAIM_DROPPED = Event("claim_dropped", logging.WARNING)
RETURN_TO_IGNORED = Event("return_to_ignored", logging.INFO)
COOKIE_IGNORED = Event("cookie_ignored", logging.INFO)
REQUEST_FAILED = Event("request_failed", logging.WARNING)
FORM_STOPPED = Event("form_stopped", logging.INFO)
FORM_OFFERED = Event("form_offered", logging.INFO)
FORM_LOST = Event("form_lost", logging.INFO)
WEBSOCKET_CLOSED = Event("websocket_closed", logging.INFO)
RESPONSE_ENDED = Event("response_ended", logging.INFO)
ERROR_AFTER_END = Event("error_after_end", logging.INFO)
STORE_FAILED = Event("store_failed", logging.WARNING)
TOKENS_REFRESHED = Event("tokens_refreshed", logging.DEBUG)
REFRESH_FAILED = Event("refresh_failed", logging.WARNING)
TOKENS_NOT_KEPT = Event("tokens_not_kept", logging.WARNING)
SESSION_WITHDRAWN = Event("session_withdrawn", logging.INFO)
TOKEN_NOT_GRANTED = Event("token_not_granted", logging.WARNING)
PROVIDER_FAILED = Event("provider_failed", logging.WARNING)
KEYS_FETCHED = Event("keys_fetched", logging.DEBUG)
KEY_SKIPPED = Event("key_skipped", logging.DEBUG)
METADATA_FETCHED = Event("metadata_fetched", logging.DEBUG)
UNEXPECTED_ERROR = Event("unexpected_error", logging.ERROR)
HOST_MISMATCH = Event("host_mismatch", logging.WARNING)
MOUNT_MISMATCH = Event("mount_mismatch", logging.WARNING)
MOUNTS_UNKNOWN = Event("mounts_unknown", logging.WARNING)
ROOT_PATH_OF_APP = Event("root_path_of_app", logging.WARNING)


def log(event: Event, *, error: BaseException | None = None, **fields: object) -> None:
    """Write one line: the event's name, then its fields as `key=value`; None is left out.

    Args:
        error: an unexpected exception of the app's own code. Its text may hold anything, so only its class and the
            lines of code that led to it are written.
    """
    if not logger.isEnabledFor(event.level):
        return
    if error is not None:
        fields["raised"] = type(error).__name__
        fields["at"] = code_lines(error)
    words = [event.name, *(f"{name}={_cleaned(name, value)}" for name, value in fields.items() if value is not None)]
    logger.log(event.level, "%s", " ".join(words), extra={"event": event.name})


def log_text(event: Event, text: str) -> None:
    """Write a text of our own as it is, on several lines; it must not contain anything from a request."""
    logger.log(event.level, "%s", text, extra={"event": event.name})


def code_lines(error: BaseException, *, most: int = MAX_FRAMES) -> str:
    """Name the lines of code that led to an exception, the innermost last: `app.py:12>database.py:34`."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return ">".join(f"{PurePath(filename).name}:{line}" for filename, line in lines[-most:])


def _cleaned(name: str, value: object) -> str:
    return clean(value, longest=MAX_DETAIL_LENGTH if name == "detail" else MAX_FIELD_LENGTH)


def clean(value: object, *, longest: int = MAX_FIELD_LENGTH) -> str:
    """Write a value that came from outside on one line, cut to `longest` characters."""
    text = str(value)[: longest + 1]
    if len(text) > longest:
        text = text[:longest] + "..."
    return text if text.isascii() and text.isprintable() and " " not in text else ascii(text)
