"""The provider's keys, cached (OIDC Core §10.1.1): fresh, refreshed ahead, stale in an outage, bounded."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from asgi_oidc import events
from asgi_oidc.errors import ProviderError, ProviderUnavailable
from asgi_oidc.protocol.jose import KeyUnknown, Verified, VerifyingKey, read_key_set_answer, verify_token
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.http import Http
from asgi_oidc.single_flight import SingleFlight

FRESH = 300  # seconds, when the answer does not say
FRESH_LIMITS = (30, 86_400)  # seconds; whatever Cache-Control says
STALE = 3600  # seconds more, when the provider does not answer
AHEAD = 0.8  # of the fresh time; from then on one request fetches while the others go on
# Anyone can make up key ids: three fetches at once, then one per half a minute.
BURST, COOL_DOWN = 3, 30

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\"?(?:$|[\s,;])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one fetch, and until when they are fresh."""

    uri: str
    keys: tuple[VerifyingKey, ...]
    fetched_at: float
    lifetime: int

    def age(self, now: float) -> float:
        """Seconds since the fetch; a clock that was set back makes it due, not dead."""
        return now - self.fetched_at if now >= self.fetched_at else self.lifetime


class KeyCache:
    """Verifies tokens with the keys of one provider.

    `jwks_uri` is asked for on every use: the metadata may move it.
    """

    def __init__(self, http: Http, *, jwks_uri: Callable[[], Awaitable[str]], clock: Callable[[], float]):
        self._http = http
        self._jwks_uri = jwks_uri
        self._clock = clock
        self._flight: SingleFlight[KeySet] = SingleFlight()
        self._unknown_budget = Budget(burst=BURST, interval=COOL_DOWN)
        self._failing_budget = Budget(burst=BURST, interval=COOL_DOWN)
        self._known: KeySet | None = None

    async def verify(self, token: str, algorithms: Collection[str], *, budget: Budget | None = None) -> Verified:
        """Check a token's signature; a key that we do not know is looked for once more.

        Args:
            budget: of these looks; tokens that anybody can post have one of their own, so that sign-ins keep theirs.

        Raises:
            TokenRejected: the signature is not one of this provider.
            ProviderError: we have no keys, and the provider gives none.
        """
        key_set = await self._usable()
        try:
            return verify_token(token, key_set.keys, algorithms)
        except KeyUnknown:
            newer = await self._newer_than(key_set, budget)
            if newer is key_set:
                raise
            return verify_token(token, newer.keys, algorithms)

    async def _usable(self) -> KeySet:
        uri = await self._jwks_uri()
        known, now = self._known, self._clock()
        if known is None or known.uri != uri:
            return await self._flight.run(uri, lambda: self._fetch(uri))
        age = known.age(now)
        if age < known.lifetime * AHEAD or (age < known.lifetime and self._flight.is_under_way(uri)):
            return known
        try:
            return await self._flight.run(uri, lambda: self._fetch(uri))
        except ProviderError as exc:
            if age >= known.lifetime + STALE:
                raise
            events.log(events.PROVIDER_FAILED, code=exc.code, detail=exc.detail, fallback="cached keys")
            return known

    async def _newer_than(self, key_set: KeySet, budget: Budget | None = None) -> KeySet:
        if self._known is not None and self._known is not key_set:
            return self._known  # somebody else has just fetched them
        under_way = self._flight.is_under_way(key_set.uri)
        if not under_way and not (budget or self._unknown_budget).take(now=self._clock()):
            return key_set
        try:
            return await self._flight.run(key_set.uri, lambda: self._fetch(key_set.uri, asked_for=True))
        except ProviderError as exc:
            if budget is not None:  # whoever sent the token can send it again
                raise
            events.log(events.PROVIDER_FAILED, code=exc.code, detail=exc.detail, fallback="cached keys")
            return key_set

    async def _fetch(self, uri: str, *, asked_for: bool = False) -> KeySet:
        if not asked_for and not self._failing_budget.take(now=self._clock()):
            raise ProviderUnavailable("jwks_cool_down", "it failed a moment ago", retry_after=COOL_DOWN)
        answer = await self._http.send(Call("GET", uri, {"accept": "application/json"}), what="jwks")
        usable, skipped = read_key_set_answer(answer)
        for reason in skipped:
            events.log(events.KEY_SKIPPED, reason=reason)
        key_set = KeySet(uri, tuple(usable), self._clock(), lifetime_of(answer))
        self._known = key_set
        self._failing_budget = Budget(burst=BURST, interval=COOL_DOWN)
        events.log(events.KEYS_FETCHED, usable=len(usable), skipped=len(skipped))
        return key_set


def lifetime_of(answer: Answer) -> int:
    """Read for how long an answer is fresh, in seconds, within `FRESH_LIMITS` (RFC 9111 §5.2.2.1)."""
    found = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    if found is None:
        return FRESH
    shortest, longest = FRESH_LIMITS
    return max(shortest, min(int(found[1]), longest))
