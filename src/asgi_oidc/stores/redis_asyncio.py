"""Runs Redis commands with redis-py, on asyncio: one client per event loop (extra `redis`)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError
from redis.exceptions import ConnectionError as RedisConnectionError

from asgi_oidc.stores.redis_batches import Batches, Command
from asgi_oidc.stores.redis_url import CLUSTER, SENTINEL, Address

CONNECT_TIMEOUT = 1.0  # seconds
ANSWER_TIMEOUT = 2.0  # seconds
PAUSE = 1.0  # seconds between two refreshes of a cluster's nodes
CLOSE_DEADLINE = 1.0  # seconds for commands that are still running when the app ends


class _Loop:
    """What belongs to one event loop: its client, what closes it, its batches, and how many apps use it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._is_cluster = address.kind == CLUSTER
        self.client: Any = None
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.batches = Batches(self._run, is_for_cluster=self._is_cluster)
        self.running_apps = 0

    async def _run(self, commands: Sequence[Command]) -> Sequence[object]:
        """Run a batch on one connection."""
        if self.client is None:
            self.client, self._closers = _new_client(self._address, self.batches.max_connections)
        client = self.client
        if self._is_cluster:  # each command comes by itself
            return [await self._run_in_cluster(client, command) for command in commands]
        if len(commands) == 1:
            return [await commands[0].run(client)]
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            command.run(pipeline)
        results: Sequence[object] = await pipeline.execute(raise_on_error=False)
        return results

    async def _run_in_cluster(self, client: Any, command: Command) -> object:
        if client.get_default_node() is None:
            await client.initialize()  # until it knows the cluster's nodes, it sends commands to any of them
        try:
            return await command.run(client)
        except (RedisConnectionError, ClusterDownError):
            if not command.is_read:
                raise
            # The cluster client does not notice that a node has closed an idle connection. Reading twice is harmless.
            return await command.run(client)

    async def close(self) -> None:
        """Let the commands that are running complete, and close the client; the next command opens another one."""
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await self.batches.drained()
        closers, self.client, self._closers = self._closers, None, []
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            async with AsyncExitStack() as stack:
                for close in closers:
                    stack.push_async_callback(close)


class AsyncioBackend:
    """Commands through redis-py."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def get(self, key: str) -> bytes | None:
        """GET."""
        command = Command(key, lambda client: client.execute_command("GET", key), is_read=True)
        value: bytes | None = await self._loop().batches.call(command)
        return value

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """SET NX PX."""
        command = Command(key, lambda client: client.set(key, value, nx=True, px=milliseconds), size=len(value))
        return bool(await self._loop().batches.call(command))

    async def remove(self, key: str) -> int:
        """DEL."""
        return int(await self._loop().batches.call(Command(key, lambda client: client.delete(key))))

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object:
        """EVAL of a script with one key."""
        sent = [each.encode() if isinstance(each, str) else each for each in args]  # an error here is only this call's
        size = len(script) + sum(len(each) for each in sent if isinstance(each, bytes))
        command = Command(key, lambda client: client.eval(script, 1, key, *sent), size=size)
        result: object = await self._loop().batches.call(command)
        return result

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections when the last app ends; they are opened when they are needed."""
        loop = self._loop()
        loop.running_apps += 1
        try:
            yield
        finally:
            loop.running_apps -= 1
            if not loop.running_apps:
                await loop.close()

    def _loop(self) -> _Loop:
        running = asyncio.get_running_loop()  # looking up a `RunVar` takes longer
        loop = self._loops.get(running)
        if loop is None:
            loop = self._loops[running] = _Loop(self._address)
        return loop


class _Cluster(RedisCluster):
    """A cluster client that refreshes its list of nodes in the background, and meanwhile uses the old one.

    After an error, redis-py would refresh it first, and a node that hangs would block the commands to all others.
    """

    _refresh: asyncio.Task[None] | None = None
    # By the loop's clock, when the next refresh is allowed: each one opens all connections anew.
    _next_refresh_at = 0.0

    async def initialize(self, *hints: Any, **named: Any) -> RedisCluster:
        if self.get_default_node() is None:
            return await super().initialize(*hints, **named)
        loop = asyncio.get_running_loop()
        if (self._refresh is None or self._refresh.done()) and loop.time() >= self._next_refresh_at:
            self._next_refresh_at = loop.time() + PAUSE
            self._refresh = loop.create_task(self._refresh_nodes(*hints, **named))
        return self

    async def close_all(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])
        await self.aclose()
        for nodes in ("nodes_cache", "startup_nodes"):  # `aclose` leaves these open while a refresh is due
            await self.nodes_manager.aclose(nodes)

    async def _refresh_nodes(self, *hints: Any, **named: Any) -> None:
        with suppress(Exception):  # any error: the next command that needs the nodes refreshes them again
            await super().initialize(*hints, **named)


class _Commands:
    """Tells redis-py which argument of a command is its key: in all our commands, the first.

    Otherwise redis-py fetches a list of all commands each time that the cluster changes, and parsing it blocks the
    event loop for tenths of a second.
    """

    async def initialize(self, node: ClusterNode) -> None:
        """Fetch nothing."""

    async def get_keys(self, *args: Any) -> Sequence[str]:
        return args[1:2]


def _new_client(address: Address, max_connections: int) -> tuple[Any, list[Callable[[], Awaitable[None]]]]:
    common: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        # A command whose answer was lost may have been executed, so it is not sent again.
        "retry": Retry(NoBackoff(), 0),
        # With protocol 3, redis-py does not check whether the server has closed a connection before it uses it.
        "protocol": 2,
    }
    if address.tls is not None:
        common |= {"ssl": True, "ssl_check_hostname": True, **address.tls}
    options = {**common, **address.options, "max_connections": max_connections}
    if address.kind == CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        # With the default of 5, all running commands are aborted whenever five were sent to the former node of a key.
        cluster: Any = _Cluster(startup_nodes=nodes, require_full_coverage=False, reinitialize_steps=0, **options)
        cluster.commands_parser = _Commands()
        return cluster, [cluster.close_all]
    if address.kind == SENTINEL:
        untyped_sentinel: Any = Sentinel
        sentinel = untyped_sentinel(address.hosts, sentinel_kwargs={**common, **address.sentinel_options})
        client = sentinel.master_for(address.service, db=address.db, **options)
        return client, [client.aclose, *(watcher.aclose for watcher in sentinel.sentinels)]
    location: dict[str, Any] = {"unix_socket_path": address.path} if address.path else {}
    if address.hosts:
        location = {"host": address.hosts[0][0], "port": address.hosts[0][1]}
    single: Any = Redis(db=address.db, **location, **options)
    return single, [single.aclose]
