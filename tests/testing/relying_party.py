"""A relying party that checks next to nothing: enough to drive the fake provider and the browser."""

import base64
import hashlib
import json
import urllib.parse
from typing import Any

import httpx

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.wire import Answer, Receive, Scope, Send, read_call, redirect_answer, send_answer

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
NOW = 1_800_000_000


class RelyingParty:
    """Sends everybody to the provider and shows the token answer in JSON."""

    def __init__(self, provider: FakeProvider, origin: str = "https://app.example.com", **params: str) -> None:
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

    def authorization_url(self, **changes: str | None) -> str:
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
        return f"{self.provider.metadata['authorization_endpoint']}?{urllib.parse.urlencode(kept)}"

    async def exchange(self, response: dict[str, str], **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": response.get("code", ""),
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.token_call(form)

    async def token_call(self, form: dict[str, str]) -> httpx.Response:
        async with self.provider.http_client() as client:
            endpoint = self.provider.metadata["token_endpoint"]
            return await client.post(endpoint, data=form, auth=("web", "web-secret-for-tests"))


def read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
