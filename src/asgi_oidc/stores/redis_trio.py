"""Runs Redis commands with coredis, on trio (extra `redis-trio`).

coredis binds a client to the task that opened it. While the app runs, one task keeps a client open for all; otherwise
each command opens a client of its own.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
from asgi_oidc.stores.redis_batches import Batches, Command
from asgi_oidc.stores.redis_url import CLUSTER, SENTINEL, Address

CONNECT_TIMEOUT = 1.0  # seconds
ANSWER_TIMEOUT = 2.0  # seconds
STUCK = 10.0  # seconds; a command that has waited so long will not get an answer
PAUSE = 1.0  # seconds before the next client is opened
# After these errors, the client is replaced: its connections may be dead, or lead to a former primary; and each time
# that no sentinel knew a primary, its pool has lost a connection.
REPLACED_AFTER = (TimeoutError, PrimaryNotFoundError, ReadOnlyError)


@dataclass(frozen=True)
class _Open:
    """An open client, the commands that wait for it, and whether it must be replaced."""

    client: Any
    is_broken: anyio.Event
    waiting: set[anyio.CancelScope] = field(default_factory=set)

    async def run(self, command: Callable[[Any], Awaitable[Any]]) -> Any:
        with anyio.fail_after(ANSWER_TIMEOUT if self.is_broken.is_set() else STUCK) as scope:
            self.waiting.add(scope)
            try:
                return await command(self.client)
            finally:
                self.waiting.discard(scope)

    def give_up(self) -> None:
        """Have the client replaced, and shorten the deadlines of the commands that still wait for it."""
        self.is_broken.set()
        deadline = anyio.current_time() + ANSWER_TIMEOUT
        for scope in self.waiting:
            scope.deadline = min(scope.deadline, deadline)


class _Loop:
    """What belongs to one event loop: its batches, how many apps run, and the client that one keeps open for all."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._is_cluster = address.kind == CLUSTER
        self.batches = Batches(self._run, is_for_cluster=self._is_cluster)
        self.running_apps = 0
        self.lock = anyio.Lock()  # held by the app that keeps the client open
        self.was_tried = anyio.Event()  # opening the client has succeeded or failed
        self.opened: _Open | None = None

    async def _run(self, commands: Sequence[Command]) -> Sequence[object]:
        """Run a batch on one connection."""
        if self.running_apps and not self.was_tried.is_set():
            with anyio.move_on_after(ANSWER_TIMEOUT):
                await self.was_tried.wait()
        if self.opened is None:
            return await self._run_once(commands)
        return await self._run_with(self.opened, commands)

    async def _run_with(self, opened: _Open, commands: Sequence[Command]) -> Sequence[object]:
        try:
            results: Sequence[object] = await opened.run(lambda client: self._run_on(client, commands))
        except REPLACED_AFTER:
            opened.give_up()
            raise
        if any(isinstance(result, REPLACED_AFTER) for result in results):
            opened.give_up()
        return results

    async def _run_once(self, commands: Sequence[Command]) -> Sequence[object]:
        try:
            async with _new_client(self._address, self.batches.max_connections) as client:
                return await self._run_on(client, commands)
        except ExceptionGroup as group:  # coredis wraps errors while a client is open, perhaps twice
            error: Exception = group
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            raise error from group

    async def _run_on(self, client: Any, commands: Sequence[Command]) -> Sequence[object]:
        if len(commands) == 1:
            return [await self._run_alone(client, commands[0])]
        async with client.pipeline(transaction=False, raise_on_error=False) as pipeline:
            for command in commands:
                command.run(pipeline)
        results: Sequence[object] = pipeline.results
        return results

    async def _run_alone(self, client: Any, command: Command) -> object:
        try:
            return await command.run(client)
        except RedisConnectionError:
            if not self._is_cluster or not command.is_read:
                raise
            return await command.run(client)  # from the node that has the key now; reading twice is harmless


class TrioBackend:
    """Commands through coredis."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._loops: RunVar[_Loop] = run_var("coredis")

    async def get(self, key: str) -> bytes | None:
        """GET."""
        command = Command(key, lambda client: client.get(key), is_read=True)
        value: bytes | None = await self._loop().batches.call(command)
        return value

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool:
        """SET NX PX."""
        command = Command(
            key,
            lambda client: client.set(key, value, condition=PureToken.NX, px=milliseconds),
            size=len(value),
        )
        return bool(await self._loop().batches.call(command))

    async def remove(self, key: str) -> int:
        """DEL."""
        return int(await self._loop().batches.call(Command(key, lambda client: client.delete([key]))))

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object:
        """EVAL of a script with one key."""
        sent = [each.encode() if isinstance(each, str) else each for each in args]  # an error here is only this call's
        size = len(script) + sum(len(each) for each in sent if isinstance(each, bytes))
        command = Command(key, lambda client: client.eval(script, keys=[key], args=sent), size=size)
        result: object = await self._loop().batches.call(command)
        return result

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a client open, in a task of its own, as soon as the server can be reached."""
        loop = self._loop()
        if not loop.running_apps:
            loop.was_tried = anyio.Event()
        loop.running_apps += 1
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_open, loop)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                loop.running_apps -= 1
                tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _keep_open(self, loop: _Loop) -> None:
        # If apps share a store, one of them keeps the client open; when it ends, the next one takes over.
        async with loop.lock, anyio.create_task_group() as clients:
            while True:
                is_broken = anyio.Event()
                clients.start_soon(self._hold_open, loop, is_broken)
                await is_broken.wait()
                await anyio.sleep(PAUSE)

    async def _hold_open(self, loop: _Loop, is_broken: anyio.Event) -> None:
        """Open a client and keep it open; once it is broken, its running commands get `STUCK` seconds to finish."""
        opened: _Open | None = None
        try:
            async with _new_client(self._address, loop.batches.max_connections) as client:
                opened = loop.opened = _Open(client, is_broken)
                loop.was_tried.set()
                await is_broken.wait()
                await anyio.sleep(STUCK)
        except Exception:  # noqa: BLE001  # any error: the next client may work, and the app must not end because of it
            is_broken.set()
        finally:
            loop.was_tried.set()
            if loop.opened is opened:
                loop.opened = None

    def _loop(self) -> _Loop:
        loop = self._loops.get(None)
        if loop is None:
            loop = _Loop(self._address)
            self._loops.set(loop)
        return loop


@asynccontextmanager
async def _new_client(address: Address, max_connections: int) -> AsyncIterator[Any]:
    # A command whose answer was lost may have been executed, so it is not sent again.
    common: dict[str, Any] = {"retry_policy": NoRetryPolicy(), "max_connections": max_connections}
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
        # Without this, coredis reads the cluster's settings, which takes permissions that a store should not need.
        async with RedisCluster(startup_nodes=locations, skip_full_coverage_check=True, **options) as client:
            yield client
        return
    location: dict[str, Any] = {"unix_socket_path": address.path} if address.path else {}
    if locations:
        location = {"host": locations[0].host, "port": locations[0].port}
    async with Redis(db=address.db, **location, **options) as client:
        yield client


def _tls(ssl_ca_certs: str | None = None, ssl_certfile: str | None = None, ssl_keyfile: str | None = None) -> Any:
    # By default, coredis does not check the host name in the certificate; this context does.
    context = ssl.create_default_context(cafile=ssl_ca_certs)
    if ssl_certfile:
        context.load_cert_chain(ssl_certfile, ssl_keyfile)
    return context
