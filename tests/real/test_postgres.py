"""The PostgreSQL store on a real server: the contract, its tables, what it costs, what can fail."""

import contextlib
import gc
import logging
import os
import resource
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import psycopg
import pytest

from asgi_oidc import PostgresStore
from asgi_oidc.cli.doctor.stores.postgres import check
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.postgres_statements import MOST_EXPIRED, Statements
from asgi_oidc.testing import SessionStoreContract
from tests.real.postgres_server import LOOPBACK, PASSWORD, ROLE, PostgresServer, pgbouncer, postgres
from tests.real.processes import free_port, wait_until
from tests.real.store_calls import LONG, ask, call_at_once, so_it_is, until
from tests.security.recorder import reported
from tests.security.sizes import size

CHURN = size(300, 20_000)  # sessions that come and go

pytestmark = pytest.mark.real


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Two ways to use the driver, one for each."""
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def rubbish() -> Iterator[None]:
    """What was left unclosed belongs to these tests."""
    yield
    gc.collect()


@pytest.fixture
def owner(postgres_server: PostgresServer) -> "Iterator[psycopg.Connection[Any]]":
    """A connection of somebody who may do everything."""
    with postgres_server.ask() as connection:
        yield connection


@pytest.fixture
def tables(postgres_server: PostgresServer) -> str:
    """Tables of this test's own."""
    return postgres_server.make_tables()


@pytest.fixture(scope="module")
def pooled_url(postgres_server: PostgresServer) -> Iterator[str]:
    """PgBouncer in front of the server."""
    with pgbouncer(postgres_server, pool_size=3) as url:
        yield url


class TestPostgresStore(SessionStoreContract):
    """While the app runs."""

    short = 0.05

    @pytest.fixture
    async def store(self, postgres_server: PostgresServer) -> AsyncIterator[PostgresStore]:
        store = PostgresStore(postgres_server.url)
        async with store.running():
            yield store


class TestRepeatableRead(SessionStoreContract):
    """A database whose transactions see an old state undoes what collides, and the store does it again."""

    short = 0.05

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    async def store(self, postgres_server: PostgresServer) -> AsyncIterator[PostgresStore]:
        options = "options=-c%20default_transaction_isolation%3Dserializable"
        store = PostgresStore(f"{postgres_server.url}?{options}&prepare=no")
        async with store.running():
            yield store


class TestBehindPgBouncer(SessionStoreContract):
    """Its transaction mode gives each message to another connection of the server, perhaps."""

    short = 0.05

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    async def store(self, pooled_url: str) -> AsyncIterator[PostgresStore]:
        store = PostgresStore(pooled_url)
        async with store.running():
            yield store

    async def test_statements_are_not_prepared(
        self, store: Any, pooled_url: str, postgres_server: PostgresServer
    ) -> None:
        """Those of two processes have the same names there, and one would execute that of the other."""
        others = [PostgresStore(pooled_url) for _ in range(3)]
        with postgres_server.counting() as sent:
            for each in (store, *others):
                async with each.running():
                    await each.add("pooled", b"one", lifetime=LONG)
                    answers = [await each.get("pooled") for _ in range(8)]
                    assert answers == [b"one"] * 8

        assert sent["SELECT"] >= 32
        assert sent["prepared"] == 0


async def error_of(call: Callable[[], Awaitable[Any]]) -> StoreUnavailable:
    """Return why a call failed."""
    with pytest.raises(StoreUnavailable) as caught:
        await call()
    return caught.value


@contextlib.contextmanager
def locked(server: PostgresServer, tables: str) -> Iterator[Callable[[], object]]:
    """Let all calls hang; gives what ends it."""
    with server.ask() as other:
        other.execute(f"BEGIN; LOCK TABLE {tables}_entries".encode())
        yield lambda: other.execute("ROLLBACK")


def one_value(owner: "psycopg.Connection[Any]", query: str) -> Any:
    """Ask for one value."""
    row = owner.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


# -- the tables


async def test_without_tables_the_log_says_at_start_up_how_to_make_them(postgres_server, owner, caplog):
    """Then the store works without a restart."""
    store = PostgresStore(postgres_server.url_of("not_yet"))
    with caplog.at_level(logging.WARNING, "asgi_oidc"):
        async with GuardedStore(store).running():
            await so_it_is(lambda: caplog.records)
            error = await error_of(lambda: store.get("key"))
            owner.execute(PostgresStore.migration(tables="not_yet", role=ROLE).encode())
            added = await store.add("key", b"one", lifetime=LONG)

    assert "code=store_tables" in caplog.text
    assert error.code == "store_tables"
    assert "make it once with: asgi-oidc postgres-tables --role ROLE --tables not_yet | psql" in error.detail
    assert added is True
    owner.execute("DROP TABLE not_yet_entries, not_yet_members")


