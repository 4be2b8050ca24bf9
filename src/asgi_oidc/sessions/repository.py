"""The interface of session storage, which cookies (`in_cookies`) and stores (`in_store`) implement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from asgi_oidc.sessions.session import Login, Session, UserId
from asgi_oidc.web.cookies import Cookies

LOCK_LIFETIME = 20  # seconds; longer than a refresh may take, so that a session is never refreshed twice at once

Change = Callable[[Session], Session]
"""Returns the changed session for the current one; called again if another process changed it in the meantime."""


class ActiveSession(msgspec.Struct):
    """The session of one request; it changes if the request refreshes the tokens.

    Attributes:
        browser_generation: the generation of the tokens that are in the browser's cookies.
        is_over: whether the request has found that the session has ended.
        left_behind: names of cookies that older sessions left in the browser.
        fresh_from, fresh_until: seconds since the epoch; in between, the response need not set cookies.
        refreshes_version: `UndeliveredTokens.version` when the session was looked up.
        sealed_login: the cookie that contains it; empty if it is in a store.
    """

    session: Session
    browser_generation: int
    is_over: bool = False
    left_behind: Sequence[str] = ()
    fresh_from: int = 0
    fresh_until: int = 0
    refreshes_version: int = 0
    sealed_login: str = ""

    def __repr__(self) -> str:
        return f"ActiveSession({self.session!r}, is_over={self.is_over})"  # not the cookie

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("session", self.session), ("is_over", self.is_over)]


class NoSession(msgspec.Struct, frozen=True):
    """Why the cookies of a browser contain no valid session.

    Attributes:
        reason: for the log.
        is_over: whether they belong to a session that is over for good.
    """

    reason: str
    is_over: bool = False


NOT_OURS = NoSession("not_ours")  # not sealed with one of our secrets, or incomplete
UNREADABLE = NoSession("unreadable")  # the record was sealed with another secret or by another version of this library
ENDED = NoSession("ended", is_over=True)  # signed out, withdrawn by the provider, or replaced
EXPIRED = NoSession("expired", is_over=True)
GONE = NoSession("gone", is_over=True)  # the store has no record of that id: it ended, expired, or never existed


class SessionRepository(Protocol):
    """Keeps sessions, in sealed cookies or in a store.

    Coroutines raise `StoreUnavailable` if a store is used and does not answer, unless they say otherwise.
    """

    def at_once(self, cookie_header: bytes) -> ActiveSession | None:
        """Return the valid session of a browser if that takes no waiting.

        Its limits and revocations are checked, and its last use is recorded. None means that `open` has to be called:
        there may or may not be a session.
        """

    def forget_opened(self) -> None:
        """Open every session anew: the secrets have changed."""

    def can_open(self, active: ActiveSession) -> bool:
        """Return whether the secrets still open the session of an open connection, as far as is known here."""

    def may_have_cookie(self, cookie_header: bytes) -> bool:
        """Return whether the header may contain a session cookie; if not, `open` need not be called."""

    async def open(self, cookies: Cookies) -> ActiveSession | None:
        """Return the session of a browser; its limits and revocations are not checked yet."""

    async def find(self, cookies: Cookies) -> ActiveSession | NoSession:
        """Return the session of a browser as `open` does, or why there is none."""

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Return whether the browser sent a session cookie, valid or not."""

    def cookie(self, cookies: Mapping[str, str]) -> str:
        """Return the value of the session cookie, empty if there is none."""

    async def begin(
        self, session: Session, cookies: Mapping[str, str], *, unseen: Sequence[str] = (), hides_cookies: bool = False
    ) -> list[bytes]:
        """Write a new session, and return its Set-Cookie lines.

        Args:
            unseen: short digests of the ids of sessions that the browser may have although this request did not bring
                their cookies; these cookies are deleted.
            hides_cookies: whether the request brings no session cookies at all, as it is a form post from another site.

        Raises:
            SessionTooLarge: it does not fit into cookies or the store.
        """

    async def newest(self, session: Session) -> Session | None:
        """Return the current state of a session, None if it has ended."""

    async def change(self, session: Session, change: Change) -> Session | None:
        """Change a session, and return the new state; None if it has ended: a change never brings a session back."""

    def keep_unsaved(self, session: Session) -> None:
        """Keep tokens that `change` could not write; later requests of this process get them."""

    def has_unsaved(self, session_id: str) -> bool:
        """Return whether there are such tokens for a session."""

    async def touch(self, active: ActiveSession) -> None:
        """Record that the session is in use."""

    def is_due(self, active: ActiveSession) -> bool:
        """Return whether `cookies_due` may return anything."""

    def cookies_due(self, active: ActiveSession, cookies: Mapping[str, str]) -> list[bytes]:
        """Return the Set-Cookie lines that the response to a request has to contain.

        They never affect a session that began in the meantime, however late the response is.
        """

    async def revoke_older_tokens(self, session: Session) -> None:
        """Revoke all older tokens of a session, in every process; never raises.

        For a refresh that changed the user's rights: cookies from before it must not restore them.
        """

    async def end(self, session: Session) -> None:
        """End a session for good, and those that it replaced."""

    async def end_all(self, *, issuer: str, sub: str | None, sid: str | None) -> int:
        """Delete all sessions of a user, of a session at the provider, or of both; return how many were found.

        The caller has revoked them before.
        """

    async def is_sid_of_another_user(self, sid: str, user: UserId) -> bool:
        """Return whether a `sid` of the user's issuer is known to belong to another user, and not to this one."""

    async def may_have_active_session(self, user: UserId, *, sid: str | None) -> bool:
        """Return whether a user may have a valid session here, of one session at the provider if `sid` is set."""

    async def end_unreadable(self, cookies: Mapping[str, str]) -> None:
        """End a session that this process cannot read: other processes may have other secrets or versions."""

    async def expire_with_grace(
        self, session_id: str, *, grace: int, successor: Login, other: Login | None = None
    ) -> None:
        """End a session that a new login has replaced.

        Args:
            grace: seconds for which it stays valid; 0 if it belongs to another user.
            successor: the new login.
            other: the login of that other user, None if it is not known.

        Raises:
            LoginLoop: `other` is not known, and the successor's user has replaced too many sessions of other users.
        """

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Return the Set-Cookie lines that delete the session from a browser."""

    async def lock(self, session: Session, holder: str) -> bool:
        """Try to take the refresh lock of a session; return whether it worked. A lock ends after `LOCK_LIFETIME`."""

    async def keep_lock(self, session: Session, holder: str) -> None:
        """Start the lifetime of a lock anew; the holder calls this."""

    async def unlock(self, session: Session, holder: str) -> None:
        """Release a lock."""
