"""Start a real process, wait until it is ready, and end it whatever happens: all in bounded time."""

import contextlib
import os
import random
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

PATIENCE = 90.0  # seconds to get ready; two seconds are enough where nothing else runs
CLOSE_DEADLINE = 5.0  # seconds to end when asked to, before it is killed
ANSWERS_WITHIN = 10.0  # seconds; if it were short, a busy process would get one request after the other
BETWEEN_LOOKS = 0.05  # seconds; looking takes time from the process that is waited for
PORTS = range(10_000, 32_768)
ROOT = Path(__file__).parent.parent.parent
_given: set[int] = set()


@dataclass(frozen=True)
class Running:
    """A process that runs, and what it has said."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @property
    def said(self) -> str:
        """Everything written so far, to standard output and error."""
        return Path(self.output.name).read_text("utf-8", "replace")

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def wait_until(self, condition: Callable[[], bool], what: str, *, within: float = PATIENCE) -> None:
        """Wait for a condition; say what the process wrote when it does not come true."""

        def is_over() -> bool:
            return condition() or self.has_ended

        try:
            wait_until(is_over, what, within=within)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}; it said:\n{self.said}") from None
        if self.has_ended and not condition():
            raise RuntimeError(f"ended before {what}; it said:\n{self.said}")


@contextlib.contextmanager
def running(command: Sequence[str], environ: Mapping[str, str] | None = None, *, cwd: Path = ROOT) -> Iterator[Running]:
    """Run a command, in a process group of its own, while the block lasts."""
    with tempfile.NamedTemporaryFile(prefix="real-") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Running(process, output)
        finally:
            _end(process)


def wait_until(condition: Callable[[], bool], what: str, *, within: float = PATIENCE) -> None:
    """Look again and again, in bounded time, until a condition holds.

    Raises:
        TimeoutError: it never held.
    """
    pause = threading.Event()
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within:g} s in vain until {what}")
        pause.wait(BETWEEN_LOOKS)


def answers(url: str, *, ca: str | None = None) -> bool:
    """Say whether somebody answers there, whatever the answer."""
    verify = ssl.create_default_context(cafile=ca) if ca else False  # all authorities of the system take long to read
    try:
        httpx.get(url, verify=verify, timeout=ANSWERS_WITHIN, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def free_port() -> int:
    """Find a loopback port that nobody uses, the same never twice.

    It is none of those that the system gives to outgoing connections: one of them could take it before its server does.
    """
    while True:
        port = random.choice(PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are over do not count
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(CLOSE_DEADLINE)
    _signal_group(process, signal.SIGKILL)  # its children too, whether or not it has ended itself
    process.wait(CLOSE_DEADLINE)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