async def test_tables_of_another_version_are_refused(postgres_server, owner, tables):
    """A store that guesses might lose revocations."""
    owner.execute(f"COMMENT ON TABLE {tables}_members IS 'asgi-oidc tables, version 0'".encode())

    error = await error_of(lambda: PostgresStore(postgres_server.url_of(tables)).get("key"))

    assert (error.code, "not of version 1" in error.detail) == ("store_tables", True)


async def test_a_role_without_rights_is_told_which_are_missing(postgres_server, owner, tables):
    """At the start, and not when the first user signs out."""
    owner.execute(f"REVOKE DELETE, UPDATE ON {tables}_members FROM {ROLE}".encode())

    error = await error_of(lambda: PostgresStore(postgres_server.url_of(tables)).get("key"))

    assert error.code == "store_rights"
    assert f"lacks UPDATE, DELETE on {tables}_members" in error.detail


async def test_tables_that_are_dropped_meanwhile_are_an_error_that_says_so(postgres_server, owner, tables):
    """And made again, they are used again."""
    store = PostgresStore(postgres_server.url_of(tables))
    async with store.running():
        await store.add("key", b"one", lifetime=LONG)
        owner.execute(f"DROP TABLE {tables}_entries, {tables}_members".encode())
        error = await error_of(lambda: store.get("key"))
        owner.execute(PostgresStore.migration(tables=tables, role=ROLE).encode())
        after = await store.get("key")

    assert (error.code, after) == ("store_tables", None)


