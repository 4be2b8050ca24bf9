"""Watches the session of an open connection, a websocket or a response, so that the connection ends with it."""

from collections.abc import Callable

import msgspec

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Limits, Session, ends_for_good_at, is_live, is_use_due
from asgi_oidc.tokens.refresh_result import rights_may_differ

CHECK_INTERVAL = 2.0  # seconds
READ_INTERVAL = 60  # seconds after which a session in a store is read again
STORE_SILENCE_LIMIT = 60  # seconds without an answer of the store after which the session is no longer taken for alive
USE_PAUSE = 10  # seconds between two attempts to save the time of last use
CLOSE_DEADLINE = 2.0  # seconds to send the end to the browser; then the app gets its disconnect in any case
MAX_CAUSES = 10  # exceptions that led to one another, and groups within each other
DISCONNECTS = ("ClientDisconnect", "WebSocketDisconnect")  # what Starlette makes of an `OSError`, without a cause


class ConnectionEnded(OSError):
    """Raised when the app keeps sending after the end (ASGI 3.0, "Disconnected Client").

    Attributes:
        of: identifies the connection.
    """

    def __init__(self, what: str, *, of: object) -> None:
        super().__init__(f"{what} was ended because its session is over")
        self.of = of


def is_due_to_end(error: BaseException, *, of: object) -> bool:
    """Say whether the app raised an exception because a connection has ended, and for no other reason.

    What it raises while it handles that (`__context__`) is an error of its own, and so is any other member of a group.
    What it made of the end (`raise ... from ...`) is logged.
    """
    is_due = _is_due_to_end(error, of, MAX_CAUSES)
    if is_due and not isinstance(error, ConnectionEnded):
        events.log(events.ERROR_AFTER_END, error=error)
    return is_due


def _is_due_to_end(error: BaseException | None, of: object, most: int) -> bool:
    if error is None or most == 0:
        return False
    if isinstance(error, ConnectionEnded):
        return error.of is of
    if isinstance(error, BaseExceptionGroup):
        return all(_is_due_to_end(one, of, most - 1) for one in error.exceptions)
    before = error.__context__ if type(error).__name__ in DISCONNECTS else error.__cause__
    return _is_due_to_end(before, of, most - 1)


class SessionWatcher:
    """What all watches of one middleware work with."""

    __slots__ = ("authenticator", "counts_use", "feed", "is_stored", "limits", "now", "revocations", "sessions")

    def __init__(
        self,
        sessions: SessionRepository,
        authenticator: Authenticator,
        revocations: Revocations,
        feed: RevocationFeed,
        limits: Limits,
        *,
        is_stored: bool,
        counts_use: bool,
        now: Callable[[], int],
    ) -> None:
        """Set up all watches.

        Args:
            is_stored: whether sessions are in a store, where other processes change them.
            counts_use: whether what the browser sends over a websocket counts as use (`websocket_activity`).
        """
        self.sessions = sessions
        self.authenticator = authenticator
        self.revocations = revocations
        self.feed = feed
        self.limits = limits
        self.is_stored = is_stored
        self.counts_use = counts_use
        self.now = now


class SessionWatch:
    """Says whether the session of one open connection is over.

    What the browser sends over a connection counts as use of the session only with `websocket_activity`: an
    unattended page may send messages as well.
    """

    def __init__(self, active: ActiveSession, watcher: SessionWatcher) -> None:
        self._active = active
        self._watcher = watcher
        self._opened = self._session = active.session
        self._looked_at = self._read_at = watcher.now()
        self._has_other_rights = False
        self._is_used = False
        self._tried_at = 0

    def is_known_to_be_over(self) -> bool:
        """Say whether this process knows that it has ended, however much it was used elsewhere."""
        watcher, now = self._watcher, self._watcher.now()
        if self._active.is_over or self._has_other_rights or watcher.revocations.is_outdated(self._opened):
            return True
        return watcher.revocations.is_revoked(self._session.login, now=now) or now >= ends_for_good_at(
            self._session, watcher.limits
        )

    def note_use(self) -> None:
        """Note that the browser has sent something."""
        self._is_used = True

    async def write_down_use(self) -> None:
        """Write down that the session is in use, at most once a minute, as a request does; what is over stays over."""
        watcher, now = self._watcher, self._watcher.now()
        if not (self._is_used and watcher.counts_use):
            return
        if not is_use_due(self._session, watcher.limits, now) or abs(now - self._tried_at) < USE_PAUSE:
            return
        self._tried_at, self._is_used = now, False

        def with_use(current: Session) -> Session:
            is_due = is_live(current, watcher.limits, now=now) and is_use_due(current, watcher.limits, now)
            return msgspec.structs.replace(current, seen_at=now) if is_due else current

        try:
            saved = await watcher.sessions.change(self._session, with_use)
        except StoreUnavailable:  # a store that is full or slow just now ends nothing
            self._is_used = True
            return
        if saved is not None:
            self._take_over(saved)

    def is_read_due(self) -> bool:
        """Say whether more than this process knows has to be asked for."""
        watcher = self._watcher
        is_old = watcher.is_stored and abs(watcher.now() - self._read_at) > READ_INTERVAL
        return is_old or watcher.authenticator.is_over(self._session)

    async def is_gone(self) -> bool:
        """Read the session anew: other requests may have used it since; those alone know until when it lives.

        One whose rights have changed since is known to be over from then on, also where no mark of that has come here.

        Raises:
            StoreUnavailable: nobody can tell.
        """
        newest = await self._watcher.sessions.newest(self._session)
        self._read_at = self._watcher.now()
        if newest is not None:
            self._take_over(newest)
        return newest is None

    def _take_over(self, newest: Session) -> None:
        self._session, self._read_at = newest, self._watcher.now()
        self._has_other_rights |= rights_may_differ(newest.tokens, self._opened.tokens)

    def note_alive(self) -> None:
        """Note that somebody could tell just now."""
        self._looked_at = self._watcher.now()

    def is_unseen_for_long(self) -> bool:
        """Say whether nobody could tell for so long that it has to be taken for over: an outage keeps no session."""
        return abs(self._watcher.now() - self._looked_at) > STORE_SILENCE_LIMIT
