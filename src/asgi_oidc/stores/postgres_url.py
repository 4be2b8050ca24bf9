"""Reads the URL of PostgreSQL: options of libpq, and three of our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from asgi_oidc.stores.postgres_tables import DEFAULT_TABLES, read_tables

SCHEMES = ("postgresql", "postgres")
POOL_SIZE = 5  # connections per event loop
MAX_POOL_SIZE = 100
OWN_OPTIONS = ("tables", "pool_size", "prepare")
EXAMPLES = "postgresql://user:password@host:5432/database or postgresql://user@/database?host=/run/postgresql"
# What libpq does by default would take minutes to notice a server that is gone.
DEFAULTS = {
    "connect_timeout": "2",  # seconds for each host; libpq takes no less
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",  # seconds
    "keepalives_count": "3",
    "client_encoding": "utf8",
    "fallback_application_name": "asgi-oidc",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is, and how to use it.

    Attributes:
        options: of libpq, by their names; may contain a password.
        tables: the beginning of the tables' names.
        pool_size: connections per event loop.
        prepare: whether to use prepared statements; None decides for each connection.
    """

    options: Mapping[str, str] = field(repr=False)
    tables: str = DEFAULT_TABLES
    pool_size: int = POOL_SIZE
    prepare: bool | None = None

    def __str__(self) -> str:
        hosts = self.options.get("host") or self.options.get("hostaddr") or "default host"
        return f"{hosts}/{self.options.get('dbname', '')} {self.tables}"


def split_url(url: str) -> tuple[str, dict[str, str]]:
    """Split a URL into what libpq reads, and our own options.

    Raises:
        ValueError: the text has the fix, and never the password.
    """
    scheme, separator, rest = url.partition("://")
    name, _, driver = scheme.lower().partition("+")
    if not separator or name not in SCHEMES:
        raise ValueError(f"must be a URL such as {EXAMPLES}")
    if driver:
        raise ValueError(f"must begin with {name}://, without +{driver[:20]}: the driver is always psycopg")
    if "#" in url:
        raise ValueError("must not contain '#': write %23 for it in a user name or password")
    address, _, query = rest.partition("?")
    try:
        words = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:  # its text contains the query, perhaps with a password
        raise ValueError("must have options such as ?sslmode=verify-full&pool_size=10 after the '?'") from None
    own = {key: value for key, value in words if key in OWN_OPTIONS}
    # libpq does not read "+" as a space.
    of_libpq = urlencode([(key, value) for key, value in words if key not in OWN_OPTIONS], quote_via=quote)
    return f"{name}://{address}?{of_libpq}".rstrip("?"), own


def make_address(options: Mapping[str, str], own: Mapping[str, object]) -> Address:
    """Put together what was read.

    Raises:
        ValueError: an option of ours is wrong; the text has the fix.
    """
    several = "," in (options.get("host") or options.get("hostaddr") or "")
    # With several servers, one of which can write, a standby is of no use.
    attrs = {"target_session_attrs": "read-write"} if several else {}
    return Address(
        {**DEFAULTS, **attrs, **options},
        tables=read_tables(own.get("tables", DEFAULT_TABLES)),
        pool_size=_pool_size(own.get("pool_size", POOL_SIZE)),
        prepare=_prepare(own.get("prepare")),
    )


def _pool_size(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_POOL_SIZE:
        raise ValueError(f"pool_size must be a number from 1 to {MAX_POOL_SIZE}")
    return number


def _prepare(value: object) -> bool | None:
    known = {None: None, True: True, False: False, "auto": None, "yes": True, "no": False}
    try:
        return known[value]  # type: ignore[index]  # whatever it is, it is one of these or none
    except (KeyError, TypeError):
        raise ValueError("prepare must be yes, no or auto") from None
