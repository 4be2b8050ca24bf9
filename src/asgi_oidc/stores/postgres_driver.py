"""The only module that imports psycopg: connections on asyncio, and in worker threads for trio (extra `postgres`).

No statement is cancelled: whoever gives up shuts the socket down, which the driver notices, and the connection is
closed. It is a duplicate of the driver's socket, whose number another one may have got meanwhile.
"""

import asyncio
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import anyio
import psycopg
from anyio import CapacityLimiter, to_thread
from psycopg import AsyncClientCursor, AsyncConnection, ClientCursor, Connection, conninfo
from psycopg.pq import TransactionStatus

from asgi_oidc.stores.postgres_failures import PostgresFailure, connection_failure, late_failure, statement_failure
from asgi_oidc.stores.postgres_statements import Statement

OPEN_TIMEOUT = 6.0  # seconds to find the host and connect, over all hosts of the URL
ANSWER_TIMEOUT = 2.0  # seconds

# Besides its own, the driver raises those of sockets, and of host names that are none.
NO_CONNECTION = (psycopg.Error, OSError, ValueError)

Values = Mapping[str, object]
Rows = list[tuple[Any, ...]]


class OpenConnection(Protocol):
    """A connection that one statement uses at a time.

    Attributes:
        prepares: whether to use prepared statements.
        backend_pid: of the server's process, as it was told at the start.
    """

    prepares: bool
    backend_pid: int

    async def execute(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        """Return how many rows were written or read, and the rows that came back.

        Raises:
            PostgresFailure: if it `ends_connection`, close the connection.
        """

    def is_usable(self) -> bool:
        """Whether the server has not closed it, as far as this machine knows."""

    def close(self) -> None:
        """Close it; a statement that is running fails."""


def read_conninfo(url: str) -> dict[str, str]:
    """Return libpq's options of a URL.

    Raises:
        ValueError: libpq cannot read it; the text does not contain it.
    """
    with suppress(psycopg.Error):
        return {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items()}
    raise ValueError("must be a URL with options that libpq knows, such as sslmode or target_session_attrs")


class AsyncioConnection:
    """A connection on asyncio."""

    def __init__(self, connection: AsyncConnection[tuple[Any, ...]]) -> None:
        self.prepares = False
        self.backend_pid = connection.info.backend_pid
        self._connection = connection
        self._line = _line_of(connection)

    def __del__(self) -> None:
        if hasattr(self, "_line"):  # of an event loop that ended without a word
            self.close()

    @classmethod
    async def open(cls, options: Mapping[str, str]) -> OpenConnection:
        """Connect.

        Raises:
            PostgresFailure: there is no connection.
        """
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                return cls(await AsyncConnection.connect(**options, autocommit=True))  # type: ignore[arg-type]
        except TimeoutError:
            failure = connection_failure("timeout expired")
        except NO_CONNECTION as error:
            failure = connection_failure(str(error))
        raise failure  # outside of the block: without the driver's frames, which hold the password

    async def execute(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        """Execute a statement."""
        timer = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT, self._line.cut)
        try:
            if statement.is_script:
                return await self._execute_script(statement, values)
            cursor = await self._connection.execute(statement.sql, values, prepare=self.prepares, binary=True)
            return cursor.rowcount, await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            failure = _failure(error, self._connection, self._line)
        finally:
            timer.cancel()
        raise failure

    async def _execute_script(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        cursor = AsyncClientCursor(self._connection)
        await cursor.execute(statement.sql, values)
        rows: Rows = []
        is_left: bool | None = True
        while is_left:
            rows = await cursor.fetchall() if cursor.description else rows
            is_left = cursor.nextset()
        return len(rows), rows

    def is_usable(self) -> bool:
        """Whether the server has not closed it."""
        return not self._connection.closed and self._line.is_quiet()

    def close(self) -> None:
        """Close it."""
        self._line.close()
        self._connection.pgconn.finish()


class ThreadConnection:
    """A connection that works in threads, for trio."""

    def __init__(self, connection: Connection[tuple[Any, ...]], limiter: CapacityLimiter) -> None:
        self.prepares = False
        self.backend_pid = connection.info.backend_pid
        self._connection = connection
        self._limiter = limiter
        self._lock = threading.Lock()  # libpq must not be closed by one thread while another uses it
        self._is_closed = False
        self._line = _line_of(connection)

    def __del__(self) -> None:
        if hasattr(self, "_line"):  # of an event loop that ended without a word
            self.close()

    @classmethod
    async def open(cls, options: Mapping[str, str], limiter: CapacityLimiter) -> OpenConnection:
        """Connect.

        Raises:
            PostgresFailure: there is no connection.
        """
        attempt = _Attempt(options)
        with anyio.move_on_after(OPEN_TIMEOUT):
            await to_thread.run_sync(attempt.run, abandon_on_cancel=True, limiter=limiter)
        connection, failure = attempt.result_or_none(), attempt.failure
        if connection is not None:
            try:
                return cls(connection, limiter)
            except OSError as error:
                failure = connection_failure(str(error))
        raise failure

    async def execute(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        """Execute a statement."""
        outcome: tuple[int, Rows] | PostgresFailure | None = None
        with anyio.move_on_after(ANSWER_TIMEOUT):
            outcome = await to_thread.run_sync(
                self._execute, statement, values, abandon_on_cancel=True, limiter=self._limiter
            )
        if outcome is None:  # the thread still waits: closing the connection ends that
            self._line.cut()
            raise late_failure(ANSWER_TIMEOUT)
        if isinstance(outcome, PostgresFailure):
            raise outcome
        return outcome

    def _execute(self, statement: Statement, values: Values) -> tuple[int, Rows] | PostgresFailure:
        try:
            with self._lock:
                return self._execute_locked(statement, values)
        except psycopg.Error as error:
            return _failure(error, self._connection, self._line)
        finally:
            if self._is_closed:
                self._finish()

    def _execute_locked(self, statement: Statement, values: Values) -> tuple[int, Rows]:
        if not statement.is_script:
            cursor = self._connection.execute(statement.sql, values, prepare=self.prepares, binary=True)
            return cursor.rowcount, cursor.fetchall() if cursor.description else []
        script = ClientCursor(self._connection)
        script.execute(statement.sql, values)
        rows: Rows = []
        is_left: bool | None = True
        while is_left:
            rows = script.fetchall() if script.description else rows
            is_left = script.nextset()
        return len(rows), rows

    def is_usable(self) -> bool:
        """Whether the server has not closed it."""
        return not self._connection.closed and self._line.is_quiet()

    def close(self) -> None:
        """Close it; if a thread is using it, that thread does it."""
        self._is_closed = True
        self._finish()

    def _finish(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._line.close()
                self._connection.pgconn.finish()
            finally:
                self._lock.release()
        else:
            self._line.cut()


class _Line:
    """The socket of a connection, to look at it and to shut it down while the driver uses it."""

    def __init__(self, number: int) -> None:
        self.was_cut = False
        self._socket = socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)  # a duplicate, of whatever family
        self._socket.setblocking(False)

    def is_quiet(self) -> bool:
        """Whether nothing has come: an idle server only speaks to say that it closes the connection."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def cut(self) -> None:
        """End the wait for the other side."""
        self.was_cut = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the duplicate."""
        self._socket.close()


def _line_of(connection: Any) -> _Line:
    try:
        return _Line(connection.fileno())
    except OSError:  # there are too many open files
        connection.pgconn.finish()
        raise


class _Attempt:
    """Connects in a thread that may be given up meanwhile; then the connection is closed there."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.failure = connection_failure("timeout expired")
        self._options = options
        self._lock = threading.Lock()
        self._is_over = False
        self._connection: Connection[tuple[Any, ...]] | None = None

    def run(self) -> None:
        """Connect."""
        try:
            connection = Connection.connect(**self._options, autocommit=True)  # type: ignore[arg-type]
        except NO_CONNECTION as error:
            self.failure = connection_failure(str(error))
            return
        with self._lock:
            if self._is_over:
                connection.close()
            else:
                self._connection = connection

    def result_or_none(self) -> Connection[tuple[Any, ...]] | None:
        """Return the connection; one that comes later is closed."""
        with self._lock:
            self._is_over = True
            return self._connection


def _failure(error: psycopg.Error, connection: Any, line: _Line) -> PostgresFailure:
    if line.was_cut:
        return late_failure(ANSWER_TIMEOUT)
    failure = statement_failure(error.sqlstate)
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        failure.ends_connection = True  # a script that failed leaves its transaction open
    return failure
