"""Access tokens for further APIs: by `resource` (RFC 8707) or by token exchange (RFC 8693).

They are cached in the memory of this process, each for one session and one target only.
"""

from collections.abc import Awaitable, Callable

import anyio

from asgi_oidc import events
from asgi_oidc.errors import (
    ProviderError,
    ProviderRefused,
    RefreshFailed,
    SessionEnded,
    StoreUnavailable,
    TokenNotGranted,
)
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.provider.omitted_groups import log_omitted_groups
from asgi_oidc.sessions.lifetimes import refresh_due_at
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.tokens.refresh import FORCE_PAUSE, TokenRefresher
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, REFRESH_DEADLINE, RefreshLocks, refresh_failed
from asgi_oidc.tokens.refresh_result import claims_refreshed
from asgi_oidc.tokens.token_cache import CachedFailure, CachedToken, TokenCache

UNKNOWN_LIFETIME = 60  # seconds for which a token is used if the provider does not say how long it is valid

GetToken = Callable[[], Awaitable[RefreshAnswer]]


class ResourceTokens:
    """Gets access tokens for further APIs, and caches them until they expire."""

    def __init__(
        self, providers: SessionProviders, refresher: TokenRefresher, locks: RefreshLocks, *, now: Callable[[], int]
    ) -> None:
        self._providers = providers
        self._refresher = refresher
        self._locks = locks
        self._cache = TokenCache()
        self._requests: SingleFlight[CachedToken] = SingleFlight()
        self._now = now

    async def drained(self) -> None:
        """Wait until no token call is under way."""
        await self._requests.drained()

    async def token_for_resource(self, active: ActiveSession, resource: str, *, refused: str | None = None) -> str:
        """Return an access token for one resource, obtained with the refresh token (RFC 8707 §2.2).

        Args:
            refused: a token that the API refused although it has not expired.

        Raises:
            TokenNotGranted: there is no refresh token, or the provider grants no token for that resource.
            SessionEnded, RefreshFailed, StoreUnavailable: as `TokenRefresher.valid_access_token`.
        """
        session = active.session

        async def request_token() -> RefreshAnswer:
            if session.tokens.refresh_token is None:
                detail = (
                    "a token for a resource needs a refresh token, and the session has none: see examples/providers"
                )
                raise TokenNotGranted(detail=detail)
            async with self._locks.hold(session, can_continue=lambda newest: False) as lock:
                answer = await self._refresher.use_refresh_token(lock, resource=resource)
                claims = await self._refresher.checked_claims(lock, answer)
                domains = lock.provider.settings.domains_trusted_at_login
                tokens = claims_refreshed(lock.session, answer, claims, now=self._now(), trusted_email_domains=domains)
                log_omitted_groups(tokens.claims)
                await self._refresher.save(lock, tokens)
                return answer

        return await self._token(active, resource, request_token, refused=refused)

    async def exchanged_token(
        self, active: ActiveSession, target: ExchangeTarget, *, refused: str | None = None
    ) -> str:
        """Return an access token in exchange for the user's own (RFC 8693 §2).

        Raises:
            TokenNotGranted: the provider grants no token.
            SessionEnded, AccessTokenExpired, RefreshFailed, StoreUnavailable: as `TokenRefresher.valid_access_token`.
        """

        async def request_token() -> RefreshAnswer:
            subject_token = await self._refresher.valid_access_token(active)
            try:
                with anyio.fail_after(REFRESH_DEADLINE):
                    provider = await self._providers.of(active.session.login)
                    return await provider.exchange_token(subject_token, target)
            except ProviderRefused as error:
                events.log(events.TOKEN_NOT_GRANTED, detail=error.detail)
                raise TokenNotGranted(detail=error.detail) from error
            except (ProviderError, TimeoutError) as error:
                failure = refresh_failed(error, "exchange")
                events.log(events.PROVIDER_FAILED, code=failure.code, detail=failure.detail)
                raise failure from error

        return await self._token(active, target, request_token, refused=refused)

    async def _token(
        self, active: ActiveSession, target: str | ExchangeTarget, request_token: GetToken, *, refused: str | None
    ) -> str:
        await self._refresher.check_not_over(active)
        cached, now = self._cache.find(active.session.id, target), self._now()
        is_forced = cached is not None and _is_forced(cached, refused, now)
        if (
            cached is None or is_forced or not cached.made_at <= now < cached.refresh_due_at
        ):  # the clock may be set back
            forced_at = now if is_forced else 0
            try:
                cached = await self._requests.run_to_the_end(
                    f"{active.session.id} {target!r}",
                    lambda: self._request_and_cache(active, target, request_token, forced_at),
                )
            except SessionEnded:
                active.is_over = True
                raise
            await self._refresher.check_not_over(active)  # the user may have signed out in the meantime
        if cached.access_token is not None and now < cached.expires_at:
            return cached.access_token
        raise cached.failure.error() if cached.failure else TokenNotGranted(detail="the new token had already expired")

    async def _request_and_cache(
        self, active: ActiveSession, target: str | ExchangeTarget, request_token: GetToken, forced_at: int
    ) -> CachedToken:
        """Request a token and cache it; cache a failure as well, along with an older token that is still valid."""
        session_id, now = active.session.id, self._now()
        try:
            answer = await request_token()
        except (TokenNotGranted, RefreshFailed, StoreUnavailable) as error:
            failure = CachedFailure(type(error), error.code, error.detail)
            old = self._cache.find(session_id, target)
            token, expires_at = (None, now) if old is None else (old.access_token, old.expires_at)
            cached = CachedToken(token, now, now + COOL_DOWN, expires_at, forced_at, failure)
        else:
            lifetime = UNKNOWN_LIFETIME if answer.expires_in is None else answer.expires_in
            cached = CachedToken(answer.access_token, now, refresh_due_at(now, lifetime), now + lifetime, forced_at)
        self._cache.keep(session_id, target, cached)
        return cached


def _is_forced(cached: CachedToken, refused: str | None, now: int) -> bool:
    return refused is not None and refused == cached.access_token and abs(now - cached.forced_at) >= FORCE_PAUSE
