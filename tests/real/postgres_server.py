"""Real PostgreSQL servers, as Debian packages them: each with a cluster of its own in a folder of its own."""

import contextlib
import functools
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from asgi_oidc import PostgresStore
from tests.real.processes import Running, free_port, running
from tests.real.programs import require

LOOPBACK = "127.0.0.1"
OWNER, OWNER_PASSWORD = "postgres", "0wner"
ROLE, PASSWORD = "app", "s3cret"
SETTINGS = {
    "fsync": "off",
    "listen_addresses": LOOPBACK,
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "posix",
}
# The server writes a line for each message that executes something, whose text may begin on the next line.
LOGGING = ("-c", "log_statement=all", "-c", "log_parameter_max_length=0", "-c", "log_line_prefix=%u ")
SENT = re.compile(rf"^{ROLE} LOG:  (?:execute ([^:]+)|statement): *\s*(\w+)", re.MULTILINE)
_numbers = itertools.count(1)


@dataclass
class PostgresServer:
    """One server that runs, and can be hurt."""

    port: int
    folder: Path
    options: Sequence[str] = ()
    process: Running | None = None
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def url(self) -> str:
        """Where it is, for the app's own role."""
        return f"postgresql://{ROLE}:{PASSWORD}@{LOOPBACK}:{self.port}/postgres"

    def url_of(self, tables: str) -> str:
        """Name tables as well."""
        return f"{self.url}?tables={tables}"

    def ask(self) -> "psycopg.Connection[Any]":
        """Open a connection of the test's own, as the owner of all, through the Unix socket."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=OWNER, dbname="postgres", autocommit=True, connect_timeout=2
        )

    def make_tables(self, **options: Any) -> str:
        """Make new tables, and return the beginning of their names."""
        tables = f"tables{next(_numbers)}"
        with self.ask() as owner:
            owner.execute(PostgresStore.migration(tables=tables, role=ROLE, **options).encode())
        return tables

    def count_connections(self) -> int:
        """Count those of the app."""
        with self.ask() as owner:
            count = owner.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (ROLE,)).fetchone()
        assert count is not None
        return int(count[0])

    @contextlib.contextmanager
    def counting(self) -> "Iterator[Counter[str]]":
        """Count the messages of the app while the block lasts, by their first word; needs `LOGGING`.

        Those of prepared statements count a second time, as `prepared`.
        """
        counts: Counter[str] = Counter()
        assert self.process is not None
        before = len(self.process.said)
        yield counts
        for name, word in SENT.findall(self.process.said[before:]):
            counts.update([word] if name in ("", "<unnamed>") else [word, "prepared"])

    def answers(self) -> bool:
        """Say whether it is there and has recovered."""
        try:
            with self.ask():
                return True
        except psycopg.Error:
            return False

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Run it while the block lasts; what it saved before is there again."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.folder)}
        words = [f"--{name}={value}" for name, value in settings.items()]
        command = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *words, *self.options]
        with running([*as_its_user(), *command]) as process:
            process.wait_until(self.answers, "PostgreSQL answers")
            self.process = process
            try:
                yield process
            finally:
                self.go_on()  # one that is paused does not hear that it should end
                if not process.has_ended:
                    process.process.send_signal(signal.SIGINT)  # without waiting for clients to leave
                    process.process.wait()

    def pause(self) -> None:
        """Let it hang, all of its processes: connections stay, and nothing answers."""
        for one in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # that of a connection which has just ended
                one.suspend()

    def go_on(self) -> None:
        """End the pause."""
        for one in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        assert self.process is not None
        processes = self._processes()
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.process.wait()
        psutil.wait_procs(processes[1:])  # until then, another would not start

    def start_again(self) -> None:
        """Run it once more, until the stack ends."""
        self.stack.enter_context(self.run())

    def _processes(self) -> list[psutil.Process]:
        assert self.process is not None
        try:
            first = psutil.Process(self.process.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def program(name: str) -> str:
    """Find a program of Debian's newest version; most are not on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    return require(path, "PostgreSQL", "apt-get install postgresql")


def as_its_user() -> list[str]:
    """Return what runs a command as a user whom PostgreSQL accepts: it refuses root."""
    if os.geteuid():
        return []
    return [shutil.which("setpriv") or "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


@functools.cache
def _cluster() -> "tempfile.TemporaryDirectory[str]":
    """Make a cluster with a role for the app and its tables, once: it is copied for each server."""
    parent = tempfile.TemporaryDirectory(prefix="pg-")
    folder = Path(parent.name)
    password = folder / "password"
    password.write_text(OWNER_PASSWORD)
    for path in (folder, password):
        _give_to_its_user(path)
    auth = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}")
    command = [*as_its_user(), program("initdb"), "-D", str(folder / "data"), "-U", OWNER, "--no-sync", "-E", "UTF8"]
    subprocess.run([*command, "--locale=C", *auth], check=True, capture_output=True, cwd=folder)
    server = PostgresServer(free_port(), folder)
    with server.run(), server.ask() as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'".encode())
        owner.execute(PostgresStore.migration(role=ROLE).encode())
    return parent


def _give_to_its_user(path: Path) -> None:
    if not os.geteuid():
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)


@contextlib.contextmanager
def postgres_that_is_down(*options: str) -> Iterator[PostgresServer]:
    """Copy the cluster for a server that somebody will run, with further options of `postgres`."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, contextlib.ExitStack() as stack:
        _give_to_its_user(Path(folder))
        subprocess.run(["cp", "-a", f"{_cluster().name}/data", folder], check=True)
        yield PostgresServer(free_port(), Path(folder), options, stack=stack)


@contextlib.contextmanager
def postgres(*options: str) -> Iterator[PostgresServer]:
    """Run one server, with a role for the app and its tables."""
    with postgres_that_is_down(*options) as server, server.run():
        yield server


@contextlib.contextmanager
def pgbouncer(server: PostgresServer, *, pool_size: int) -> Iterator[str]:
    """Run PgBouncer in transaction mode in front of a server; gives the URL for the app's own role."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    path = require(found, "PgBouncer", "apt-get install pgbouncer")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        users, settings = Path(folder) / "users.txt", Path(folder) / "pgbouncer.ini"
        users.write_text(f'"{ROLE}" "{PASSWORD}"\n')
        lines = [
            "[databases]",
            f"postgres = host={LOOPBACK} port={server.port} dbname=postgres",
            "[pgbouncer]",
            f"listen_addr = {LOOPBACK}",
            f"listen_port = {port}",
            "pool_mode = transaction",
            f"default_pool_size = {pool_size}",
            "auth_type = scram-sha-256",
            f"auth_file = {users}",
            "unix_socket_dir =",
        ]
        settings.write_text("\n".join(lines) + "\n")
        for each in (Path(folder), users, settings):
            _give_to_its_user(each)
        url = f"postgresql://{ROLE}:{PASSWORD}@{LOOPBACK}:{port}/postgres"
        with running([*as_its_user(), path, str(settings)]) as process:
            process.wait_until(lambda: _answers(url), "PgBouncer answers")
            yield url


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.Error:
        return False