async def test_the_role_of_the_app_can_do_no_more_than_it_must(postgres_server, tables):
    """The store makes no table by itself."""
    with psycopg.connect(postgres_server.url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(f"TRUNCATE {tables}_entries".encode())


async def test_tables_may_be_in_a_schema_of_their_own_and_unlogged(postgres_server, owner):
    """The migration is what the guide shows."""
    owner.execute(f"CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO {ROLE}".encode())
    owner.execute(PostgresStore.migration(tables="auth.oidc", unlogged=True, role=ROLE).encode())
    store = PostgresStore(postgres_server.url, tables="auth.oidc")
    async with store.running():
        await store.add("key", b"one", lifetime=LONG)
        await store.link("index", "member", lifetime=LONG, most=5)

        assert (await store.get("key"), await store.linked("index")) == (b"one", ["member"])
        ((name, problem, _),) = await check(store)
    assert (name, "auth.oidc_entries and auth.oidc_members" in problem) == ("store_unlogged", True)
    assert one_value(owner, "SELECT relpersistence FROM pg_class WHERE relname = 'oidc_entries'") == "u"
    owner.execute("DROP SCHEMA auth CASCADE")


# -- what has expired


async def test_expired_rows_are_deleted_a_few_at_a_time(postgres_server, owner, tables):
    """Nobody has to set up a cron job, and no request waits for it."""
    for name, columns in (("entries", "key, value"), ("members", "index_name, member")):
        owner.execute(
            f"INSERT INTO {tables}_{name} ({columns}, expires_at) SELECT 'k' || n, 'x', now() - INTERVAL '1 hour' "
            f"FROM generate_series(1, {2 * MOST_EXPIRED + 50}) AS n".encode()
        )

    def left(name: str) -> int:
        return int(one_value(owner, f"SELECT count(*) FROM {tables}_{name} WHERE expires_at < now()"))

    store = PostgresStore(postgres_server.url_of(tables))
    counts = []
    async with store.running():
        for number in range(3):
            await store.add(f"new{number}", b"one", lifetime=LONG)
            await store._pool._flights.drained()
            counts.append((left("entries"), left("members")))
        alive = await store.get("new0")

    assert counts == [(150, 150), (50, 50), (0, 0)]
    assert alive == b"one"


async def test_a_row_that_expires_in_a_moment_is_not_deleted_yet(postgres_server, tables):
    """It is found by the ten minutes in which it expires, which may have begun."""
    store, other = (PostgresStore(postgres_server.url_of(tables)) for _ in range(2))
    async with store.running(), other.running():
        await store.add("soon", b"one", lifetime=30)
        await other.add("any", b"one", lifetime=LONG)  # the first write of each process deletes
        await other._pool._flights.drained()

        assert await store.get("soon") == b"one"


async def test_rows_that_another_is_changing_are_left_to_the_next_time(postgres_server, owner, tables):
    """Deleting waits for nobody."""
    owner.execute(
        f"INSERT INTO {tables}_entries (key, value, expires_at) SELECT 'k' || n, 'x', now() - INTERVAL '1 hour' "
        f"FROM generate_series(1, 10) AS n".encode()
    )
    store = PostgresStore(postgres_server.url_of(tables))
    async with store.running():
        with postgres_server.ask() as other, other.transaction():
            other.execute(f"SELECT 1 FROM {tables}_entries WHERE key IN ('k3', 'k4') FOR UPDATE".encode())
            await store.add("new", b"one", lifetime=LONG)
            await store._pool._flights.drained()
            left = owner.execute(f"SELECT key FROM {tables}_entries WHERE expires_at < now()".encode()).fetchall()

    assert sorted(left) == [("k3",), ("k4",)]


async def test_writing_the_last_use_changes_no_index(postgres_server, owner, tables):
    """Each user who clicks causes such a write every minute: without HOT updates, the indexes would grow."""
    store = PostgresStore(postgres_server.url_of(tables))
    old = b"0" * 1600
    async with store.running():
        await store.add("key", old, lifetime=LONG)
        for number in range(1, 41):
            new = (b"%d" % number).ljust(1600)
            assert await store.replace("key", old, new, lifetime=LONG)
            old = new
    hot = f"SELECT n_tup_hot_upd::float / n_tup_upd FROM pg_stat_user_tables WHERE relname = '{tables}_entries'"
    owner.execute("SELECT pg_stat_force_next_flush()") if owner.info.server_version >= 150000 else None

    await so_it_is(lambda: one_value(owner, hot.replace("n_tup_upd", "greatest(n_tup_upd, 1)")) > 0.8)


@pytest.mark.long
async def test_tables_stay_small_while_sessions_come_and_go(postgres_server, owner, tables):
    """However many there have been."""
    past = f"UPDATE {tables}_entries SET expires_at = now() - INTERVAL '1 hour' WHERE key LIKE 's%'"
    most = 0
    for number in range(0, CHURN, 50):
        store = PostgresStore(postgres_server.url_of(tables))  # a process looks at its first write, then each 30 s
        async with store.running():
            for n in range(50):
                assert await store.add(f"s{number + n}", b"0" * 1600, lifetime=LONG)
        owner.execute(past.encode())
        most = max(most, int(one_value(owner, f"SELECT count(*) FROM {tables}_entries")))

    assert most <= 2 * MOST_EXPIRED + 50


# -- what a call costs


@pytest.mark.parametrize("prepare", [True, False])
async def test_every_call_is_one_message(postgres_server, prepare):
    """One round trip each: a request with a session makes one."""
    store = PostgresStore(postgres_server.url, prepare=prepare)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "add": lambda: store.add("cost", b"one", lifetime=LONG),
        "get": lambda: store.get("cost"),
        "replace": lambda: store.replace("cost", b"one", b"one", lifetime=LONG),
        "remove only": lambda: store.remove("cost", only=b"two"),
        "remove": lambda: store.remove("cost"),
        "link": lambda: store.link("cost", "member", lifetime=LONG, most=5),
        "linked": lambda: store.linked("cost"),
        "unlink": lambda: store.unlink("cost", "member"),
    }
    costs = {}
    async with store.running():
        await store.add("first", b"one", lifetime=LONG)
        await store._pool._flights.drained()
        for name, call in calls.items():
            with postgres_server.counting() as sent:
                await call()
            prepared = sent.pop("prepared", 0)
            assert prepared == (prepare and name != "link")
            costs[name] = dict(sent)

    assert costs == {
        "add": {"INSERT": 1},
        "get": {"SELECT": 1},
        "replace": {"UPDATE": 1},
        "remove only": {"DELETE": 1},
        "remove": {"DELETE": 1},
        "link": {"BEGIN": 1},
        "linked": {"SELECT": 1},
        "unlink": {"DELETE": 1},
    }


