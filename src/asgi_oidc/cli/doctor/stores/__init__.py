"""Checks the store: a round trip with a key that is removed again, and what each kind of store has to be asked.

To add a kind of store, write a module with `explain(error)` and `check(store)` as in `redis.py`, and list it in
`KINDS`.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, NamedTuple

import anyio

from asgi_oidc.cli.doctor.examined_app import ExaminedApp
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.cli.doctor.stores import postgres, redis
from asgi_oidc.errors.connection import find_cause
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.postgres import PostgresStore
from asgi_oidc.stores.redis import RedisStore
from asgi_oidc.stores.store import SessionStore

PROBE_LIFETIME = 60  # seconds; an interrupted run leaves nothing behind for longer
DEADLINE = 8.0  # seconds for the checks of one store


class StoreKind(NamedTuple):
    """How one kind of store is checked, besides the round trip.

    Attributes:
        explain: returns the finding of an exception, what is wrong, and the fix; None if the cause is not known.
        check: looks at the settings of the server.
    """

    explain: Callable[[BaseException], tuple[str, str, str] | None]
    check: Callable[[Any], Awaitable[Sequence[tuple[str, str, str]]]]


KINDS: dict[type, StoreKind] = {
    PostgresStore: StoreKind(postgres.explain, postgres.check),
    RedisStore: StoreKind(redis.explain, redis.check),
}


async def check_stores(site: ExaminedApp) -> list[Finding]:
    """Check the stores of the settings."""
    settings = site.settings
    stores = [store for store in (settings.store, settings.logout_store) if store is not None]
    findings = []
    for store in stores:
        if not isinstance(store, MemoryStore):
            findings += await _check_store(store)
    return findings


async def _check_store(store: SessionStore) -> list[Finding]:
    kind = next((kind for known, kind in KINDS.items() if isinstance(store, known)), None)
    where = repr(store) if kind else type(store).__name__  # the repr of another store may contain a password
    try:
        with anyio.fail_after(DEADLINE):
            async with _kept_open(store):
                problem = await _round_trip(store)
                if problem:
                    fix = (
                        "check that nothing else writes to this database, and that the store passes its contract tests"
                    )
                    return [Finding("store_inconsistent", problem, fix, where)]
                found = () if kind is None else await kind.check(store)
                return [Finding(name, what, fix, where) for name, what, fix in found]
    except Exception as error:  # noqa: BLE001  # any store, one of the app's own included
        return [_failure(error, kind, where)]


def _kept_open(store: SessionStore) -> AbstractAsyncContextManager[None]:
    running = getattr(store, "running", None)
    return nullcontext() if running is None else _closed_quietly(running)


@asynccontextmanager
async def _closed_quietly(running: Callable[[], AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    async with running():
        yield


async def _round_trip(store: SessionStore) -> str:
    """Write, read, change and remove a value and a member of an index; return what was wrong, empty if nothing."""
    key, first, second = f"doctor-{secrets.token_hex(8)}", secrets.token_bytes(64), secrets.token_bytes(64)
    try:
        if not await store.add(key, first, lifetime=PROBE_LIFETIME):
            return "a new key could not be added"
        if await store.get(key) != first:
            return "a value that was just written could not be read"
        if not await store.replace(key, first, second, lifetime=PROBE_LIFETIME):
            return "a value that was just written could not be replaced"
        await store.link(key, "doctor", lifetime=PROBE_LIFETIME, most=1)
        if list(await store.linked(key)) != ["doctor"]:
            return "a member of an index that was just written could not be read"
    finally:
        with anyio.move_on_after(2, shield=True):
            await store.unlink(key, "doctor")
            await store.remove(key)
    return "a value that was removed is still there" if await store.get(key) is not None else ""


def _failure(error: Exception, kind: StoreKind | None, where: str) -> Finding:
    """Name the cause by the class of the exception: its text may contain an address with a password."""
    if isinstance(error, TimeoutError):
        fix = "check host, port and firewalls, and how busy the server is"
        return Finding("store_unreachable", f"no answer within {DEADLINE:g} s", fix, where)
    if isinstance(error, ImportError) and kind is not None:  # the text is ours
        return Finding(
            "store_not_checked", str(error), "install it here as well, or add --ignore store_not_checked", where
        )
    explained = None if kind is None else kind.explain(error)
    if explained is not None:
        return Finding(*explained, where)
    cause = find_cause(error)
    if cause is not None:
        problem, _, fix = cause.text.partition(": ")
        return Finding("store_unreachable", f"{problem} ({cause.code})", fix, where)
    return Finding("store_failed", f"the store fails with {type(error).__name__}", "see the log of the store", where)
