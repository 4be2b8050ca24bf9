"""What a failure of PostgreSQL means, and the fix: by its SQLSTATE, or by the text if a connection failed.

The texts of PostgreSQL and libpq may quote values and addresses, so none of them goes on.

Source: PostgreSQL, appendix A (error codes).
"""

TABLES, RIGHTS, LOGIN, FULL = "store_tables", "store_rights", "store_login", "store_full"
READ_ONLY, UNREACHABLE, FAILED = "store_read_only", "store_unreachable", "store_failed"

Meaning = tuple[str, str]  # a code of `StoreUnavailable`, and what is wrong with the fix

_NO_TABLES = (
    TABLES,
    "the tables are missing or of another version: make them with: asgi-oidc postgres-tables --role ROLE | "
    "psql -1 -f - URL-OF-THE-OWNER",
)
_NO_RIGHTS = (
    RIGHTS,
    "the user of the URL lacks rights on the tables or their schema: grant SELECT, INSERT, UPDATE, DELETE, and USAGE",
)
_NOT_LET_IN = LOGIN, "PostgreSQL refused the user or the password: check the URL, and pg_hba.conf on the server"
_NO_DATABASE = LOGIN, "the database does not exist: check the URL"
_NO_CONNECTION_LEFT = (
    FULL,
    "PostgreSQL has no free connection: lower pool_size, raise max_connections, or use PgBouncer",
)
ONLY_READS = (
    READ_ONLY,
    "this server only reads (a standby): name all servers in the URL, or add ?target_session_attrs=read-write",
)
_STOPPED = (
    UNREACHABLE,
    "PostgreSQL is starting or stopping, or an administrator ended the connection: wait, or see its log",
)
_POOLER = FAILED, "a pooler in between does not keep prepared statements: add ?prepare=no to the URL"
_SLOW = FAILED, "PostgreSQL cancelled the statement: look at statement_timeout, lock_timeout and what holds locks"
_NOT_CONNECTED = UNREACHABLE, "the connection failed: check that PostgreSQL is running, and host, port and sslmode"
_LOST = UNREACHABLE, "the connection was lost before the answer came: see the log of PostgreSQL"

_BY_STATE: dict[str, Meaning] = {
    "42P01": _NO_TABLES,
    "42703": _NO_TABLES,
    "3F000": _NO_TABLES,
    "42501": _NO_RIGHTS,
    "28": _NOT_LET_IN,
    "3D": _NO_DATABASE,
    "53300": _NO_CONNECTION_LEFT,
    "53": (FULL, "PostgreSQL has no memory or disk space left: look into its log"),
    "25006": ONLY_READS,
    "26": _POOLER,
    "42P05": _POOLER,
    "57014": _SLOW,
    "55P03": _SLOW,
    "57P": _STOPPED,
}
_BY_TEXT: dict[str, Meaning] = {
    "password authentication failed": _NOT_LET_IN,
    "no password supplied": _NOT_LET_IN,
    "pg_hba.conf": _NOT_LET_IN,
    'role "': _NOT_LET_IN,
    'database "': _NO_DATABASE,
    "too many clients": _NO_CONNECTION_LEFT,
    "remaining connection slots": _NO_CONNECTION_LEFT,
    "starting up": _STOPPED,
    "shutting down": _STOPPED,
    "in recovery mode": _STOPPED,
    "read-only": ONLY_READS,
    "in hot standby mode": ONLY_READS,
    "does not support SSL": (UNREACHABLE, "PostgreSQL does not use TLS, which sslmode requires: change one of them"),
    "certificate": (UNREACHABLE, "the certificate of PostgreSQL was refused: check sslmode, sslrootcert and the host"),
    "Connection refused": (UNREACHABLE, "nothing listens there: check that PostgreSQL is running, and host and port"),
    "No such file or directory": (
        UNREACHABLE,
        "there is no such Unix socket: check that PostgreSQL is running, and the directory in host",
    ),
    "Too many open files": (
        UNREACHABLE,
        "this process has too many open files: raise ulimit -n, or find what opens them",
    ),
    "timeout expired": (UNREACHABLE, "connecting timed out: check the host, the port and any firewalls in between"),
    "resolve host": (UNREACHABLE, "the host name is not found: check its spelling, and DNS on this machine"),
    "'idna' codec": (UNREACHABLE, "the host name cannot be one: check its spelling"),
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
    return PostgresFailure(*next((found for words, found in _BY_TEXT.items() if words in text), _NOT_CONNECTED))


def late_failure(seconds: float) -> PostgresFailure:
    """Return that the answer did not come in time."""
    return PostgresFailure(UNREACHABLE, f"no answer within {seconds:g} s: look at the load of PostgreSQL")


def statement_failure(state: str | None) -> PostgresFailure:
    """Return why a statement failed, by its SQLSTATE; without one, the connection was lost."""
    if state is None:
        return PostgresFailure(*_LOST, is_lost=True)
    for length in (5, 3, 2):
        if state[:length] in _BY_STATE:
            code, text = _BY_STATE[state[:length]]
            return PostgresFailure(code, f"{text} ({state})", state=state, is_lost=state.startswith(_LOST_WITH))
    return PostgresFailure(FAILED, f"PostgreSQL answered with the error {state}: look into its log", state=state)
