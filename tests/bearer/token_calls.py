"""A site that accepts access tokens, and a program that calls it with tokens of every shape."""

import json
from typing import Any
from urllib.parse import urlencode

from asgi_oidc.settings.bearer import Bearer
from asgi_oidc.testing.in_process import call_app
from asgi_oidc.testing.keys import SigningKey, compact_jws, json_bytes
from tests.attacked_provider import own_path
from tests.logout_site import FORM
from tests.protected_site import ORIGIN, Exchange, Site

API = "https://api.example.com"


class TokenSite(Site):
    """A site behind `Bearer(audience=API)`.

    Args:
        bearer: keywords of `Bearer`, beyond the audience; or all of it.
    """

    def __init__(self, *, bearer: dict[str, Any] | Bearer | None = None, **settings: Any) -> None:
        whole = bearer if isinstance(bearer, Bearer) else Bearer(API, **(bearer or {}))
        super().__init__(**{"bearer": whole, **settings})

    def restarted(self, **changes: Any) -> "TokenSite":
        """The same site in a new process, with other settings."""
        site = TokenSite(**{**self.settings, **changes, "provider": self.provider})
        site.clock.now = self.clock.now
        return site

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, changed; `...` removes one."""
        now = int(self.clock.now)
        claims = {
            "iss": self.provider.issuer,
            "sub": "alice",
            "aud": API,
            "client_id": "cli",
            "scope": "orders:read profile",
            "iat": now,
            "exp": now + 600,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *, typ: str | None = "at+jwt", key: SigningKey | None = None, **changes: Any) -> str:
        """Return a signed token with these claims."""
        key = key or self.provider.key
        header = {"alg": key.alg, "kid": key.kid, **({} if typ is None else {"typ": typ})}
        return compact_jws(header, json_bytes(self.claims(**changes)), key)

    async def sign_out(self, sub: str | None, sid: str | None = None) -> None:
        """Report a sign-out as the provider does."""
        body = urlencode({"logout_token": self.provider.logout_token(sub, sid=sid)}).encode()
        status, _, _ = await call_app(self.middleware, "POST", ORIGIN + own_path("backchannel-logout"), FORM, body)
        assert status == 200

    async def call_with(
        self, token: str | None, path: str = "/page", *, headers: dict[str, str] | None = None, **options: Any
    ) -> Exchange:
        """Call the app with a token, or without one."""
        presented = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self.call(path, headers={**presented, **(headers or {})}, **options)


def problem(answer: Exchange) -> dict[str, Any]:
    """Return the problem details of a response."""
    content = b"".join(message.get("body", b"") for message in answer.sent)
    members: dict[str, Any] = json.loads(content)
    return members


def challenges(answer: Exchange) -> list[str]:
    """Return the challenges of a response."""
    return [value.decode() for name, value in answer.sent[0]["headers"] if name == b"www-authenticate"]
