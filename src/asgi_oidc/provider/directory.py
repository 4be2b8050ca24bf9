"""Finds the connection to a provider by its name; nothing is fetched from a provider before it is needed."""

from collections.abc import Callable, Mapping
from typing import Protocol

from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.provider_settings import ProviderSettings

MakeConnection = Callable[[ProviderSettings], ProviderConnection]


class ProviderDirectory(Protocol):
    """All providers of one app, by name."""

    @property
    def listed(self) -> Mapping[str, ProviderSettings]:
        """All providers by name, in the order of the setting; empty if they cannot be listed."""

    async def find(self, name: str) -> ProviderConnection | None:
        """Return the connection to a provider, None if there is none of that name.

        Raises:
            ProviderUnavailable: the app's own look-up failed or took too long.
        """


class FixedDirectory:
    """`ProviderDirectory` of the providers that the settings name."""

    def __init__(self, providers: Mapping[str, ProviderSettings], make_connection: MakeConnection) -> None:
        self._listed = providers
        self._connections = {name: make_connection(settings) for name, settings in providers.items()}

    @property
    def listed(self) -> Mapping[str, ProviderSettings]:
        """All providers by name, in the order of the setting."""
        return self._listed

    async def find(self, name: str) -> ProviderConnection | None:
        """Return the connection to a provider; None if there is none of that name."""
        return self._connections.get(name)
