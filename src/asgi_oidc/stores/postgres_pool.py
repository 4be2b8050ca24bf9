"""Keeps a few connections to PostgreSQL open for each event loop, and runs statements on them.

A statement has a task of its own, which is never cancelled: a driver that is cancelled in the middle of an answer might
give it to the next caller. It ends by its own timeouts.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc.single_flight import SingleFlight, run_var
from asgi_oidc.stores.postgres_driver import AsyncioConnection, OpenConnection, Rows, ThreadConnection, Values
from asgi_oidc.stores.postgres_failures import PostgresFailure
from asgi_oidc.stores.postgres_statements import Statement
from asgi_oidc.stores.postgres_url import Address
from asgi_oidc.stores.store_failures import log_store_failure

CLOSE_DEADLINE = 1.0  # seconds for statements that are still running when the app ends
MAX_ATTEMPTS = 5  # of a statement that PostgreSQL undid, because it collided with another

Greet = Callable[[OpenConnection], Awaitable[None]]


class _Loop:
    """What belongs to one event loop: its connections, and how many apps use them."""

    def __init__(self, size: int) -> None:
        self.free = anyio.Semaphore(size, fast_acquire=True)
        self.idle: list[OpenConnection] = []
        self.running_apps = 0
        # A thread that was given up still counts until it ends, so there are more of them than connections.
        self.limiter = anyio.CapacityLimiter(2 * size)

    def close_idle(self) -> None:
        while self.idle:
            self.idle.pop().close()


class Pool:
    """Connections to one database.

    Args:
        greet: is called with each new connection, before it is used.
    """

    def __init__(self, address: Address, greet: Greet) -> None:
        self._address = address
        self._greet = greet
        self._flights: SingleFlight[object] = SingleFlight()
        self._loops: RunVar[_Loop] = run_var("postgres")

    async def run(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        """Execute a statement as soon as a connection is free; if the caller is cancelled, it is still completed.

        Raises:
            PostgresFailure: it was not executed, or nobody knows.
        """
        loop = self._loop()
        await loop.free.acquire()

        async def run() -> tuple[int, Rows]:
            try:
                return await self._run_until_done(loop, statement, values)
            finally:
                loop.free.release()

        return await self._flights.run_shielded(run)

    def start(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        """Call something in the background, unless a call of that name is running."""
        self._flights.start(name, call)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect now, and close the connections when the last app ends; a server that is down delays nothing."""
        loop = self._loop()
        loop.running_apps += 1
        self.start("first connection", lambda: self._try_to_connect(loop))
        try:
            yield
        finally:
            loop.running_apps -= 1
            if not loop.running_apps:
                with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
                    await self._flights.drained()
                loop.close_idle()

    async def _try_to_connect(self, loop: _Loop) -> None:
        async with loop.free:
            if loop.idle:
                return
            try:
                loop.idle.append(await self._open(loop))
            except PostgresFailure as failure:  # of the start, where somebody may be watching
                log_store_failure(failure.code, failure.text)

    async def _run_until_done(self, loop: _Loop, statement: Statement, values: Values) -> tuple[int, Rows]:
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return await self._run_now(loop, statement, values)
            except PostgresFailure as failure:
                if not failure.was_undone:
                    raise
        return await self._run_now(loop, statement, values)

    async def _run_now(self, loop: _Loop, statement: Statement, values: Values) -> tuple[int, Rows]:
        connection = self._take_idle(loop)
        if connection is not None:
            try:
                return await self._use(loop, connection, statement, values)
            except PostgresFailure as failure:
                # An idle connection may have died unnoticed.
                if not (failure.is_lost and statement.is_repeatable):
                    raise
        return await self._use(loop, await self._open(loop), statement, values)

    def _take_idle(self, loop: _Loop) -> OpenConnection | None:
        while loop.idle:
            connection = loop.idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def _use(
        self, loop: _Loop, connection: OpenConnection, statement: Statement, values: Values
    ) -> tuple[int, Rows]:
        is_whole = False
        try:
            answer = await connection.execute(statement, values)
            is_whole = True
            return answer
        except PostgresFailure as failure:
            is_whole = not failure.ends_connection
            raise
        finally:
            if is_whole:
                loop.idle.append(connection)
            else:
                connection.close()

    async def _open(self, loop: _Loop) -> OpenConnection:
        connection = await self._connect(loop)
        try:
            await self._greet(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connect(self, loop: _Loop) -> OpenConnection:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # asyncio is not running, so it is trio
            return await ThreadConnection.open(self._address.options, loop.limiter)
        return await AsyncioConnection.open(self._address.options)

    def _loop(self) -> _Loop:
        loop = self._loops.get(None)
        if loop is None:
            loop = _Loop(self._address.pool_size)
            self._loops.set(loop)
        return loop
