"""A session store in PostgreSQL, for those who have no Redis."""

import importlib.util
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores import postgres_tables
from asgi_oidc.stores.postgres_failures import ONLY_READS, PostgresFailure
from asgi_oidc.stores.postgres_statements import MOST_EXPIRED, Statement, Statements
from asgi_oidc.stores.postgres_tables import CHECK, DEFAULT_TABLES, STATEMENT_TIMEOUT, problem_of
from asgi_oidc.stores.postgres_url import make_address, split_url
from asgi_oidc.stores.store import SessionStore

if TYPE_CHECKING:
    from asgi_oidc.stores.postgres_driver import OpenConnection, Rows

EXTRA = "asgi-oidc[postgres]"
PURGE_INTERVAL = 30.0  # seconds; while there are more expired rows than one purge deletes, it does not apply


class PostgresStore(SessionStore):
    """Keeps sessions in two tables of PostgreSQL 14 or newer, for any number of processes and machines.

    The tables are made once, by `PostgresStore.migration()` or `asgi-oidc postgres-tables`; the store itself needs only
    the rights to read and write their rows. On trio, it works in threads.

    Args:
        url: `postgresql://user:password@host:5432/database`, with the options of libpq (`sslmode`, several hosts,
            `host` for a Unix socket); `tables`, `pool_size` and `prepare` may be in it as well.
        tables: the beginning of the tables' names, perhaps with a schema, such as `auth.asgi_oidc`.
        pool_size: the number of connections at most, for each process.
        prepare: whether to use prepared statements. By default they are used unless a pooler such as PgBouncer is in
            between.

    Raises:
        ValueError: the URL or an option is invalid.
        ImportError: psycopg is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        tables: str | None = None,
        pool_size: int | None = None,
        prepare: bool | None = None,
    ) -> None:
        libpq_url, own = split_url(url)
        if importlib.util.find_spec("psycopg") is None:
            raise ImportError(f"PostgresStore needs psycopg: pip install '{EXTRA}'")
        from asgi_oidc.stores.postgres_driver import read_conninfo
        from asgi_oidc.stores.postgres_pool import Pool

        given = {"tables": tables, "pool_size": pool_size, "prepare": prepare}
        self._address = make_address(
            read_conninfo(libpq_url), {**own, **{name: value for name, value in given.items() if value is not None}}
        )
        self._statements = Statements(self._address.tables)
        self._pool = Pool(self._address, self._greet)
        self._next_purge_at = float("-inf")

    def __repr__(self) -> str:
        return f"PostgresStore({self._address})"

    @staticmethod
    def migration(*, tables: str = DEFAULT_TABLES, unlogged: bool = False, role: str | None = None) -> str:
        """Return the SQL that makes the tables, for a migration of the app's or for `psql`.

        Args:
            tables: as in the constructor.
            unlogged: leave them out of the write-ahead log: faster, but a crash of the server empties them, and
                replicas do not have them.
            role: the app's database role, which gets the rights that it needs.
        """
        return postgres_tables.migration(tables=tables, unlogged=unlogged, role=role)

    async def get(self, key: str) -> bytes | None:
        """SELECT."""
        _, rows = await self._run("get", self._statements.get, key=key)
        return rows[0][0] if rows else None

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """INSERT; an expired row is overwritten."""
        return await self._write("add", self._statements.add, key=key, value=value, lifetime=lifetime)

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """UPDATE of the row that has the old value."""
        return await self._write("replace", self._statements.replace, key=key, old=old, new=new, lifetime=lifetime)

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """DELETE, perhaps of the row that has this value."""
        if only is None:
            return await self._write("remove", self._statements.remove, key=key)
        return await self._write("remove", self._statements.remove_only, key=key, only=only)

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """INSERT, and DELETE of those beyond `most`, in one transaction and one message."""
        lock = self._statements.lock_of(index)
        values = {"lock": lock, "index": index, "member": member, "lifetime": lifetime, "most": most}
        _, rows = await self._run("link", self._statements.link, **values)
        self._purge_now_and_then()
        return [name for (name,) in rows]

    async def linked(self, index: str) -> Sequence[str]:
        """SELECT."""
        _, rows = await self._run("linked", self._statements.linked, index=index)
        return [name for (name,) in rows]

    async def unlink(self, index: str, member: str) -> None:
        """DELETE."""
        await self._run("unlink", self._statements.unlink, index=index, member=member)

    async def unlogged_tables(self) -> list[str]:
        """Return which of the tables are left out of the write-ahead log."""
        _, rows = await self._run("unlogged_tables", self._statements.unlogged)
        return [name for (name,) in rows]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open while the app runs."""
        async with self._pool.running():
            yield

    async def _write(self, method: str, statement: Statement, **values: Any) -> bool:
        count, _ = await self._run(method, statement, **values)
        self._purge_now_and_then()
        return count == 1

    async def _run(self, method: str, statement: Statement, **values: Any) -> "tuple[int, Rows]":
        try:
            return await self._pool.run(statement, values)
        except PostgresFailure as error:
            code, detail = error.code, f"{method}: {error.text}"
        raise StoreUnavailable(code, detail)

    def _purge_now_and_then(self) -> None:
        if time.monotonic() >= self._next_purge_at:
            self._next_purge_at = time.monotonic() + PURGE_INTERVAL
            self._pool.start("purge", self._purge)

    async def _purge(self) -> None:
        for statement in self._statements.purges:
            count, _ = await self._pool.run(statement, {})
            if count == MOST_EXPIRED:  # there may be more: the next write deletes them
                self._next_purge_at = time.monotonic()

    async def _greet(self, connection: "OpenConnection") -> None:
        """Look at the tables, and whether a pooler is in between, where prepared statements may go astray.

        A server that only reads is refused at once: a standby that lags, or has lost its primary, would bring sessions
        back that have ended.
        """
        tables = self._address.tables
        names = {"entries": f"{tables}_entries", "members": f"{tables}_members"}
        _, rows = await connection.execute(
            Statement(CHECK), {**names, "pid": connection.backend_pid, "timeout": STATEMENT_TIMEOUT}
        )
        for name, is_there, comment, missing_rights, backend_pid, only_reads, _ in rows:
            problem = problem_of(name, is_there=is_there, comment=comment, missing_rights=missing_rights, tables=tables)
            if problem is not None:
                raise PostgresFailure(*problem)
            if only_reads:
                raise PostgresFailure(*ONLY_READS)
            is_direct = backend_pid == connection.backend_pid  # a pooler has numbers of its own
            connection.prepares = is_direct if self._address.prepare is None else self._address.prepare
