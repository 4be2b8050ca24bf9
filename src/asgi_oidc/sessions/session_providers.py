"""Finds the connection to the provider that a session comes from; it is sealed in the session, not in the request."""

from asgi_oidc import events
from asgi_oidc.errors import ProviderGone
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.session import Login

MAX_LOGGED = 1000  # names of removed providers that are logged


class SessionProviders:
    """The providers of sessions."""

    __slots__ = ("_directory", "_logged")

    def __init__(self, directory: ProviderDirectory) -> None:
        self._directory = directory
        self._logged: set[str] = set()

    async def of(self, login: Login) -> ProviderConnection:
        """Return the connection to the provider at which a user has signed in.

        Raises:
            ProviderGone: the app does not have this provider any more, or its name now stands for another one.
            ProviderUnavailable: the app's own look-up failed.
        """
        connection = await self._directory.find(login.provider, is_sealed=True)
        if connection is None or not _has_issued(connection, login):
            detail = f"the session comes from {login.issuer}, which is not the provider {login.provider!r} any more"
            raise ProviderGone(detail=detail)
        return connection

    def has_at_once(self, login: Login) -> bool | None:
        """Return whether the app still has the provider of a session; None if only `has` can tell.

        A user counts as signed in only if it has: the name may belong to another provider by now.
        """
        known = self._directory.at_once(login.provider)
        if known is None:
            return None
        return known.connection is not None and _has_issued(known.connection, login)

    async def has(self, login: Login) -> bool:
        """Return whether the app still has the provider of a session.

        Raises:
            ProviderUnavailable: the app's own look-up failed.
        """
        try:
            await self.of(login)
        except ProviderGone as gone:
            if login.provider not in self._logged and len(self._logged) < MAX_LOGGED:
                self._logged.add(login.provider)
                events.log(events.PROVIDER_GONE, provider=login.provider, detail=gone.detail)
            return False
        return True


def _has_issued(connection: ProviderConnection, login: Login) -> bool:
    return connection.issued(login.issuer, first=login.first, endpoints_digest=login.endpoints_digest)
