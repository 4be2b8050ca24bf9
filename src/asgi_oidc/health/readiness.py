"""Checks whether this process can do its work: the store, and the metadata and keys of the providers.

Anyone can ask, so all callers share one check, and its result is used for some seconds.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import anyio

from asgi_oidc import events
from asgi_oidc.health import Health, HealthCheck, Status
from asgi_oidc.single_flight import SingleFlight

INTERVAL = 5  # seconds between two checks, however many ask
# Seconds; Kubernetes waits for one second unless told otherwise, and a provider that hangs must not make it give up.
PROVIDER_DEADLINE = 0.5


class CheckedProvider(Protocol):
    """A provider, as far as its health is concerned; none of these methods raises an exception."""

    async def fetch_for_check(self) -> None:
        """Fetch the metadata and keys that are not cached; log a failure."""

    def metadata_check(self) -> HealthCheck | None:
        """Return the state of the metadata, None if there is none to fetch."""

    def keys_check(self) -> HealthCheck | None:
        """Return the state of the keys, None if there are none to fetch."""


class CheckedProviders(Protocol):
    """All providers, by name."""

    @property
    def listed(self) -> Mapping[str, object]:
        """Those that the settings name."""

    def connections(self) -> Mapping[str, CheckedProvider]:
        """Return all that are known now."""


class CheckedStore(Protocol):
    """The store, as far as its health is concerned."""

    async def check_health(self, key: str) -> HealthCheck:
        """Read a key, and return the state; log a failure."""


class Readiness:
    """Checks the health of one middleware, at most every five seconds."""

    def __init__(
        self, providers: CheckedProviders, store: CheckedStore | None, *, key: str, clock: Callable[[], float]
    ) -> None:
        """Set up the checks.

        Args:
            store: the store that protected paths need; None if sessions are in cookies and processes share nothing.
            key: a key of the store that does not exist, which a check reads.
            clock: returns seconds since the epoch, with fractions.
        """
        self._providers = providers
        self._store = store
        self._key = key
        self._clock = clock
        self._latest: Health | None = None
        self._checked_at = 0.0
        self._checks: SingleFlight[Health] = SingleFlight()
        self._fetches: SingleFlight[None] = SingleFlight()

    async def health(self) -> Health:
        """Return the latest check, or a new one if that is too old. Never raises: a bug here counts as `failing`."""
        try:
            now = self._clock()
            if self._latest is not None and abs(now - self._checked_at) < INTERVAL:
                return self._latest
            return await self._checks.run_to_the_end("health", lambda: self._check_and_remember(now))
        except Exception as error:  # noqa: BLE001  # a bug here counts as `failing`
            return _broken(error)

    async def _check_and_remember(self, now: float) -> Health:
        try:
            health = await self._check(int(now))
        except Exception as error:  # noqa: BLE001  # whatever it is, this process may not be able to work
            health = _broken(error)
        self._latest, self._checked_at = health, now
        return health

    async def _check(self, now: int) -> Health:
        store = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fetch_what_is_due)
            if self._store is not None:
                store = await self._store.check_health(self._key)
        return self._report(store, checked_at=now)

    async def _fetch_what_is_due(self) -> None:
        """Fetch metadata and keys that are not cached; what takes too long goes on in the background."""
        names = self._providers.listed
        listed = {name: each for name, each in self._providers.connections().items() if name in names}
        with anyio.move_on_after(PROVIDER_DEADLINE):
            async with anyio.create_task_group() as tasks:
                for name, connection in listed.items():
                    tasks.start_soon(self._fetches.run_to_the_end, name, connection.fetch_for_check)

    def _report(self, store: HealthCheck | None, *, checked_at: int) -> Health:
        listed = self._providers.listed
        metadata: dict[str, HealthCheck] = {}
        keys: dict[str, HealthCheck] = {}
        for name, connection in self._providers.connections().items():
            for found, check in ((metadata, connection.metadata_check()), (keys, connection.keys_check())):
                if check is not None and (name in listed or check.state != "unknown"):
                    found[name] = check
        status = _status(store, metadata, keys)
        return Health(status=status, metadata=metadata, keys=keys, store=store, checked_at=checked_at)


def _broken(error: Exception) -> Health:
    events.log(events.UNEXPECTED_ERROR, error=error)
    return Health(status="failing", checked_at=0)


def _status(store: HealthCheck | None, metadata: Mapping[str, HealthCheck], keys: Mapping[str, HealthCheck]) -> Status:
    if store is not None and store.state != "ok":
        return "failing"
    return "ok" if all(check.state == "ok" for check in (*metadata.values(), *keys.values())) else "degraded"
