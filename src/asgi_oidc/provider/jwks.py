"""Caches the provider's keys, its JWKS (OIDC Core §10.1.1).

Keys are refreshed shortly before they expire, and used for longer while the provider is down. Unknown key ids cause
only a limited number of fetches.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial

from asgi_oidc import events
from asgi_oidc.errors import ProviderError, ProviderUnavailable
from asgi_oidc.health import HealthCheck
from asgi_oidc.health.call_outcomes import CallOutcomes
from asgi_oidc.protocol.jose import (
    KeyUnknown,
    SharedSecret,
    Verified,
    VerifyingKey,
    names_shared_secret,
    read_header,
    read_key_set_answer,
    verify_token,
    verify_with_secret,
)
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.single_flight import SingleFlight

FRESH = 300  # seconds, if the answer has no max-age
FRESH_LIMITS = (30, 86_400)  # seconds; the shortest and longest max-age that is honoured
STALE = 3600  # further seconds of use while the provider does not answer
AHEAD = 0.8  # of the fresh time: after that, one request fetches the keys while the others use the cached ones
# Anyone can make up key ids: three fetches at once, then one every 30 seconds.
BURST, COOL_DOWN = 3, 30
RETRY_INTERVAL = 5  # seconds between two fetches, after three that failed: a provider that was down soon works again

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\"?(?:$|[\s,;])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one fetch.

    Attributes:
        lifetime: seconds that they are fresh.
    """

    uri: str
    keys: tuple[VerifyingKey, ...]
    fetched_at: float
    lifetime: int

    def age(self, now: float) -> float:
        """Seconds since the fetch. If the clock was set back: `lifetime`, so that they are fetched again soon."""
        return now - self.fetched_at if now >= self.fetched_at else self.lifetime


