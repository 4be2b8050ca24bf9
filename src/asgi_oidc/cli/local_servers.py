"""Serves ASGI apps on ports of this machine until SIGINT or SIGTERM, for subcommands."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from types import FrameType

import uvicorn

from asgi_oidc.web.asgi_types import ASGIApp

HOST = "127.0.0.1"  # loopback only: at a fake provider, anyone can sign in as any user
GRACE = 2  # seconds to finish running requests after Ctrl-C


class PortTaken(Exception):
    """Listening on a port failed; the message names the option that chooses another one."""


class QuietServer(uvicorn.Server):
    """A server that does not handle signals: several may run in this process, and `stopped_by_signals` stops all."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers unchanged."""
        yield


Served = tuple[QuietServer, socket.socket]
"""A server and the socket at which it will serve."""


@contextlib.contextmanager
def listening(port: int, flag: str, *, host: str = HOST) -> Iterator[socket.socket]:
    """Listen on a port for the duration of the block.

    Args:
        flag: The command-line option of the port, for the error message.
        host: The address to listen at.

    Raises:
        PortTaken: Another program uses the port, or this user may not use it.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        if os.name == "posix":  # on Windows, this option would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as exc:
            reason = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used ({exc.strerror})"
            raise PortTaken(f"port {port} {reason}; choose another with {flag}") from exc
        yield listener


def url_of(listener: socket.socket, *, host: str = HOST) -> str:
    """Return the origin at which a socket is served."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def server(app: ASGIApp, listener: socket.socket) -> Served:
    """Return a server for an app, which is not started yet."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=GRACE)
    return QuietServer(config), listener


def serve_until_stopped(servers: Sequence[Served], message: str) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        message: printed at once: the sockets are listening already, so a browser that connects early just waits.
    """
    with _stopped_by_signals([found for found, _ in servers]):
        print(message, flush=True)
        asyncio.run(_serve(servers))


async def _serve(servers: Sequence[Served]) -> None:
    await asyncio.gather(*(found.serve(sockets=[listener]) for found, listener in servers))


@contextlib.contextmanager
def _stopped_by_signals(servers: Sequence[QuietServer]) -> Iterator[None]:
    def stop(signum: int, _frame: FrameType | None) -> None:
        for found in servers:
            found.handle_exit(signum, None)  # a second Ctrl-C stops at once

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
