"""Which Redis client costs least, and what does pipelining save: CPU and round trips of a GET of 1.5 kB.

Run it as `python -m benchmarks.redis_clients`; it needs `redis-server`. Each client has a process of its own, and all
get short bursts in turn, so that other load on the machine affects them alike.
"""

import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from benchmarks.fleet import end_with_parent, redis_server
from benchmarks.harness import Figures
from benchmarks.pairs import spread_of, there_and_back

from asgi_oidc import RedisStore
from asgi_oidc.stores import redis_batches

VALUE = bytes(range(250)) * 6  # 1.5 kB
AT_ONCE = 30  # requests of a page load
KEYS = [f"key{number}" for number in range(AT_ONCE)]
# Processes of each client, pairs of bursts of each case in each of them, and commands in a burst.
PROCESSES, TURNS, BURST = 4, 8, 300
IMPORTS = 11  # times that each import is measured

Get = Callable[[str], Coroutine[Any, Any, Any]]
Pipeline = Callable[[Sequence[str]], Awaitable[Any]]
ONE, APART, PIPELINE, SAME = "one after the other", "30 keys at once", "30 keys, its pipeline", "one key 30 times"
OWN = (ONE, APART, PIPELINE)
OURS = (ONE, APART, SAME)


@dataclass(frozen=True)
class Client:
    """A client on an event loop."""

    name: str
    loop: str
    cases: Sequence[str] = OWN
    module: str = ""
    has_hiredis: bool = True

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.name}, {self.loop}"


CLIENTS = (
    Client("redis-py without hiredis", "asyncio", module="redis.asyncio", has_hiredis=False),
    Client("redis-py with hiredis", "asyncio", module="redis.asyncio"),
    Client("coredis", "asyncio", module="coredis"),
    Client("coredis", "trio"),
    Client("valkey-glide", "asyncio", module="glide"),
    Client("valkey-glide", "trio"),
    Client("RedisStore without pipelining", "asyncio", (ONE, APART)),
    Client("RedisStore without hiredis", "asyncio", OURS, has_hiredis=False),
    Client("RedisStore", "asyncio", OURS),
    Client("RedisStore without pipelining", "trio", (ONE, APART)),
    Client("RedisStore", "trio", OURS),
)
RATIOS = [
    (f"hiredis, RedisStore: {case}", f"RedisStore, asyncio: {case}", f"RedisStore without hiredis, asyncio: {case}")
    for case in (ONE, APART)
] + [
    (
        f"pipelining, RedisStore, {loop}: {case}",
        f"RedisStore, {loop}: {case}",
        f"RedisStore without pipelining, {loop}: {case}",
    )
    for loop in ("asyncio", "trio")
    for case in (ONE, APART)
]


def main() -> None:
    """Measure all clients in turn, several times, each time in new processes."""
    is_quick = "--quick" in sys.argv
    figures = Figures("redis_clients", is_quick)
    with serving_values() as (url, server):
        runs = [measure(url, server, turns=2 if is_quick else TURNS) for _ in range(1 if is_quick else PROCESSES)]
    costs = {case: [[cost for cost, _ in run[case]] for run in runs] for case in runs[0]}
    for case, spent in costs.items():
        trips = statistics.median(trips for run in runs for _, trips in run[case])
        figures.row(case, spread_of(spent), "us", round_trips_of_30=round(trips, 1))
    for name, case, under in RATIOS:
        ratios = [
            [one / other for one, other in zip(*run, strict=True)]
            for run in zip(costs[case], costs[under], strict=True)
        ]
        figures.row(name, spread_of(ratios, neutral=1), "times")
    for client, seconds in import_times(2 if is_quick else IMPORTS).items():
        figures.row(f"{client}: import", spread_of([seconds]).times(1000), "ms")
    figures.save()


@contextmanager
def serving_values() -> Iterator[tuple[str, Any]]:
    """Run a server that has all values; return its URL and a client."""
    import redis  # the process of a client decides first whether there is hiredis

    with redis_server() as url, redis.Redis.from_url(url) as server:
        for key in KEYS:
            server.set(key, VALUE)
            server.set(f"asgi-oidc:{key}", VALUE)
        yield url, server


def measure(url: str, server: Any, *, turns: int) -> dict[str, list[tuple[float, float]]]:
    """Return what the bursts of each case cost, as `burst` does; all cases have turns."""
    seen: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        workers = [stack.enter_context(start(client, url)) for client in CLIENTS]
        for _, which in itertools.product(range(turns), there_and_back(len(CLIENTS))):
            for case in CLIENTS[which].cases:
                found = seen.setdefault(f"{CLIENTS[which].label}: {case}", [])
                found.append(burst(workers[which], case, server))
    return seen


def start(client: Client, url: str) -> "subprocess.Popen[str]":
    """Start the process of a client, and wait until it is connected."""
    command = [sys.executable, "-m", "benchmarks.redis_clients", str(CLIENTS.index(client)), url]
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    for case in client.cases:
        tell(worker, case)
    return worker


