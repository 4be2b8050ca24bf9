"""Finds the connections to providers that the app looks up when they are needed, such as the tenants in a database."""

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import anyio

from asgi_oidc import events
from asgi_oidc.errors import ProviderUnavailable, SettingsError
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.certificate_notices import log_certificate_problems
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import NO_PROVIDER, Known, MakeConnection
from asgi_oidc.provider.provider_exceptions import log_exceptions
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.single_flight import SingleFlight

LOOK_UP_DEADLINE = 10.0  # seconds for one look-up, including the wait for a free slot
FRESH = 30  # seconds; after that, the next use starts a look-up in the background
OUTDATED = 60  # seconds; after that, a use waits for the look-up: changes are noticed within a minute
STALE = 3600  # seconds that a provider stays in use while all look-ups fail
RETRY_INTERVAL = 5  # seconds between two look-ups of a name that fail
UNKNOWN_FRESH = 10  # seconds that a name without a provider is remembered; a new tenant can sign in that soon
MAX_CONNECTIONS = 2000  # providers; one takes about 30 kB, with metadata and keys. The least recently used go first
MAX_UNKNOWN = 1000  # names without a provider; more than can be looked up while one of them is remembered
MAX_FAILURES = 1000  # names whose look-up has failed
MAX_LOOK_UPS = 16  # at once for names from sessions, and as many for other names; more wait
# Anyone can make up names: this many look-ups may find nothing at once, then one per second.
BURST, INTERVAL = 300, 1

Value = TypeVar("Value")
Get = Callable[[str], Awaitable[object]]
"""The app's own look-up: returns the provider of a name, or None."""
ReadProvider = Callable[[str, object], ProviderSettings]
"""Checks what it returned; raises ValueError."""


NOT_ASYNC = object()


class _ResultRejected(Exception):
    """The app's look-up returned something other than a provider."""


@dataclass(slots=True)
class _Entry:
    """A provider with the result of its last look-up."""

    settings: ProviderSettings
    known: Known
    looked_up_at: float


