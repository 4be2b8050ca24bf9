"""A relying party with a key of its own: what it signs can be spoilt, call by call."""

import urllib.parse
from typing import Any

import httpx

from asgi_oidc.testing import Browser, Client, ClientKey, DPoPKey, FakeProvider
from asgi_oidc.testing.client_assertions import ASSERTION_TYPE
from tests.testing.relying_party import NOW, RelyingParty

KEY = ClientKey(clock=lambda: NOW)
STRONG = Client("strong", client_secret=None, jwks=[KEY.public_jwk])


def strong_provider(**settings: Any) -> FakeProvider:
    return FakeProvider(clock=lambda: NOW, clients=[Client(), Client("spa", client_secret=None), STRONG], **settings)


class StrongRelyingParty(RelyingParty):
    """Authenticates with the key."""

    def __init__(self, provider: FakeProvider, **params: str | list[str]) -> None:
        super().__init__(provider, "https://app.example.com", **{"client_id": "strong", **params})
        self.fake = provider
        self.dpop_key: DPoPKey | None = None
        self.nonce: str | None = None

    def assertion(self, **claims: Any) -> dict[str, str]:
        signed = KEY.assertion("strong", self.fake.issuer, claims=claims)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    def request(self, **changes: Any) -> dict[str, Any]:
        """Give the parameters of the authorization request; a `None` leaves one out."""
        query = httpx.URL(self.authorization_url(**changes)).params
        return {name: query.get_list(name) if len(query.get_list(name)) > 1 else query[name] for name in query}

    def signed(self, header: dict[str, Any] | None = None, key: ClientKey = KEY, **claims: Any) -> str:
        """Give the authorization request as a request object, with changed claims."""
        return key.request_object(self.request(), self.fake.issuer, header=header, claims=claims)

    def signed_url(self, request_object: str, **more: str) -> str:
        query = urllib.parse.urlencode({"client_id": "strong", "request": request_object, **more})
        return f"{self.fake.metadata['authorization_endpoint']}?{query}"

    async def push(self, **changes: Any) -> httpx.Response:
        return await self.call("pushed_authorization_request_endpoint", self.request(**changes))

    def pushed_url(self, request_uri: str, client_id: str = "strong", **more: str) -> str:
        query = urllib.parse.urlencode({"client_id": client_id, "request_uri": request_uri, **more})
        return f"{self.fake.metadata['authorization_endpoint']}?{query}"

    def browser(self) -> Browser:
        return Browser(self, others={self.fake.origin: self.fake}, clock=lambda: NOW)

    async def response_to(self, url: str) -> dict[str, str]:
        """Open the URL as a browser in which Alice signs in without a page, and give the authorization response."""
        self.fake.sign_in_as("alice")
        back = await self.browser().get(url, follow=False)
        return dict(httpx.URL(back.location).params)

    def proofs(self, method: str, url: str, **claims: Any) -> dict[str, str]:
        """Give the header with a proof; its nonce is what the provider told last."""
        if self.dpop_key is None:
            return {}
        return {"dpop": self.dpop_key.proof(method, url, nonce=self.nonce, **claims)}

    async def call(self, endpoint: str, form: dict[str, Any], proof: str | None = None) -> httpx.Response:
        url = self.provider.metadata[endpoint]
        headers = self.proofs("POST", url) if proof is None else {"dpop": proof}
        credentials = {} if form.get("client_id") == "spa" else self.assertion()
        async with self.provider.http_client() as client:
            answer = await client.post(url, data={**credentials, **form}, headers=headers)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer
