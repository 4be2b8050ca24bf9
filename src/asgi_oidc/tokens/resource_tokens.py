"""Access tokens for further APIs from a session: by `resource` (RFC 8707) or by token exchange (RFC 8693).

They are cached in the memory of this process, each for one session and one target only.
"""

import ssl
from collections.abc import Callable

from asgi_oidc.errors import ProviderGone, SessionEnded, TokenNotGranted
from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.provider.omitted_groups import log_omitted_groups
from asgi_oidc.sessions.kept_tokens import REFRESH_TOKEN
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.tokens.api_token import ApiToken
from asgi_oidc.tokens.api_tokens import ApiTokens, GetToken, IssuedToken, exchange
from asgi_oidc.tokens.refresh import TokenRefresher
from asgi_oidc.tokens.refresh_lock import RefreshLocks
from asgi_oidc.tokens.refresh_result import claims_refreshed


class ResourceTokens:
    """Gets access tokens for further APIs, and caches them until they expire."""

    def __init__(
        self, providers: SessionProviders, refresher: TokenRefresher, locks: RefreshLocks, *, now: Callable[[], int]
    ) -> None:
        self._providers = providers
        self._refresher = refresher
        self._locks = locks
        self._tokens = ApiTokens(now=now)
        self._now = now

    async def drained(self) -> None:
        """Wait until no token call is under way."""
        await self._tokens.drained()

    async def token_for_resource(self, active: ActiveSession, resource: str, *, refused: str | None = None) -> ApiToken:
        """Return an access token for one resource, obtained with the refresh token (RFC 8707 §2.2).

        Args:
            refused: a token that the API refused although it has not expired.

        Raises:
            TokenNotGranted: there is no refresh token, or the provider grants no token for that resource.
            SessionEnded, RefreshFailed, StoreUnavailable: as `TokenRefresher.valid_access_token`.
        """
        session = active.session

        async def request_token() -> IssuedToken:
            if session.tokens.refresh_token is None:
                raise self._without_refresh_token()
            async with self._locks.hold(session, can_continue=lambda newest: False) as lock:
                answer = await self._refresher.use_refresh_token(lock, resource=resource)
                answer, claims = await self._refresher.checked_answer(lock, answer)
                domains = lock.provider.settings.domains_trusted_at_login
                tokens = claims_refreshed(
                    lock.session,
                    answer,
                    claims,
                    now=self._now(),
                    trusted_email_domains=domains,
                    mapping=self._refresher.claim_mapping,
                )
                log_omitted_groups(tokens.claims)
                await self._refresher.save(lock, tokens)
                return IssuedToken(answer, lock.session.login.dpop_key)

        return await self._token(active, resource, request_token, refused=refused)

    async def exchanged_token(
        self, active: ActiveSession, target: ExchangeTarget, *, refused: str | None = None
    ) -> ApiToken:
        """Return an access token in exchange for the user's own (RFC 8693 §2).

        Raises:
            TokenNotGranted: the provider grants no token.
            SessionEnded, AccessTokenExpired, RefreshFailed, StoreUnavailable: as `TokenRefresher.valid_access_token`.
        """

        async def request_token() -> IssuedToken:
            subject_token = await self._refresher.valid_access_token(active)
            login = active.session.login

            async def call() -> IssuedToken:
                provider, dpop_key = await self._providers.of(login), read_dpop_key(login.dpop_key)
                answer = await provider.exchange_token(subject_token, target, dpop_key=dpop_key)
                return IssuedToken(answer, login.dpop_key)

            return await exchange(call, provider=login.provider, issuer=login.issuer)

        return await self._token(active, target, request_token, refused=refused)

    async def client_tls_context(self, active: ActiveSession) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate to which the tokens of a session may be bound.

        Raises:
            SessionEnded: the app does not have the provider any more.
            ProviderUnavailable: the app's own look-up failed, or the environment has an invalid certificate setting.
        """
        try:
            provider = await self._providers.of(active.session.login)
        except ProviderGone as gone:
            raise SessionEnded(detail=gone.detail) from gone
        return await provider.http.app_tls_context()

    def _without_refresh_token(self) -> TokenNotGranted:
        if REFRESH_TOKEN not in self._refresher.session_tokens.kept:
            detail = 'a token for a resource needs a refresh token: set tokens="refresh" (OIDC_TOKENS) or "all"'
            return TokenNotGranted("access_token_not_kept", detail)
        detail = "a token for a resource needs a refresh token, and the session has none: see examples/providers"
        return TokenNotGranted(detail=detail)

    async def _token(
        self, active: ActiveSession, target: str | ExchangeTarget, request_token: GetToken, *, refused: str | None
    ) -> ApiToken:
        async def check_owner() -> None:
            await self._refresher.check_not_over(active)  # the user may have signed out in the meantime

        try:
            return await self._tokens.token(
                active.session.id, target, request_token, check_owner=check_owner, refused=refused
            )
        except SessionEnded:
            active.is_over = True
            raise