class KeyCache:
    """Verifies tokens with the cached keys of one provider.

    A fetch goes on if its request is cancelled: anyone can send tokens and hang up, which would use up the attempts.

    Args:
        jwks_uri: called for each token, because the metadata may change it.
        honours_key_issuer: as in `verify_token`; for providers with an issuer for each tenant.
        shared_secret: the client secret, if tokens may be signed with HS256; it may be replaced.
        provider: the name in the settings, for the log.
        issuer: of the provider, for the log.
    """

    def __init__(
        self,
        http: Http,
        *,
        jwks_uri: Callable[[], Awaitable[str]],
        clock: Callable[[], float],
        honours_key_issuer: bool = False,
        shared_secret: SharedSecret | None = None,
        provider: str = "",
        issuer: str | None = None,
    ):
        self._http = http
        self._honours_key_issuer = honours_key_issuer
        self.shared_secret = shared_secret
        self._provider = provider
        self._issuer = issuer
        self._jwks_uri = jwks_uri
        self._clock = clock
        self._flight: SingleFlight[KeySet] = SingleFlight()
        self._unknown_budget = Budget(burst=BURST, interval=COOL_DOWN)
        self._fetch_budget = Budget(burst=BURST, interval=RETRY_INTERVAL)
        self._cached: KeySet | None = None
        self._outcomes = CallOutcomes()

    async def verify(
        self, token: str, algorithms: Collection[str], *, budget: Budget | None = None, fetches: bool = True
    ) -> Verified:
        """Check a token's signature; if its key is unknown, fetch the keys once more.

        Args:
            budget: limits these fetches. Tokens that anyone can post have a budget of their own, so that forged ones
                do not use up that of sign-ins.
            fetches: False if the keys are not worth a fetch: only cached ones are used, and any other key is unknown.

        Raises:
            TokenRejected: the signature is not from this provider.
            ProviderError: no keys are cached, and they cannot be fetched.
        """
        if self.shared_secret is not None and names_shared_secret(token):
            return verify_with_secret(token, self.shared_secret, algorithms)
        header = read_header(token, algorithms)  # first, so that a malformed token costs no fetch
        verify = partial(
            verify_token, token, algorithms=algorithms, header=header, honours_key_issuer=self._honours_key_issuer
        )
        if not fetches:
            return verify(keys=() if self._cached is None else self._cached.keys)
        key_set = await self._usable_keys()
        try:
            return verify(keys=key_set.keys)
        except KeyUnknown:
            newer = await self._keys_newer_than(key_set, budget)
            if newer is key_set:
                raise
            return verify(keys=newer.keys)

    async def fetch_if_due(self) -> None:
        """Fetch the keys unless they are cached.

        Raises:
            ProviderError: they cannot be fetched, and nothing usable is cached.
        """
        await self._usable_keys()

    def check(self) -> HealthCheck:
        """Return the state of the keys."""
        cached = self._cached
        is_usable = cached is not None and cached.age(self._clock()) < cached.lifetime + STALE
        return self._outcomes.check(has_result=is_usable)

    async def _usable_keys(self) -> KeySet:
        uri = await self._jwks_uri()
        cached, now = self._cached, self._clock()
        if cached is None or cached.uri != uri:
            return await self._flight.run_to_the_end(uri, lambda: self._fetch(uri))
        age = cached.age(now)
        if age < cached.lifetime * AHEAD or (age < cached.lifetime and self._flight.is_under_way(uri)):
            return cached
        try:
            return await self._flight.run_to_the_end(uri, lambda: self._fetch(uri))
        except ProviderError as exc:
            if age >= cached.lifetime + STALE:
                raise
            self._log_fallback(exc)
            return cached

    async def _keys_newer_than(self, key_set: KeySet, budget: Budget | None = None) -> KeySet:
        if self._cached is not None and self._cached is not key_set:
            return self._cached  # another request has fetched them meanwhile
        uri, limit = key_set.uri, budget or self._unknown_budget
        if not self._flight.is_under_way(uri) and not limit.take(now=self._clock()):
            return key_set
        try:
            return await self._flight.run_to_the_end(uri, lambda: self._fetch_for_unknown(uri, limit))
        except ProviderError as exc:
            if budget is not None:  # the sender of such a token (the provider, for a logout token) can send it again
                raise
            self._log_fallback(exc)
            return key_set

    def _log_fallback(self, error: ProviderError) -> None:
        log_provider_failure(
            error.code, error.detail, provider=self._provider, issuer=self._issuer, fallback="cached keys"
        )

    async def _fetch_for_unknown(self, uri: str, budget: Budget) -> KeySet:
        try:
            return await self._fetch(uri)
        except ProviderError:
            # The key is still unknown, and failed fetches have a budget of their own: once the provider works again, a
            # login with a new key does not wait for long.
            budget.give_back()
            raise

    async def _fetch(self, uri: str) -> KeySet:
        if not self._fetch_budget.take(now=self._clock()):
            detail = f"not fetched: recent attempts failed, and the next one is due within {RETRY_INTERVAL} s"
            raise ProviderUnavailable("jwks_cool_down", detail, retry_after=RETRY_INTERVAL)
        try:
            answer = await self._http.send(Call("GET", uri, {"accept": "application/json"}), endpoint="jwks")
            usable, skipped = read_key_set_answer(answer)
        except ProviderError as error:
            self._outcomes.failed(error.code, error.detail, now=self._clock())
            raise
        for reason in skipped:
            events.log(events.KEY_SKIPPED, reason=reason)
        key_set = KeySet(uri, tuple(usable), self._clock(), lifetime_of(answer))
        self._cached = key_set
        self._outcomes.succeeded(now=key_set.fetched_at)
        self._fetch_budget = Budget(burst=BURST, interval=RETRY_INTERVAL)
        events.log(events.KEYS_FETCHED, usable=len(usable), skipped=len(skipped))
        return key_set


def lifetime_of(answer: Answer) -> int:
    """Return how many seconds an answer is fresh, within `FRESH_LIMITS` (`max-age`, RFC 9111 §5.2.2.1)."""
    max_age = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    if max_age is None:
        return FRESH
    shortest, longest = FRESH_LIMITS
    return max(shortest, min(int(max_age[1]), longest))
