"""Finds the connection to a provider by its name; nothing is fetched from a provider before it is needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.provider_settings import ProviderSettings

MakeConnection = Callable[[ProviderSettings], ProviderConnection]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a name: its provider, or that there is none."""

    connection: ProviderConnection | None


NO_PROVIDER = Known(None)


class ProviderDirectory(Protocol):
    """All providers of one app, by name."""

    @property
    def listed(self) -> Mapping[str, ProviderSettings]:
        """All providers by name, in the order of the setting; empty if they cannot be listed."""

    def connections(self) -> Mapping[str, ProviderConnection]:
        """Return the connections to all providers that are known now, by name."""

    def at_once(self, name: str) -> Known | None:
        """Return what is known about the provider of a session, without waiting.

        If a new look-up is due, it starts in the background; None means that `find` has to wait for it.
        """

    async def find(self, name: str, *, is_sealed: bool = False) -> ProviderConnection | None:
        """Return the connection to a provider, None if there is none of that name.

        Args:
            is_sealed: whether the name comes from a session, so that it cannot be made up.

        Raises:
            ProviderUnavailable: the app's own look-up failed or took too long.
        """

    async def drained(self) -> None:
        """Wait until nothing is being looked up."""


class FixedDirectory:
    """`ProviderDirectory` of the providers that the settings name."""

    def __init__(self, providers: Mapping[str, ProviderSettings], make_connection: MakeConnection) -> None:
        self._listed = providers
        self._known = {name: Known(make_connection(settings)) for name, settings in providers.items()}

    @property
    def listed(self) -> Mapping[str, ProviderSettings]:
        """All providers by name, in the order of the setting."""
        return self._listed

    def connections(self) -> Mapping[str, ProviderConnection]:
        """Return the connections to all providers, by name."""
        return {name: known.connection for name, known in self._known.items() if known.connection is not None}

    def at_once(self, name: str) -> Known:
        """Return the provider, or that there is none."""
        return self._known.get(name, NO_PROVIDER)

    async def find(self, name: str, *, is_sealed: bool = False) -> ProviderConnection | None:
        """Return the connection to a provider; None if there is none of that name."""
        return self.at_once(name).connection

    async def drained(self) -> None:
        """Return at once: nothing is looked up."""
