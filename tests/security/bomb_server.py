"""A provider at a real socket whose answers are bombs: packed, endless, or a byte at a time."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator

from asgi_oidc.testing.faults import gzip_bomb

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
UNPACKED = 512 * 1024 * 1024  # bytes


def packed(encoding: bytes, unpacked: int = UNPACKED) -> Callable[[], Iterator[bytes]]:
    """Answer about 1 kB that unpacks to half a gigabyte."""

    def answer() -> Iterator[bytes]:
        bomb = gzip_bomb(unpacked)
        yield JSON + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(bomb)) + bomb

    return answer


def harmless() -> Iterator[bytes]:
    """Answer no JSON, shortly."""
    yield JSON + b"Content-Length: 5\r\n\r\nhello"


def endless() -> Iterator[bytes]:
    """Answer without an end and without saying how long."""
    yield JSON + b"Connection: close\r\n\r\n{"
    while True:
        yield b" " * 65_536


def endless_chunks() -> Iterator[bytes]:
    """Answer in chunks that never end."""
    yield JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"10000\r\n" + b" " * 65_536 + b"\r\n"


def one_huge_chunk() -> Iterator[bytes]:
    """Answer one chunk of a terabyte."""
    yield JSON + b"Transfer-Encoding: chunked\r\n\r\n10000000000\r\n"
    while True:
        yield b" " * 65_536


def huge() -> Iterator[bytes]:
    """Promise 10 GB, and keep the promise."""
    yield JSON + b"Content-Length: 10000000000\r\n\r\n"
    while True:
        yield b" " * 65_536


def endless_headers() -> Iterator[bytes]:
    """Never come to the body."""
    yield JSON
    while True:
        yield b"X-More: " + b"x" * 8000 + b"\r\n"


def dripping() -> Iterator[bytes]:
    """Send a space now and then, so that no read ever times out."""
    pause = threading.Event()
    yield JSON + b"Connection: close\r\n\r\n{"
    while True:
        pause.wait(0.2)
        yield b" "


def silent() -> Iterator[bytes]:
    """Say nothing at all."""
    threading.Event().wait(30)
    yield b""


ANSWERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "harmless": harmless,
    "gzip-gzip": packed(b"gzip, gzip"),
    "small": packed(b"gzip, gzip", 64 * 1024 * 1024),
    "gzip": packed(b"gzip"),
    "GZIP": packed(b"GZIP"),
    "x-gzip": packed(b"x-gzip"),
    "identity-gzip": packed(b"identity, gzip"),
    "br": packed(b"br"),
    "zstd": packed(b"zstd"),
    "deflate": packed(b"deflate"),
    "endless": endless,
    "endless-chunks": endless_chunks,
    "one-huge-chunk": one_huge_chunk,
    "huge": huge,
    "endless-headers": endless_headers,
    "dripping": dripping,
    "silent": silent,
}


class Handler(socketserver.BaseRequestHandler):
    """Reads as far as the end of the headers, then answers as the path says."""

    def handle(self) -> None:
        """Answer one call."""
        received = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in received:
                received += self.request.recv(65_536)
            name = received.split(b" ")[1].decode().removeprefix("/")
            for piece in ANSWERS[name]():
                self.request.sendall(piece)


class Server(socketserver.ThreadingTCPServer):
    """Does not wait for answers that never end."""

    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def bomb_server() -> Iterator[str]:
    """Run it in a thread, and give its URL."""
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
