"""`asgi-oidc demo`: fake providers and the demo app on loopback ports, in one process."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from types import FrameType

import uvicorn

from asgi_oidc.cli.demo_app import protected_demo
from asgi_oidc.cli.demo_providers import EXAMPLE, demo_providers
from asgi_oidc.web.asgi_types import ASGIApp

HOST = "127.0.0.1"  # loopback only: at a fake provider, anyone can sign in as any user
GRACE = 2  # seconds to finish running requests after Ctrl-C


class PortTaken(Exception):
    """Listening on a port failed; the message names the option that chooses another one."""


class DemoServer(uvicorn.Server):
    """A server that does not handle signals: two run in this process, and `run_demo` stops both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers unchanged."""
        yield


def run_demo(*, app_port: int, provider_port: int) -> None:
    """Serve the demo until SIGINT or SIGTERM.

    Args:
        app_port: The port of the app; 0 chooses a free one.
        provider_port: The port of the fake providers; 0 chooses a free one.

    Raises:
        PortTaken: Listening on one of the ports failed.
    """
    with listening(app_port, "--port") as at_app, listening(provider_port, "--provider-port") as at_provider:
        issuer, base_url = _url(at_provider), _url(at_app)
        providers = demo_providers(url=issuer, app_url=base_url)
        providers.example.tell_clients_by_network()
        providers.work.tell_clients_by_network()
        servers = [
            _server(providers, at_provider),
            _server(protected_demo(base_url=base_url, providers=providers.settings()), at_app),
        ]
        with _stopped_by_signals([server for server, _ in servers]):
            # Both sockets are listening already, so a browser that connects before uvicorn has started just waits.
            print(f"Open {base_url} (press Ctrl-C to stop)\n{_provider_line(issuer)}", flush=True)
            asyncio.run(_serve(servers))


@contextlib.contextmanager
def listening(port: int, flag: str) -> Iterator[socket.socket]:
    """Listen on a port for the duration of the block.

    Args:
        flag: The command-line option of the port, for the error message.

    Raises:
        PortTaken: Another program uses the port, or this user may not use it.
    """
    with socket.socket() as listener:
        if os.name == "posix":  # on Windows, this option would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as exc:
            reason = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used ({exc.strerror})"
            raise PortTaken(f"port {port} {reason}; choose another with {flag}") from exc
        yield listener


def _provider_line(issuer: str) -> str:
    """Return the settings of an app that uses the demo's provider; `EXAMPLE` is no secret."""
    variables = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": EXAMPLE.client_secret,
    }
    return "Provider for your own apps: " + " ".join(f"{name}={value}" for name, value in variables.items())


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _server(app: ASGIApp, listener: socket.socket) -> tuple[DemoServer, socket.socket]:
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=GRACE)
    return DemoServer(config), listener


async def _serve(servers: Sequence[tuple[DemoServer, socket.socket]]) -> None:
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))


@contextlib.contextmanager
def _stopped_by_signals(servers: Sequence[DemoServer]) -> Iterator[None]:
    def stop(signum: int, _frame: FrameType | None) -> None:
        for server in servers:
            server.handle_exit(signum, None)  # a second Ctrl-C stops at once

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
