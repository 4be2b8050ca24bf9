"""The provider's metadata: asked for when first needed, kept, and kept on when the provider is down."""

from collections.abc import Callable, Mapping

from asgi_oidc import events
from asgi_oidc.errors import ProviderError, ProviderUnavailable
from asgi_oidc.protocol.metadata import (
    REQUIRED,
    ProviderMetadata,
    make_metadata,
    metadata_call,
    read_metadata_answer,
)
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.http import Http
from asgi_oidc.single_flight import SingleFlight

FRESH = 3600  # seconds; metadata changes about once a year
STALE = 86_400  # seconds more, when the provider does not answer
BURST, INTERVAL = 3, 5  # tries at once, then one per so many seconds, while none succeeds


class Discovery:
    """The metadata of one issuer."""

    def __init__(self, http: Http, *, issuer: str, by_hand: Mapping[str, object], clock: Callable[[], float]):
        self._http = http
        self._issuer = issuer
        self._by_hand = by_hand
        self._clock = clock
        self._flight: SingleFlight[ProviderMetadata] = SingleFlight()
        self._budget = Budget(burst=BURST, interval=INTERVAL)
        self._known: ProviderMetadata | None = None
        self._fetched_at = 0.0
        self._complete = all(name in by_hand for name in REQUIRED)
        if self._complete:
            self._known = make_metadata(issuer, by_hand)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata, from the cache where it is fresh.

        Raises:
            ProviderError: there is none yet, and the provider gives none.
        """
        known = self._known
        if known is not None and (self._complete or self._age() < FRESH):
            return known
        try:
            return await self._flight.run(self._issuer, self._fetch)
        except ProviderError as exc:
            if known is None or self._age() >= FRESH + STALE:
                raise
            events.log(events.PROVIDER_FAILED, code=exc.code, detail=exc.detail, fallback="cached metadata")
            return known

    def _age(self) -> float:
        age = self._clock() - self._fetched_at
        return age if age >= 0 else FRESH  # the clock was set back: ask again, and keep what there is

    async def _fetch(self) -> ProviderMetadata:
        if not self._budget.take(now=self._clock()):
            raise ProviderUnavailable("metadata_cool_down", "it failed a moment ago", retry_after=INTERVAL)
        answer = await self._http.send(metadata_call(self._issuer), what="metadata")
        metadata = read_metadata_answer(answer, issuer=self._issuer, by_hand=self._by_hand)
        self._known, self._fetched_at = metadata, self._clock()
        self._budget = Budget(burst=BURST, interval=INTERVAL)
        events.log(events.METADATA_FETCHED, issuer=self._issuer)
        return metadata
