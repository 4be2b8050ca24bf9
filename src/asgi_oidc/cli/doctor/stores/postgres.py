"""Checks PostgreSQL: the store looks at its tables and rights when it connects, and its failures come with the fix."""

from collections.abc import Sequence

from asgi_oidc.cli.doctor.catalogue import KINDS
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.stores.postgres import PostgresStore


def explain(error: BaseException) -> tuple[str, str, str] | None:
    """Return the finding of an exception, what is wrong, and the fix; None if the cause is not known."""
    if not isinstance(error, StoreUnavailable):
        return None
    problem, _, fix = error.detail.partition(": ")[2].partition(": ")  # the operation is in front
    return error.code if error.code in KINDS else "store_failed", problem, fix


async def check(store: PostgresStore) -> Sequence[tuple[str, str, str]]:
    """Find what works, but ends sessions sooner than people expect."""
    unlogged = await store.unlogged_tables()
    if not unlogged:
        return ()
    problem = f"{' and '.join(unlogged)} are unlogged: a crash of PostgreSQL ends all sessions and forgets sign-outs"
    fix = f"run ALTER TABLE {unlogged[0]} SET LOGGED, and so on; if it is meant, add --ignore store_unlogged"
    return [("store_unlogged", problem, fix)]
