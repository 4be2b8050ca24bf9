"""A relying party with a key of its own: what it signs can be spoilt, call by call."""

from typing import Any

import httpx

from asgi_oidc.testing import Client, ClientKey, FakeProvider
from asgi_oidc.testing.client_assertions import ASSERTION_TYPE
from tests.testing.relying_party import NOW, RelyingParty

KEY = ClientKey(clock=lambda: NOW)
STRONG = Client("strong", client_secret=None, jwks=[KEY.public_jwk])


def strong_provider(**settings: Any) -> FakeProvider:
    return FakeProvider(clock=lambda: NOW, clients=[Client(), Client("spa", client_secret=None), STRONG], **settings)


class StrongRelyingParty(RelyingParty):
    """Authenticates with the key."""

    def __init__(self, provider: FakeProvider, **params: str | list[str]) -> None:
        super().__init__(provider, client_id="strong", **params)
        self.fake = provider

    def assertion(self, **claims: Any) -> dict[str, str]:
        signed = KEY.assertion("strong", self.fake.issuer, claims=claims)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    async def call(self, endpoint: str, form: dict[str, Any]) -> httpx.Response:
        async with self.provider.http_client() as client:
            return await client.post(self.provider.metadata[endpoint], data={**self.assertion(), **form})
