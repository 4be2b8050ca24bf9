"""Finds the provider that has issued a token: only the providers whose tokens count are considered."""

from collections.abc import Sequence

from asgi_oidc.errors import ProviderGone, TokenRejected
from asgi_oidc.protocol.bearer_token import issuer_unknown
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import ProviderDirectory


class TokenIssuers:
    """The providers whose tokens count."""

    __slots__ = ("_directory", "_names", "are_fixed")

    def __init__(self, directory: ProviderDirectory, names: Sequence[str]) -> None:
        """Take the providers.

        Args:
            names: of the providers whose tokens count.
        """
        self._directory = directory
        self._names = tuple(names)
        self.are_fixed = bool(directory.listed)

    async def find(self, issuer: str) -> tuple[str, ProviderConnection]:
        """Return the provider of an issuer, and its name; no call is made for an issuer that is not one of ours.

        Args:
            issuer: the `iss` of a token; not verified yet.

        Raises:
            TokenRejected: no provider has this issuer.
            ProviderUnavailable: the app's own look-up of a provider failed.
        """
        expected = []
        for name in self._names:
            connection = await self.named(name)
            if connection is None:
                continue
            if connection.issues(issuer):
                return name, connection
            expected.append(connection.settings.issuer)
        rejected = issuer_unknown(issuer, expected)
        hint = "" if self._names else "; providers that are looked up are not found by issuer: name them in Bearer"
        raise TokenRejected(rejected.code, rejected.detail + hint)

    async def get(self, name: str) -> ProviderConnection:
        """Return a provider by its name.

        Raises:
            ProviderGone: there is none.
            ProviderUnavailable: the app's own look-up failed.
        """
        connection = await self.named(name)
        if connection is None:
            raise ProviderGone(detail=f"there is no provider {name!r} any more")
        return connection

    async def named(self, name: str) -> ProviderConnection | None:
        """Return a provider by its name; None if it is gone.

        Raises:
            ProviderUnavailable: the app's own look-up failed.
        """
        return await self._directory.find(name, is_sealed=True)
