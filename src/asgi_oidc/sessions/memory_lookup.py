"""Finds sessions that are in the memory of this process, without waiting: most requests to an app with a `MemoryStore`.

The record is looked up anew for each request, so that a session that was removed, by whatever thread, is gone at once.
"""

from collections.abc import Callable

import msgspec

from asgi_oidc.sessions.lifetimes import Limits, expires_at, fresh_period, valid_period
from asgi_oidc.sessions.plain_records import PlainRecords
from asgi_oidc.sessions.record_names import is_session_id
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.revocations import AT_ONCE, Revocations
from asgi_oidc.sessions.session import Login, Session
from asgi_oidc.sessions.session_cache import MAX_OPENED_BYTES, SessionCache, opened_size
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.undelivered_tokens import UndeliveredTokens
from asgi_oidc.stores.memory_sessions import SessionTable
from asgi_oidc.web.cookies import Cookies


class _OpenedRecord(msgspec.Struct):
    """An entry of the cache: a record, and the session that was opened from it. Another record is another entry.

    Attributes:
        begins_at, ends_at: the session is valid in between; limits and revocations are taken into account.
        fresh_from, fresh_until: in between, its last use need not be written.
        revocations_version: the version that is taken into account.
    """

    key: bytes
    record: bytes
    session: Session
    fresh_from: int = 0
    fresh_until: int = 0
    begins_at: int = 0
    ends_at: int = 0
    revocations_version: int = -1

    def __repr__(self) -> str:
        return f"_OpenedRecord(ends_at={self.ends_at})"  # not the record

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("ends_at", self.ends_at)]


class MemoryLookup:
    """The sessions of one middleware in the memory of this process.

    It finds valid sessions only. In all other cases `find` returns None, and `StoredSessions.find` decides what to do.
    """

    def __init__(
        self,
        records: PlainRecords,
        session_cookies: SessionCookies,
        limits: Limits,
        revocations: Revocations,
        unsaved: UndeliveredTokens,
        *,
        has_provider: Callable[[Login], bool | None],
        now: Callable[[], int],
    ) -> None:
        """Find sessions; arguments as for `StoredSessions`."""
        self._records = records
        self._session_cookies = session_cookies
        self._limits = limits
        self._revocations = revocations
        self._unsaved = unsaved
        self._has_provider = has_provider
        self._now = now
        self._ids: SessionCache[bytes, str] = SessionCache()  # by cookie header
        self._opened: SessionCache[str, _OpenedRecord] = SessionCache(max_bytes=MAX_OPENED_BYTES)

    def find(self, table: SessionTable, cookie_header: bytes) -> ActiveSession | None:
        """Return the valid session of a browser, and record its use; else None."""
        known_id = self._ids.get(cookie_header)
        session_id = self._read_id(cookie_header) if known_id is None else known_id
        opened = self._opened.get(session_id)
        if opened is None or table.get(opened.key) is not opened.record:
            opened = self._open(table, session_id)
        if opened is None or not self._is_valid(opened) or self._unsaved.has(session_id):
            return None
        if known_id is None:
            self._ids.keep(cookie_header, session_id, size=len(cookie_header))
        session, now = opened.session, self._now()
        if not opened.fresh_from <= now < opened.fresh_until:
            used = self._write_use(table, session_id, opened, now)
            if used is None:
                return None
            session = used
        return ActiveSession(session, session.tokens.generation)

    def forget_opened(self) -> None:
        """Open every session anew: the secrets have changed."""
        self._opened.clear()

    def _read_id(self, cookie_header: bytes) -> str:
        """Return the session id in the cookies; empty if there is none."""
        if not self._session_cookies.may_be_in(cookie_header):
            return ""
        cookies = Cookies(cookie_header, self._session_cookies.stem)
        session_id: str = cookies.get(self._session_cookies.name, "")
        return session_id if is_session_id(session_id) else ""

    def _open(self, table: SessionTable, session_id: str) -> _OpenedRecord | None:
        """Open the record of a session; None if there is none, or if our secrets do not open it."""
        if not session_id:
            return None
        key = self._records.key(session_id)
        record = table.get(key)
        session = None if record is None else self._records.open(session_id, record)
        if record is None or session is None:
            self._opened.drop(session_id)
            return None
        return self._keep(session_id, _OpenedRecord(key, record, session))

    def _is_valid(self, opened: _OpenedRecord) -> bool:
        """Return whether the session is within its limits, not revoked, and of a provider that the app still has."""
        if opened.revocations_version != self._revocations.version:
            self._apply_revocations(opened)
        return opened.begins_at <= self._now() < opened.ends_at and bool(self._has_provider(opened.session.login))

    def _keep(self, session_id: str, opened: _OpenedRecord) -> _OpenedRecord:
        opened.fresh_from, opened.fresh_until = fresh_period(opened.session, self._limits)
        self._apply_revocations(opened)
        self._opened.keep(session_id, opened, size=opened_size(opened.session))
        return opened

    def _apply_revocations(self, opened: _OpenedRecord) -> None:
        version, session = self._revocations.version, opened.session
        begins_at, ends_at = valid_period(session, self._limits)
        effective_at = self._revocations.effective_at(session.login)
        if effective_at is not None:
            ends_at = min(ends_at, effective_at)
        if self._revocations.is_outdated(session):
            ends_at = AT_ONCE
        opened.begins_at, opened.ends_at = begins_at, ends_at
        opened.revocations_version = version  # last: another thread must not take the old limits for the new ones

    def _write_use(self, table: SessionTable, session_id: str, opened: _OpenedRecord, now: int) -> Session | None:
        """Write the last use; None if that takes more: the record is of an old secret, or changed just now."""
        if self._records.is_of_old_secret(opened.record):
            return None
        session = msgspec.structs.replace(opened.session, seen_at=now)
        record = self._records.with_use(opened.record, session)
        lifetime = max(1, expires_at(session, self._limits) - now)
        if not table.replace(opened.key, opened.record, record, lifetime=lifetime):
            return None
        self._keep(session_id, _OpenedRecord(opened.key, record, session))
        return session
