"""The right to use a session's refresh token: one at a time, over all tasks and processes that share the session."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.errors import OIDCError, ProviderError, RefreshFailed, SessionEnded, StoreUnavailable
from asgi_oidc.sessions.repository import LOCK_LIFETIME
from asgi_oidc.sessions.session import Session

REFRESH_DEADLINE = 11.0  # seconds for all calls of one turn; with reading and saving, the lock outlives them
COOL_DOWN = 10  # seconds after a refresh that failed in which none is tried
POLL_INTERVAL = 0.1  # seconds between two looks at what another process has made
UNLOCK_PAUSE = 1.0  # seconds between two tries to give the lock back
MAX_WAIT = 25.0  # seconds that somebody waits for another process; by then its lock has ended


@dataclass(slots=True)
class RefreshLock:
    """The right to use a session's refresh token, alone.

    Attributes:
        session: the newest.
        ends_at: when the calls to the provider have to be over, by the clock of the event loop.
        holder: who holds the lock.
        is_locked: whether it was needed: somebody else may have done the work meanwhile.
        has_unsaved: whether the store lacks the newest refresh token; then nobody may come with the old one for as
            long as the lock holds.
    """

    session: Session
    ends_at: float
    holder: str
    is_locked: bool = True
    has_unsaved: bool = False

    def time_left(self) -> float:
        """Seconds for calls to the provider."""
        return max(0.0, self.ends_at - anyio.current_time())


@asynccontextmanager
async def refresh_lock(
    session: Session, parts: Parts, *, can_go: Callable[[Session], bool]
) -> AsyncIterator[RefreshLock]:
    """Wait until nobody else renews a session.

    Args:
        can_go: tells, of the newest session, whether there is nothing to wait for.

    Raises:
        SessionEnded: it is gone.
        RefreshFailed: the provider gives no metadata, a refresh failed a moment ago, or the wait took too long.
        StoreUnavailable: the store does not answer.
    """
    try:
        await parts.provider.metadata()  # not under the lock: a provider that was never there may take its time
    except ProviderError as error:
        raise failed(error) from error
    holder = secrets.token_urlsafe(16)
    mine: RefreshLock | None = None
    try:
        mine = await _wait_for_turn(session, parts, holder, can_go)
        yield mine
    finally:
        if mine is None or (mine.is_locked and not mine.has_unsaved):
            await unlock(session, parts, holder)


async def _wait_for_turn(session: Session, parts: Parts, holder: str, can_go: Callable[[Session], bool]) -> RefreshLock:
    began = tried = anyio.current_time()
    while not await parts.sessions.lock(session, holder):
        session = await _newest(session, parts)
        if can_go(session):
            return RefreshLock(session, tried, holder, is_locked=False)
        if tried - began > MAX_WAIT:
            raise RefreshFailed("refresh_timeout", "another process renews the session, and does not end")
        await anyio.sleep(POLL_INTERVAL)
        tried = anyio.current_time()
    session = await _newest(session, parts)
    if 0 < session.tokens.retry_at - parts.now() <= COOL_DOWN:  # more than that: the clock was set back
        wait = session.tokens.retry_at - parts.now()
        raise RefreshFailed("refresh_cooling_down", "one failed a moment ago", retry_after=wait)
    return RefreshLock(session, tried + REFRESH_DEADLINE, holder)


async def _newest(session: Session, parts: Parts) -> Session:
    newest = await parts.sessions.newest(session)
    if newest is None:
        raise SessionEnded(detail="it ended while the request was under way")
    return newest


async def unlock(session: Session, parts: Parts, holder: str) -> None:
    """Let others have their turn; when the store does not answer, as soon as it does."""
    try:
        await parts.sessions.unlock(session, holder)
    except StoreUnavailable as error:
        events.log(events.STORE_FAILED, code=error.code, detail=error.detail)
        parts.afterwards.start(f"unlock {holder}", lambda: _unlock_later(session, parts, holder))


async def _unlock_later(session: Session, parts: Parts, holder: str) -> None:
    """Go on trying until the lock would end by itself."""
    with anyio.move_on_after(LOCK_LIFETIME):
        while True:
            await anyio.sleep(UNLOCK_PAUSE)
            try:
                return await parts.sessions.unlock(session, holder)
            except StoreUnavailable:
                continue


def failed(error: OIDCError | TimeoutError, what: str = "refresh") -> RefreshFailed:
    """Say, to the app, that a renewal, or another call for a token, failed, and why."""
    if isinstance(error, OIDCError):
        return RefreshFailed(f"{what}_{error.code}", error.detail)
    return RefreshFailed(f"{what}_timeout", "the provider took too long")
