"""The refresh lock: only its holder may use a session's refresh token, across all tasks and processes."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from asgi_oidc.errors import OIDCError, ProviderError, RefreshFailed, SessionEnded, StoreUnavailable
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.repository import LOCK_LIFETIME, SessionRepository
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.store_failures import log_store_error

REFRESH_DEADLINE = 11.0  # seconds for all calls under one lock; with reading and saving, less than the lock's lifetime
COOL_DOWN = 10  # seconds after a failed refresh before the next attempt
POLL_INTERVAL = 0.1  # seconds between two attempts to take a lock that another process holds
UNLOCK_PAUSE = 1.0  # seconds between two attempts to release a lock
MAX_WAIT = 25.0  # seconds that a request waits for another process; by then, its lock has expired


@dataclass(slots=True)
class RefreshLock:
    """The right to use a session's refresh token.

    Attributes:
        session: the newest state of the session.
        provider: the connection to the provider that issued its tokens.
        ends_at: deadline for calls to the provider, by the clock of the event loop.
        holder: random id of the holder.
        is_locked: False if no lock was taken, as the session can be used without a refresh.
        has_unsaved: whether the store does not have the newest refresh token yet. Then the lock is not released, so
            that no other process uses the old one.
    """

    session: Session
    provider: ProviderConnection
    ends_at: float
    holder: str
    is_locked: bool = True
    has_unsaved: bool = False

    def time_left(self) -> float:
        """Return the seconds left for calls to the provider."""
        return max(0.0, self.ends_at - anyio.current_time())


class RefreshLocks:
    """Acquires and releases the refresh locks of sessions."""

    __slots__ = ("_background", "_now", "_providers", "_sessions")

    def __init__(
        self,
        sessions: SessionRepository,
        providers: SessionProviders,
        background: SingleFlight[Any],
        *,
        now: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._providers = providers
        self._background = background
        self._now = now

    @asynccontextmanager
    async def hold(self, session: Session, *, can_continue: Callable[[Session], bool]) -> AsyncIterator[RefreshLock]:
        """Wait until no other process refreshes a session, then hold its lock.

        Args:
            can_continue: whether the caller can use the newest state of the session, without waiting for the lock.

        Raises:
            SessionEnded: the session has ended.
            RefreshFailed: the provider is gone, or has no metadata; a refresh failed within the last `COOL_DOWN`
                seconds; or the wait took too long.
            StoreUnavailable: the store does not answer.
        """
        try:
            provider = await self._providers.of(session.login)
            await provider.prepare()  # before locking: the first call to a provider may take long
        except ProviderError as error:
            raise refresh_failed(error) from error
        holder = secrets.token_urlsafe(16)
        lock: RefreshLock | None = None
        try:
            lock = await self._wait(session, provider, holder, can_continue)
            yield lock
        finally:
            if lock is None or (lock.is_locked and not lock.has_unsaved):
                await self.release(session, holder)

    async def release(self, session: Session, holder: str) -> None:
        """Release the lock; if the store does not answer, as soon as it does."""
        try:
            await self._sessions.unlock(session, holder)
        except StoreUnavailable as error:
            log_store_error(error)
            self._background.start(f"unlock {holder}", lambda: self._release_later(session, holder))

    async def _release_later(self, session: Session, holder: str) -> None:
        """Try again until the lock would expire by itself."""
        with anyio.move_on_after(LOCK_LIFETIME):
            while True:
                await anyio.sleep(UNLOCK_PAUSE)
                try:
                    return await self._sessions.unlock(session, holder)
                except StoreUnavailable:
                    continue

    async def _wait(
        self, session: Session, provider: ProviderConnection, holder: str, can_continue: Callable[[Session], bool]
    ) -> RefreshLock:
        started_at = attempted_at = anyio.current_time()
        while not await self._sessions.lock(session, holder):
            session = await self._newest(session)
            if can_continue(session):
                return RefreshLock(session, provider, attempted_at, holder, is_locked=False)
            if attempted_at - started_at > MAX_WAIT:
                raise RefreshFailed("refresh_timeout", "another process is refreshing the tokens, and takes too long")
            await anyio.sleep(POLL_INTERVAL)
            attempted_at = anyio.current_time()
        session = await self._newest(session)
        wait = session.tokens.retry_at - self._now()
        if 0 < wait <= COOL_DOWN:  # more than that: the clock was set back
            detail = f"a refresh failed less than {COOL_DOWN} s ago; the next attempt is in {wait} s"
            raise RefreshFailed("refresh_cooling_down", detail, retry_after=wait)
        return RefreshLock(session, provider, attempted_at + REFRESH_DEADLINE, holder)

    async def _newest(self, session: Session) -> Session:
        newest = await self._sessions.newest(session)
        if newest is None:
            raise SessionEnded(detail="the session ended while the request was under way")
        return newest


def refresh_failed(error: OIDCError | TimeoutError, what: str = "refresh") -> RefreshFailed:
    """Translate an error of a refresh, or of another token call, for the app.

    Args:
        what: of the call, as the first part of the code.
    """
    if isinstance(error, OIDCError):
        return RefreshFailed(f"{what}_{error.code}", error.detail)
    return RefreshFailed(f"{what}_timeout", "the provider took too long")
