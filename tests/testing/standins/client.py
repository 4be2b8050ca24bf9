"""A client that talks to a stand-in with plain HTTP calls, as its documentation says."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx

from asgi_oidc.testing import StandIn
from asgi_oidc.testing.forms import Page

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT_URI = "https://app.example.com/callback"
CREDENTIALS = {"client_id": "web", "client_secret": "web-secret-for-tests"}
NOW = 1_800_000_000
JSON = {"accept": "application/json"}


class HttpClient:
    """Signs users in at a stand-in; a parameter or field that is `None` is left out."""

    def __init__(self, standin: StandIn, scope: str = "") -> None:
        self.standin = standin
        self.scope = scope

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Make one call, at the real URL."""
        async with self.standin.http_client() as client:
            return await client.request(method, url, headers={**JSON, **(headers or {})}, **options)

    async def authorize(self, sub: str | None, **changes: str | None) -> httpx.Response:
        """Send the browser to the authorization endpoint, and press the button of an account."""
        params = {
            "client_id": "web",
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": self.scope,
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        sent = {name: value for name, value in params.items() if value is not None}
        url = f"{self.standin.metadata['authorization_endpoint']}?{urllib.parse.urlencode(sent)}"
        return await self.call("POST", url, data={"sub": sub} if sub else {"cancel": "cancel"})

    async def response(self, sub: str | None, **changes: str | None) -> dict[str, str]:
        """Return the authorization response that reaches the app."""
        answer = await self.authorize(sub, **changes)
        if answer.status_code == 200:
            return dict(Page(answer.text).forms[0].fields)
        assert answer.status_code == 303, answer.text
        location = httpx.URL(answer.headers["location"])
        assert str(location).partition("?")[0] == REDIRECT_URI
        return dict(location.params)

    async def exchange(
        self, code: str, *, headers: Mapping[str, str] | None = None, auth: Any = None, **changes: str | None
    ) -> httpx.Response:
        """Exchange a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            **({} if auth else CREDENTIALS),
            **changes,
        }
        sent = {name: value for name, value in form.items() if value is not None}
        return await self.call("POST", self.standin.metadata["token_endpoint"], data=sent, headers=headers, auth=auth)

    async def tokens(self, sub: str, **changes: str | None) -> dict[str, Any]:
        """Sign a user in; return the members of the token answer."""
        answer = await self.exchange((await self.response(sub, **changes))["code"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def user(self, access_token: str, url: str | None = None, **headers: str) -> httpx.Response:
        """Call the user API, or another URL, with an access token."""
        sent = {"authorization": f"Bearer {access_token}", **headers}
        return await self.call("GET", url or self.standin.metadata["userinfo_endpoint"], headers=sent)


def payload(id_token: str) -> dict[str, Any]:
    """Return the claims of a token, unchecked."""
    middle = id_token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))
