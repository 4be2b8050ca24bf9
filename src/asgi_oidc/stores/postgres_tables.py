"""The tables of `PostgresStore`: their names, the SQL that makes them, and the check of what is there."""

import re

from asgi_oidc.stores.postgres_failures import RIGHTS, TABLES, Meaning

DEFAULT_TABLES = "asgi_oidc"
VERSION = 1  # of the tables; another one needs another migration
NEEDED_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
SLOT = "10 minutes"
HOW_TO_MAKE_THEM = "asgi-oidc postgres-tables --role ROLE | psql -1 -f - URL-OF-THE-OWNER"

_NAMES = re.compile(r"([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,39}")  # names are cut at 63 bytes

# Without "%" and ":name", which tools for migrations would take for parameters.
_MIGRATION = """\
-- The tables of asgi-oidc's PostgresStore, version {version}. Run this once, as the role that is to own them.
CREATE {unlogged}TABLE {tables}_entries (
    key text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    -- The {slot} in which it expires, by which expired rows are found. Most updates leave this as it is, so that no
    -- index changes (HOT updates).
    expiry_slot timestamptz NOT NULL
        GENERATED ALWAYS AS (date_bin(INTERVAL '{slot}', expires_at, TIMESTAMPTZ 'epoch')) STORED
) WITH (
    fillfactor = 70, -- room for HOT updates
    autovacuum_vacuum_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.05
);
ALTER TABLE {tables}_entries ALTER COLUMN value SET STORAGE EXTERNAL; -- encrypted values cannot be compressed
CREATE INDEX {base}_entries_expiry ON {tables}_entries (expiry_slot);

CREATE {unlogged}TABLE {tables}_members (
    index_name text COLLATE "C",
    member text COLLATE "C",
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (index_name, member)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX {base}_members_expiry ON {tables}_members (expires_at);

COMMENT ON TABLE {tables}_entries IS '{comment}';
COMMENT ON TABLE {tables}_members IS '{comment}';
"""
_GRANT = "GRANT {rights} ON {tables}_entries, {tables}_members TO {role};\n"

STATEMENT_TIMEOUT = 1800  # milliseconds; less than the client waits, so that the connection can be used again

# A row per table: whether it is there, its mark, and the rights that are missing; then the process that serves the
# connection, and whether it only reads. A process that waits for a lock does not notice that the client has given up:
# without a timeout of its own, there would be more and more of them. Behind a pooler, it would go to another client.
CHECK = """
SELECT name, to_regclass(name) IS NOT NULL, obj_description(to_regclass(name), 'pg_class'),
  array_to_string(ARRAY(
    SELECT want FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS want
    WHERE NOT has_table_privilege(to_regclass(name), want)), ', '),
  pg_backend_pid(), current_setting('transaction_read_only') = 'on',
  CASE WHEN pg_backend_pid() = %(pid)s
    AND (SELECT setting::int NOT BETWEEN 1 AND %(timeout)s FROM pg_settings AS s WHERE s.name = 'statement_timeout')
  THEN set_config('statement_timeout', %(timeout)s::text, false) END
FROM unnest(ARRAY[%(entries)s, %(members)s]) AS name
"""


def read_tables(value: object) -> str:
    """Read the beginning of the tables' names, perhaps with a schema: `asgi_oidc`, `auth.asgi_oidc`.

    Raises:
        ValueError: it is not such a name.
    """
    if not isinstance(value, str) or not _NAMES.fullmatch(value):
        raise ValueError(
            "tables must be the beginning of the tables' names, of lower-case letters, digits and '_', perhaps with a "
            "schema, such as asgi_oidc or auth.asgi_oidc"
        )
    return value


def migration(*, tables: str = DEFAULT_TABLES, unlogged: bool = False, role: str | None = None) -> str:
    """Return the SQL that makes the tables.

    Args:
        tables: the beginning of their names, perhaps with a schema.
        unlogged: leave them out of the write-ahead log: faster, but a crash of the server empties them, and replicas do
            not have them.
        role: the app's database role, which gets the rights that it needs, and no others.

    Raises:
        ValueError: one of the names is invalid.
    """
    if role is not None and not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise ValueError("the role must have only lower-case letters, digits and '_'")
    words = {
        "tables": read_tables(tables),
        "base": tables.rpartition(".")[2],
        "unlogged": "UNLOGGED " if unlogged else "",
        "comment": version_comment(),
        "slot": SLOT,
        "version": VERSION,
    }
    grant = "" if role is None else "\n" + _GRANT.format(rights=", ".join(NEEDED_RIGHTS), tables=tables, role=role)
    return _MIGRATION.format(**words) + grant


def version_comment(version: int = VERSION) -> str:
    """Return the comment on tables of a version."""
    return f"asgi-oidc tables, version {version}"


def problem_of(
    name: str, *, is_there: bool, comment: str | None, missing_rights: str, tables: str = DEFAULT_TABLES
) -> Meaning | None:
    """Return what is wrong with a table, and the fix; None if nothing is.

    A table without a comment may have been restored without it, so that counts as the right version.
    """
    option = "" if tables == DEFAULT_TABLES else f" --tables {tables}"
    how = HOW_TO_MAKE_THEM.replace(" |", f"{option} |")
    if not is_there:
        return TABLES, f"the table {name} does not exist (in the search_path of this user): make it once with: {how}"
    if comment is not None and comment != version_comment():
        return TABLES, f"the table {name} is not of version {VERSION}, which this release needs: drop it and run: {how}"
    if missing_rights:
        grant = _GRANT.format(rights=", ".join(NEEDED_RIGHTS), tables=tables, role="<the user of the URL>").strip(";\n")
        return RIGHTS, f"the user lacks {missing_rights} on {name}: {grant}"
    return None
