"""A program that gets access tokens from a real provider, as people's clients do, and calls an API with them."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from asgi_oidc.testing import DPoPKey

CALLBACK = "http://127.0.0.1:9/callback"  # nobody is there: the program reads the URL that a browser would open
FORM = re.compile(r'<form method="post"')


@dataclass(frozen=True)
class Program:
    """A confidential client at a provider.

    Attributes:
        http: what it makes its calls with; it follows no redirects.
        key: binds its tokens to itself (DPoP, RFC 9449).
    """

    http: httpx.AsyncClient = field(repr=False)
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    key: DPoPKey | None = None

    async def metadata(self) -> dict[str, Any]:
        """Fetch the metadata of the provider."""
        answer = await self.http.get(f"{self.issuer}/.well-known/openid-configuration")
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, **parameters: str) -> str:
        """Call the token endpoint, and return the access token."""
        endpoint = str((await self.metadata())["token_endpoint"])
        proof = {"dpop": self.key.proof("POST", endpoint)} if self.key else {}
        login = {"client_id": self.client_id, "client_secret": self.client_secret}
        answer = await self.http.post(endpoint, data={**login, **parameters}, headers=proof)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def machine_token(self, **parameters: str) -> str:
        """Get a token for itself (RFC 6749 §4.4)."""
        return await self.token(grant_type="client_credentials", **parameters)

    async def user_token(self, user: str, **parameters: str) -> str:
        """Sign a user in at the certified provider, and get a token for that user."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **parameters,
        }
        endpoint = str((await self.metadata())["authorization_endpoint"])
        answer = await self.http.get(endpoint, params=query)
        while not (location := urljoin(str(answer.url), answer.headers.get("location", ""))).startswith(CALLBACK):
            if FORM.search(answer.text):
                answer = await self.http.post(answer.url, data={"login": user})
            else:
                assert answer.is_redirect, answer.text
                answer = await self.http.get(location)
        code = parse_qs(urlsplit(location).query)["code"][0]
        shared = {name: parameters[name] for name in parameters if name == "resource"}
        return await self.token(
            grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=verifier, **shared
        )

    async def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009); providers may refuse to do so for a JWT."""
        endpoint = str((await self.metadata())["revocation_endpoint"])
        login = {"client_id": self.client_id, "client_secret": self.client_secret}
        await self.http.post(endpoint, data={**login, "token": token})

    async def call(self, url: str, token: str, *, proof: str | None = None) -> httpx.Response:
        """Call an API with a token, and a proof if the token is bound to the key."""
        scheme = "Bearer" if proof is None else "DPoP"
        return await self.http.get(
            url, headers={"authorization": f"{scheme} {token}"} | ({"dpop": proof} if proof else {})
        )