class SourceDirectory:
    """`ProviderDirectory` of providers that the app looks up by name."""

    def __init__(self, get: Get, read: ReadProvider, make_connection: MakeConnection, clock: Callable[[], float]):
        self._get = get
        self._read = read
        self._make_connection = make_connection
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[str, float] = OrderedDict()
        self._flight: SingleFlight[Known] = SingleFlight()
        self._budget = Budget(burst=BURST, interval=INTERVAL)
        self._sealed_names = CallLimit(MAX_LOOK_UPS)
        self._other_names = CallLimit(MAX_LOOK_UPS)

    @property
    def listed(self) -> Mapping[str, ProviderSettings]:
        """Return none: they cannot be listed."""
        return {}

    def connections(self) -> Mapping[str, ProviderConnection]:
        """Return the connections to the providers that are in the cache, by name."""
        entries = self._entries.items()
        return {name: entry.known.connection for name, entry in entries if entry.known.connection is not None}

    def at_once(self, name: str) -> Known | None:
        """Return what is known of the provider of a session; look it up in the background if that is due."""
        known = self._known(name)
        if known is None:
            self._look_up_soon(name)
        return known

    async def find(self, name: str, *, is_sealed: bool = False) -> ProviderConnection | None:
        """Return the connection to a provider: from the cache, or else from a look-up."""
        if not name:
            return None  # looked-up providers always have a name
        known = self._known(name)
        if known is None:
            known = await self._look_up_or_continue(name, is_sealed=is_sealed)
        return known.connection

    async def drained(self) -> None:
        """Wait until nothing is being looked up."""
        await self._flight.drained()

    def _known(self, name: str) -> Known | None:
        entry = self._entries.get(name)
        if entry is None:
            return NO_PROVIDER if self._is_recent(self._unknown.get(name), UNKNOWN_FRESH) else None
        self._entries.move_to_end(name)
        if self._is_recent(entry.looked_up_at, FRESH):
            return entry.known
        is_failing = self._is_recent(self._failures.get(name), FRESH) and self._is_recent(entry.looked_up_at, STALE)
        if is_failing or self._is_recent(entry.looked_up_at, OUTDATED):
            self._look_up_soon(name)
            return entry.known
        return None

    def _look_up_soon(self, name: str) -> None:
        if not self._is_recent(self._failures.get(name), RETRY_INTERVAL):
            self._flight.start(name, lambda: self._look_up(name, is_sealed=True))

    async def _look_up_or_continue(self, name: str, *, is_sealed: bool) -> Known:
        try:
            if self._is_recent(self._failures.get(name), RETRY_INTERVAL) and not self._flight.is_under_way(name):
                detail = f"the look-up failed less than {RETRY_INTERVAL} s ago"
                raise ProviderUnavailable("provider_lookup_cool_down", detail, retry_after=RETRY_INTERVAL)
            return await self._flight.run_to_the_end(name, lambda: self._look_up(name, is_sealed=is_sealed))
        except ProviderUnavailable:
            entry = self._entries.get(name)
            if entry is None or not self._is_recent(entry.looked_up_at, STALE):
                raise
            return entry.known

    async def _look_up(self, name: str, *, is_sealed: bool) -> Known:
        """Look a provider up, and keep the result.

        Raises:
            ProviderUnavailable: the look-up failed.
        """
        started_at = self._clock()
        is_proven = is_sealed or name in self._entries
        if not is_proven and not self._budget.take(now=started_at):
            detail = f"too many names without a provider were looked up; the next one is allowed within {INTERVAL} s"
            raise ProviderUnavailable("provider_lookup_limit", detail, retry_after=INTERVAL)
        try:
            settings = await self._call_get(name, self._sealed_names if is_proven else self._other_names)
        except ProviderUnavailable:
            _keep(self._failures, name, self._clock(), MAX_FAILURES)
            raise
        self._failures.pop(name, None)
        if settings is None:
            return self._forget(name, started_at)
        if not is_proven:
            self._budget.give_back()
        return self._remember(name, settings, started_at)

    async def _call_get(self, name: str, limit: CallLimit) -> ProviderSettings | None:
        raised: Exception | None = None
        try:
            with anyio.fail_after(LOOK_UP_DEADLINE):
                async with limit.hold():
                    result = self._get(name)
                    found = await result if inspect.isawaitable(result) else NOT_ASYNC
            return None if found is None else self._checked(name, found)
        except TimeoutError:
            failure = ProviderUnavailable("provider_lookup_timeout", f"get took more than {LOOK_UP_DEADLINE:g} s")
        except _ResultRejected as error:
            failure = ProviderUnavailable("provider_lookup_result", str(error))
        except SettingsError as error:  # its text is made for the log
            failure = ProviderUnavailable("provider_lookup_failed", str(error))
        except Exception as error:  # noqa: BLE001  # the app's own code may raise anything, with secrets in its text
            failure, raised = ProviderUnavailable("provider_lookup_failed", "get raised an exception"), error
        events.log(events.PROVIDER_LOOKUP_FAILED, provider=name, code=failure.code, detail=failure.detail, error=raised)
        raise failure

    def _checked(self, name: str, found: object) -> ProviderSettings:
        if found is NOT_ASYNC:
            raise _ResultRejected("get must be an async function")
        try:
            return self._read(name, found)
        except ValueError as error:
            raise _ResultRejected(str(error)) from None

    def _forget(self, name: str, looked_up_at: float) -> Known:
        if self._entries.pop(name, None) is not None:
            events.log(events.PROVIDER_CHANGED, provider=name, what="removed")
        _keep(self._unknown, name, looked_up_at, MAX_UNKNOWN)
        return NO_PROVIDER

    def _remember(self, name: str, settings: ProviderSettings, looked_up_at: float) -> Known:
        self._unknown.pop(name, None)
        entry = self._entries.get(name)
        if entry is not None and entry.settings == settings:
            entry.looked_up_at = looked_up_at  # the connection stays, with its metadata and keys
            return entry.known
        if entry is not None:
            events.log(events.PROVIDER_CHANGED, provider=name, what="new settings")
        log_exceptions(settings.exceptions, provider=name)
        log_certificate_problems(settings, clock=lambda: looked_up_at)
        known = Known(self._make_connection(settings))
        _keep(self._entries, name, _Entry(settings, known, looked_up_at), MAX_CONNECTIONS)
        return known

    def _is_recent(self, at: float | None, seconds: int) -> bool:
        """Return whether it was less than this long ago; or as soon in the future, after the clock has been set
        back."""
        return at is not None and abs(self._clock() - at) < seconds


def _keep(cache: OrderedDict[str, Value], name: str, value: Value, most: int) -> None:
    cache[name] = value
    cache.move_to_end(name)
    if len(cache) > most:
        cache.popitem(last=False)
