"""The records of sessions in a store, and the indexes that lead to them: what `StoredSessions` asks of both kinds."""

from collections.abc import Callable
from typing import Protocol

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.plain_records import PlainRecords
from asgi_oidc.sessions.record_names import RecordNames, indexes_of
from asgi_oidc.sessions.sealed_records import SealedRecords, Summary
from asgi_oidc.sessions.session import Session
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.memory_sessions import SessionTable

MAX_SESSIONS = 1000  # of one user; the oldest is deleted


class SessionRecords(Protocol):
    """The records of one middleware's sessions, by handle.

    An index is named by kind, issuer and name: of a user (`sub`), of a session at the provider (`sid`), or of a user's
    sessions without a `sid` (`lone`). Coroutines raise `StoreUnavailable` if the store does not answer.
    """

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Return the session of a record; None if it was written under another secret, or by another version.

        Raises:
            StoreUnavailable: the library never wrote these bytes.
        """

    def summary(self, handle: str, record: bytes) -> Summary | None:
        """Return what lists show of a session; None and errors as for `open`."""

    async def get(self, handle: str) -> bytes | None:
        """Return the record of a session, None if there is none."""

    async def add(self, session: Session, *, lifetime: int) -> bool:
        """Write the record of a new session, and link it; return False if there is one already.

        Raises:
            SessionTooLarge: the record is larger than any may be.
        """

    async def replace(self, record: bytes, changed: Session, *, lifetime: int) -> bool:
        """Write a changed session if its record is still the given one. Errors as for `add`."""

    async def remove(self, handle: str) -> bool:
        """Remove a record; return whether there was one."""

    async def linked(self, kind: str, issuer: str, name: str) -> list[str]:
        """Return the handles in an index."""

    async def unlink(self, kind: str, issuer: str, name: str, *, handle: str) -> None:
        """Take a session without a record out of an index, if it is there."""


class StoreRecords:
    """`SessionRecords` in any store: only who has our secret and the id in the browser can read a record."""

    def __init__(self, store: GuardedStore, names: RecordNames, limits: Limits) -> None:
        self._store = store
        self._names = names
        self._records = SealedRecords(names)
        self._limits = limits

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Decrypt a record."""
        return self._records.open(session_id, record)

    def summary(self, handle: str, record: bytes) -> Summary | None:
        """Decrypt the summary."""
        return self._records.summary(handle, record)

    async def get(self, handle: str) -> bytes | None:
        """Read a record: one round trip."""
        return await self._store.get(self._names.key(handle))

    async def add(self, session: Session, *, lifetime: int) -> bool:
        """Write the record, then the indexes: lists of sessions drop handles without a record."""
        record, key = self._records.seal(session, self._limits), self._names.key(self._names.handle(session.id))
        if not await self._store.add(key, record, lifetime=lifetime):
            return False
        await self._link(session)
        return True

    async def replace(self, record: bytes, changed: Session, *, lifetime: int) -> bool:
        """Write the record, and link it anew if the secret has changed: names of indexes depend on it."""
        new = self._records.seal(changed, self._limits)
        if self._records.is_of_old_secret(record):
            await self._link(changed)
        key = self._names.key(self._names.handle(changed.id))
        return await self._store.replace(key, record, new, lifetime=lifetime)

    async def remove(self, handle: str) -> bool:
        """Remove a record."""
        return await self._store.remove(self._names.key(handle))

    async def linked(self, kind: str, issuer: str, name: str) -> list[str]:
        """Read the indexes of all secrets: sessions from before a change of the secret are in another one."""
        indexes = self._names.index_keys(kind, issuer, name)
        return list(dict.fromkeys([handle for index in indexes for handle in await self._store.linked(index)]))

    async def unlink(self, kind: str, issuer: str, name: str, *, handle: str) -> None:
        """Take a handle out of the indexes of all secrets."""
        for index in self._names.index_keys(kind, issuer, name):
            await self._store.unlink(index, handle)

    async def _link(self, session: Session) -> None:
        handle = self._names.handle(session.id)
        for kind, name in indexes_of(session):
            index = self._names.index_keys(kind, session.login.issuer, name)[0]
            for oldest in await self._store.link(index, handle, lifetime=self._limits.lifetime, most=MAX_SESSIONS):
                await self._store.remove(self._names.key(oldest))


class MemoryRecords:
    """`SessionRecords` in the memory of this process: nothing is sealed, and nothing waits."""

    def __init__(self, table: SessionTable, names: RecordNames, limits: Limits) -> None:
        self._table = table
        self._plain = PlainRecords(names, limits)

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Decode a record."""
        return self._plain.open(session_id, record)

    def summary(self, handle: str, record: bytes) -> Summary | None:
        """Read the summary."""
        return self._plain.summary(record)

    async def get(self, handle: str) -> bytes | None:
        """Return a record."""
        return self._table.get(self._plain.key_of(handle))

    async def add(self, session: Session, *, lifetime: int) -> bool:
        """Add the record to the table, and link it."""
        key, record, indexes = self._plain.key(session.id), self._plain.write(session), self._plain.indexes(session)
        return _written(lambda: self._table.add(key, record, lifetime=lifetime, indexes=indexes, most=MAX_SESSIONS))

    async def replace(self, record: bytes, changed: Session, *, lifetime: int) -> bool:
        """Replace the record, and link it anew if the secret has changed."""
        new = self._plain.write(changed)
        indexes = self._plain.indexes(changed) if self._plain.is_of_old_secret(record) else []
        key = self._plain.key(changed.id)
        return _written(
            lambda: self._table.replace(key, record, new, lifetime=lifetime, indexes=indexes, most=MAX_SESSIONS)
        )

    async def remove(self, handle: str) -> bool:
        """Remove a record."""
        return self._table.remove(self._plain.key_of(handle))

    async def linked(self, kind: str, issuer: str, name: str) -> list[str]:
        """Return the handles in the indexes of all secrets."""
        keys = [key for index in self._plain.index_names(kind, issuer, name) for key in self._table.linked(index)]
        return [self._plain.handle(key) for key in dict.fromkeys(keys)]

    async def unlink(self, kind: str, issuer: str, name: str, *, handle: str) -> None:
        """Do nothing: an index has no session without a record."""


class RecordsOfStore:
    """Chooses how the sessions in a store are kept: the store may be replaced while the app runs."""

    __slots__ = ("_limits", "_names", "_sealed", "_store")

    def __init__(self, store: GuardedStore, names: RecordNames, limits: Limits) -> None:
        self._store = store
        self._names = names
        self._limits = limits
        self._sealed = StoreRecords(store, names, limits)

    def current(self) -> SessionRecords:
        """Return the records of the store of this moment: sealed unless they stay in the memory of this process."""
        table = self._store.local
        return self._sealed if table is None else MemoryRecords(table, self._names, self._limits)


def _written(write: Callable[[], bool]) -> bool:
    try:
        return write()
    except ValueError as error:  # larger than the whole store
        failure = StoreUnavailable("store_failed", f"MemoryStore: {error}")
    raise failure  # without the frames above, which contain the record