async def test_connections_are_bounded_however_many_wait(postgres_server, tables):
    """All processes together must stay below max_connections."""
    store = PostgresStore(postgres_server.url_of(tables), pool_size=3)
    others = postgres_server.count_connections()
    async with store.running():
        with locked(postgres_server, tables) as release:
            async with anyio.create_task_group() as tasks:
                for _ in range(30):
                    tasks.start_soon(ask, lambda: store.get("key"))
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                with postgres_server.ask() as owner:
                    await so_it_is(lambda: one_value(owner, waiting) == 3)
                connections = postgres_server.count_connections()
                release()

    assert connections - others == 3


async def test_calls_that_are_given_up_leave_no_process_of_the_server_behind(postgres_server, tables):
    """It would wait on for the lock, and its connection count: more of them every two seconds, until none is left."""
    store = PostgresStore(postgres_server.url_of(tables), pool_size=3)
    waiting = (
        f"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%{tables}_entries%'"
    )
    async with store.running():
        with locked(postgres_server, tables), postgres_server.ask() as owner:
            answers = await call_at_once([partial(store.get, f"key{n}") for n in range(3)])
            await so_it_is(lambda: one_value(owner, waiting) == 0)
            details = {getattr(answer, "detail", answer) for answer in answers}
        again = await store.get("key")

    assert (len(details), again) == (1, None)
    assert "what holds locks (57014)" in details.pop()


async def test_whoever_links_to_an_index_waits_for_another_who_does(postgres_server, owner, tables):
    """Neither sees what the other has not committed, so both would leave as many members as are allowed."""
    store = PostgresStore(postgres_server.url_of(tables))
    dropped: list[str] = []
    lock = Statements(tables).lock_of("index")

    async def link() -> None:
        dropped.extend(await store.link("index", "ours", lifetime=LONG, most=1))

    async with store.running():
        with postgres_server.ask() as other:
            other.execute(f"BEGIN; SELECT pg_advisory_xact_lock({lock})".encode())
            other.execute(f"INSERT INTO {tables}_members VALUES ('index', 'theirs', now() + '1 hour')".encode())
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(link)
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                await so_it_is(lambda: one_value(owner, waiting) == 1)
                other.execute("COMMIT")
        left = await store.linked("index")

    assert (dropped, left) == (["ours"], ["theirs"])


async def test_a_shorter_statement_timeout_of_the_database_stays(postgres_server, tables):
    """Its administrator had a reason."""
    options = "options=-c%20statement_timeout%3D100ms"
    store = PostgresStore(f"{postgres_server.url_of(tables)}&{options}")
    async with store.running():
        with locked(postgres_server, tables):
            error = await error_of(lambda: store.get("key"))

    assert "57014" in error.detail


async def test_a_link_that_the_server_ends_half_way_leaves_no_transaction_open(postgres_server, tables):
    """The next call on that connection would fail, or be part of a transaction that nobody commits."""
    options = "pool_size=1&options=-c%20statement_timeout%3D100ms"
    store = PostgresStore(f"{postgres_server.url_of(tables)}&{options}")
    async with store.running():
        with postgres_server.ask() as other:
            other.execute(f"SELECT pg_advisory_lock({Statements(tables).lock_of('index')})".encode())
            error = await error_of(lambda: store.link("index", "member", lifetime=LONG, most=1))
        answer = await store.get("key")

    assert ("57014" in error.detail, answer) == (True, None)


async def test_apps_in_one_process_share_connections(postgres_server):
    """The one that ends leaves those of the other; the last one closes them."""
    store = PostgresStore(postgres_server.url)
    before = postgres_server.count_connections()
    async with store.running():
        await store.get("key")
        await store._pool._flights.drained()
        first = postgres_server.count_connections()
        async with store.running():
            await store.get("key")
        during = postgres_server.count_connections()
    await so_it_is(lambda: postgres_server.count_connections() == before)

    assert during == first > before


