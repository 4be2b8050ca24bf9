"""A site whose users sign in at the stand-in for Microsoft Entra."""

from typing import Any

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, EntraAccount, EntraStandIn, Network, Response
from asgi_oidc.testing.standins.entra_accounts import CONTOSO, ENTRA_ACCOUNTS, FABRIKAM
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, App, Clock

LIFETIME = 300  # seconds, of an access token
# Two people in two tenants with the same `sub`, and whatever else could be mixed up.
TWINS = (
    EntraAccount("twin-a", "Twin A", "twin@contoso.com", {"sid": "s1"}, tid=CONTOSO, pairwise_sub="twin"),
    EntraAccount("twin-b", "Twin B", "twin@fabrikam.com", {"sid": "s1"}, tid=FABRIKAM, pairwise_sub="twin"),
)


class EntraSite:
    """An app with one provider, `work`.

    Args:
        tenants: as in `Provider.entra`.
        provider: further settings of the provider.
        settings: of the middleware.
    """

    def __init__(
        self,
        tenants: Any = (CONTOSO, FABRIKAM),
        *,
        provider: dict[str, Any] | None = None,
        url: str | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.app = App()
        self.entra = EntraStandIn(url=url, accounts=(*ENTRA_ACCOUNTS, *TWINS), clock=self.clock)
        self.entra.access_token_lifetime = LIFETIME
        self.network = Network(self.entra)
        self.provider = self._provider(tenants, **(provider or {}))
        self.settings = settings
        self.middleware = self._middleware()

    def _provider(self, tenants: Any, **further: Any) -> Provider:
        return Provider.entra(
            **{
                "tenants": list(tenants) if isinstance(tenants, tuple) else tenants,
                "client_id": "web",
                "client_secret": CLIENT_SECRET,
                "scope": "openid profile email offline_access",
                "http_client": self.network.http_client(),
                **further,
            }
        )

    def _middleware(self) -> OIDCMiddleware:
        settings = {"base_url": ORIGIN, "secret": SECRET, "public": ["/", "/public/*"], **self.settings}
        return OIDCMiddleware(self.app, providers={"work": self.provider}, clock=self.clock, **settings)

    def restart(self, tenants: Any, **further: Any) -> None:
        """Start the app again, with other settings of the provider."""
        self.provider = self._provider(tenants, **further)
        self.middleware = self._middleware()

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.middleware, ORIGIN, self.network.apps, clock=self.clock)

    async def login(self, name: str, browser: Browser | None = None) -> tuple[Browser, Response]:
        """Try to sign a user in; return where that ends."""
        browser = browser or self.browser()
        return browser, await browser.sign_in(name, "/auth/login?provider=work&return_to=/private")

    async def signed_in(self, name: str, browser: Browser | None = None) -> Browser:
        """Sign a user in."""
        browser, response = await self.login(name, browser)
        assert (response.status_code, response.path) == (200, "/private"), response.text
        return browser

    async def refreshed(self, browser: Browser, path: str = "/private") -> int:
        """Let the app need a token that has expired; return the status of the page."""

        async def needs_a_token(scope: Any) -> None:
            await scope["oidc"].access_token()

        self.clock.advance(LIFETIME + 1)
        self.app.at_work = needs_a_token
        return (await browser.fetch(path)).status_code

    def account(self, name: str) -> EntraAccount:
        """Return an account."""
        account = self.entra.personas[name]
        assert isinstance(account, EntraAccount)
        return account

    @property
    def user(self) -> Any:
        """The user of the last request."""
        return self.app.scope["user"]
