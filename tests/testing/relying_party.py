"""A relying party that checks next to nothing: enough to drive the fake provider and the browser."""

import base64
import hashlib
import json
import urllib.parse
from typing import Any, Protocol

import httpx

from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.wire import Answer, Receive, Scope, Send, read_call, redirect_answer, send_answer

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
NOW = 1_800_000_000


class Provider(Protocol):
    """What it needs to know of a provider: the fake one is one, and so can a real one be."""

    metadata: dict[str, Any]

    def http_client(self) -> httpx.AsyncClient:
        """Give a client that reaches it."""
        ...


class RelyingParty:
    """Sends everybody to the provider and shows the token answer in JSON."""

    def __init__(self, provider: Provider, origin: str = "https://app.example.com", **params: str | list[str]) -> None:
        self.provider = provider
        self.redirect_uri = origin + "/callback"
        self.params = {"scope": "openid profile email", "state": "a-state", "nonce": "a-nonce", **params}
        self.calls: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await read_call(scope, receive)
        self.calls.append(call)
        if call.path == "/public":
            await send_answer(Answer(200, b"hello", {"content-type": "text/plain"}), send)
        elif call.path != "/callback":
            await send_answer(redirect_answer(self.authorization_url()), send)
        else:
            response = call.form if call.method == "POST" else call.params
            answer = await self.exchange(response)
            body = json.dumps({"response": response, "status": answer.status_code, "token": read(answer)})
            await send_answer(Answer(200, body.encode(), {"content-type": "application/json"}), send)

    def authorization_url(self, **changes: str | list[str] | None) -> str:
        params = {
            "client_id": "web",
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **self.params,
            **changes,
        }
        kept = {name: value for name, value in params.items() if value is not None}
        return f"{self.provider.metadata['authorization_endpoint']}?{urllib.parse.urlencode(kept, doseq=True)}"

    async def login(self, sub: str = "alice") -> Any:
        """Sign somebody in and give the members of the token answer."""
        assert isinstance(self.provider, FakeProvider), "a real one needs a browser of its own"
        browser = Browser(self, others={self.provider.origin: self.provider})
        return (await browser.sign_in(sub, "/private")).json()["token"]

    async def exchange(self, response: dict[str, str], **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": response.get("code", ""),
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.token_call(form)

    async def refresh(self, refresh_token: str, **more: str | list[str]) -> httpx.Response:
        return await self.token_call({"grant_type": "refresh_token", "refresh_token": refresh_token, **more})

    async def token_call(self, form: dict[str, Any]) -> httpx.Response:
        return await self.call("token_endpoint", form)

    async def revoke(self, **form: str) -> httpx.Response:
        return await self.call("revocation_endpoint", form)

    async def call(self, endpoint: str, form: dict[str, Any]) -> httpx.Response:
        async with self.provider.http_client() as client:
            credentials = ("web", "web-secret-for-tests")
            return await client.post(self.provider.metadata[endpoint], data=form, auth=credentials)


def read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
