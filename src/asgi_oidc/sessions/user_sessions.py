"""Seeing and ending the sessions of users, from code: `middleware.sessions`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.sessions.revocation_feed import RevocationFeed, try_to_write
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.store_records import Records
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a user; instants in seconds since the epoch.

    Attributes:
        id: its name here and in `scope["oidc"].session_id`; it opens nothing.
        seen_at: the last use, to the minute.
        expires_at: when it ends if it is not used again.
    """

    id: str
    created_at: int
    seen_at: int
    expires_at: int


class SignOutEverywhere(Protocol):
    """Ends all that a user has, and says how many sessions that were."""

    def __call__(self, *, sub: str | None, sid: str | None) -> Awaitable[int]: ...


class UserSessions:
    """The sessions in a store, by user. All methods raise `StoreUnavailable` when the store is down."""

    def __init__(
        self,
        store: GuardedStore,
        records: Records,
        revocations: Revocations,
        feed: RevocationFeed,
        sign_out_everywhere: SignOutEverywhere,
        background: SingleFlight[Any],
        *,
        issuer: str,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._records = records
        self._revocations = revocations
        self._feed = feed
        self._sign_out_everywhere = sign_out_everywhere
        self._background = background
        self._issuer = issuer
        self._now = now

    @sanitizes_errors
    async def of(self, sub: str) -> list[SessionInfo]:
        """Return the live sessions of a user, the newest first.

        Args:
            sub: the user's id at the provider, exactly as in `user.sub`.
        """
        found = [await self._find(index, handle) for index, handle in await self._linked(sub)]
        once = {info.id: info for info in found if info}  # it may be in the lists of two secrets
        return sorted(once.values(), key=lambda info: -info.created_at)

    @sanitizes_errors
    async def end(self, sub: str, session_id: str) -> bool:
        """End one session of a user at once, in all processes, and say whether there was one.

        Requests that are under way finish, with the tokens that they have.
        Its refresh token is not revoked: only the id in the browser opens the record.

        Args:
            sub: the user's id; the session of somebody else stays, whoever sent its name.
            session_id: as in the list.
        """
        mine = [index for index, handle in await self._linked(sub) if handle == session_id]

        async def end() -> bool:
            return any([await self._end(index, session_id, sub=sub) for index in mine])

        # To the end: the app calls this while it serves a request, and its client may leave.
        done: bool = await self._background.run_shielded(end)
        return done

    @sanitizes_errors
    async def end_all(self, sub: str) -> int:
        """End all sessions of a user at once, in all processes, and say how many there were.

        A login that is under way ends as well.
        """

        async def end_all() -> int:
            count = await self._sign_out_everywhere(sub=sub, sid=None)
            if count:
                events.log(events.LOGGED_OUT, by="the app", sessions=count)
            return count

        revocations: int = await self._background.run_shielded(end_all)
        return revocations

    async def _end(self, index: str, handle: str, *, sub: str) -> bool:
        was_there = await self._store.remove(self._records.key(handle))
        await self._store.unlink(index, handle)
        if was_there:
            if not self._revocations.is_at_limit(sub):  # the record is gone; the mark is for requests under way
                revocations = self._revocations.end(handle, kind="handle", user=sub, now=self._now())
                await try_to_write(self._feed, revocations)
            events.log(events.LOGGED_OUT, by="the app")
        return was_there

    async def _linked(self, sub: str) -> list[tuple[str, str]]:
        # Those of before a change of the secret are in an index of their own.
        indexes = self._records.index_keys("sub", self._issuer, sub)
        return [(index, handle) for index in indexes for handle in await self._store.linked(index)]

    async def _find(self, index: str, handle: str) -> SessionInfo | None:
        record = await self._store.get(self._records.key(handle))
        if record is None:
            await self._store.unlink(index, handle)
            return None
        try:
            summary = self._records.summary(handle, record)
        except StoreUnavailable as error:  # one that is broken hides none of the others
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)
            return None
        if summary is None:
            return None
        return SessionInfo(handle, summary.created_at, summary.seen_at, summary.expires_at)
