"""A site whose app is behind a proxy, its twin with the middleware around the app, and the auth requests of proxies."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc.forward_auth import ForwardAuth
from asgi_oidc.testing import Browser
from tests.attacked_provider import site_settings
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header

PROXY = ("127.0.0.1", 50_000)
STRANGER = ("192.0.2.1", 50_000)
PATHS = {"nginx": "/forward-auth/nginx", "traefik": "/forward-auth"}
NAVIGATION = {
    "accept": "text/html,*/*;q=0.8",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
}
HANDSHAKE = {"sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==", "sec-websocket-version": "13"}
OPTIONS: dict[str, Any] = {
    "trusted_proxies": ["127.0.0.1"],
    "headers": {"X-User": "sub", "X-Email": "email", "X-Roles": "roles"},
}

Pairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Reply:
    """What the proxy gets."""

    status: int
    headers: Pairs
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """Give the value of a header that may be there once."""
        values = self.all(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Give all values of a header."""
        return [value.decode("latin-1") for got, value in self.headers if got == name.encode()]

    @property
    def error(self) -> str:
        """The code in the problem details."""
        return str(json.loads(self.body)["error"]) if self.body else ""


class ForwardSite:
    """`ForwardAuth`, and `twin`: the middleware in process, with the same settings. A session of one is one of both."""

    def __init__(self, options: Mapping[str, Any] | None = None, **settings: Any) -> None:
        self.twin = Site(**settings)
        kept = {name: value for name, value in self.twin.settings.items() if value is not ...}
        self.app = ForwardAuth(clock=self.twin.clock, **{**OPTIONS, **(options or {})}, **site_settings(kept))

    @property
    def clock(self) -> Any:
        """The clock of both."""
        return self.twin.clock

    def browser(self, **options: Any) -> Browser:
        """Open a browser on the URLs that the proxy passes on to us."""
        return self.twin.browser(app=self.app, **options)

    async def cookie(self, sub: str = "alice") -> str:
        """Sign somebody in, and give the Cookie header."""
        return cookie_header(await self.twin.signed_in(sub))

    async def ask(
        self,
        uri: str = "/page",
        method: str = "GET",
        *,
        cookie: str = "",
        headers: Mapping[str, str] | None = None,
        proxy: str = "traefik",
        forwarded: Iterable[tuple[str, str]] | None = None,
        peer: tuple[str, int] | None = PROXY,
        body: bytes = b"",
        asked_with: str = "GET",
    ) -> Reply:
        """Ask as a proxy does.

        Args:
            headers: of the browser.
            forwarded: the headers of the proxy, in place of the right ones.
        """
        own = told(uri, method) if forwarded is None else forwarded
        given = {**(headers or {}), **({"cookie": cookie} if cookie else {})}
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*given.items(), *own]]
        path = PATHS[proxy]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": asked_with,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"asgi-oidc:9000"), *pairs],
            "client": peer,
            "server": ("asgi-oidc", 9000),
        }
        exchange = Exchange({"type": "http.request", "body": body, "more_body": False})
        await self.app(scope, exchange.receive, exchange.send)
        content = b"".join(message.get("body", b"") for message in exchange.sent)
        return Reply(exchange.status, list(exchange.sent[0]["headers"]), content)


def told(uri: str = "/page", method: str = "GET", host: str = "app.example.com") -> list[tuple[str, str]]:
    """Give the headers with which a proxy says which request it asks about."""
    return [
        ("x-forwarded-method", method),
        ("x-forwarded-proto", ORIGIN.partition(":")[0]),
        ("x-forwarded-host", host),
        ("x-forwarded-uri", uri),
    ]
