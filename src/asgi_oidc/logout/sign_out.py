"""Signing out: a session here and at its provider, or everything that a user has."""

from collections.abc import Callable
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.errors import ProviderError
from asgi_oidc.provider.provider import Provider
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import AT_ONCE, Revocations
from asgi_oidc.sessions.session import REPLACED_GRACE, Limits, Session, ends_for_good_at
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.tokens.revoke import TokenRevoker

METADATA_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


class SignOut:
    """Ends sessions for good, in all processes that share revocations."""

    def __init__(
        self,
        sessions: SessionRepository,
        revocations: Revocations,
        feed: RevocationFeed,
        limits: Limits,
        provider: Provider,
        revoker: TokenRevoker,
        background: SingleFlight[Any],
        *,
        clock: Callable[[], float],
    ) -> None:
        """Args: clock: seconds since the epoch."""
        self._sessions = sessions
        self._revocations = revocations
        self._feed = feed
        self._limits = limits
        self._provider = provider
        self._revoker = revoker
        self._background = background
        self._clock = clock

    async def everywhere(self, *, sub: str | None, sid: str | None) -> int:
        """End all sessions of a user, of a session at the provider, or of both; logins in progress as well.

        Returns:
            How many were found; those that are in browsers alone are not.

        Raises:
            StoreUnavailable: it may not have come about: try again.
        """
        await self._feed.catch_up()
        # The revocation comes first: a login in progress writes its session, and looks for revocations after that.
        revocations = self._revocations.sign_out(sub=sub, sid=sid, now=self._clock())
        try:
            await self._feed.write(revocations)
        finally:  # a store that takes nothing any more can still give room
            count = await self._sessions.end_all(sub=sub, sid=sid)
        return count

    async def sign_out(self, session: Session) -> str | None:
        """End a session here and revoke its refresh token, even if the browser disconnects meanwhile.

        Returns:
            The URL where the browser has to sign out at the provider, if there is one.
        """

        async def sign_out() -> str | None:
            await self._end(session)
            events.log(events.LOGGED_OUT)
            return await self._end_at_provider(session)

        # A second click waits for the first, and gets the same.
        endpoint: str | None = await self._background.run_to_the_end(f"sign-out {digest(session.id)}", sign_out)
        return endpoint

    async def _end(self, session: Session) -> None:
        login, now = session.login, int(self._clock())
        if self._revocations.effective_at(login) == AT_ONCE and self._revocations.ended_at(login, now=now) is not None:
            return  # a second click: nothing is left to end, and who has signed in since stays
        has_short_grace = ends_for_good_at(session, self._limits) - now <= REPLACED_GRACE
        is_replaced = has_short_grace or self._revocations.was_replaced(session.id)
        await self._sessions.end(session)
        if is_replaced and login.sid is not None:
            # A tab that was slow: another one has signed in meanwhile, in the same session at the provider.
            await self.everywhere(sub=login.sub, sid=login.sid)

    async def _end_at_provider(self, session: Session) -> str | None:
        """Revoke the refresh token, and find out where to sign out at the provider, both at once."""
        endpoint: str | None = None

        async def find() -> None:
            nonlocal endpoint
            endpoint = await self._end_session_endpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(find)
            tasks.start_soon(self._revoker.revoke, session.tokens.refresh_token)
        return endpoint

    async def _end_session_endpoint(self) -> str | None:
        with anyio.move_on_after(METADATA_DEADLINE):
            try:
                return (await self._provider.metadata()).end_session_endpoint
            except ProviderError as error:
                events.log(events.PROVIDER_FAILED, code=error.code, detail=error.detail, fallback="a local sign-out")
        return None