def test_a_store_works_in_several_event_loops(postgres_server):
    """Test clients and threads have loops of their own; asyncio and trio may even take turns."""
    store = PostgresStore(postgres_server.url)
    store_errors: list[object] = []

    async def work(name: str) -> None:
        async with store.running():
            await store.add(name, name.encode(), lifetime=LONG)
            store_errors.append(await store.get(name) == name.encode() or name)

    def loop(backend: str, number: int) -> None:
        anyio.run(work, f"loop:{backend}{number}", backend=backend)

    threads = [threading.Thread(target=loop, args=(backend, n)) for backend in ("asyncio", "trio") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store_errors == [True] * 6


def test_a_loop_that_ends_without_a_word_leaves_no_connection(postgres_server):
    """A mounted app hears of no shutdown, and test clients end loops in the middle of what runs in the background."""
    before = postgres_server.count_connections()
    for number, backend in enumerate(("asyncio", "trio")):
        store = PostgresStore(postgres_server.url)
        anyio.run(partial(store.add, f"ends{number}", b"one", lifetime=LONG), backend=backend)
        assert anyio.run(store.get, f"ends{number}", backend=backend) == b"one"

    def is_left() -> bool:
        gc.collect()
        return bool(postgres_server.count_connections() > before)

    wait_until(lambda: not is_left(), "all connections are closed")


# -- what can fail


async def test_connections_that_the_server_ended_are_no_error(postgres_server, owner, tables):
    """An administrator ends them, or a restart, or a network that forgets those that are idle."""
    store = PostgresStore(postgres_server.url_of(tables))
    end = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{ROLE}'"
    async with store.running():
        await call_at_once([lambda: store.get("key")] * 20)
        before = postgres_server.count_connections()
        owner.execute(end.encode())
        await so_it_is(lambda: postgres_server.count_connections() == 0)  # nor those of PgBouncer
        answers = [await ask(partial(store.add, f"key{n}", b"1", lifetime=LONG)) for n in range(5)]

    assert before > 1
    assert answers == [True] * 5


async def test_a_read_whose_connection_is_ended_is_sent_again(postgres_server, owner, tables):
    """A write is not: nobody knows whether it was executed."""
    store = PostgresStore(postgres_server.url_of(tables))
    hanging = f"FROM pg_stat_activity WHERE usename = '{ROLE}' AND wait_event_type = 'Lock'"
    answers: dict[str, object] = {}

    async def note(name: str, call: Callable[[], Awaitable[object]]) -> None:
        answers[name] = await ask(call)

    async with store.running():
        await call_at_once([partial(store.add, "key", b"one", lifetime=LONG)] * 2)
        await store._pool._flights.drained()
        with locked(postgres_server, tables) as release:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(note, "read", lambda: store.get("key"))
                tasks.start_soon(note, "write", lambda: store.remove("key"))
                await so_it_is(lambda: one_value(owner, f"SELECT count(*) {hanging}") == 2)
                owner.execute(f"SELECT pg_terminate_backend(pid) {hanging}".encode())
                await so_it_is(lambda: "write" in answers)
                release()

    assert answers["read"] == b"one"
    assert isinstance(answers["write"], StoreUnavailable)
    assert "administrator" in answers["write"].detail or "lost" in answers["write"].detail


async def test_a_statement_that_the_server_cancels_is_an_error_with_its_cause(postgres_server, tables):
    """And the connection goes on."""
    store = PostgresStore(f"{postgres_server.url_of(tables)}&options=-c%20lock_timeout%3D50")
    async with store.running():
        await store.get("key")
        with locked(postgres_server, tables):
            error = await error_of(lambda: store.get("key"))
        before = postgres_server.count_connections()
        after = await store.get("key")

    assert "lock_timeout" in error.detail
    assert (after, postgres_server.count_connections() <= before) == (None, True)


async def test_a_wrong_password_is_an_error_without_the_password(postgres_server):
    """Errors end in logs, with all their causes and frames."""
    url = postgres_server.url.replace(PASSWORD, "wr0ngpassw0rd")
    guarded = GuardedStore(PostgresStore(url))
    async with guarded.running():
        error = await error_of(lambda: guarded.get("key"))

    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    held = [value for frame in frames for value in frame.f_locals.values() if isinstance(value, str | bytes | dict)]
    assert "refused the user or the password" in error.detail
    assert (error.__cause__, error.__context__) == (None, None)
    assert "wr0ngpassw0rd" not in f"{''.join(traceback.format_exception(error))} {guarded!r} {error!r} {held}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"/postgres": "/nothing"}, "database does not exist"),
        ({f"{ROLE}:": "nobody:"}, "refused the user"),
        ({"/postgres": "/postgres?sslmode=require"}, "which sslmode requires"),
    ],
)
async def test_each_mistake_in_the_url_is_told_by_name(postgres_server, change, said):
    """The start-up log has it, too."""
    ((old, new),) = change.items()

    error = await error_of(lambda: PostgresStore(postgres_server.url.replace(old, new)).get("key"))

    assert said in error.detail


