"""Watches the session behind an open websocket or response, so that the connection ends with the session."""

from collections.abc import Callable

import msgspec

from asgi_oidc import events
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.lifetimes import Limits, ends_for_good_at, is_live, is_use_due
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Session
from asgi_oidc.tokens.recheck import SessionRechecks
from asgi_oidc.tokens.refresh_result import rights_may_differ

CHECK_INTERVAL = 2.0  # seconds
READ_INTERVAL = 60  # seconds after which a session in a store is read again
STORE_SILENCE_LIMIT = 60  # seconds without an answer of the store, after which a session counts as over
SAVE_INTERVAL = 10  # seconds between two attempts to save the time of last use
CLOSE_DEADLINE = 2.0  # seconds to send the end to the browser; after that, the app is disconnected in any case
LONG_AGO = 0  # seconds since the epoch
MAX_CAUSES = 10  # links of a chain of exceptions, counting nested groups
# Starlette raises these in place of an `OSError`, without setting `__cause__`.
DISCONNECTS = ("ClientDisconnect", "WebSocketDisconnect")


class ConnectionEnded(OSError):
    """The app sent something after we had ended its connection (ASGI 3.0, "Disconnected Client").

    Attributes:
        connection: identifies the connection.
    """

    def __init__(self, description: str, *, connection: object) -> None:
        super().__init__(f"{description} was ended because its session is over")
        self.connection = connection


def is_caused_by_end(error: BaseException, *, connection: object) -> bool:
    """Return whether the app raised an exception only because we ended this connection.

    An exception that it raised while it handled the end (`__context__`) is an error of its own, and so is any other
    member of an exception group. One that it raised from the end (`raise ... from ...`) is caused by it, and is logged.
    """
    is_caused = _is_caused_by_end(error, connection, MAX_CAUSES)
    if is_caused and not isinstance(error, ConnectionEnded):
        events.log(events.ERROR_AFTER_END, error=error)
    return is_caused


def _is_caused_by_end(error: BaseException | None, connection: object, max_depth: int) -> bool:
    if error is None or max_depth == 0:
        return False
    if isinstance(error, ConnectionEnded):
        return error.connection is connection
    if isinstance(error, BaseExceptionGroup):
        return all(_is_caused_by_end(member, connection, max_depth - 1) for member in error.exceptions)
    cause = error.__context__ if type(error).__name__ in DISCONNECTS else error.__cause__
    return _is_caused_by_end(cause, connection, max_depth - 1)


class SessionWatcher:
    """What all watches of one middleware share."""

    __slots__ = (
        "authenticator",
        "counts_use",
        "feed",
        "is_stored",
        "limits",
        "now",
        "rechecks",
        "revocations",
        "sessions",
        "tokens",
    )

    def __init__(
        self,
        sessions: SessionRepository,
        authenticator: Authenticator,
        revocations: Revocations,
        feed: RevocationFeed,
        limits: Limits,
        tokens: TokenAuthenticator | None = None,
        rechecks: SessionRechecks | None = None,
        *,
        is_stored: bool,
        counts_use: bool,
        now: Callable[[], int],
    ) -> None:
        """Set up the watches.

        Args:
            tokens: checks access tokens; None if none are accepted.
            rechecks: let the provider confirm sessions; None if it is not asked.
            is_stored: whether sessions are in a store, where other processes change them.
            counts_use: the setting `websocket_activity`: whether messages of the browser count as use of the session.
        """
        self.sessions = sessions
        self.authenticator = authenticator
        self.revocations = revocations
        self.feed = feed
        self.limits = limits
        self.tokens = tokens
        self.rechecks = rechecks
        self.is_stored = is_stored
        self.counts_use = counts_use
        self.now = now


