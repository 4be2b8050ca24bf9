"""The only door to redis-py: one client per event loop (extra `redis`)."""

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
PAUSE = 1.0  # seconds between two questions for the nodes of a cluster
CLOSE_DEADLINE = 1.0  # seconds for commands that are on their way when the app ends


class _Loop:
    """What one event loop has: its client, who runs, and how to hang up."""

    def __init__(self) -> None:
        self.client: Any = None
        self.close = AsyncExitStack()
        self.running = 0


class AsyncioBackend:
    """Commands through redis-py."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._calls = Calls(is_for_cluster=address.kind == CLUSTER)
        self._loops: RunVar[_Loop] = run_var("redis")

    async def get(self, key: str) -> bytes | None:
        """GET."""
        value: bytes | None = await self._do(key, lambda client: self._get(client, key))
        return value

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """SET NX PX."""
        return bool(await self._do(key, lambda client: client.set(key, value, nx=True, px=milliseconds)))

    async def remove(self, key: str) -> int:
        """DEL."""
        return int(await self._do(key, lambda client: client.delete(key)))

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object:
        """EVAL of a script with one key."""
        result: object = await self._do(key, lambda client: client.eval(script, 1, key, *args))
        return result

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hang up when the last one ends; connections are made when they are needed."""
        loop = self._loop()
        loop.running += 1
        try:
            yield
        finally:
            loop.running -= 1
            if not loop.running:
                await self._hang_up(loop)

    async def _do(self, key: str, command: Callable[[Any], Awaitable[Any]]) -> Any:
        return await self._calls.make(key, lambda: self._call(command))

    async def _call(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        client = self._client()
        if self._address.kind == CLUSTER and client.get_default_node() is None:
            await client.initialize()  # before it knows the cluster, it sends commands to any node
        return await command(client)

    async def _get(self, client: Any, key: str) -> Any:
        try:
            return await client.get(key)
        except (RedisConnectionError, ClusterDownError):
            if self._address.kind != CLUSTER:
                raise
            # The cluster client does not see that a node hung up on it while it was idle; reading twice does no harm.
            return await client.get(key)

    async def _hang_up(self, loop: _Loop) -> None:
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await self._calls.made()
        loop.client = None
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await loop.close.aclose()

    def _client(self) -> Any:
        loop = self._loop()
        if loop.client is None:
            loop.client, closers = _new_client(self._address, self._calls.most_connections)
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
    """A cluster that goes on with what it knows of its nodes while it asks for what is new.

    After an error redis-py asks first, and a node that hangs would keep the commands for all others waiting.
    """

    _asking: asyncio.Task[None] | None = None
    _next_at = 0.0  # of the loop's clock: each time that it asks, all connections are made anew

    async def initialize(self, *hints: Any, **named: Any) -> RedisCluster:
        if self.get_default_node() is None:
            return await super().initialize(*hints, **named)
        loop = asyncio.get_running_loop()
        if (self._asking is None or self._asking.done()) and loop.time() >= self._next_at:
            self._next_at = loop.time() + PAUSE
            self._asking = loop.create_task(self._call_store(*hints, **named))
        return self

    async def hang_up(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self.aclose()
        for which in ("nodes_cache", "startup_nodes"):  # what it leaves open while it should ask
            await self.nodes_manager.aclose(which)

    async def _call_store(self, *hints: Any, **named: Any) -> None:
        with suppress(Exception):  # whatever it is, the next one to need it asks again
            await super().initialize(*hints, **named)


class _Commands:
    """Knows where a command of ours has its key: it comes first.

    redis-py would ask for a list of all commands each time that the cluster changes, and hold the event loop for tenths
    of a second to read it.
    """

    async def initialize(self, node: ClusterNode) -> None:
        """There is nothing to ask."""

    async def get_keys(self, *args: Any) -> Sequence[str]:
        return args[1:2]


def _new_client(address: Address, most_connections: int) -> tuple[Any, list[Callable[[], Awaitable[None]]]]:
    common: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        # A command whose answer got lost may have been carried out: it is not sent again.
        "retry": Retry(NoBackoff(), 0),
        # With protocol 3 it does not look whether the server hung up on a connection before it takes it.
        "protocol": 2,
    }
    if address.tls is not None:
        common |= {"ssl": True, "ssl_check_hostname": True, **address.tls}
    options = {**common, **address.options, "max_connections": most_connections}
    if address.kind == CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        # Steps of 5 would end all commands that are on their way whenever five were sent to where a key was before.
        cluster: Any = _Cluster(startup_nodes=nodes, require_full_coverage=False, reinitialize_steps=0, **options)
        cluster.commands_parser = _Commands()
        return cluster, [cluster.hang_up]
    if address.kind == SENTINEL:
        make: Any = Sentinel  # it has no types
        sentinel = make(address.hosts, sentinel_kwargs={**common, **address.sentinel_options})
        client = sentinel.master_for(address.service, db=address.db, **options)
        return client, [client.aclose, *(each.aclose for each in sentinel.sentinels)]
    where: dict[str, Any] = {"unix_socket_path": address.path} if address.path else {}
    if address.hosts:
        where = {"host": address.hosts[0][0], "port": address.hosts[0][1]}
    single: Any = Redis(db=address.db, **where, **options)
    return single, [single.aclose]
