"""A TLS server on loopback that tells which client certificate each request came with."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc.protocol.certificate_pair import read_certificate_pair
from asgi_oidc.protocol.client_certificate import certificate_thumbprint
from asgi_oidc.provider.tls_contexts import TlsOptions
from tests.certificate_texts import Made
from tests.provider.provider_caches import plain
from tests.real.certificates import Certificate

PATIENCE = 10.0  # seconds


@dataclass
class Seen:
    """What the server has seen.

    Attributes:
        certificates: the thumbprint of the certificate of each request, None for none.
        connections: their number.
        first_closed: set when the client has closed a connection.
    """

    port: int
    certificates: list[str | None] = field(default_factory=list)
    connections: int = 0
    first_closed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/token"


def options_with(made: Made) -> TlsOptions:
    return TlsOptions(read_certificate_pair(made.both))


def thumbprint(made: Made) -> str:
    return read_certificate_pair(made.both).thumbprint


@contextmanager
def mutual_tls_server(
    certificate: Certificate, *accepted: Made, verify: ssl.VerifyMode = ssl.CERT_OPTIONAL, **options: Any
) -> Iterator[Seen]:
    """Serve https on a free port of loopback.

    Args:
        accepted: the client certificates, each of them self-signed.
        options: attributes of the server's context; `ciphers` for those of TLS 1.2.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.set_ciphers(options.pop("ciphers", "DEFAULT"))
    if accepted:
        context.verify_mode = verify
        context.load_verify_locations(cadata="".join(made.pem for made in accepted))
    for name, value in options.items():
        setattr(context, name, value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen, threads = Seen(listener.getsockname()[1]), list[threading.Thread]()
        thread = threading.Thread(target=_accept, args=(listener, context, seen, threads))
        thread.start()
        try:
            yield seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends accept()
            for each in (thread, *threads):
                each.join(PATIENCE)


def _accept(listener: socket.socket, context: ssl.SSLContext, seen: Seen, threads: list[threading.Thread]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threads.append(threading.Thread(target=_serve, args=(connection, context, seen), daemon=True))
        threads[-1].start()


def _serve(connection: socket.socket, context: ssl.SSLContext, seen: Seen) -> None:
    """Answer the requests of one connection until the client closes it."""
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as stream:
        with suppress(OSError):
            stream.do_handshake()
            seen.connections += 1
            der = stream.getpeercert(binary_form=True)
            while stream.recv(65_536):
                seen.certificates.append(None if der is None else certificate_thumbprint(der))
                stream.sendall(plain(b"{}"))
            seen.first_closed.set()
            return
        with suppress(OSError):  # what is still under way would else destroy the alert
            while socket.socket.recv(stream, 65_536):
                pass
