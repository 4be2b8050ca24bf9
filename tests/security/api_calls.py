"""The stage of the attacks on an API: a site that takes tokens, a session beside them, and calls made by hand."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from asgi_oidc.settings.bearer import Bearer
from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.logout import ProviderLogout

from .attacked_site import NOW, ORIGIN, AttackedSite, Exchange, http_scope

API = "https://api.example.com"
ELSEWHERE = "https://other.example.com"
Headers = Sequence[tuple[bytes, bytes]]

# What is called: each has to refuse a bad token by itself.
PROTECTED, PUBLIC, WEBSOCKET, PUBLIC_WEBSOCKET, WHO_AM_I = "/page", "/public", "ws /page", "ws /public", "/auth/session"
PLACES = (PROTECTED, PUBLIC, WEBSOCKET, PUBLIC_WEBSOCKET, WHO_AM_I)


_cookies: dict[str, bytes] = {}


class Refusal(NamedTuple):
    """What a client is told."""

    status: int
    code: str
    challenges: list[str]


class APISite(AttackedSite):
    """A site that takes tokens for `API`.

    Args:
        bearer: Keywords of `Bearer`, beyond the audience.
    """

    def __init__(
        self,
        provider: FakeProvider | None = None,
        *,
        bearer: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        provider = provider or FakeProvider(clock=lambda: NOW)
        super().__init__(provider, bearer=Bearer(API, **(bearer or {})), **settings)

    def token(self, sub: str = "bob", **arguments: Any) -> str:
        """Return a good token, or one that differs by these arguments of `FakeProvider.access_token`."""
        return self.provider.access_token(sub, **{"audience": API, "scopes": ["orders:read"], **arguments})

    async def call(self, place: str, headers: Headers = (), **members: Any) -> Exchange:
        """Make one request; `ws` before the path makes it a websocket's."""
        kind, _, path = place.rpartition(" ")
        members = {"method": "GET", "query_string": b"", **members}
        if not kind:
            exchange = Exchange({"type": "http.request", "body": members.pop("body", b"")})
            await self.middleware(http_scope(path, headers=headers, **members), exchange.receive, exchange.send)
            return exchange
        own = [(b"origin", ORIGIN.encode())]
        extensions: dict[str, Any] = {"websocket.http.response": {}}
        scope = http_scope(path, headers=[*own, *headers], type="websocket", scheme="wss", extensions=extensions)
        scope["query_string"] = members["query_string"]
        scope["subprotocols"] = members.get("subprotocols", [])
        exchange = Exchange({"type": "websocket.connect"})
        await self.middleware(scope, exchange.receive, exchange.send)
        return exchange

    async def session_cookie(self, sub: str = "alice") -> tuple[bytes, bytes]:
        """Return the Cookie header of a session; it is good at every site with these settings, so it is made once."""
        if sub not in _cookies:
            browser = await AttackedSite(FakeProvider(clock=lambda: NOW)).signed_in(sub)
            header = browser.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True)
            _cookies[sub] = header.encode()
        return (b"cookie", _cookies[sub])


def bearer(token: str) -> tuple[bytes, bytes]:
    """Return the header that sends a token."""
    return (b"authorization", b"Bearer " + token.encode("latin-1"))


def refusal_of(answer: Exchange) -> Refusal:
    """Read how a request was refused."""
    start = answer.sent[0]
    assert start["type"] in ("http.response.start", "websocket.http.response.start"), start
    challenges = [value.decode() for name, value in start["headers"] if name == b"www-authenticate"]
    return Refusal(start["status"], json.loads(answer.body)["error"], challenges)


def set_cookies(answer: Exchange) -> list[bytes]:
    """Return the cookies that an answer sets."""
    return [value for name, value in answer.sent[0].get("headers", ()) if name == b"set-cookie"]


def other_tokens(provider: ProviderLogout) -> dict[str, str]:
    """Return what the provider signs besides access tokens, for the same user and the client `web`."""
    signed = {"iss": provider.issuer, "aud": "web", "iat": NOW, "exp": NOW + 60}
    userinfo = {"sub": "bob", "name": "Bob Brown", "email": "bob@example.com", "email_verified": True}
    active = {"active": True, "sub": "bob", "aud": API, "scope": "orders:read"}
    return {
        "an ID Token": provider.id_token("bob", nonce="a-nonce", access_token="at"),
        "an ID Token without nonce": provider.id_token("bob"),
        "an ID Token of another client": provider.id_token("bob", client_id="spa", aud=["spa", API], azp="spa"),
        "an ID Token without typ": provider.sign(signed | userinfo),
        "an ID Token for client and API": provider.id_token("bob", aud=["web", API], azp="web"),
        "an ID Token of a hybrid flow": provider.id_token("bob", aud=["web", API], c_hash="LDktKdoQak3Pk0cnXxCltA"),
        "an ID Token of Keycloak": provider.id_token("bob", aud=["web", API], typ="ID", azp="web"),
        "an ID Token of Cognito": provider.id_token("bob", aud=["web", API], token_use="id"),
        "a refresh token of Keycloak": provider.sign(signed | {"sub": "bob", "aud": [API, "web"], "typ": "Refresh"}),
        "a logout token": provider.logout_token("bob"),
        "a logout token for the API": provider.logout_token("bob", aud=API),
        "a logout token without typ": provider.logout_token("bob", aud=["web", API], header={"typ": ...}),
        "a signed userinfo answer": provider.sign(userinfo | {"iss": provider.issuer, "aud": "web"}),
        "a signed userinfo answer with times": provider.sign(userinfo | signed),
        "a signed introspection answer": provider.sign(
            signed | {"token_introspection": active}, typ="token-introspection+jwt"
        ),
        "a signed introspection answer for the API": provider.sign(
            signed | active | {"token_introspection": active}, typ="token-introspection+jwt"
        ),
        "an authorization response (JARM)": provider.sign(signed | {"code": "a-code", "state": "a-state"}),
        "a client assertion": provider.sign(signed | {"iss": "web", "sub": "web", "aud": provider.issuer, "jti": "x"}),
        "a request object": provider.sign({"iss": "web", "aud": API, "client_id": "web", "exp": NOW + 60}),
    }


def written(records: list[logging.LogRecord]) -> str:
    """Return all that a handler could write of these records: the lines, tracebacks, and every attribute."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(formatter.format(record) + repr(vars(record)) for record in records)


def replayable(header: bytes) -> list[str]:
    """Return what must not be in a log of an Authorization header: the token, and the signature that makes it one."""
    text = header.decode("latin-1")
    pieces = [text, *text.split(), *text.replace(",", " ").replace(".", " ").split()]
    return [piece for piece in pieces if len(piece) > 40]
