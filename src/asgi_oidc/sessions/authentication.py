"""Authentication: finds the session of a request by its cookies, and checks its limits and revocations."""

from collections.abc import Callable

from asgi_oidc import events
from asgi_oidc.audit import SessionRefused
from asgi_oidc.audit.reporting import public_name, report_session
from asgi_oidc.errors import ProviderUnavailable, StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits, is_live, valid_period
from asgi_oidc.sessions.repository import ENDED, EXPIRED, GONE, ActiveSession, NoSession, SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Login, Session
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.stores.store_failures import log_store_error
from asgi_oidc.web.request import Request

OUTDATED = NoSession("outdated")  # cookies from before a refresh that changed rights; newer ones may be under way
PROVIDER_GONE = NoSession("provider_gone")  # the cookies stay: if the provider is restored, the session is valid again
NOT_YET = NoSession("not_yet")  # it begins days in the future: a clock was set back
SIGN_OUT_GRACE = 5  # seconds after the end of a session in which its cookies may still sign out: a double click


class Authenticator:
    """Finds the session of a browser and checks whether it is valid."""

    __slots__ = ("_limits", "_now", "_providers", "_revocations", "_sessions")

    def __init__(
        self,
        sessions: SessionRepository,
        revocations: Revocations,
        limits: Limits,
        providers: SessionProviders,
        *,
        now: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._revocations = revocations
        self._limits = limits
        self._providers = providers
        self._now = now

    async def authenticate(self, request: Request) -> ActiveSession | None:
        """Return the session of a browser if it is valid; else the user is anonymous (None).

        Raises:
            StoreUnavailable: the store does not answer, or the app cannot look up the provider of the session.
        """
        active, invalid = await self._find(request)
        if active is not None and invalid is None:
            invalid = await self._why_provider_is_invalid(active.session)
        if invalid is None:
            return active
        if self._sessions.has_cookie(request.cookies):
            events.log(events.COOKIE_IGNORED, reason=invalid.reason)
            self._report_refused(request, active, invalid)
        return None

    def _report_refused(self, request: Request, active: ActiveSession | None, invalid: NoSession) -> None:
        login = None if active is None else active.session.login
        # The id of a session that a store does not have: its public name tells whether it was ours.
        name = public_name(self._sessions.cookie(request.cookies)) if invalid is GONE else None
        report_session(login, SessionRefused, reason=invalid.reason, session_id=name)

    async def find_even_if_over(self, request: Request) -> ActiveSession | None:
        """Return the session of a browser, valid or not, for a login or a sign-out.

        A broken record in the store prevents neither.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        try:
            return (await self._find(request))[0]
        except StoreUnavailable as error:
            if error.code != "store_garbage":
                raise
            log_store_error(error, fallback="an anonymous user")
            return None

    def is_over(self, session: Session) -> bool:
        """Return whether a session has expired or was revoked."""
        return self._why_invalid(session, now=self._now()) is not None

    def is_provider_gone(self, session: Session) -> bool:
        """Return whether the provider of a session is known to have been removed from the app."""
        return self._providers.has_at_once(session.login) is False

    def may_sign_out(self, session: Session) -> bool:
        """Return whether a session may still sign out: it is valid, or ended within the last `SIGN_OUT_GRACE` seconds.

        An older cookie must not sign out: that would end the sessions that its user has now, and reveal an ID Token to
        whoever has the cookie.
        """
        now = self._now()
        begins_at, ends_at = valid_period(session, self._limits)
        ended_at = self._revocations.ended_at(session.login, now=now)
        # The distance, in either direction: the clock may have been set back since.
        is_recent = ended_at is None or abs(now - ended_at) < SIGN_OUT_GRACE
        return begins_at <= now < ends_at + SIGN_OUT_GRACE and is_recent

    async def _find(self, request: Request) -> tuple[ActiveSession | None, NoSession | None]:
        """Return the session of a browser, valid or not, and why it is not valid."""
        now = self._now()
        found = await self._sessions.find(request.cookies)
        active = found if isinstance(found, ActiveSession) else None
        invalid = found if isinstance(found, NoSession) else self._why_invalid(found.session, now=now)
        request.session_over_at = now if invalid is not None and invalid.is_over else None
        return active, invalid

    async def _why_provider_is_invalid(self, session: Session) -> NoSession | None:
        if self._providers.has_at_once(session.login):
            return None
        if not await self._has_provider(session.login):
            return PROVIDER_GONE
        return self._why_invalid(session, now=self._now())  # it may have ended meanwhile

    async def _has_provider(self, login: Login) -> bool:
        try:
            return await self._providers.has(login)
        except ProviderUnavailable as error:
            failure = StoreUnavailable(error.code, error.detail, retry_after=error.retry_after)
        raise failure  # as for a session that cannot be read: the user is neither signed in nor signed out

    def _why_invalid(self, session: Session, *, now: int) -> NoSession | None:
        if self._revocations.is_revoked(session.login, now=now):
            return ENDED
        if is_live(session, self._limits, now=now):
            return OUTDATED if self._revocations.is_outdated(session) else None
        return EXPIRED if now >= valid_period(session, self._limits)[1] else NOT_YET
