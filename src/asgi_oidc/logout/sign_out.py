"""Signs out: one session here and at its provider, or all sessions of a user."""

from collections.abc import Callable
from typing import Any, NamedTuple

import anyio

from asgi_oidc import events, telemetry
from asgi_oidc.audit import SignedOut
from asgi_oidc.audit.reporting import report_session
from asgi_oidc.errors import ProviderError
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.lifetimes import REPLACED_GRACE, Limits, ends_for_good_at
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import AT_ONCE, Revocations
from asgi_oidc.sessions.session import Login, Session
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.telemetry import catalogue
from asgi_oidc.tokens.revoke import TokenRevoker
from asgi_oidc.tokens.session_tokens import SessionTokens

METADATA_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


class ProviderSignOut(NamedTuple):
    """Where the browser has to be sent, so that the user is signed out at the provider too.

    Attributes:
        endpoint: the provider's `end_session_endpoint`.
        parameters: which parameters it takes: `end_session_parameters` of `ProviderExceptions`.
    """

    endpoint: str
    client: Client
    parameters: str


class SignOut:
    """Ends sessions for good, in all processes that share a revocation feed."""

    def __init__(
        self,
        sessions: SessionRepository,
        revocations: Revocations,
        feed: RevocationFeed,
        limits: Limits,
        providers: SessionProviders,
        revoker: TokenRevoker,
        session_tokens: SessionTokens,
        background: SingleFlight[Any],
        *,
        clock: Callable[[], float],
    ) -> None:
        """Take what signing out needs; `clock` returns seconds since the epoch."""
        self._sessions = sessions
        self._revocations = revocations
        self._feed = feed
        self._limits = limits
        self._providers = providers
        self._revoker = revoker
        self._session_tokens = session_tokens
        self._background = background
        self._clock = clock

    async def everywhere(self, *, issuer: str, sub: str | None, sid: str | None, happened_at: int = 0) -> int:
        """End all sessions of a user, of a session at the provider, or of both, and their logins in progress.

        Args:
            happened_at: seconds since the epoch, by the clock of the provider. It may be ahead of ours, and access
                tokens are dated by it.

        Returns:
            The number of sessions in the store; sessions in cookies cannot be counted.

        Raises:
            StoreUnavailable: some may not have ended: try again.
        """
        await self._feed.catch_up()
        # The revocation comes first: a login in progress writes its session, and checks for revocations after that.
        now = max(self._clock(), happened_at)
        revocations = self._revocations.sign_out(issuer=issuer, sub=sub, sid=sid, now=now)
        try:
            await self._feed.write(revocations)
        finally:  # a store that is full refuses the write, but deletions make room
            count = await self._sessions.end_all(issuer=issuer, sub=sub, sid=sid)
        return count

    @telemetry.traced(catalogue.LOGOUT, by="user")
    async def sign_out(self, session: Session) -> ProviderSignOut | None:
        """End a session here and revoke its refresh token, even if the browser disconnects meanwhile.

        Returns:
            Where the browser has to be sent; None if the provider cannot sign users out.
        """

        async def sign_out() -> ProviderSignOut | None:
            self._session_tokens.forget(session.id)
            await self._end(session)
            events.log(events.LOGGED_OUT)
            report_session(session.login, SignedOut, by="user")
            return await self._end_at_provider(session)

        # A second click waits for the first, and gets the same result.
        target: ProviderSignOut | None = await self._background.run_to_the_end(
            f"sign-out {digest(session.id)}", sign_out
        )
        return target

    async def _end(self, session: Session) -> None:
        login, now = session.login, int(self._clock())
        if self._revocations.effective_at(login) == AT_ONCE and self._revocations.ended_at(login, now=now) is not None:
            return  # a second click: the session has ended, and a login since then must not be affected
        has_short_grace = ends_for_good_at(session, self._limits) - now <= REPLACED_GRACE
        is_replaced = has_short_grace or self._revocations.was_replaced(session.id)
        await self._sessions.end(session)
        if is_replaced and login.sid is not None:
            # Another tab has signed in meanwhile, in the same session at the provider; that session ends as well.
            await self.everywhere(issuer=login.issuer, sub=login.sub, sid=login.sid)

    async def _end_at_provider(self, session: Session) -> ProviderSignOut | None:
        """Revoke the refresh token, and at the same time look up where to sign out at the provider."""
        target: ProviderSignOut | None = None

        async def find() -> None:
            nonlocal target
            target = await self._find_sign_out(session.login)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(find)
            tasks.start_soon(self._revoker.revoke, session.tokens.refresh_token, session.login)
        return target

    async def _find_sign_out(self, login: Login) -> ProviderSignOut | None:
        with anyio.move_on_after(METADATA_DEADLINE):
            try:
                provider = await self._providers.of(login)
                endpoint = await provider.end_session_endpoint()
                if endpoint is None:
                    return None
                settings = provider.settings
                return ProviderSignOut(endpoint, settings.client, settings.exceptions.end_session_parameters)
            except ProviderError as error:
                log_provider_failure(
                    error.code,
                    error.detail,
                    provider=login.provider,
                    issuer=login.issuer,
                    fallback="a local sign-out",
                )
        return None
