"""Revokes refresh tokens (RFC 7009) on a best-effort basis: bounded in time, and a failure is only logged.

Some providers end more than the one token. Keycloak drops the whole session of this client: the refresh tokens of the
browser's other logins stop working, and a sign-out at the provider is not sent to the app any more. So, except for a
sign-out, a token is revoked only if it is certain that no valid session may share it.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from asgi_oidc.errors import OIDCError, StoreUnavailable
from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocations import AT_ONCE, REPLACED, Revocations
from asgi_oidc.sessions.session import Login
from asgi_oidc.sessions.session_providers import SessionProviders

REVOKE_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


class TokenRevoker:
    """Revokes refresh tokens at the provider that issued them."""

    __slots__ = ("_providers", "_revocations", "_sessions")

    def __init__(self, providers: SessionProviders, sessions: SessionRepository, revocations: Revocations) -> None:
        self._providers = providers
        self._sessions = sessions
        self._revocations = revocations

    async def revoke(self, refresh_token: str | None, login: Login) -> None:
        """Revoke the refresh token of a session if its provider supports it; do nothing without a token."""
        if refresh_token is not None:
            find = partial(self._providers.of, login)
            names = {"provider": login.provider, "issuer": login.issuer}
            await self._revoke(refresh_token, login.dpop_key, find, **names)

    async def revoke_at(self, provider: ProviderConnection, refresh_token: str | None, *, dpop_key: str) -> None:
        """Revoke a refresh token of a login that has failed; do nothing without a token.

        Args:
            dpop_key: the private key of the login; empty without DPoP.
        """

        async def find() -> ProviderConnection:
            return provider

        if refresh_token is not None:
            names = {"provider": provider.settings.name, "issuer": provider.settings.issuer}
            await self._revoke(refresh_token, dpop_key, find, **names)

    async def _revoke(
        self,
        refresh_token: str,
        dpop_key: str,
        find: Callable[[], Awaitable[ProviderConnection]],
        *,
        provider: str,
        issuer: str,
    ) -> None:
        code, detail = "revocation_timeout", f"no answer in {REVOKE_DEADLINE:g} s"
        with anyio.move_on_after(REVOKE_DEADLINE):
            try:
                await (await find()).revoke(refresh_token, dpop_key=read_dpop_key(dpop_key))
            except OIDCError as error:
                code, detail = error.code, error.detail
            else:
                return
        fallback = "the refresh token is not revoked"
        log_provider_failure(code, detail, provider=provider, issuer=issuer, fallback=fallback)

    async def revoke_of_session(self, refresh_token: str | None, login: Login) -> None:
        """Revoke the refresh token of a session that is over, unless its user may have signed in again."""
        if not await self.has_successor(login):
            await self.revoke(refresh_token, login)

    async def has_successor(self, login: Login) -> bool:
        """Return whether the user of a session that is over may have signed in again; True if that is not known."""
        effective_at = self._revocations.effective_at(login)
        if effective_at is not None:
            # At once: signed out, or replaced by a login of another user. Else replaced by a login of the same user.
            return effective_at not in (AT_ONCE, REPLACED)
        try:
            return await self._sessions.may_have_active_session(login.user_id, sid=login.sid)
        except StoreUnavailable:
            return True