class SessionWatch:
    """Checks whether the session of one open connection is over.

    Messages of the browser count as use of the session only with `websocket_activity`: an unattended page may send
    messages as well.
    """

    def __init__(self, active: ActiveSession, watcher: SessionWatcher) -> None:
        self._active = active
        self._watcher = watcher
        self._session_at_open = self._session = active.session
        self._confirmed_at = self._read_at = watcher.now()  # seconds since the epoch
        self._names_version = watcher.revocations.names_version
        self._may_have_other_rights = False
        self._has_unsaved_use = False
        self._save_tried_at = 0  # seconds since the epoch

    def is_known_to_be_over(self) -> bool:
        """Return whether this process knows that the session is over, even if other processes have used it since."""
        watcher, now = self._watcher, self._watcher.now()
        if self._names_version != watcher.revocations.names_version:
            self._note_new_secrets()
        if (
            self._active.is_over
            or self._may_have_other_rights
            or watcher.revocations.is_outdated(self._session_at_open)
            or watcher.authenticator.is_provider_gone(self._session)
        ):
            return True
        return watcher.revocations.is_revoked(self._session.login, now=now) or now >= ends_for_good_at(
            self._session, watcher.limits
        )

    def _note_new_secrets(self) -> None:
        """End the connection if the secret of its session was removed, or let the next check read the session again."""
        watcher = self._watcher
        self._names_version, self._read_at = watcher.revocations.names_version, LONG_AGO
        if not watcher.sessions.can_open(self._active):
            self._active.is_over = True

    def note_use(self) -> None:
        """Note that the browser has sent a message."""
        self._has_unsaved_use = True

    async def save_last_use(self) -> None:
        """Save the time of last use, at most once a minute, as requests do; a session that is over is not revived."""
        watcher, now = self._watcher, self._watcher.now()
        if not (self._has_unsaved_use and watcher.counts_use):
            return
        if not is_use_due(self._session, watcher.limits, now) or abs(now - self._save_tried_at) < SAVE_INTERVAL:
            return
        self._save_tried_at, self._has_unsaved_use = now, False

        def with_last_use(current: Session) -> Session:
            is_due = is_live(current, watcher.limits, now=now) and is_use_due(current, watcher.limits, now)
            return msgspec.structs.replace(current, seen_at=now) if is_due else current

        try:
            saved = await watcher.sessions.change(self._session, with_last_use)
        except StoreUnavailable:  # tried again later: a store that is full or slow is no reason to end the session
            self._has_unsaved_use = True
            return
        if saved is not None:
            self._update(saved)

    def is_read_due(self) -> bool:
        """Return whether the session has to be read again.

        Other processes may have changed it in the store, or requests may have extended a session that seems expired.
        """
        watcher = self._watcher
        is_old = watcher.is_stored and abs(watcher.now() - self._read_at) > READ_INTERVAL
        is_recheck_due = watcher.rechecks is not None and watcher.rechecks.is_due(self._session)
        return is_old or is_recheck_due or watcher.authenticator.is_over(self._session)

    async def reload(self) -> bool:
        """Read the newest state of the session, and return whether it still exists.

        If a refresh has changed the rights of the user since, the session is known to be over from then on, even if
        this process has not received the revocation.

        Raises:
            StoreUnavailable: the session could not be read.
        """
        newest, rechecks = await self._watcher.sessions.newest(self._session), self._watcher.rechecks
        if newest is not None and rechecks is not None:
            newest = await rechecks.recheck(newest)
        self._read_at = self._watcher.now()
        if newest is not None:
            self._update(newest)
        return newest is not None

    def _update(self, newest: Session) -> None:
        self._session, self._read_at = newest, self._watcher.now()
        self._may_have_other_rights |= rights_may_differ(newest.tokens, self._session_at_open.tokens)

    def note_confirmed(self) -> None:
        """Note that the session has just been found active."""
        self._confirmed_at = self._watcher.now()

    def is_unconfirmed_for_long(self) -> bool:
        """Return whether the session has not been found active for too long: an outage must not keep it alive."""
        return abs(self._watcher.now() - self._confirmed_at) > STORE_SILENCE_LIMIT
