"""Checks PostgreSQL: its failures already say what is wrong, with the fix, and quote nothing."""

from collections.abc import Sequence

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.postgres import PostgresStore

# Words of the texts in stores/postgres_failures.py. The first that matches counts.
CAUSES = (
    ("tables are missing", "store_tables"),
    ("rights", "store_rights"),
    ("refused the user", "store_login"),
    ("only reads", "store_read_only"),
    ("no memory", "store_full"),
    ("no free connection", "store_full"),
    ("nothing listens", "store_unreachable"),
    ("no such Unix socket", "store_unreachable"),
    ("not found", "store_unreachable"),
    ("timed out", "store_unreachable"),
    ("connection failed", "store_unreachable"),
)


def explain(error: BaseException) -> tuple[str, str, str] | None:
    """Return the finding of an exception, what is wrong, and the fix; None if the cause is not known."""
    if not isinstance(error, StoreUnavailable):
        return None
    name = next((name for words, name in CAUSES if words in error.detail), "store_failed")
    problem, _, fix = error.detail.partition(": ")
    return name, problem, fix or "look into the log of PostgreSQL"


async def check(store: PostgresStore) -> Sequence[tuple[str, str, str]]:
    """Find nothing: the store itself looks at its tables and rights when it connects."""
    return ()
