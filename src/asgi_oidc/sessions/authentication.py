"""Who is calling? The session behind the cookies of a request, held against its limits and revocations."""

from collections.abc import Callable

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.repository import ENDED, EXPIRED, ActiveSession, NoSession, SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Limits, Session, is_live, valid_period
from asgi_oidc.web.request import Request

OUTDATED = NoSession("outdated")  # cookies from before a refresh that took rights away; newer ones may be on their way
NOT_YET = NoSession("not_yet")  # it begins days from now: a clock was set back
SIGN_OUT_GRACE = 5  # seconds after the end of a session in which its cookies may still sign out: a double click


class Authenticator:
    """Finds the session of a browser and says whether it is still valid."""

    __slots__ = ("_limits", "_now", "_revocations", "_sessions")

    def __init__(
        self, sessions: SessionRepository, revocations: Revocations, limits: Limits, *, now: Callable[[], int]
    ) -> None:
        self._sessions = sessions
        self._revocations = revocations
        self._limits = limits
        self._now = now

    async def authenticate(self, request: Request) -> ActiveSession | None:
        """Return the valid session of a browser; with any other cookies the user is anonymous.

        Raises:
            StoreUnavailable: nobody can tell.
        """
        active, absent = await self._find(request)
        if absent is None:
            return active
        if self._sessions.has_cookie(request.cookies):
            events.log(events.COOKIE_IGNORED, reason=absent.reason)
        return None

    async def find_even_if_over(self, request: Request) -> ActiveSession | None:
        """Return the session that a login or a sign-out finds in a browser, valid or not.

        A record that nobody can read does not stand in the way of either.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        try:
            return (await self._find(request))[0]
        except StoreUnavailable as error:
            if error.code != "store_garbage":
                raise
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail, fallback="an anonymous user")
            return None

    def is_over(self, session: Session) -> bool:
        """Say whether a session has expired or was ended."""
        return self._why_over(session, now=self._now()) is not None

    def may_sign_out(self, session: Session) -> bool:
        """Say whether a session may still sign out: it is valid, or ended a moment ago.

        An old cookie opens nothing, and must not act either: it would end the sessions that its user has now, and give
        an ID Token away.
        """
        now = self._now()
        begins_at, ends_at = valid_period(session, self._limits)
        ended_at = self._revocations.ended_at(session.login, now=now)
        # How far apart, not which is later: the clock may have been set back since.
        is_recent = ended_at is None or abs(now - ended_at) < SIGN_OUT_GRACE
        return begins_at <= now < ends_at + SIGN_OUT_GRACE and is_recent

    async def _find(self, request: Request) -> tuple[ActiveSession | None, NoSession | None]:
        """Return the session of a browser, valid or not, and what is wrong with it."""
        now = self._now()
        found = await self._sessions.find(request.cookies)
        active = found if isinstance(found, ActiveSession) else None
        absent = found if isinstance(found, NoSession) else self._why_over(found.session, now=now)
        request.session_over_at = now if absent is not None and absent.is_over else None
        return active, absent

    def _why_over(self, session: Session, *, now: int) -> NoSession | None:
        if self._revocations.is_revoked(session.login, now=now):
            return ENDED
        if is_live(session, self._limits, now=now):
            return OUTDATED if self._revocations.is_outdated(session) else None
        return EXPIRED if now >= valid_period(session, self._limits)[1] else NOT_YET
