"""A real HTTP server around an ASGI app, in a thread, for tests and demos (extra `testing`)."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .client_certificates import presenting
from .wire import ASGIApp

PATIENCE = 10.0  # seconds for the server to start or stop


@dataclass(frozen=True)
class Server:
    """The address of a running server."""

    url: str
    host: str
    port: int


@contextlib.contextmanager
def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certfile: str | None = None,
    keyfile: str | None = None,
    client_ca: str | None = None,
    **settings: Any,
) -> Iterator[Server]:
    """Serve an app with uvicorn, in a thread, for the duration of the block.

    Args:
        port: 0 chooses a free port.
        certfile: With `keyfile`, the PEM files for https.
        client_ca: PEM file of the authorities of client certificates, or of self-signed ones. The server then asks for
            a certificate, and the app gets it by the ASGI TLS extension.
        settings: Passed on to `uvicorn.Config`.

    Raises:
        OSError: The port is in use.
    """
    uvicorn = _uvicorn()
    listener = _listen(host, port)
    bound = listener.getsockname()[1]
    defaults: dict[str, Any] = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 3}
    if client_ca is not None:
        defaults |= {
            "http": _protocol_with_certificates(),
            "ssl_ca_certs": client_ca,
            "ssl_cert_reqs": ssl.CERT_OPTIONAL,
        }
    config = uvicorn.Config(app, ssl_certfile=certfile, ssl_keyfile=keyfile, **(defaults | settings))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=_run, args=(server, listener), daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        name = f"[{host}]" if ":" in host else host
        yield Server(f"{'https' if certfile else 'http'}://{name}:{bound}", host, bound)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError as exc:
        raise ImportError("serve() needs uvicorn: pip install 'asgi-oidc[testing]'") from exc
    return uvicorn


def _protocol_with_certificates() -> Any:
    """Return uvicorn's HTTP protocol, with the client certificate in the scope, where uvicorn itself leaves it out."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class CertificateProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if der is not None:
                self.app = presenting(self.app, ssl.DER_cert_to_PEM_cert(der))

    return CertificateProtocol


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _run(server: Any, listener: socket.socket) -> None:
    with contextlib.suppress(SystemExit):  # uvicorn exits like this if the app does not start
        server.run(sockets=[listener])


def _wait_until_started(server: Any, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if server.started:
            return
        if not thread.is_alive():
            break
        pause.wait(0.01)
    raise RuntimeError("the server did not start; its log has the reason")
