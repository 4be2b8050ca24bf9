"""Runs Redis commands with redis-py, on asyncio: one client per event loop (extra `redis`)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.lowlevel import RunVar
from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError
from redis.exceptions import ConnectionError as RedisConnectionError

from asgi_oidc.single_flight import run_var
from asgi_oidc.stores.redis_limits import Calls
from asgi_oidc.stores.redis_url import CLUSTER, SENTINEL, Address

CONNECT_TIMEOUT = 1.0  # seconds
ANSWER_TIMEOUT = 2.0  # seconds
PAUSE = 1.0  # seconds between two refreshes of a cluster's nodes
CLOSE_DEADLINE = 1.0  # seconds for commands that are still running when the app ends


class _Loop:
    """What belongs to one event loop: its client, what closes it, and how many apps use it."""

    def __init__(self) -> None:
        self.client: Any = None
        self.close = AsyncExitStack()
        self.running_apps = 0


class AsyncioBackend:
    """Commands through redis-py."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._calls = Calls(is_for_cluster=address.kind == CLUSTER)
        self._loops: RunVar[_Loop] = run_var("redis")

    async def get(self, key: str) -> bytes | None:
        """GET."""
        value: bytes | None = await self._run(key, lambda client: self._get(client, key))
        return value

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """SET NX PX."""
        return bool(await self._run(key, lambda client: client.set(key, value, nx=True, px=milliseconds)))

    async def remove(self, key: str) -> int:
        """DEL."""
        return int(await self._run(key, lambda client: client.delete(key)))

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object:
        """EVAL of a script with one key."""
        result: object = await self._run(key, lambda client: client.eval(script, 1, key, *args))
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
                await self._close(loop)

    async def _run(self, key: str, command: Callable[[Any], Awaitable[Any]]) -> Any:
        return await self._calls.make(key, lambda: self._run_now(command))

    async def _run_now(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        client = self._client()
        if self._address.kind == CLUSTER and client.get_default_node() is None:
            await client.initialize()  # until it knows the cluster's nodes, it sends commands to any of them
        return await command(client)

    async def _get(self, client: Any, key: str) -> Any:
        try:
            return await client.get(key)
        except (RedisConnectionError, ClusterDownError):
            if self._address.kind != CLUSTER:
                raise
            # The cluster client does not notice that a node has closed an idle connection. Reading twice is harmless.
            return await client.get(key)

    async def _close(self, loop: _Loop) -> None:
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await self._calls.drained()
        loop.client = None
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await loop.close.aclose()

    def _client(self) -> Any:
        loop = self._loop()
        if loop.client is None:
            loop.client, closers = _new_client(self._address, self._calls.max_connections)
            for close in closers:
                loop.close.push_async_callback(close)
        return loop.client

    def _loop(self) -> _Loop:
        loop = self._loops.get(None)
        if loop is None:
            loop = _Loop()
            self._loops.set(loop)
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
