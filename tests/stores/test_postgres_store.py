"""What a PostgreSQL store says before there is a server, and what the codes of PostgreSQL mean."""

import subprocess
import sys

import pytest

from asgi_oidc import PostgresStore
from asgi_oidc.cli.doctor.catalogue import KINDS
from asgi_oidc.cli.doctor.stores.postgres import explain
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.postgres_failures import connection_failure, statement_failure
from asgi_oidc.stores.postgres_tables import problem_of, version_comment
from tests.security.recorder import reported

USE = "import sys; sys.modules['psycopg'] = None; import asgi_oidc; asgi_oidc.PostgresStore('postgresql://:s3cret@db')"
NOBODY_LISTENS = "postgresql://user:s3cret@127.0.0.1:1/app"
STATES = {
    "42P01": ("store_tables", "asgi-oidc postgres-tables"),
    "42703": ("store_tables", "of another version"),
    "42501": ("store_rights", "grant SELECT"),
    "28P01": ("store_login", "pg_hba.conf"),
    "3D000": ("store_login", "database does not exist"),
    "53300": ("store_full", "pool_size"),
    "53100": ("store_full", "disk space"),
    "25006": ("store_read_only", "target_session_attrs"),
    "26000": ("store_failed", "prepare=no"),
    "57014": ("store_failed", "statement_timeout"),
    "57P01": ("store_unreachable", "administrator"),
    "22021": ("store_failed", "22021"),
}


def test_without_its_driver_the_store_says_what_to_install():
    """The extra is named, and no secret is."""
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, timeout=30, check=False)

    assert "pip install 'asgi-oidc[postgres]'" in done.stderr.splitlines()[-1]
    assert "s3cret" not in done.stderr.splitlines()[-1]


async def test_without_a_server_every_operation_says_that_nothing_listens():
    """At once, and without the address."""
    store = PostgresStore(NOBODY_LISTENS)

    with pytest.raises(StoreUnavailable) as caught:
        await store.get("key")

    assert caught.value.code == "store_unreachable"
    assert caught.value.detail == "get: nothing listens there: check that PostgreSQL is running, and host and port"
    assert caught.value.__context__ is None  # nor any frame that holds the password


@pytest.mark.parametrize("host", ["a" * 70, "x..y"])
async def test_a_host_name_that_is_none_brings_no_password_out(host):
    """The driver raises an error that is not its own, from a frame that holds the password."""
    store = GuardedStore(PostgresStore(NOBODY_LISTENS.replace("127.0.0.1", host)))

    with pytest.raises(StoreUnavailable) as caught:
        await store.get("key")

    is_out = "s3cret" in reported(caught.value)
    assert (caught.value.code, is_out) == ("store_unreachable", False)


@pytest.mark.parametrize("state", STATES)
def test_each_code_of_postgresql_leads_to_its_fix(state):
    """PostgreSQL's own texts may quote values."""
    code, text = STATES[state]
    failure = statement_failure(state)

    assert failure.code == code
    assert text in failure.text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('connection failed: FATAL:  password authentication failed for user "app"', "refused the user"),
        ('FATAL:  database "s3cret" does not exist', "database does not exist"),
        ("FATAL:  sorry, too many clients already", "pool_size"),
        ("FATAL:  the database system is starting up", "starting"),
        ("session is read-only", "target_session_attrs"),
        ("server does not support SSL, but SSL was required", "which sslmode requires"),
        ("SSL error: certificate verify failed", "sslrootcert"),
        ('could not connect to "/run/x/.s.PGSQL.5432": No such file or directory', "Unix socket"),
        ("[Errno 24] Too many open files", "ulimit -n"),
        ("s3cret", "that PostgreSQL is running"),
    ],
)
def test_a_connection_that_fails_is_explained_without_a_word_of_the_driver(said, text):
    """Its text may hold what is in the URL."""
    failure = connection_failure(said)

    assert text in failure.text
    assert "s3cret" not in failure.text


def test_a_lost_connection_and_a_collision_are_told_apart():
    """Nobody knows whether a statement was executed if its answer was lost; one that collided was undone."""
    lost, undone, refused = (statement_failure(state) for state in (None, "40001", "23505"))

    assert (lost.is_lost, lost.ends_connection, lost.was_undone) == (True, True, False)
    assert (undone.is_lost, undone.ends_connection, undone.was_undone) == (False, False, True)
    assert (refused.is_lost, refused.ends_connection, refused.was_undone) == (False, False, False)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"is_there": True, "comment": version_comment(), "missing_rights": ""}, None),
        ({"is_there": True, "comment": None, "missing_rights": ""}, None),
        (
            {"is_there": False, "comment": None, "missing_rights": ""},
            "asgi-oidc postgres-tables --role ROLE --tables auth.oidc | psql -1 -f - ",
        ),
        ({"is_there": True, "comment": version_comment(0), "missing_rights": ""}, "not of version 1"),
        (
            {"is_there": True, "comment": None, "missing_rights": "UPDATE"},
            "lacks UPDATE on auth.oidc_entries: GRANT SELECT, INSERT, UPDATE, DELETE ON auth.oidc_entries, auth.oidc_m",
        ),
    ],
)
def test_what_is_wrong_with_a_table_comes_with_the_command_that_fixes_it(found, problem):
    """Whoever reads the log can act on it."""
    meaning = problem_of("auth.oidc_entries", tables="auth.oidc", **found)

    assert meaning is None if problem is None else problem in (meaning or ("", ""))[1]


def test_the_migration_is_safe_in_the_tools_that_run_it():
    """Alembic takes `:name` for a parameter, and others take `%`."""
    sql = PostgresStore.migration(tables="auth.oidc", unlogged=True, role="app")

    assert not {"%", ":", "{"} & set(sql)
    assert "CREATE UNLOGGED TABLE auth.oidc_entries" in sql
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON auth.oidc_entries, auth.oidc_members TO app;" in sql


@pytest.mark.parametrize("names", [{"role": "app; DROP"}, {"role": ""}, {"tables": "x;"}])
def test_the_migration_takes_no_name_that_is_more_than_a_name(names):
    """It is text that somebody runs as the owner."""
    with pytest.raises(ValueError, match="lower-case"):
        PostgresStore.migration(**names)


@pytest.mark.parametrize("failure", [*map(statement_failure, STATES), statement_failure(None), connection_failure("")])
def test_doctor_knows_each_failure_and_its_fix(failure):
    """What is wrong stands before the first colon of the text, and the fix after it."""
    finding = explain(StoreUnavailable(failure.code, f"add: {failure.text}"))

    assert finding is not None
    name, problem, fix = finding
    assert (name, name in KINDS) == (failure.code, True)
    assert problem
    assert fix
    assert f"{problem}: {fix}" == failure.text


def test_doctor_leaves_what_is_not_of_the_store_to_others():
    """A timeout of its own, for example."""
    assert explain(TimeoutError()) is None
