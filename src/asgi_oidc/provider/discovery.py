"""The provider's metadata: fetched when first needed, cached, and used for longer while the provider is down."""

from collections.abc import Callable, Mapping

from asgi_oidc import events
from asgi_oidc.errors import ProviderError, ProviderUnavailable
from asgi_oidc.health import HealthCheck
from asgi_oidc.health.call_outcomes import CallOutcomes
from asgi_oidc.protocol.back_channel import PUBLIC, BackChannel
from asgi_oidc.protocol.metadata import (
    REQUIRED,
    ProviderMetadata,
    make_metadata,
    metadata_call,
    read_metadata_answer,
)
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.single_flight import SingleFlight

FRESH = 3600  # seconds; metadata changes about once a year
STALE = 86_400  # further seconds of use while the provider does not answer
BURST, INTERVAL = 3, 5  # fetches at once, then one every 5 seconds, until one succeeds


class Discovery:
    """Fetches and caches the metadata of one issuer.

    Args:
        configured: the setting `metadata`, which takes precedence over what the provider publishes. With all required
            members there, nothing is fetched.
        url: as in `metadata_call`.
        provider: the name in the settings, for the log.
        uses_aliases: as in `make_metadata`.
    """

    def __init__(
        self,
        http: Http,
        *,
        issuer: str,
        configured: Mapping[str, object],
        clock: Callable[[], float],
        url: str | None = None,
        back_channel: BackChannel = PUBLIC,
        provider: str = "",
        uses_aliases: bool = False,
    ):
        self._http = http
        self._issuer = issuer
        self._provider = provider
        self._url = url
        self._back_channel = back_channel
        self._uses_aliases = uses_aliases
        self._configured = configured
        self._clock = clock
        self._flight: SingleFlight[ProviderMetadata] = SingleFlight()
        self._budget = Budget(burst=BURST, interval=INTERVAL)
        self._cached: ProviderMetadata | None = None
        self._fetched_at = 0.0
        self._outcomes = CallOutcomes()
        self._complete = all(name in configured for name in REQUIRED)
        if self._complete:
            self._cached = make_metadata(issuer, configured, back_channel=back_channel, uses_aliases=uses_aliases)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata, from the cache if it is fresh.

        Raises:
            ProviderError: nothing usable is cached, and the provider's metadata cannot be fetched.
        """
        cached = self._cached
        if cached is not None and (self._complete or self._age() < FRESH):
            return cached
        try:
            return await self._flight.run_to_the_end(self._issuer, self._fetch)
        except ProviderError as exc:
            if cached is None or self._age() >= FRESH + STALE:
                raise
            log_provider_failure(
                exc.code, exc.detail, provider=self._provider, issuer=self._issuer, fallback="cached metadata"
            )
            return cached

    def check(self) -> HealthCheck:
        """Return the state of the metadata."""
        is_usable = self._cached is not None and (self._complete or self._age() < FRESH + STALE)
        return self._outcomes.check(has_result=is_usable)

    def _age(self) -> float:
        age = self._clock() - self._fetched_at
        return age if age >= 0 else FRESH  # the clock was set back: fetch again, and use the cache if that fails

    async def _fetch(self) -> ProviderMetadata:
        if not self._budget.take(now=self._clock()):
            detail = f"not fetched: recent attempts failed, and the next one is due within {INTERVAL} s"
            raise ProviderUnavailable("metadata_cool_down", detail, retry_after=INTERVAL)
        try:
            metadata = await self._call()
        except ProviderError as error:
            self._outcomes.failed(error.code, error.detail, now=self._clock())
            raise
        self._cached, self._fetched_at = metadata, self._clock()
        self._outcomes.succeeded(now=self._fetched_at)
        self._budget = Budget(burst=BURST, interval=INTERVAL)
        events.log(events.METADATA_FETCHED, issuer=self._issuer)
        return metadata

    async def _call(self) -> ProviderMetadata:
        call = metadata_call(self._issuer, url=self._url, back_channel=self._back_channel)
        answer = await self._http.send(call, endpoint="metadata")
        return read_metadata_answer(
            answer,
            issuer=self._issuer,
            configured=self._configured,
            back_channel=self._back_channel,
            url=call.url,
            uses_aliases=self._uses_aliases,
        )
