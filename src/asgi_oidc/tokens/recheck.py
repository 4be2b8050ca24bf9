"""Rechecks: the setting `recheck` lets the provider confirm from time to time that a session is still valid.

A refresh confirms it (RFC 6749 §6). Without a refresh token, the provider is asked about the access token: by
introspection (RFC 7662), else at the userinfo endpoint (OIDC Core §5.3), or at the user API of an OAuth2 provider.
"""

from collections.abc import Callable

import anyio

from asgi_oidc import audit, events
from asgi_oidc.audit.reporting import report_session
from asgi_oidc.errors import OIDCError, ProviderError, RefreshFailed, SessionEnded, StoreUnavailable, TokenRejected
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Session, Tokens
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.tokens.refresh import TokenRefresher
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, RefreshLock, RefreshLocks, refresh_failed
from asgi_oidc.tokens.refresh_result import confirmed
from asgi_oidc.tokens.token_validity import is_valid
from asgi_oidc.web.request import Request

DEADLINE = 3.0  # seconds that a request waits for a recheck, which then goes on without it
MAX_SILENT = 1000  # providers that are known not to answer


class SessionRechecks:
    """Rechecks sessions that are in use, each at most once per interval, over all processes that share a store.

    A provider that does not answer ends no session. While it is silent, one request at a time waits for it, and the
    others go on.
    """

    def __init__(
        self,
        sessions: SessionRepository,
        refresher: TokenRefresher,
        locks: RefreshLocks,
        *,
        interval: int,
        now: Callable[[], int],
    ) -> None:
        """Set up rechecks.

        Args:
            interval: seconds between two of them for one session.
        """
        self._sessions = sessions
        self._refresher = refresher
        self._locks = locks
        self._interval = interval
        self._now = now
        self._rechecks: SingleFlight[Session] = SingleFlight()
        self._silent: set[str] = set()  # providers whose last recheck had no answer
        self._probed: set[str] = set()  # those of them that a request waits for

    async def drained(self) -> None:
        """Wait until no recheck is under way."""
        await self._rechecks.drained()

    def at_once(self, cookie_header: bytes) -> ActiveSession | None:
        """Return the session as `SessionRepository.at_once` does; None also if it is due for a recheck."""
        active = self._sessions.at_once(cookie_header)
        return None if active is not None and self.is_due(active.session) else active

    def is_due(self, session: Session) -> bool:
        """Return whether the session has not been confirmed for an interval, and no recheck has just failed."""
        now, tokens = self._now(), session.tokens
        if abs(now - max(tokens.confirmed_at, session.login.created_at)) < self._interval:
            return False
        return not 0 < tokens.retry_at - now <= COOL_DOWN

    async def recheck(self, session: Session) -> Session | None:
        """Recheck a session if it is due.

        Returns:
            Its newest state, unconfirmed if the provider or the store does not answer; None if it has ended.
        """
        if not self.is_due(session):
            return session
        provider = session.login.provider
        is_silent = provider in self._silent
        if is_silent and provider in self._probed:
            return session
        if is_silent:
            self._probed.add(provider)
        try:
            with anyio.fail_after(DEADLINE):
                newest = await self._rechecks.run_to_the_end(session.id, lambda: self._recheck(session))
            self._silent.discard(provider)
            return newest
        except SessionEnded:
            self._silent.discard(provider)
            return None
        except (RefreshFailed, StoreUnavailable, TimeoutError):
            if len(self._silent) < MAX_SILENT:
                self._silent.add(provider)
            return session
        finally:
            if is_silent:
                self._probed.discard(provider)

    async def _recheck(self, session: Session) -> Session:
        if session.tokens.refresh_token is not None:
            return await self._refresher.refresh(session, is_due=self._is_refresh_due)
        async with self._locks.hold(session, can_continue=lambda _newest: True) as lock:
            if not lock.is_locked or not self.is_due(lock.session):
                return lock.session
            claims = await self._confirm(lock)
            tokens = confirmed(
                lock.session,
                claims,
                now=self._now(),
                trusted_email_domains=lock.provider.settings.domains_trusted_at_login,
                mapping=self._refresher.claim_mapping,
            )
            return await self._refresher.save(lock, tokens)

    def _is_refresh_due(self, newest: Session) -> bool:
        return newest.tokens.refresh_token is not None and self.is_due(newest)

    async def _confirm(self, lock: RefreshLock) -> Claims:
        """Return the claims that come with the confirmation.

        Raises:
            SessionEnded: the provider says that it is over, or there is no way to ask it any more.
            RefreshFailed: it does not answer.
        """
        login = lock.session.login
        try:
            with anyio.fail_after(lock.time_left()):
                dpop_key = read_dpop_key(login.dpop_key)
                token = self._token_to_ask_with(lock.session.tokens)
                return await lock.provider.confirm(token, issuer=login.issuer, sub=login.sub, dpop_key=dpop_key)
        except TokenRejected as rejected:
            error: OIDCError = rejected
        except (ProviderError, TimeoutError) as silence:
            failure = refresh_failed(silence, "recheck")
            events.log(events.RECHECK_FAILED, provider=login.provider or None, code=failure.code, detail=failure.detail)
            report_session(login, audit.RefreshFailed, code=failure.code)
            await self._refresher.cool_down(lock.session)
            raise failure from silence
        await self._refresher.end_withdrawn(lock.session, error.detail)
        raise SessionEnded(detail=error.detail)

    def _token_to_ask_with(self, tokens: Tokens) -> str:
        if tokens.access_token is None or not is_valid(tokens, self._now()):
            detail = "there is no valid access token and no refresh token, so nobody can confirm the session"
            raise TokenRejected("recheck_impossible", detail)
        return tokens.access_token


class RecheckingAuthenticator(Authenticator):
    """Finds the session of a browser as `Authenticator` does, and rechecks it."""

    __slots__ = ("_rechecks",)

    def __init__(
        self,
        rechecks: SessionRechecks,
        sessions: SessionRepository,
        revocations: Revocations,
        limits: Limits,
        providers: SessionProviders,
        *,
        now: Callable[[], int],
    ) -> None:
        super().__init__(sessions, revocations, limits, providers, now=now)
        self._rechecks = rechecks

    async def authenticate(self, request: Request) -> ActiveSession | None:
        """Return the session of a browser if it is valid, here and at the provider. Errors as in `Authenticator`."""
        active = await super().authenticate(request)
        if active is None:
            return None
        newest = await self._rechecks.recheck(active.session)
        if newest is None:
            request.session_over_at = self._now()
            return None
        active.session = newest
        return active