def tell(worker: "subprocess.Popen[str]", case: str) -> float:
    """Have a client make a burst; return its seconds of CPU."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    print(case, file=worker.stdin, flush=True)
    return float(worker.stdout.readline())


def burst(worker: "subprocess.Popen[str]", case: str, server: Any) -> tuple[float, float]:
    """Return microseconds of CPU for a command, and round trips for 30 commands."""
    before = server.info("stats")["total_reads_processed"]
    seconds = tell(worker, case)
    reads = server.info("stats")["total_reads_processed"] - before - 1  # without the look itself
    return seconds / BURST * 1e6, reads / BURST * AT_ONCE


def import_times(count: int) -> dict[str, list[float]]:
    """Return seconds that it takes to import each client, in turn."""
    measure = "import sys, time\nif '{}': sys.modules['hiredis'] = None\nbegan = time.perf_counter()\nimport {}\n"
    measure += "print(time.perf_counter() - began)"
    seconds: dict[str, list[float]] = {}
    for _ in range(count):
        for client in filter(lambda each: each.module, CLIENTS):
            code = measure.format("" if client.has_hiredis else "without", client.module)
            told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
            seconds.setdefault(client.name, []).append(float(told))
    return seconds


# -- the process of one client


async def work(client: Client, url: str) -> None:
    """Make the bursts that are asked for, and tell their CPU."""
    async with AsyncExitStack() as stack:
        get, pipeline = await CONNECTS[client.name](url, stack)
        with anyio.fail_after(30):
            while await asked(get) is None:
                pass  # our store opens its connection when it is needed
        while case := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
            began = time.process_time()
            await make(case, get, pipeline)
            print(time.process_time() - began, flush=True)


async def asked(get: Get) -> Any:
    """Return a value, or None if the client is not connected yet."""
    try:
        return await get(KEYS[0])
    except Exception:  # noqa: BLE001  # each client has errors of its own
        return None


async def make(case: str, get: Get, pipeline: Pipeline) -> None:
    """Make one burst."""
    if case == ONE:
        for number in range(BURST):
            await get(KEYS[number % AT_ONCE])
        return
    for _ in range(BURST // AT_ONCE):
        if case == PIPELINE:
            await pipeline(KEYS)
            continue
        async with anyio.create_task_group() as tasks:
            for key in KEYS if case == APART else itertools.repeat(KEYS[0], AT_ONCE):
                tasks.start_soon(get, key)


async def connect_redis_py(url: str, stack: AsyncExitStack) -> tuple[Get, Pipeline]:
    """Open a client as our store does."""
    from redis.asyncio import Redis

    client: Any = Redis.from_url(url, protocol=2, socket_timeout=2.0, max_connections=64)
    stack.push_async_callback(client.aclose)

    async def pipeline(keys: Sequence[str]) -> Any:
        commands = client.pipeline(transaction=False)
        for key in keys:
            commands.get(key)
        return await commands.execute(raise_on_error=False)

    return client.get, pipeline


async def connect_coredis(url: str, stack: AsyncExitStack) -> tuple[Get, Pipeline]:
    """Open a client as our store does."""
    import coredis
    from coredis.retry import NoRetryPolicy

    client: Any = await stack.enter_async_context(
        coredis.Redis.from_url(url, retry_policy=NoRetryPolicy(), stream_timeout=2.0, max_connections=64)
    )

    async def pipeline(keys: Sequence[str]) -> Any:
        async with client.pipeline(transaction=False, raise_on_error=False) as commands:
            for key in keys:
                commands.get(key)
        return commands.results

    async def get(key: str) -> Any:
        return await client.get(key)  # what it returns itself can be awaited, and is no coroutine

    return get, pipeline


async def connect_glide(url: str, stack: AsyncExitStack) -> tuple[Get, Pipeline]:
    """Open a client, which always multiplexes."""
    import glide

    host, _, port = url.removeprefix("redis://").partition(":")
    address = glide.NodeAddress(host, int(port))
    client = await glide.GlideClient.create(glide.GlideClientConfiguration([address], request_timeout=2000))
    stack.push_async_callback(client.close)

    async def pipeline(keys: Sequence[str]) -> Any:
        commands = glide.Batch(is_atomic=False)
        for key in keys:
            commands.get(key)
        return await client.exec(commands, raise_on_error=False)

    return client.get, pipeline


async def connect_store(url: str, stack: AsyncExitStack, *, max_commands: int) -> tuple[Get, Pipeline]:
    """Open our store; without pipelining, it sends each command by itself."""
    redis_batches.MAX_COMMANDS = max_commands
    store = RedisStore(url)
    await stack.enter_async_context(store.running())

    async def no_pipeline(keys: Sequence[str]) -> None:
        raise NotImplementedError

    return store.get, no_pipeline


PIPELINED = partial(connect_store, max_commands=redis_batches.MAX_COMMANDS)
CONNECTS: dict[str, Callable[..., Awaitable[tuple[Get, Pipeline]]]] = {
    "redis-py without hiredis": connect_redis_py,
    "redis-py with hiredis": connect_redis_py,
    "coredis": connect_coredis,
    "valkey-glide": connect_glide,
    "RedisStore without pipelining": partial(connect_store, max_commands=1),
    "RedisStore without hiredis": PIPELINED,
    "RedisStore": PIPELINED,
}


def work_as(number: str, url: str) -> None:
    """Be the process of one client."""
    client = CLIENTS[int(number)]
    if not client.has_hiredis:
        sys.modules["hiredis"] = None  # type: ignore[assignment]  # an import of it fails
    options = {"use_uvloop": True} if client.loop == "asyncio" else {}
    anyio.run(work, client, url, backend=client.loop, backend_options=options)


if __name__ == "__main__":
    work_as(*sys.argv[1:]) if len(sys.argv) > 2 else main()
