"""Sessions in a store: the browser has an id, and the store has a record under the hash of that id."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits, expires_at, is_live, is_use_due
from asgi_oidc.sessions.memory_lookup import MemoryLookup
from asgi_oidc.sessions.plain_records import PlainRecords
from asgi_oidc.sessions.record_names import RecordNames, indexes_of, is_session_id
from asgi_oidc.sessions.repository import GONE, LOCK_LIFETIME, NOT_OURS, UNREADABLE, ActiveSession, Change, NoSession
from asgi_oidc.sessions.revocation_feed import RevocationFeed, try_to_write
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Login, Session, Tokens, UserId, ending_at, with_new_tokens
from asgi_oidc.sessions.session_cache import MAX_OPENED_BYTES, SessionCache, opened_size
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.session_records import RecordsOfStore
from asgi_oidc.sessions.undelivered_tokens import UndeliveredTokens
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.store_failures import log_store_error

MAX_TRIES = 5  # attempts to write a record that other processes change at the same time


class _CachedSession(NamedTuple):
    """An entry of the cache: a record, and the session that was opened from it."""

    handle: str
    record: bytes
    session: Session


class StoredSessions:
    """`SessionRepository` in a store that all processes share."""

    def __init__(
        self,
        store: GuardedStore,
        names: RecordNames,
        session_cookies: SessionCookies,
        limits: Limits,
        revocations: Revocations,
        feed: RevocationFeed,
        *,
        has_provider: Callable[[Login], bool | None],
        now: Callable[[], int],
    ) -> None:
        """Keep sessions in a store.

        Args:
            has_provider: whether the app still has the provider of a session; None if that takes waiting.
            now: seconds since the epoch.
        """
        self._store = store
        self._names = names
        self._stored = RecordsOfStore(store, names, limits)
        self._session_cookies = session_cookies
        self._limits = limits
        self._revocations = revocations
        self._feed = feed
        self._now = now
        self._unsaved = UndeliveredTokens()
        self._cache: SessionCache[str, _CachedSession] = SessionCache(max_bytes=MAX_OPENED_BYTES)
        self._lookup = MemoryLookup(
            PlainRecords(names, limits),
            session_cookies,
            limits,
            revocations,
            self._unsaved,
            has_provider=has_provider,
            now=now,
        )

    def at_once(self, cookie_header: bytes) -> ActiveSession | None:
        """Return the session of a browser if it is in the memory of this process; other stores take waiting."""
        table = self._store.local
        return None if table is None else self._lookup.find(table, cookie_header)

    def forget_opened(self) -> None:
        """Open every session anew: the secrets have changed."""
        self._cache.clear()
        self._lookup.forget_opened()

    def can_open(self, active: ActiveSession) -> bool:
        """Return True: the record may be sealed with another secret by now; whoever reads it finds out."""
        return True

    def may_have_cookie(self, cookie_header: bytes) -> bool:
        """Search for the name of the session cookie, without parsing."""
        return self._session_cookies.may_be_in(cookie_header)

    async def open(self, cookies: Mapping[str, str]) -> ActiveSession | None:
        """Read the record of the session id in the cookie: one round trip."""
        found = await self.find(cookies)
        return found if isinstance(found, ActiveSession) else None

    async def find(self, cookies: Mapping[str, str]) -> ActiveSession | NoSession:
        """Read the record, and find out why there is no session: the record of one that is over is deleted."""
        session_id = self.cookie(cookies)
        if not is_session_id(session_id):
            return NOT_OURS
        session, has_record = await self._load(session_id)
        if session is not None:
            return ActiveSession(session, session.tokens.generation)
        return UNREADABLE if has_record else GONE

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Return whether the cookie with the session id is among the cookies."""
        return self._session_cookies.has_cookie(cookies)

    def cookie(self, cookies: Mapping[str, str]) -> str:
        """Return the session id."""
        return cookies.get(self._session_cookies.name, "")

    async def begin(
        self, session: Session, cookies: Mapping[str, str], *, unseen: Sequence[str] = (), hides_cookies: bool = False
    ) -> list[bytes]:
        """Write the record to the store, and the session id into a cookie."""
        if not await self._stored.current().add(session, lifetime=self._lifetime(session)):
            raise StoreUnavailable(
                "store_id_taken", "the store already has a record for the random id of a new session"
            )
        # The browser gets the id when the record and its indexes are written.
        return self._session_cookies.write_id(session.id, cookies, max_age=self._limits.lifetime)

    async def newest(self, session: Session) -> Session | None:
        """Read the record again; None also if the session has expired in the meantime."""
        newest = await self._read(session.id)
        return newest if newest is not None and is_live(newest, self._limits, now=self._now()) else None

    async def change(self, session: Session, change: Change) -> Session | None:
        """Replace the record unless another process has changed it in the meantime; then try again with the new one."""
        stored, handle = self._stored.current(), self._names.handle(session.id)
        for _ in range(MAX_TRIES):
            record = await stored.get(handle)
            current = None if record is None else stored.open(session.id, record)
            if record is None or current is None:
                return None
            changed = change(current)
            if changed is current:
                return current
            if await stored.replace(record, changed, lifetime=self._lifetime(changed)):
                return changed
        raise StoreUnavailable(
            "store_contended", f"other processes changed the record during each of {MAX_TRIES} attempts"
        )

    async def touch(self, active: ActiveSession) -> None:
        """Write the last use to the record, at most once a minute; if the store fails, the request goes on."""
        now = self._now()
        if not is_use_due(active.session, self._limits, now):
            return
        try:
            await self.change(active.session, lambda current: self._with_use(current, now))
        except StoreUnavailable as error:
            log_store_error(error, fallback="the time of last use is not saved")

    def is_due(self, active: ActiveSession) -> bool:
        """Return False: the cookie never changes, and by now it may belong to a newer login."""
        return False

    def cookies_due(self, active: ActiveSession, cookies: Mapping[str, str]) -> list[bytes]:
        """Return nothing: the cookie never changes, and by now it may belong to a newer login."""
        return []

    async def revoke_older_tokens(self, session: Session) -> None:
        """Revoke the tokens for open websockets and responses; new requests read the record anyway."""
        login, now = session.login, self._now()
        if self._revocations.least_generation(login) or not self._revocations.is_at_limit(login.user_id):
            await self._feed.write_soon(self._revocations.revoke_older_tokens(session, now=now))
            return
        # At the limit, one revocation ends all sessions of the user: open connections must not keep the old rights.
        self._unsaved.drop(session.id)
        revocations = self._revocations.sign_out(issuer=login.issuer, sub=login.sub, sid=None, now=now)
        await self._feed.write_soon(revocations)
        try:
            await self.end_all(issuer=login.issuer, sub=login.sub, sid=None)
        except StoreUnavailable as error:  # the session is revoked here, and the feed tells the other processes
            log_store_error(error)

    async def end(self, session: Session) -> None:
        """Delete the record: a late request cannot write it again."""
        user, names, now = session.login.user_id, (session.id, *session.login.replaced), self._now()
        is_at_limit = self._revocations.is_at_limit(user)
        # First, so that the sessions are over in this process even if the store is down.
        revocations = (
            self._revocations.sign_out(issuer=user.issuer, sub=user.sub, sid=None, now=now)
            if is_at_limit
            else [revocation for name in names for revocation in self._revocations.end(name, user=user, now=now)]
        )
        for name in names:
            self._unsaved.drop(name)
        for name in names:
            await self._stored.current().remove(self._names.handle(name))
        if is_at_limit:  # the one revocation is forgotten after a while, so all records have to be deleted
            await self.end_all(issuer=user.issuer, sub=user.sub, sid=None)
        await try_to_write(self._feed, revocations)
        await self._unlink(session)

    async def end_all(self, *, issuer: str, sub: str | None, sid: str | None) -> int:
        """Delete the records that are listed in the indexes of the user and of the `sid`."""
        handles = await self._handles(issuer, sub=sub, sid=sid)
        if sub is not None and sid is not None:  # sessions without a `sid` may belong to it as well
            handles += await self._stored.current().linked("lone", issuer, sub)
        return sum([await self._stored.current().remove(handle) for handle in handles])

    async def is_sid_of_another_user(self, sid: str, user: UserId) -> bool:
        """Look for records of that `sid`, and whether any of them is of this user."""
        if await self._handles(user.issuer, sub=user.sub, sid=sid):
            return False
        return await self._has_record(await self._handles(user.issuer, sub=None, sid=sid))

    async def may_have_active_session(self, user: UserId, *, sid: str | None) -> bool:
        """Look for records of the user."""
        return await self._has_record(await self._handles(user.issuer, sub=user.sub, sid=sid))

    async def _has_record(self, handles: Iterable[str]) -> bool:
        for handle in handles:
            if await self._stored.current().get(handle) is not None:
                return True
        return False

    async def _handles(self, issuer: str, *, sub: str | None, sid: str | None) -> list[str]:
        """Return the handles of the sessions of a user, of a session at the provider, or of both."""
        names = [(kind, name) for kind, name in (("sub", sub), ("sid", sid)) if name is not None]
        found = [await self._stored.current().linked(kind, issuer, name) for kind, name in names]
        return [handle for handle in found[0] if all(handle in others for others in found[1:])]

    async def _unlink(self, session: Session) -> None:
        handle, stored = self._names.handle(session.id), self._stored.current()
        for kind, name in indexes_of(session):
            try:
                await stored.unlink(kind, session.login.issuer, name, handle=handle)
            except StoreUnavailable as error:  # harmless: the session is over, and lists skip ids without a record
                log_store_error(error)

    async def end_unreadable(self, cookies: Mapping[str, str]) -> None:
        """Delete the record of the session id: another process may be able to read it."""
        session_id = cookies.get(self._session_cookies.name, "")
        if not is_session_id(session_id):
            return
        # An id without a record is not revoked: anybody can make up ids, and would fill the memory.
        if await self._stored.current().remove(self._names.handle(session_id)):
            await try_to_write(self._feed, self._revocations.end(session_id, now=self._now()))

    async def expire_with_grace(
        self, session_id: str, *, grace: int, successor: Login, other: Login | None = None
    ) -> None:
        """Write an earlier end into the record, or delete it."""
        user = (other or successor).user_id
        if not self._revocations.is_at_limit(user):  # only for requests under way: others read the record
            self._revocations.end(session_id, user=user, now=self._now(), grace=grace)
        session = await self._read(session_id) if grace else None
        if session is None:
            await self._stored.current().remove(self._names.handle(session_id))
            return
        ends_at = self._now() + grace
        await self.change(session, lambda current: ending_at(current, ends_at))

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the cookie."""
        return self._session_cookies.delete(cookies)

    async def lock(self, session: Session, holder: str) -> bool:
        """Add a key with the holder to the store, unless another holder has it."""
        key = self._names.lock_key(self._names.handle(session.id))
        return await self._store.add(key, holder.encode("ascii"), lifetime=LOCK_LIFETIME)

    async def keep_lock(self, session: Session, holder: str) -> None:
        """Write the key again, unless another holder has it by now."""
        key, value = self._names.lock_key(self._names.handle(session.id)), holder.encode("ascii")
        if not await self._store.replace(key, value, value, lifetime=LOCK_LIFETIME):
            await self._store.add(key, value, lifetime=LOCK_LIFETIME)

    async def unlock(self, session: Session, holder: str) -> None:
        """Remove the key, unless another holder has it by now."""
        key = self._names.lock_key(self._names.handle(session.id))
        await self._store.remove(key, only=holder.encode("ascii"))

    def keep_unsaved(self, session: Session) -> None:
        """Keep tokens that could not be written; the next request that reaches the store writes them."""
        self._unsaved.keep(session)

    def has_unsaved(self, session_id: str) -> bool:
        """Return whether this process has tokens that the store does not have yet."""
        return self._unsaved.has(session_id)

    async def _read(self, session_id: str) -> Session | None:
        return (await self._load(session_id))[0]

    async def _load(self, session_id: str) -> tuple[Session | None, bool]:
        """Return a session, and whether there is a record, even if it cannot be read with our secrets."""
        stored, cached = self._stored.current(), self._cache.get(session_id)
        handle = self._names.handle(session_id) if cached is None else cached.handle
        record = await stored.get(handle)
        if cached is not None and record == cached.record:
            session: Session | None = cached.session
        else:
            session = None if record is None else stored.open(session_id, record)
            self._cache_record(session_id, handle, record, session)
        if session is None:
            self._unsaved.drop(session_id)
            return None, record is not None
        tokens = self._unsaved.newest(session_id, session.tokens)
        if tokens is not session.tokens:
            session = await self._save(_with_newer_tokens(session, tokens))
        return session, session is not None

    async def _save(self, session: Session) -> Session | None:
        """Write tokens that could not be written when they were refreshed; if it fails again, the request goes on."""
        try:
            saved = await self.change(session, lambda current: _with_newer_tokens(current, session.tokens))
        except StoreUnavailable:
            return session
        self._unsaved.drop(session.id)
        return saved

    def _cache_record(self, session_id: str, handle: str, record: bytes | None, session: Session | None) -> None:
        """Cache the session of a record, for as long as the store has the same record."""
        if record is None or session is None:
            self._cache.drop(session_id)
        else:
            self._cache.keep(session_id, _CachedSession(handle, record, session), size=opened_size(session))

    def _with_use(self, session: Session, now: int) -> Session:
        # Another request may have written the use in the meantime.
        return msgspec.structs.replace(session, seen_at=now) if is_use_due(session, self._limits, now) else session

    def _lifetime(self, session: Session) -> int:
        # Only until the session expires without another use: then nothing has to clean up.
        return max(1, expires_at(session, self._limits) - self._now())


def _with_newer_tokens(session: Session, tokens: Tokens) -> Session:
    return session if tokens.generation <= session.tokens.generation else with_new_tokens(session, tokens)
