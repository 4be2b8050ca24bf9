"""Gets access tokens for further APIs, one call however many requests wait, and caches them until they expire.

The owner, a session or the bearer token of a program, is part of every key: nobody gets the token of another.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from asgi_oidc import events
from asgi_oidc.errors import ProviderError, ProviderRefused, RefreshFailed, StoreUnavailable, TokenNotGranted
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.sessions.lifetimes import refresh_due_at
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.tokens.api_token import ApiToken
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, REFRESH_DEADLINE, refresh_failed
from asgi_oidc.tokens.token_cache import CachedFailure, CachedToken, TokenCache
from asgi_oidc.tokens.token_validity import FORCE_PAUSE

UNKNOWN_LIFETIME = 60  # seconds for which a token is used if the provider does not say how long it is valid


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What the provider has issued.

    Attributes:
        dpop_key: the private key that the token is bound to; empty for a bearer token.
    """

    answer: RefreshAnswer
    dpop_key: str = field(default="", repr=False)


GetToken = Callable[[], Awaitable[IssuedToken]]
CheckOwner = Callable[[], Awaitable[None]]
"""Raises an error if the owner must not get a token any more."""


class ApiTokens:
    """Tokens for further APIs, by owner and target."""

    def __init__(self, *, now: Callable[[], int]) -> None:
        self._cache = TokenCache()
        self._requests: SingleFlight[CachedToken] = SingleFlight()
        self._now = now

    async def drained(self) -> None:
        """Wait until no token call is under way."""
        await self._requests.drained()

    async def token(
        self,
        owner: str,
        target: str | ExchangeTarget,
        request_token: GetToken,
        *,
        check_owner: CheckOwner,
        refused: str | None,
    ) -> ApiToken:
        """Return a cached token, or get a new one.

        Args:
            owner: identifies what the token is derived from.
            request_token: gets a new one from the provider.
            check_owner: called first, and again after waiting for the provider.
            refused: a token that the API refused although it has not expired.

        Raises:
            TokenNotGranted, RefreshFailed, StoreUnavailable: what `request_token` raised; repeated for `COOL_DOWN`.
            OIDCError: what `check_owner` raised, or `request_token`.
        """
        await check_owner()
        cached, now = self._cache.find(owner, target), self._now()
        is_forced = cached is not None and _is_forced(cached, refused, now)
        if (
            cached is None or is_forced or not cached.made_at <= now < cached.refresh_due_at
        ):  # the clock may be set back
            forced_at = now if is_forced else 0
            cached = await self._requests.run_to_the_end(
                f"{owner} {target!r}",
                lambda: self._request_and_cache(owner, target, request_token, forced_at),
            )
            await check_owner()
        if cached.access_token is not None and now < cached.expires_at:
            return ApiToken(cached.access_token, cached.dpop_key)
        raise cached.failure.error() if cached.failure else TokenNotGranted(detail="the new token had already expired")

    async def _request_and_cache(
        self, owner: str, target: str | ExchangeTarget, request_token: GetToken, forced_at: int
    ) -> CachedToken:
        """Request a token and cache it; cache a failure as well, along with an older token that is still valid."""
        now = self._now()
        try:
            issued = await request_token()
        except (TokenNotGranted, RefreshFailed, StoreUnavailable) as error:
            failure = CachedFailure(type(error), error.code, error.detail)
            old = self._cache.find(owner, target)
            token, expires_at, key = (None, now, "")
            if old is not None:
                token, expires_at, key = old.access_token, old.expires_at, old.dpop_key
            cached = CachedToken(token, now, now + COOL_DOWN, expires_at, forced_at, failure, key)
        else:
            answer, key = issued.answer, issued.dpop_key
            lifetime = UNKNOWN_LIFETIME if answer.expires_in is None else answer.expires_in
            due_at, expires_at = refresh_due_at(now, lifetime), now + lifetime
            cached = CachedToken(answer.access_token, now, due_at, expires_at, forced_at, dpop_key=key)
        self._cache.keep(owner, target, cached)
        return cached


async def exchange(call: GetToken, *, provider: str, issuer: str) -> IssuedToken:
    """Make the call of a token exchange within its deadline, and translate its errors for the app.

    Args:
        provider: the name in the settings, for the log; empty for the one provider of the flat keywords.
        issuer: of the provider, for the log.

    Raises:
        TokenNotGranted: the provider refuses.
        RefreshFailed: it is down or too slow, or its answer is unusable.
    """
    try:
        with anyio.fail_after(REFRESH_DEADLINE):
            return await call()
    except ProviderRefused as error:
        events.log(events.TOKEN_NOT_GRANTED, provider=provider or None, detail=error.detail)
        raise TokenNotGranted(detail=error.detail) from error
    except (ProviderError, TimeoutError) as error:
        failure = refresh_failed(error, "exchange")
        log_provider_failure(failure.code, failure.detail, provider=provider, issuer=issuer)
        raise failure from error


def _is_forced(cached: CachedToken, refused: str | None, now: int) -> bool:
    return refused is not None and refused == cached.access_token and abs(now - cached.forced_at) >= FORCE_PAUSE
