"""The connection to a fake provider, and what it says about the access token of a request."""

from typing import Any

from asgi_oidc.errors import OIDCError
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.testing import FakeProvider
from tests.internals import provider_of
from tests.protected_site import Clock, Site

API = "https://api.example.com"
EXPECTED = ExpectedToken(audiences=(API,))


class TokenConnection:
    """A connection whose clock the test moves.

    Args:
        provider: by default one with keys of ES256, whose clock becomes that of the connection.
        settings: of the middleware that makes the connection.
    """

    def __init__(self, provider: FakeProvider | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.provider = provider or FakeProvider(clock=self.clock, alg="ES256")
        self.provider.clock = self.clock
        site = Site(provider=self.provider, clock=self.clock, **settings)
        self.connection = provider_of(site.middleware)

    def token(self, sub: str = "alice", **options: Any) -> str:
        """Return a new access token for the API."""
        return self.provider.access_token(sub, **{"audience": API, "client_id": "program", **options})

    async def check(self, token: str, expected: ExpectedToken = EXPECTED) -> AccessToken:
        """Check a JWT."""
        return await self.connection.check_bearer_token(token, expected)

    async def introspect(self, token: str, expected: ExpectedToken = EXPECTED) -> AccessToken:
        """Ask the provider about a token."""
        return await self.connection.introspect(token, expected)

    async def check_error(self, token: str, expected: ExpectedToken = EXPECTED) -> str:
        """Return class and code of the error of a JWT; empty if there is none."""
        return await _error(self.check(token, expected))

    async def introspection_error(self, token: str, expected: ExpectedToken = EXPECTED) -> str:
        """Return class and code of the error of a token that is introspected; empty if there is none."""
        return await _error(self.introspect(token, expected))

    async def signs_in_with_a_new_key(self) -> bool:
        """Rotate the keys; return whether the ID Token of a sign-in is then verified."""
        self.provider.rotate_keys()
        verified = await self.connection._tokens._keys.verify(self.provider.id_token("alice"), ["ES256"])
        return verified.claims["sub"] == "alice"

    @property
    def key_calls(self) -> int:
        """How often the keys were fetched."""
        return self.provider.count("/jwks")

    @property
    def introspections(self) -> int:
        """How often the provider was asked about a token."""
        return self.provider.count("/introspect")


async def _error(check: Any) -> str:
    try:
        await check
    except OIDCError as error:
        return f"{type(error).__name__} {error.code}"
    return ""
