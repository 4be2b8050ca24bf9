"""A provider whose ID Tokens the test writes itself: header, claims, signature and spelling."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx

from asgi_oidc.testing import FakeProvider

from .attacked_site import Scope

Claims = dict[str, Any]
Rewrite = Callable[[FakeProvider, Claims], str]


class RewritingProvider:
    """Stands before the fake provider and changes the ID Token in its token answers."""

    def __init__(self, provider: FakeProvider, rewrite: Rewrite) -> None:
        self._provider = provider
        self._rewrite = rewrite

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, with another ID Token."""
        if not scope["path"].endswith("/token"):
            await self._provider(scope, receive, send)
            return
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self._provider(scope, receive, keep)
        members = json.loads(b"".join(message.get("body", b"") for message in sent))
        members["id_token"] = self._rewrite(self._provider, claims_of(members["id_token"]))
        body = json.dumps(members).encode()
        await send({**sent[0], "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    def http_client(self) -> httpx.AsyncClient:
        """Give a client whose calls come here."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self))


def claims_of(token: str) -> Claims:
    """Read the claims of a token and check nothing."""
    payload = token.split(".")[1]
    claims: Claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
