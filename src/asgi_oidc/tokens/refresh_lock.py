"""The refresh lock: only its holder may use a session's refresh token, across all tasks and processes."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError, ProviderError, RefreshFailed, SessionEnded, StoreUnavailable
from asgi_oidc.provider.provider import Provider
from asgi_oidc.sessions.repository import LOCK_LIFETIME, SessionRepository
from asgi_oidc.sessions.session import Session
from asgi_oidc.single_flight import SingleFlight

REFRESH_DEADLINE = 11.0  # seconds for all calls under one lock; with reading and saving, the lock outlives them
COOL_DOWN = 10  # seconds after a refresh that failed in which none is tried
POLL_INTERVAL = 0.1  # seconds between two looks at what another process has made
UNLOCK_PAUSE = 1.0  # seconds between two tries to give the lock back
MAX_WAIT = 25.0  # seconds that a request waits for another process; by then its lock has ended


@dataclass(slots=True)
class RefreshLock:
    """The right to use a session's refresh token.

    Attributes:
        session: the newest state of the session.
        ends_at: when the calls to the provider have to be over, by the clock of the event loop.
        holder: random id of who holds the lock.
        is_locked: False if no lock was needed: somebody else has done the work meanwhile.
        has_unsaved: whether the store lacks the newest refresh token; then nobody may come with the old one for as
            long as the lock holds.
    """

    session: Session
    ends_at: float
    holder: str
    is_locked: bool = True
    has_unsaved: bool = False

    def time_left(self) -> float:
        """Return the seconds that are left for calls to the provider."""
        return max(0.0, self.ends_at - anyio.current_time())


class RefreshLocks:
    """Takes and releases the refresh locks of sessions."""

    __slots__ = ("_background", "_now", "_provider", "_sessions")

    def __init__(
        self,
        sessions: SessionRepository,
        provider: Provider,
        background: SingleFlight[Any],
        *,
        now: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._provider = provider
        self._background = background
        self._now = now

    @asynccontextmanager
    async def hold(self, session: Session, *, can_continue: Callable[[Session], bool]) -> AsyncIterator[RefreshLock]:
        """Wait until nobody else refreshes a session, then hold its lock.

        Args:
            can_continue: says, of the newest session, that there is nothing to wait for.

        Raises:
            SessionEnded: it is gone.
            RefreshFailed: the provider gives no metadata, a refresh failed a moment ago, or the wait took too long.
            StoreUnavailable: the store does not answer.
        """
        try:
            await self._provider.metadata()  # not under the lock: a provider that was never there may take its time
        except ProviderError as error:
            raise refresh_failed(error) from error
        holder = secrets.token_urlsafe(16)
        lock: RefreshLock | None = None
        try:
            lock = await self._wait(session, holder, can_continue)
            yield lock
        finally:
            if lock is None or (lock.is_locked and not lock.has_unsaved):
                await self.release(session, holder)

    async def release(self, session: Session, holder: str) -> None:
        """Let others refresh the session; when the store does not answer, as soon as it does."""
        try:
            await self._sessions.unlock(session, holder)
        except StoreUnavailable as error:
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)
            self._background.start(f"unlock {holder}", lambda: self._release_later(session, holder))

    async def _release_later(self, session: Session, holder: str) -> None:
        """Go on trying until the lock would end by itself."""
        with anyio.move_on_after(LOCK_LIFETIME):
            while True:
                await anyio.sleep(UNLOCK_PAUSE)
                try:
                    return await self._sessions.unlock(session, holder)
                except StoreUnavailable:
                    continue

    async def _wait(self, session: Session, holder: str, can_continue: Callable[[Session], bool]) -> RefreshLock:
        started_at = attempted_at = anyio.current_time()
        while not await self._sessions.lock(session, holder):
            session = await self._newest(session)
            if can_continue(session):
                return RefreshLock(session, attempted_at, holder, is_locked=False)
            if attempted_at - started_at > MAX_WAIT:
                raise RefreshFailed("refresh_timeout", "another process renews the session, and does not end")
            await anyio.sleep(POLL_INTERVAL)
            attempted_at = anyio.current_time()
        session = await self._newest(session)
        wait = session.tokens.retry_at - self._now()
        if 0 < wait <= COOL_DOWN:  # more than that: the clock was set back
            raise RefreshFailed("refresh_cooling_down", "one failed a moment ago", retry_after=wait)
        return RefreshLock(session, attempted_at + REFRESH_DEADLINE, holder)

    async def _newest(self, session: Session) -> Session:
        newest = await self._sessions.newest(session)
        if newest is None:
            raise SessionEnded(detail="it ended while the request was under way")
        return newest


def refresh_failed(error: OIDCError | TimeoutError, what: str = "refresh") -> RefreshFailed:
    """Translate what went wrong in a refresh, or another call for a token, for the app."""
    if isinstance(error, OIDCError):
        return RefreshFailed(f"{what}_{error.code}", error.detail)
    return RefreshFailed(f"{what}_timeout", "the provider took too long")