async def test_a_server_without_free_connections_says_so(anyio_backend):
    """Too many processes, or too large a pool."""
    with postgres("-c", "max_connections=4", "-c", "superuser_reserved_connections=3") as small:
        store = PostgresStore(small.url)
        async with store.running():
            answers = await call_at_once([lambda: store.get("key")] * 5)

    refused = [answer for answer in answers if answer is not None]
    assert refused
    assert all("max_connections" in answer.detail for answer in refused)


async def test_a_server_that_only_reads_is_left_for_one_that_writes(postgres_server, owner):
    """After a failover, the former primary may still answer."""
    with postgres() as second:
        hosts = f"{LOOPBACK}:{second.port},{LOOPBACK}:{postgres_server.port}"
        store = PostgresStore(postgres_server.url.replace(f"{LOOPBACK}:{postgres_server.port}", hosts))
        alone = PostgresStore(second.url)
        async with store.running(), alone.running():
            await store.add("where", b"second", lifetime=LONG)
            await alone.add("where", b"no", lifetime=LONG)
            with second.ask() as operator:
                operator.execute("ALTER SYSTEM SET default_transaction_read_only = on")
                operator.execute("SELECT pg_reload_conf()")
                await so_it_is(lambda: _is_read_only(second))
            await until(lambda: store.add("where", b"first", lifetime=LONG), True)
            where = owner.execute("SELECT value FROM asgi_oidc_entries WHERE key = 'where'").fetchone()
            error = await error_of(lambda: alone.add("more", b"no", lifetime=LONG))
            await store.remove("where")

    assert where == (b"first",)
    assert "target_session_attrs" in error.detail


async def test_nothing_is_read_from_a_server_that_only_reads():
    """A standby may lag, or have lost its primary: a session that somebody ended would still be there."""
    with postgres("-c", "default_transaction_read_only=on") as standby:
        error = await error_of(lambda: PostgresStore(standby.url).get("key"))

    assert (error.code, "target_session_attrs" in error.detail) == ("store_read_only", True)


async def test_a_server_that_hangs_does_not_keep_its_connections_forever():
    """Whoever asked has long gone; five such calls, and nobody could ask any more."""
    with postgres() as server:
        store = PostgresStore(server.url)
        async with store.running():
            await store.get("key")
            server.pause()
            error = await ask(lambda: store.get("key"))
            server.go_on()

    assert "no answer within 2 s" in error.detail


async def test_too_many_open_files_are_told_by_name_and_bring_no_password_out(postgres_server):
    """Whatever step fails for want of a file: the next call works, once there are some."""
    errors: list[StoreUnavailable] = []
    for free in range(4):  # libpq's own socket is the one step whose cause it does not tell
        store = GuardedStore(PostgresStore(postgres_server.url))
        with few_files(free):
            answer = await ask(partial(store.get, "key"))
        errors += [answer] if isinstance(answer, StoreUnavailable) else []
        assert await store.get("key") is None

    assert [error.detail for error in errors if "ulimit" in error.detail]
    assert [error for error in errors if PASSWORD in reported(error)] == []


@contextlib.contextmanager
def few_files(free: int) -> Iterator[None]:
    """Let this process open only a few files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, before[1]))
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for _ in range(free):
            os.close(taken.pop())
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _is_read_only(server: PostgresServer) -> bool:
    with server.ask() as operator:
        return bool(one_value(operator, "SHOW transaction_read_only") == "on")


async def test_a_unix_socket_works_too(postgres_server):
    """The same machine needs no network, and perhaps no password."""
    store = PostgresStore(f"postgresql://{ROLE}@/postgres?host={postgres_server.folder}&port={postgres_server.port}")
    async with store.running():
        assert await store.add("socket", b"one", lifetime=LONG) is True
        assert await store.remove("socket") is True


async def test_a_host_that_is_down_is_skipped_for_one_that_is_not(postgres_server):
    """A URL may name all servers of a cluster."""
    url = postgres_server.url.replace(LOOPBACK, f"{LOOPBACK}:{free_port()},{LOOPBACK}")
    store = PostgresStore(url)
    async with store.running():
        assert await ask(lambda: store.get("key")) is None


async def test_an_error_of_the_app_passes_through_as_it_is(postgres_server):
    """Nothing wraps it."""
    with pytest.raises(LookupError, match="of the app"):
        async with PostgresStore(postgres_server.url).running():
            raise LookupError("of the app")
