"""Lists and ends the sessions of users, for the app's own code: `middleware.sessions`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asgi_oidc import events, telemetry
from asgi_oidc.audit import SignedOut
from asgi_oidc.audit.reporting import Reporter, report, reporting
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.sanitized import ForeignError, sanitizes_errors
from asgi_oidc.sessions.revocation_feed import RevocationFeed, try_to_write
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import UserId
from asgi_oidc.sessions.session_records import RecordsOfStore, SessionRecords
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.store_failures import log_store_error
from asgi_oidc.telemetry import catalogue


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a user. All instants are seconds since the epoch.

    Attributes:
        id: the same as `scope["oidc"].session_id`; not a secret: nobody can sign in with it.
        created_at: when the user signed in.
        seen_at: the last use, to the minute.
        expires_at: when the session ends if it is not used again.
    """

    id: str
    created_at: int
    seen_at: int
    expires_at: int


class SignOutEverywhere(Protocol):
    """Ends all sessions of a user, and returns how many there were."""

    def __call__(self, *, issuer: str, sub: str | None, sid: str | None) -> Awaitable[int]: ...


class UserSessions:
    """The sessions in a store, by user. All methods raise `StoreUnavailable` if the store does not answer.

    A user is identified by `sub` and `issuer`, exactly as in `user.sub` and `user.issuer`. With a single provider,
    `issuer` may be left out.
    """

    def __init__(
        self,
        stored: RecordsOfStore,
        revocations: Revocations,
        feed: RevocationFeed,
        sign_out_everywhere: SignOutEverywhere,
        background: SingleFlight[Any],
        *,
        issuer: str | None,
        now: Callable[[], int],
        reporter: Reporter | None = None,
    ) -> None:
        self._stored = stored
        self._revocations = revocations
        self._feed = feed
        self._sign_out_everywhere = sign_out_everywhere
        self._background = background
        self._issuer = issuer
        self._now = now
        self._reporter = reporter

    @sanitizes_errors
    async def of(self, sub: str, *, issuer: str | None = None) -> list[SessionInfo]:
        """Return the active sessions of a user, the newest first."""
        user, stored = self._user(sub, issuer), self._stored.current()
        handles = await stored.linked("sub", user.issuer, user.sub)
        found = [await self._find(stored, handle, user) for handle in handles]
        return sorted((info for info in found if info), key=lambda info: -info.created_at)

    @sanitizes_errors
    async def end(self, sub: str, session_id: str, *, issuer: str | None = None) -> bool:
        """End one session of a user at once, in all processes; return whether there was one.

        Requests that are under way finish with the tokens that they have. The refresh token is not revoked: the record
        can only be opened with the secret id in the browser.

        Args:
            session_id: `SessionInfo.id`. It may come from a request: a session of another user is not ended.
        """
        user, stored = self._user(sub, issuer), self._stored.current()
        is_linked = session_id in await stored.linked("sub", user.issuer, user.sub)

        async def end() -> bool:
            return is_linked and await self._end(stored, session_id, user)

        # Shielded: the app calls this while it serves a request, and the client may disconnect half-way.
        was_there: bool = await self._background.run_shielded(end)
        return was_there

    @sanitizes_errors
    async def end_all(self, sub: str, *, issuer: str | None = None) -> int:
        """End all sessions of a user at once, in all processes; return how many there were.

        A login of the user that is in progress does not succeed any more.
        """
        user = self._user(sub, issuer)

        async def end_all() -> int:
            count = await self._sign_out_everywhere(issuer=user.issuer, sub=user.sub, sid=None)
            if count:
                events.log(events.LOGGED_OUT, by="the app", sessions=count)
                self._report(user, everywhere=True, sessions=count)
                telemetry.count(catalogue.LOGOUTS, by="app", outcome="succeeded")
            return count

        count: int = await self._background.run_shielded(end_all)
        return count

    def _user(self, sub: str, issuer: str | None) -> UserId:
        issuer = self._issuer if issuer is None else issuer
        if issuer is None:
            reason = "pass issuer=user.issuer: with several providers, a sub alone does not identify a user"
            raise ForeignError(ValueError(reason))
        return UserId(issuer, sub)

    async def _end(self, stored: SessionRecords, handle: str, user: UserId) -> bool:
        was_there = await stored.remove(handle)
        await stored.unlink("sub", user.issuer, user.sub, handle=handle)
        if was_there:
            if not self._revocations.is_at_limit(user):  # the record is gone; the revocation is for requests under way
                revocations = self._revocations.end(handle, kind="handle", user=user, now=self._now())
                await try_to_write(self._feed, revocations)
            events.log(events.LOGGED_OUT, by="the app")
            self._report(user, session_id=handle, sessions=1)
            telemetry.count(catalogue.LOGOUTS, by="app", outcome="succeeded")
        return was_there

    def _report(self, user: UserId, *, sessions: int, session_id: str | None = None, everywhere: bool = False) -> None:
        with reporting(self._reporter, replaces=False):  # the app may call this outside of requests
            report(
                SignedOut,
                by="app",
                issuer=user.issuer,
                sub=user.sub,
                session_id=session_id,
                everywhere=everywhere,
                sessions=sessions,
            )

    async def _find(self, stored: SessionRecords, handle: str, user: UserId) -> SessionInfo | None:
        record = await stored.get(handle)
        if record is None:
            await stored.unlink("sub", user.issuer, user.sub, handle=handle)
            return None
        try:
            summary = stored.summary(handle, record)
        except StoreUnavailable as error:  # a broken record does not hide the others
            log_store_error(error)
            return None
        if summary is None:
            return None
        return SessionInfo(handle, summary.created_at, summary.seen_at, summary.expires_at)
