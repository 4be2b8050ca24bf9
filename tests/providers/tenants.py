"""A site whose providers, its tenants, are in a database that the test controls."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import httpx

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider, Response
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, App, Clock
from tests.providers.failing_connections import Line


def tenant_at(issuer: str, client: httpx.AsyncClient | None = None, **settings: Any) -> Provider:
    """Make a provider as a database row describes it: a new object each time."""
    others = {"client_id": "web", "client_secret": CLIENT_SECRET, "http_client": client}
    return Provider(**{"issuer": issuer, "scope": "openid offline_access", **others, **settings})


class Tenants:
    """The database.

    Attributes:
        rows: what makes the answer for a name.
        calls: the names that were looked up.
        error: raised in place of an answer.
        is_hanging: whether no look-up ends.
        delay: seconds that each look-up takes.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Callable[[], object]] = {}
        self.calls: list[str] = []
        self.error: Exception | None = None
        self.is_hanging = False
        self.delay = 0.0
        self.under_way = 0
        self.most_under_way = 0

    async def get(self, name: str) -> Any:
        """Look a tenant up."""
        self.calls.append(name)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.is_hanging:
                await anyio.sleep_forever()
            await anyio.sleep(self.delay)
            if self.error is not None:
                raise self.error
            return self.rows[name]() if name in self.rows else None
        finally:
            self.under_way -= 1


class TenantSite:
    """An app whose users sign in at the provider of their tenant.

    Args:
        names: of the tenants.
        settings: of the middleware.
    """

    def __init__(self, *names: str, clock: Clock | None = None, **settings: Any) -> None:
        self.clock = clock or Clock()
        self.app = App()
        self.source = Tenants()
        self.fakes: dict[str, FakeProvider] = {}
        self.lines: dict[str, Line] = {}
        for name in names:
            self.add(name)
        self.settings: Mapping[str, Any] = {
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/", "/public/*"],
            **settings,
        }
        self.middleware = self.make()

    def add(self, name: str, *, issuer: str | None = None, **settings: Any) -> FakeProvider:
        """Add a tenant, or give its name to another one."""
        fake = FakeProvider(issuer or f"https://{name}.id.example.net", clock=self.clock, alg="ES256")
        line = Line(fake)
        client = line.client()
        self.fakes[name], self.lines[name] = fake, line
        self.source.rows[name] = lambda: tenant_at(fake.issuer, client, **settings)
        return fake

    def change(self, name: str, **settings: Any) -> None:
        """Change settings of a tenant."""
        fake, client = self.fakes[name], self.lines[name].client()
        self.source.rows[name] = lambda: tenant_at(fake.issuer, client, **settings)

    def remove(self, name: str) -> None:
        """Remove a tenant."""
        del self.source.rows[name]

    def make(self, **changes: Any) -> OIDCMiddleware:
        """Make the middleware, as a process does at its start."""
        return OIDCMiddleware(self.app, clock=self.clock, **{"providers": self.source, **self.settings, **changes})

    def restart(self, **changes: Any) -> None:
        """Serve from a new process, which knows nothing."""
        self.middleware = self.make(**changes)

    def browser(self, *, of: Browser | None = None) -> Browser:
        """Open a browser; it has the cookies of another one."""
        others = {fake.issuer: fake for fake in self.fakes.values()}
        return Browser(
            lambda scope, receive, send: self.middleware(scope, receive, send),
            ORIGIN,
            others,
            clock=self.clock,
            jar=None if of is None else of.jar,
        )

    async def sign_in(self, name: str, browser: Browser | None = None) -> Response:
        """Sign in at a tenant; return where that ends."""
        browser = browser or self.browser()
        return await browser.sign_in("alice", f"/auth/login?provider={name}&return_to=/private")

    async def signed_in(self, name: str) -> Browser:
        """Open a browser and sign in at a tenant."""
        browser = self.browser()
        response = await self.sign_in(name, browser)
        assert response.status_code == 200, response.text
        assert self.app.scope["user"].provider == name
        return browser


async def sign_out(browser: Browser) -> Response:
    """Press the button of the app, without following where that leads."""
    return await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
