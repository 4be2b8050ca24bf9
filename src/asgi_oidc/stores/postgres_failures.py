"""What a failure of PostgreSQL means, and the fix: by its SQLSTATE, or by the text if a connection failed.

The texts of PostgreSQL and libpq may quote values and addresses, so none of them goes on.

Source: PostgreSQL, appendix A (error codes).
"""

TABLES = "store_tables"
FAILED = "store_failed"

_NO_TABLES = "the tables are missing or of another version: make them with: asgi-oidc postgres-tables | psql"
_NO_RIGHTS = (
    "the user of the URL lacks rights on the tables, or USAGE on their schema: grant SELECT, INSERT, UPDATE, DELETE"
)
_NOT_LET_IN = "PostgreSQL refused the user or the password: check the URL, and pg_hba.conf on the server"
_FULL = "PostgreSQL has no free connection: lower pool_size, raise max_connections, or use PgBouncer"
_STOPPED = "PostgreSQL is shutting down or starting, or an administrator ended the connection"
_READ_ONLY = "this server only reads (a standby): name all servers in the URL, or add ?target_session_attrs=read-write"
_POOLER = "a pooler in between does not keep prepared statements: add ?prepare=no to the URL"
_SLOW = "PostgreSQL cancelled the statement: look at statement_timeout, lock_timeout and what holds locks"
_NOT_CONNECTED = "the connection failed: is PostgreSQL running, and are host, port and sslmode right?"
_LOST = "the connection was lost before the answer came"

_BY_STATE: dict[str, tuple[str, str]] = {
    "42P01": (TABLES, _NO_TABLES),
    "42703": (TABLES, _NO_TABLES),
    "3F000": (TABLES, _NO_TABLES),
    "42501": (TABLES, _NO_RIGHTS),
    "28": (FAILED, _NOT_LET_IN),
    "3D": (FAILED, "the database does not exist: check the URL"),
    "53300": (FAILED, _FULL),
    "53": (FAILED, "PostgreSQL has no memory or disk space left"),
    "25006": (FAILED, _READ_ONLY),
    "26": (FAILED, _POOLER),
    "42P05": (FAILED, _POOLER),
    "57014": (FAILED, _SLOW),
    "55P03": (FAILED, _SLOW),
    "57P": (FAILED, _STOPPED),
}
_BY_TEXT: dict[str, str] = {
    "password authentication failed": _NOT_LET_IN,
    "no password supplied": _NOT_LET_IN,
    "pg_hba.conf": _NOT_LET_IN,
    'role "': _NOT_LET_IN,
    'database "': "the database does not exist: check the URL",
    "too many clients": _FULL,
    "remaining connection slots": _FULL,
    "starting up": _STOPPED,
    "shutting down": _STOPPED,
    "in recovery mode": _STOPPED,
    "read-only": _READ_ONLY,
    "in hot standby mode": _READ_ONLY,
    "does not support SSL": "PostgreSQL does not use TLS there, but sslmode requires it",
    "certificate": "the certificate of PostgreSQL was refused: check sslmode, sslrootcert and the host name",
    "Connection refused": "nothing listens there: is PostgreSQL running, and are host and port right?",
    "No such file or directory": "there is no such Unix socket: is PostgreSQL running, and is its directory right?",
    "timeout expired": "connecting timed out: check the host, the port and any firewalls in between",
    "resolve host": "the host name is not found: check its spelling, and DNS on this machine",
}
# The connection is of no use any more, or its server: the next one may lead to another.
_ENDS_CONNECTION = ("08", "25", "26", "42P05", "0A000", "57P", "XX")
_LOST_WITH = "57P"  # the server closes the connection


class PostgresFailure(Exception):
    """A statement or a connection failed; it has no text or frame of the driver.

    Attributes:
        code: of `StoreUnavailable`.
        text: what happened, and the fix.
        state: the SQLSTATE, if PostgreSQL answered.
        is_lost: the connection is gone, and nobody knows whether the statement was executed.
        ends_connection: the connection must be closed.
    """

    def __init__(self, code: str, text: str, *, state: str | None = None, is_lost: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.state = state
        self.is_lost = is_lost
        self.ends_connection = state is None or state.startswith(_ENDS_CONNECTION)

    @property
    def was_undone(self) -> bool:
        """Whether PostgreSQL undid the statement, because it collided with another: it can be sent again."""
        return self.state in ("40001", "40P01")


def connection_failure(text: str) -> PostgresFailure:
    """Return why there is no connection, by libpq's text."""
    found = next((fix for words, fix in _BY_TEXT.items() if words in text), _NOT_CONNECTED)
    return PostgresFailure(FAILED, found)


def late_failure(seconds: float) -> PostgresFailure:
    """Return that the answer did not come in time."""
    return PostgresFailure(FAILED, f"no answer within {seconds:g} s")


def statement_failure(state: str | None) -> PostgresFailure:
    """Return why a statement failed, by its SQLSTATE; without one, the connection was lost."""
    if state is None:
        return PostgresFailure(FAILED, _LOST, is_lost=True)
    for length in (5, 3, 2):
        if state[:length] in _BY_STATE:
            code, text = _BY_STATE[state[:length]]
            return PostgresFailure(code, f"{text} ({state})", state=state, is_lost=state.startswith(_LOST_WITH))
    return PostgresFailure(FAILED, f"PostgreSQL answered with the error {state}", state=state)
