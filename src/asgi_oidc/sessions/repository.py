"""What the rest of the library asks of sessions, wherever they are kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from asgi_oidc.sessions.session import Login, Session
from asgi_oidc.web.cookies import Cookies

LOCK_LIFETIME = 20  # seconds; longer than a renewal may take, so that two never renew one session

Change = Callable[[Session], Session]
"""Makes the new session of the newest one; it may be called again when somebody else was faster."""


class ActiveSession(msgspec.Struct):
    """The session behind one request, as far as the request knows by now.

    Attributes:
        browser_generation: the generation of the tokens that the browser has.
        is_over: whether the request has seen the session end.
        left_behind: names of cookies that the browser still has of other sessions.
        fresh_from, fresh_until: the answer need not bring cookies in between, as far as the request knows.
        refreshes_version: how many renewals it knows.
    """

    session: Session
    browser_generation: int
    is_over: bool = False
    left_behind: Sequence[str] = ()
    fresh_from: int = 0
    fresh_until: int = 0
    refreshes_version: int = 0


class NoSession(msgspec.Struct, frozen=True):
    """Why the cookies of a browser hold no session.

    Attributes:
        reason: for the log.
        is_over: whether they were those of one that is over for good.
    """

    reason: str
    is_over: bool = False


NOT_OURS = NoSession("not_ours")  # nobody sealed them, or somebody with another secret; or pieces are missing
UNREADABLE = NoSession("unreadable")  # a record that another secret, or another version of this library, has sealed
ENDED = NoSession("ended", is_over=True)  # signed out, withdrawn or replaced
EXPIRED = NoSession("expired", is_over=True)
GONE = NoSession("gone", is_over=True)  # the store has none of that id: ended, run out, or never there


class SessionRepository(Protocol):
    """Sessions in sealed cookies, or in a store.

    With a store, all that waits raises `StoreUnavailable`.
    """

    def at_once(self, cookie_header: bytes) -> ActiveSession | None:
        """Return the live session of a browser, where nothing has to be waited for.

        Its limits are checked, and that it was not ended; it is touched. None says nothing: ask `open`.
        """

    def may_have_cookie(self, cookie_header: bytes) -> bool:
        """Say whether `open` is worth asking; who comes without a session most often has no cookie of that name."""

    async def open(self, cookies: Cookies) -> ActiveSession | None:
        """Return the session of a browser; its limits are not checked yet."""

    async def find(self, cookies: Cookies) -> ActiveSession | NoSession:
        """Do the same, and say why there is none."""

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser sent anything that should be a session."""

    def cookie(self, cookies: Mapping[str, str]) -> str:
        """Return the cookie that signs somebody in, empty where there is none."""

    async def begin(
        self, session: Session, cookies: Mapping[str, str], *, unseen: Sequence[str] = (), hides_cookies: bool = False
    ) -> list[bytes]:
        """Write a new session, and return the Set-Cookie lines for it.

        Args:
            unseen: short digests of the ids of sessions that the browser may have, though it did not show them; their
                cookies are deleted.
            hides_cookies: whether the browser showed none at all, for the request is a form of another site.

        Raises:
            SessionTooLarge: it does not fit.
        """

    async def newest(self, session: Session) -> Session | None:
        """Return the session as it is by now, None when it is gone."""

    async def change(self, session: Session, change: Change) -> Session | None:
        """Write what has become of a session, and return that; None when it is gone: what is gone stays gone."""

    def keep_unsaved(self, session: Session) -> None:
        """Keep tokens that `change` could not write; whoever asks for the session next gets them."""

    def has_unsaved(self, session_id: str) -> bool:
        """Say whether there are such tokens."""

    async def touch(self, active: ActiveSession) -> None:
        """Write down that the session is in use, where that is not the cookies' business."""

    def is_due(self, active: ActiveSession) -> bool:
        """Say whether `cookies_due` may have anything to bring."""

    def cookies_due(self, active: ActiveSession, cookies: Mapping[str, str]) -> list[bytes]:
        """Return the Set-Cookie lines that the answer to a request has to bring.

        An answer may be late: none of them touches a session that began meanwhile.
        """

    async def revoke_older_tokens(self, session: Session) -> None:
        """Revoke all older tokens of a session, in every process; it raises nothing.

        A refresh has changed the user's rights: cookies from before it must not bring them back.
        """

    async def end(self, session: Session) -> None:
        """End a session, and those that it took over from, for good."""

    async def end_all(self, *, sub: str | None, sid: str | None) -> int:
        """End all sessions of a user, of a session at the provider, or of both; say how many were found.

        They are marked as over before.
        """

    async def is_sid_of_another_user(self, sid: str, sub: str) -> bool:
        """Say whether a session at the provider is known, but not as one of this user."""

    async def may_have_active_session(self, *, sub: str, sid: str | None) -> bool:
        """Say whether a user may have a live session, in a session at the provider if it is known."""

    async def end_unreadable(self, cookies: Mapping[str, str]) -> None:
        """End what a browser has, though nobody here can read it: another secret, another version, garbage."""

    async def expire_with_grace(
        self, session_id: str, *, grace: int, successor: Login, other: Login | None = None
    ) -> None:
        """Let a session end after some seconds: a successor has replaced it, without grace that of another user.

        Args:
            other: the login of that other user, where it is known.

        Raises:
            LoginLoop: it is not known, and the successor's user has ended too many sessions of others like that.
        """

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Return the Set-Cookie lines that take the session out of a browser."""

    async def lock(self, session: Session, holder: str) -> bool:
        """Try to be the only one who renews a session, and say whether it worked; no lock lasts."""

    async def keep_lock(self, session: Session, holder: str) -> None:
        """Let a lock that one holds begin its lifetime anew."""

    async def unlock(self, session: Session, holder: str) -> None:
        """Let others renew it again."""
