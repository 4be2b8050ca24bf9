"""Finds the connection to the provider that a session comes from; it is sealed in the session, not in the request."""

from dataclasses import dataclass

from asgi_oidc.errors import ProviderGone
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.session import Login


@dataclass(frozen=True, slots=True)
class SessionProviders:
    """The providers of sessions."""

    directory: ProviderDirectory

    async def of(self, login: Login) -> ProviderConnection:
        """Return the connection to the provider at which a user has signed in.

        Raises:
            ProviderGone: the app does not have this provider any more, or its name now stands for another one.
            ProviderUnavailable: the app's own look-up failed.
        """
        connection = await self.directory.find(login.provider)
        if connection is None or not connection.issued(login.issuer, audience=login.first.get("aud")):
            detail = f"the session comes from {login.issuer}, which is not the provider {login.provider!r} any more"
            raise ProviderGone(detail=detail)
        return connection
