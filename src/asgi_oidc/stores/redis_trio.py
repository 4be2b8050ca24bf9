"""The only door to coredis: it speaks trio (extra `redis-trio`).

A client lives in the task that opened it. While the app runs, one task keeps a client open; without that, each call has
a client of its own.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.lowlevel import RunVar
from coredis import PureToken, Redis, RedisCluster, Sentinel
from coredis.connection import TCPLocation
from coredis.exceptions import ConnectionError as RedisConnectionError
from coredis.exceptions import PrimaryNotFoundError, ReadOnlyError
from coredis.retry import NoRetryPolicy

from asgi_oidc.single_flight import run_var
from asgi_oidc.stores.redis_limits import Calls
from asgi_oidc.stores.redis_url import CLUSTER, SENTINEL, Address

CONNECT_TIMEOUT = 1.0  # seconds
ANSWER_TIMEOUT = 2.0  # seconds
STUCK = 10.0  # seconds after which a command waits for something that will not come
PAUSE = 1.0  # seconds before the next client is opened


@dataclass(frozen=True)
class _Open:
    """A client that is open, who waits for it, and whether it needs a successor."""

    client: Any
    is_broken: anyio.Event
    waiting: set[anyio.CancelScope] = field(default_factory=set)

    async def make(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        with anyio.fail_after(ANSWER_TIMEOUT if self.is_broken.is_set() else STUCK) as scope:
            self.waiting.add(scope)
            try:
                return await command(self.client)
            finally:
                self.waiting.discard(scope)

    def give_up(self) -> None:
        """Ask for a successor; those who wait need not wait for long any more."""
        self.is_broken.set()
        soon = anyio.current_time() + ANSWER_TIMEOUT
        for scope in self.waiting:
            scope.deadline = min(scope.deadline, soon)


class _Loop:
    """What one event loop has: how many apps run, whose turn it is to keep the client, and that client."""

    def __init__(self) -> None:
        self.running = 0
        self.lock = anyio.Lock()
        self.was_opened = anyio.Event()  # or could not be
        self.opened: _Open | None = None


class TrioBackend:
    """Commands through coredis."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._calls = Calls(is_for_cluster=address.kind == CLUSTER)
        self._loops: RunVar[_Loop] = run_var("coredis")

    async def get(self, key: str) -> bytes | None:
        """GET."""
        value: bytes | None = await self._do(key, lambda client: self._get(client, key))
        return value

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """SET NX PX."""
        return bool(await self._do(key, lambda client: client.set(key, value, condition=PureToken.NX, px=milliseconds)))

    async def remove(self, key: str) -> int:
        """DEL."""
        return int(await self._do(key, lambda client: client.delete([key])))

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object:
        """EVAL of a script with one key."""
        result: object = await self._do(key, lambda client: client.eval(script, keys=[key], args=args))
        return result

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a client open in a task of its own, from when its server is there."""
        loop = self._loop()
        if not loop.running:
            loop.was_opened = anyio.Event()
        loop.running += 1
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_open, loop)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                loop.running -= 1
                tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _do(self, key: str, command: Callable[[Any], Awaitable[Any]]) -> Any:
        return await self._calls.make(key, lambda: self._call(command))

    async def _call(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        loop = self._loop()
        if loop.running:
            with anyio.move_on_after(ANSWER_TIMEOUT):
                await loop.was_opened.wait()
        if loop.opened is None:
            return await self._call_once(command)
        return await self._call_with(loop.opened, command)

    async def _call_with(self, opened: _Open, command: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            return await opened.make(command)
        except (TimeoutError, PrimaryNotFoundError, ReadOnlyError):
            # Its connections may lead nowhere, or to one that was the primary; and each time that no sentinel named
            # one, a place in its pool got lost.
            opened.give_up()
            raise

    async def _call_once(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            async with _new_client(self._address, self._calls.most_connections) as client:
                return await command(client)
        except ExceptionGroup as group:  # it wraps what happens while it is open, maybe twice
            error: Exception = group
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            raise error from group

    async def _get(self, client: Any, key: str) -> Any:
        try:
            return await client.get(key)
        except RedisConnectionError:
            if self._address.kind != CLUSTER:
                raise
            return await client.get(key)  # from where the key is now; reading twice does no harm

    async def _keep_open(self, loop: _Loop) -> None:
        # Apps that share a store take turns: when one ends, the next keeps the client.
        async with loop.lock, anyio.create_task_group() as clients:
            while True:
                is_broken = anyio.Event()
                clients.start_soon(self._hold, loop, is_broken)
                await is_broken.wait()
                await anyio.sleep(PAUSE)

    async def _hold(self, loop: _Loop, is_broken: anyio.Event) -> None:
        """Open a client and keep it; when it is broken, those who use it may finish."""
        opened: _Open | None = None
        try:
            async with _new_client(self._address, self._calls.most_connections) as client:
                opened = loop.opened = _Open(client, is_broken)
                loop.was_opened.set()
                await is_broken.wait()
                await anyio.sleep(STUCK)
        except Exception:  # noqa: BLE001  # whatever it was, the next one may do better, and no app ends by it
            is_broken.set()
        finally:
            loop.was_opened.set()
            if loop.opened is opened:
                loop.opened = None

    def _loop(self) -> _Loop:
        loop = self._loops.get(None)
        if loop is None:
            loop = _Loop()
            self._loops.set(loop)
        return loop


@asynccontextmanager
async def _new_client(address: Address, most_connections: int) -> AsyncIterator[Any]:
    # A command whose answer got lost may have been carried out: it is not sent again.
    common: dict[str, Any] = {"retry_policy": NoRetryPolicy(), "max_connections": most_connections}
    connection: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "stream_timeout": ANSWER_TIMEOUT}
    if address.tls is not None:
        connection["ssl_context"] = _tls(**address.tls)
    options = {**common, **connection, **address.options}
    locations = [TCPLocation(host, port) for host, port in address.hosts]
    if address.kind == SENTINEL:
        sentinel = Sentinel(locations, sentinel_kwargs={**connection, **address.sentinel_options}, **options)
        async with sentinel, sentinel.primary_for(address.service, db=address.db) as client:
            yield client
        return
    if address.kind == CLUSTER:
        options["max_connections_per_node"] = True
        # Asking for its settings takes rights that a store should not need.
        async with RedisCluster(startup_nodes=locations, skip_full_coverage_check=True, **options) as client:
            yield client
        return
    where: dict[str, Any] = {"unix_socket_path": address.path} if address.path else {}
    if locations:
        where = {"host": locations[0].host, "port": locations[0].port}
    async with Redis(db=address.db, **where, **options) as client:
        yield client


def _tls(ssl_ca_certs: str | None = None, ssl_certfile: str | None = None, ssl_keyfile: str | None = None) -> Any:
    # Left to itself, coredis does not compare the name in the certificate.
    context = ssl.create_default_context(cafile=ssl_ca_certs)
    if ssl_certfile:
        context.load_cert_chain(ssl_certfile, ssl_keyfile)
    return context
