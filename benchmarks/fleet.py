"""Starts servers in processes of their own, puts load on them, and measures their CPU and memory."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg

from asgi_oidc import PostgresStore

PATIENCE = 60.0  # seconds for a server to start
PR_SET_PDEATHSIG = 1  # of prctl(2)
CONNECTIONS = 16  # of wrk
BURSTS = 10  # until one has responses
TICK = 0.02  # seconds between two looks
PROCESS_CLOCK = 2  # of clock_getcpuclockid(3): the CPU of all threads of a process


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU that the server and its workers have used, to the nanosecond."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(time.clock_gettime(~each.pid << 3 | PROCESS_CLOCK) for each in processes)

    def memory(self) -> int:
        """Bytes of memory of the server alone."""
        return int(self.process.memory_full_info().uss)


@contextlib.contextmanager
def serving(
    name: str, *, provider: str = "", store: str | None = None, core: int | None = None, **env: str
) -> Iterator[Server]:
    """Serve a site for the duration of the block."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serve", name, str(port), provider, *([store] if store else [])]
    with subprocess.Popen(command, env=os.environ | env, preexec_fn=end_with_parent) as running:
        process = psutil.Process(running.pid)
        try:
            if core is not None:
                process.cpu_affinity([core])
            wait_for(port, running)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            running.terminate()


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server that writes nothing to disk; return its URL."""
    port = free_port()
    command = [program("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=end_with_parent) as running:
        try:
            wait_for(port, running)
            yield f"redis://127.0.0.1:{port}"
        finally:
            running.terminate()


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server with Debian's settings, and our tables in it; return its URL."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]), default=None)
    if programs is None:
        raise RuntimeError("PostgreSQL is missing: apt-get install postgresql")
    # It refuses root.
    user = [] if os.geteuid() else [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--init-groups"]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        subprocess.run(
            [*user, programs / "initdb", "-D", data, "-U", "bench"], check=True, capture_output=True, cwd=folder
        )
        command: list[str | Path] = [
            *user,
            programs / "postgres",
            "-D",
            data,
            "-p",
            str(port),
            "-k",
            folder,
            "-h",
            "127.0.0.1",
        ]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent) as running:
            try:
                wait_for(port, running)
                url = f"postgresql://bench@127.0.0.1:{port}/postgres"
                _make_tables(url)
                yield url
            finally:
                running.send_signal(signal.SIGINT)  # it does not wait for its clients


def _make_tables(url: str) -> None:
    for _ in range(int(PATIENCE / TICK)):  # it listens before it answers
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute(PostgresStore.migration().encode())
            return
        time.sleep(TICK)
    raise RuntimeError("PostgreSQL does not answer")


def program(name: str) -> str:
    """Return the path of a program.

    Raises:
        RuntimeError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: apt-get install {name}")
    return found


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def end_with_parent() -> None:
    """Make a server end together with the process that started it (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens."""
    for _ in range(int(PATIENCE / TICK)):
        if running.poll() is not None:
            raise RuntimeError(f"it ended by itself, with exit code {running.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(TICK)
    raise RuntimeError(f"nobody listens on port {port}")


def sign_in(url: str, path: str = "/orders") -> str:
    """Sign in as a browser whose user the provider already knows; return the Cookie header."""
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
    with httpx.Client(headers=headers) as browser:
        at = browser.get(url + path)
        for _ in range(5):
            if at.status_code not in (302, 303):
                break
            at = browser.get(at.next_request.url if at.next_request else at.headers["location"])
        at.raise_for_status()
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar if cookie.value)


@dataclass(frozen=True)
class Burst:
    """What a server did under load for a moment.

    Attributes:
        per_second: requests per second.
        per_cpu_second: requests per second of its CPU; other load on the machine changes this much less.
    """

    per_second: float
    per_cpu_second: float


def burst(server: Server, cookie: str, *, seconds: float, core: int) -> Burst:
    """Load a server for less than the second that is wrk's shortest time.

    On a busy machine, one of them may have no turn in so short a time; then there is another burst.

    Raises:
        RuntimeError: wrk is not installed, a response was not successful, or there was none each time.
    """
    command = _wrk(f"{server.url}/orders", cookie, seconds=60, connections=CONNECTIONS, core=core)
    for _ in range(BURSTS):
        cpu = server.cpu()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            time.sleep(seconds)
            running.send_signal(signal.SIGINT)
            told, _ = running.communicate(timeout=PATIENCE)
        answered = re.search(r"([1-9]\d*) requests in", told)
        if answered is not None:
            return Burst(_per_second(told), int(answered[1]) / (server.cpu() - cpu))
    raise RuntimeError(f"no response in {BURSTS} bursts: {told}")


def requests_per_second(
    url: str, cookie: str, *, seconds: int = 3, connections: int = CONNECTIONS, core: int | None = None
) -> float:
    """Load a server with wrk; return the requests per second.

    Raises:
        RuntimeError: wrk is not installed, or a response was not successful.
    """
    command = _wrk(url, cookie, seconds=seconds, connections=connections, core=core)
    return _per_second(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _wrk(url: str, cookie: str, *, seconds: int, connections: int, core: int | None) -> list[str]:
    pin = ["taskset", "-c", str(core)] if core is not None else []
    header = ["-H", f"Cookie: {cookie}"] if cookie else []
    return [*pin, program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", *header, url]


def _per_second(told: str) -> float:
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if found is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    return float(found[1])
