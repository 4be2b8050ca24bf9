"""Revokes refresh tokens (RFC 7009) on a best-effort basis: bounded in time, and a failure is only logged.

Some providers end, with one refresh token, all that the client has of that sign-in: Keycloak drops its session of this
client, and with it the refresh tokens of the browser's other logins and the way by which a sign-out at the provider
reaches the app. So apart from a sign-out, nothing is revoked that a valid session may share, or where nobody can tell.
"""

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError, StoreUnavailable
from asgi_oidc.provider.provider import Provider
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocations import AT_ONCE, REPLACED, Revocations
from asgi_oidc.sessions.session import Login

REVOKE_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


class TokenRevoker:
    """Gives refresh tokens back to one provider."""

    __slots__ = ("_provider", "_revocations", "_sessions")

    def __init__(self, provider: Provider, sessions: SessionRepository, revocations: Revocations) -> None:
        self._provider = provider
        self._sessions = sessions
        self._revocations = revocations

    async def revoke(self, refresh_token: str | None) -> None:
        """Revoke a refresh token where the provider can; without a token there is nothing to do."""
        if refresh_token is None:
            return
        code, detail = "revocation_timeout", f"no answer in {REVOKE_DEADLINE:g} s"
        with anyio.move_on_after(REVOKE_DEADLINE):
            try:
                await self._provider.revoke(refresh_token)
            except OIDCError as error:
                code, detail = error.code, error.detail
            else:
                return
        events.log(events.PROVIDER_FAILED, code=code, detail=detail, fallback="the refresh token is not revoked")

    async def revoke_of_session(self, refresh_token: str | None, login: Login) -> None:
        """Revoke the newest refresh token of a session that is over, unless its user may have signed in again."""
        if not await self.has_successor(login):
            await self.revoke(refresh_token)

    async def has_successor(self, login: Login) -> bool:
        """Say whether the user of a session that is over may have signed in again; True if nobody can tell."""
        effective_at = self._revocations.effective_at(login)
        if effective_at is not None:  # signed out, or another user's login took its place; else one of the same user
            return effective_at not in (AT_ONCE, REPLACED)
        try:
            return await self._sessions.may_have_active_session(sub=login.sub, sid=login.sid)
        except StoreUnavailable:
            return True
