"""Real Redis servers, each in a folder of its own: one, three that make a cluster, or one that a sentinel watches."""

import contextlib
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.real.processes import Running, free_port, running, wait_until
from tests.real.programs import require

LOOPBACK = "127.0.0.1"
SLOTS = 16_384


@dataclass
class RedisServer:
    """One server that runs, and can be hurt."""

    port: int
    folder: Path
    options: Sequence[str] = ()
    program: str = "redis-server"
    process: Running | None = None
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)  # what it ends with

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{LOOPBACK}:{self.port}"

    def ask(self) -> Any:
        """Open a client of the test's own; not all of it has types."""
        return Redis(port=self.port, socket_timeout=2)

    def answers(self) -> bool:
        """Say whether it is there and has loaded its data."""
        try:
            with self.ask() as client:
                return bool(client.ping())
        except RedisError:
            return False

    @contextlib.contextmanager
    def counting(self) -> "Iterator[Counter[str]]":
        """Count the commands of the app while the block lasts."""
        counts: Counter[str] = Counter()
        with self.ask() as client:
            client.config_resetstat()
            yield counts
            stats = client.info("commandstats")
        counts.update({name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in stats.items()})
        del counts["config|resetstat"]

    def count_connections(self) -> int:
        """Count those of clients, without the one that asks."""
        with self.ask() as client:
            return len(client.client_list()) - 1

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Run it while the block lasts; what it saved before is there again."""
        place = ["--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        with running([find(self.program), *place, *self.options]) as process:
            process.wait_until(self.answers, "Redis answers")
            self.process = process
            try:
                yield process
            finally:
                self.go_on()  # one that is paused does not hear that it should end

    def pause(self) -> None:
        """Let it hang: connections stay, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the pause."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.process.wait()

    def start_again(self) -> None:
        """Run it once more, for as long as the cluster that it belongs to."""
        self.stack.enter_context(self.run())

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.process.send_signal(number)


def find(program: str) -> str:
    """Find a server of Debian's."""
    return require(shutil.which(program), program, f"apt-get install {program}")


@contextlib.contextmanager
def redis_that_is_down(*options: str, program: str = "redis-server") -> Iterator[RedisServer]:
    """Make a place for a server that somebody will run, with further options of `redis-server`."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield RedisServer(free_port(), Path(folder), options, program)


@contextlib.contextmanager
def redis(*options: str, program: str = "redis-server") -> Iterator[RedisServer]:
    """Run one server, empty at first."""
    with redis_that_is_down(*options, program=program) as server, server.run():
        yield server


@contextlib.contextmanager
def redis_cluster(count: int = 3) -> Iterator[list[RedisServer]]:
    """Run some servers that share all slots."""
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(count):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))
            options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"]
            options += ["--cluster-require-full-coverage", "no", "--cluster-port", str(free_port())]
            server = RedisServer(free_port(), Path(folder), options, stack=stack)
            stack.enter_context(server.run())
            servers.append(server)
        _join(servers)
        yield servers


def _join(servers: Sequence[RedisServer]) -> None:
    clients = [server.ask() for server in servers]
    borders = [SLOTS * index // len(servers) for index in range(len(servers) + 1)]
    for index, client in enumerate(clients):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", borders[index], borders[index + 1] - 1)
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
    for server in servers[1:]:
        clients[0].execute_command("CLUSTER", "MEET", LOOPBACK, server.port, server.options[-1])

    def is_whole() -> bool:
        return all(b"cluster_state:ok" in _info(client) for client in clients)

    wait_until(is_whole, "the cluster is whole")
    for client in clients:
        client.close()


def _info(client: Any) -> bytes:
    answer = client.execute_command("CLUSTER", "INFO")
    if isinstance(answer, dict):  # the client has read it already
        return b"".join(f"{name}:{value}\n".encode() for name, value in answer.items())
    return bytes(answer) if isinstance(answer, bytes) else str(answer).encode()


def cluster_url(servers: Sequence[RedisServer]) -> str:
    """Name all nodes."""
    return "redis+cluster://" + ",".join(f"{LOOPBACK}:{server.port}" for server in servers)


@contextlib.contextmanager
def sentinel(primary: RedisServer, port: int | None = None) -> Iterator[RedisServer]:
    """Run a sentinel that watches a server by the name `mymaster`."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as folder:
        watcher = RedisServer(port or free_port(), Path(folder))
        settings = Path(folder) / "sentinel.conf"
        lines = [
            f"bind {LOOPBACK}",
            f"port {watcher.port}",
            f"dir {folder}",
            f"sentinel monitor mymaster {LOOPBACK} {primary.port} 1",
            "sentinel down-after-milliseconds mymaster 500",
            "sentinel failover-timeout mymaster 2000",
        ]
        settings.write_text("\n".join(lines) + "\n")
        with running([find("redis-server"), str(settings), "--sentinel"]) as process:
            process.wait_until(watcher.answers, "the sentinel answers")
            yield watcher


@contextlib.contextmanager
def redis_with_sentinel(*options: str) -> Iterator[tuple[RedisServer, str]]:
    """Run one server and a sentinel that watches it; gives the server, and the URL of the store."""
    with redis(*options) as server, sentinel(server) as watcher:
        yield server, sentinel_url(watcher)


def sentinel_url(watcher: RedisServer) -> str:
    """Name the sentinel and what it watches."""
    return f"redis+sentinel://{LOOPBACK}:{watcher.port}/mymaster"
