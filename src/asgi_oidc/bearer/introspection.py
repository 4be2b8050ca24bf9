"""Introspects the tokens of requests: concurrent requests share one call, answers are cached, and calls are limited.

Anyone can send made-up tokens, each of which costs a call. So tokens that were active before have slots of their own: a
flood of made-up tokens delays new tokens only.
"""

from collections.abc import Callable
from hashlib import sha256

import anyio
import msgspec

from asgi_oidc.bearer.introspection_cache import Introspected, IntrospectionCache
from asgi_oidc.errors import ProviderUnavailable, TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.single_flight import SingleFlight

# Calls at once, for tokens that were active before and for others: together fewer than `MAX_CALLS_PER_PROVIDER`, so
# that a provider that is slow here leaves room for sign-ins.
MAX_CALLS_AGAIN, MAX_CALLS = 10, 20
MAX_WAITING = 100  # calls of each kind that wait for a slot; further tokens are not introspected
DEADLINE = 10.0  # seconds, the wait for a slot included
REFUSED_LIFETIME = 10  # seconds; a token that is so new that the provider does not know it everywhere yet works soon


class Introspection:
    """Asks the providers about the tokens of requests."""

    __slots__ = ("_again", "_cache", "_expected", "_first", "_flight", "_lifetime", "_now")

    def __init__(self, expected: ExpectedToken, *, lifetime: int, now: Callable[[], int]) -> None:
        """Set up introspection.

        Args:
            lifetime: seconds for which an answer counts; with 0, each request asks.
            now: returns the time, in seconds since the epoch.
        """
        self._expected = expected
        self._lifetime = lifetime
        self._now = now
        self._cache = IntrospectionCache()
        self._flight: SingleFlight[Introspected] = SingleFlight()
        self._again = CallLimit(MAX_CALLS_AGAIN)
        self._first = CallLimit(MAX_CALLS)

    async def introspect(self, token: str, connection: ProviderConnection) -> Introspected:
        """Return what the provider says about a token, or has said recently.

        A call continues if its request is cancelled: others may wait for it, and its answer is kept.

        Raises:
            TokenRejected: the token is not active, or fails a check.
            ProviderUnavailable: the provider is down or slow, or too many calls are running.
            ProviderError: it refuses, or its answer cannot be used.
        """
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._cache.find(digest, connection, now=self._now())
        if known is not None:
            return known
        # With the connection: one that the app has replaced may be to another provider.
        key = f"{digest.hex()} {id(connection)}"
        return await self._flight.run_to_the_end(key, lambda: self._introspect_now(token, digest, connection))

    async def drained(self) -> None:
        """Wait until no call is running."""
        await self._flight.drained()

    async def _introspect_now(self, token: str, digest: bytes, connection: ProviderConnection) -> Introspected:
        asked_at = self._now()  # the answer may be as old as that
        try:
            access_token = await self._call(token, connection, self._limit_for(digest))
        except TokenRejected as error:
            fresh_until = asked_at + min(self._lifetime, REFUSED_LIFETIME)
            self._cache.refuse(digest, connection, error, asked_at=asked_at, fresh_until=fresh_until)
            raise
        ends = (asked_at + self._lifetime, access_token.expires_at)
        answer = Introspected(
            access_token,
            connection,
            size=len(msgspec.json.encode(access_token.claims)),
            asked_at=asked_at,
            fresh_until=min(end for end in ends if end is not None),
        )
        self._cache.keep(digest, answer)
        return answer

    def _limit_for(self, digest: bytes) -> CallLimit:
        return self._again if self._cache.was_active(digest) else self._first

    async def _call(self, token: str, connection: ProviderConnection, limit: CallLimit) -> AccessToken:
        if limit.waiting >= MAX_WAITING:
            raise ProviderUnavailable("introspection_limit", f"{MAX_WAITING} calls are waiting for a slot already")
        try:
            with anyio.fail_after(DEADLINE):
                async with limit.hold():
                    return await connection.introspect(token, self._expected)
        except TimeoutError as exc:
            detail = f"no slot for a call, or no answer, within {DEADLINE:g} s"
            raise ProviderUnavailable("introspection_timeout", detail) from exc
