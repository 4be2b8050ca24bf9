"""The SQL of `PostgresStore`: one statement for each operation, except for `link`, a transaction in one message.

Each is one round trip, and atomic under READ COMMITTED: whatever two callers do at once, one of them comes first.
Expiry uses the database server's clock.
"""

from dataclasses import dataclass
from hashlib import sha256

MOST_EXPIRED = 100  # rows that are deleted at a time

_UNTIL = "clock_timestamp() + make_interval(secs => %(lifetime)s)"

# {tables} is the beginning of the tables' names.
GET = "SELECT value FROM {tables}_entries WHERE key = %(key)s AND expires_at > clock_timestamp()"
# The row of an expired value is overwritten. The second WHERE looks at the newest version of the row, which is locked.
ADD = """
INSERT INTO {tables}_entries AS old (key, value, expires_at) VALUES (%(key)s, %(value)b, {until})
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
WHERE old.expires_at <= clock_timestamp()
"""
# If another caller changes the row first, PostgreSQL evaluates WHERE again on the new version.
REPLACE = """
UPDATE {tables}_entries SET value = %(new)b, expires_at = {until}
WHERE key = %(key)s AND value = %(old)b AND expires_at > clock_timestamp()
"""
REMOVE = "DELETE FROM {tables}_entries WHERE key = %(key)s AND expires_at > clock_timestamp()"
REMOVE_ONLY = REMOVE + " AND value = %(only)b"
# Two callers who link to the same index see each other's members only if one waits for the other. The lock has no table
# behind it, needs no right, and ends with the transaction.
LINK = """
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT pg_advisory_xact_lock(%(lock)s);
INSERT INTO {tables}_members (index_name, member, expires_at) VALUES (%(index)s, %(member)s, {until})
ON CONFLICT (index_name, member) DO UPDATE SET expires_at = excluded.expires_at;
DELETE FROM {tables}_members WHERE index_name = %(index)s AND member = ANY (ARRAY (
  SELECT member FROM {tables}_members WHERE index_name = %(index)s AND expires_at > clock_timestamp()
  ORDER BY expires_at DESC, member DESC OFFSET %(most)s)) RETURNING member;
COMMIT
"""
LINKED = "SELECT member FROM {tables}_members WHERE index_name = %(index)s AND expires_at > clock_timestamp()"
UNLINK = "DELETE FROM {tables}_members WHERE index_name = %(index)s AND member = %(member)s"

# A row that somebody else is changing is skipped, so nobody waits for this, and it waits for nobody.
PURGE_ENTRIES = """
DELETE FROM {tables}_entries WHERE key = ANY (ARRAY (
  SELECT key FROM {tables}_entries WHERE expiry_slot < statement_timestamp() - INTERVAL '10 minutes'
  ORDER BY expiry_slot LIMIT {most_expired} FOR UPDATE SKIP LOCKED))
"""
PURGE_MEMBERS = """
WITH picked AS MATERIALIZED (
  SELECT index_name, member FROM {tables}_members WHERE expires_at <= statement_timestamp()
  ORDER BY expires_at LIMIT {most_expired} FOR UPDATE SKIP LOCKED)
DELETE FROM {tables}_members AS gone USING picked
WHERE gone.index_name = picked.index_name AND gone.member = picked.member
"""
UNLOGGED = """
SELECT name FROM unnest(ARRAY['{tables}_entries', '{tables}_members']) AS name
JOIN pg_class ON pg_class.oid = to_regclass(name) WHERE relpersistence = 'u' ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One operation.

    Attributes:
        is_repeatable: doing it twice is the same as doing it once, so it may be sent again if its answer was lost.
        is_script: several statements in one message, whose values are written into the text.
    """

    sql: str
    is_repeatable: bool = False
    is_script: bool = False


class Statements:
    """The operations on some tables."""

    def __init__(self, tables: str) -> None:
        self._tables = tables

        def filled(sql: str) -> str:
            return sql.format(tables=tables, until=_UNTIL, most_expired=MOST_EXPIRED)

        self.get = Statement(filled(GET), is_repeatable=True)
        self.add = Statement(filled(ADD))
        self.replace = Statement(filled(REPLACE))
        self.remove = Statement(filled(REMOVE))
        self.remove_only = Statement(filled(REMOVE_ONLY))
        self.link = Statement(filled(LINK), is_script=True)
        self.linked = Statement(filled(LINKED), is_repeatable=True)
        self.unlink = Statement(filled(UNLINK), is_repeatable=True)
        self.unlogged = Statement(filled(UNLOGGED), is_repeatable=True)
        self.purges = tuple(Statement(filled(sql)) for sql in (PURGE_ENTRIES, PURGE_MEMBERS))

    def lock_of(self, index: str) -> int:
        """Return the advisory lock of an index. Two indexes may have the same: then one waits for the other."""
        return int.from_bytes(sha256(f"{self._tables} {index}".encode()).digest()[:8], "big", signed=True)
