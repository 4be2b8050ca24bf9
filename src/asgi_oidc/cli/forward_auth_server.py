"""`asgi-oidc serve`: runs `ForwardAuth` with the settings of the environment."""

import errno
import json
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from asgi_oidc.events import logger
from asgi_oidc.forward_auth.app import ForwardAuth

OPTIONS = "ASGI_OIDC_SERVE"  # a variable: how this process tells its workers the options; keys are read from files
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
GRACE = 5  # seconds to finish running requests after a signal

_SILENT = logging.NullHandler()
# What uvicorn says whenever a proxy passes the headers of a websocket on with its auth request: here, that is right.
_OF_WEBSOCKETS = ("Unsupported upgrade request.", "No supported WebSocket library detected.")


class ServeProblem(Exception):
    """The server cannot start; the message tells why."""


def run_server(
    options: Mapping[str, Any],
    *,
    signing_keys: Sequence[str],
    host: str,
    port: int,
    uds: str | None,
    workers: int,
) -> int:
    """Serve until the process is stopped, and return the exit status.

    Args:
        options: keyword arguments of `ForwardAuth.from_env`.
        signing_keys: files with the keys that sign identity tokens.
        uds: path of a unix socket; None for `host` and `port`.

    Raises:
        ServeProblem: the options do not go together, a file cannot be read, or the port is in use.
        SettingsError: a setting is invalid.
    """
    if workers > 1 and options["token_header"] and not signing_keys:
        raise ServeProblem("several workers need the same key: set --signing-key to a file")
    os.environ[OPTIONS] = json.dumps({**options, "signing_keys": [str(Path(path).resolve()) for path in signing_keys]})
    logger.addHandler(_SILENT)  # the error itself is printed by our caller
    try:
        app = make_app()
    finally:
        logger.removeHandler(_SILENT)
    if not options["trusted_proxies"]:
        print("asgi-oidc: no proxy is trusted, so every auth request is refused: name yours with --trusted-proxy")
    if not uds:
        _check_address(host, port)
    config: dict[str, Any] = {
        "proxy_headers": False,  # who the peer is decides whether a proxy is trusted, so no header may change it
        "ws": "none",
        "server_header": False,
        "access_log": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACE,
        **({"uds": uds} if uds else {"host": host, "port": port}),
    }
    where = f"unix:{uds}" if uds else f"http://{host}:{port}"
    print(f"asgi-oidc signs users in at {app.app.base_url}, and answers proxies at {where}", flush=True)
    if workers == 1:
        uvicorn.run(log_lines_of(app), **config)
    else:
        uvicorn.run("asgi_oidc.cli.forward_auth_server:make_worker_app", factory=True, workers=workers, **config)
    return 0


def make_app() -> ForwardAuth:
    """Return the app that the options describe.

    Raises:
        ServeProblem: a file with a key cannot be read.
        SettingsError: a setting is invalid.
    """
    options = json.loads(os.environ[OPTIONS])
    options["signing_keys"] = [_read_key(path) for path in options["signing_keys"]]
    return ForwardAuth.from_env(**options)


def make_worker_app() -> ForwardAuth:
    """Return the app, in a process of its own."""
    return log_lines_of(make_app())


def log_lines_of(app: ForwardAuth) -> ForwardAuth:
    """Show the log lines of the library from INFO on, and return the app unchanged."""
    logging.getLogger("uvicorn.error").addFilter(_is_worth_a_line)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return app


def _check_address(host: str, port: int) -> None:
    """Bind the address for a moment: uvicorn's own message has no fix.

    Raises:
        ServeProblem: it cannot be bound.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        if os.name == "posix":  # on Windows, this option would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as exc:
            reason = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used ({exc.strerror})"
            raise ServeProblem(f"{host}:{port} {reason}; choose another with --host or --port") from exc


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_OF_WEBSOCKETS)


def _read_key(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not text"
    raise ServeProblem(f"--signing-key: cannot read {path}: {reason}")
