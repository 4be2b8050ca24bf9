"""A site whose users sign in at an OAuth2 provider without OpenID Connect, or at an OpenID provider."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider, GitHubStandIn, Network, OAuth2StandIn, Response
from asgi_oidc.testing.endpoints import AUTHORIZE, REVOKE, TOKEN, USERINFO
from asgi_oidc.testing.grants import Grant, Token
from asgi_oidc.testing.standins.stand_in import Routes
from asgi_oidc.testing.wire import Call
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM, SECRET, App, Clock

WORK = "https://work.id.example.net"
HUB = "https://hub.example.net"


class OAuth2Site:
    """An app behind the middleware, with the providers `hub` (OAuth2) and `work` (OpenID).

    Args:
        stand_in: of the OAuth2 provider; its clock becomes that of the site.
        make_hub: makes the settings of `hub` from client id, secret and HTTP client.
        settings: of the middleware.
    """

    def __init__(self, stand_in: OAuth2StandIn | None = None, make_hub: Any = None, **settings: Any) -> None:
        self.clock = Clock()
        self.app = App()
        self.hub = stand_in or GitHubStandIn()
        self.hub.clock = self.clock
        self.work = FakeProvider(WORK, clock=self.clock, alg="ES256")
        self.network = Network(self.hub, self.work)
        client: dict[str, Any] = {
            "client_id": "web",
            "client_secret": CLIENT_SECRET,
            "http_client": self.network.http_client(),
        }
        self.settings: dict[str, Any] = {
            "providers": {
                "hub": (make_hub or OAuth2Provider.github)(**client),
                "work": Provider(issuer=WORK, **client),
            },
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/", "/public/*"],
            "session_idle": 30 * 86_400,  # longer than any access token
            "session_lifetime": 30 * 86_400,
            **settings,
        }
        self.middleware = OIDCMiddleware(self.app, clock=self.clock, **self.settings)

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.middleware, ORIGIN, self.network.apps, clock=self.clock)

    async def sign_in(self, sub: str = "1000001", browser: Browser | None = None, *, at: str = "hub") -> Response:
        """Sign a user in at one of the providers; return where the browser ends up."""
        return await (browser or self.browser()).sign_in(sub, f"/auth/login?provider={at}&return_to=/private")

    async def callback(self, browser: Browser, sub: str = "1000001") -> str:
        """Start a login at `hub`, and return the URL to which the browser is sent back."""
        response = await browser.get("/auth/login?provider=hub&return_to=/private", follow=False)
        await browser.get(response.location)
        return (await browser.submit(button=sub, follow=False)).location

    async def failure(self) -> tuple[int, str]:
        """Sign in at `hub`, and return the status and the code of the failure, as a program would get them."""
        browser = self.browser()
        refused = await browser.get(await self.callback(browser), headers=PROGRAM, follow=False)
        return refused.status_code, refused.json()["error"]

    async def signed_in(self, sub: str = "1000001", browser: Browser | None = None, *, at: str = "hub") -> Browser:
        """Sign a user in, which has to succeed."""
        browser = browser or self.browser()
        response = await self.sign_in(sub, browser, at=at)
        assert (response.status_code, response.path) == (200, "/private"), response.text
        return browser

    @property
    def user(self) -> Any:
        """The user that the app saw last."""
        return self.app.scope["user"]

    @property
    def oidc(self) -> Any:
        """What the app may do for that user."""
        return self.app.scope["oidc"]


class Hub(OAuth2StandIn):
    """A provider whose answers a test chooses; it behaves like no provider in particular."""

    real_issuer = HUB
    client_auth_methods = ("client_secret_basic",)
    routes: ClassVar[Routes] = MappingProxyType(
        {
            ("GET", f"{HUB}/authorize"): AUTHORIZE,
            ("POST", f"{HUB}/authorize"): AUTHORIZE,
            ("POST", f"{HUB}/token"): TOKEN,
            ("POST", f"{HUB}/revoke"): REVOKE,
            ("GET", f"{HUB}/user"): USERINFO,
        }
    )

    def __init__(self, user: Any = None, token_members: Mapping[str, Any] | None = None) -> None:
        """Set up the provider.

        Args:
            user: the answer of the user API; by default, id and name of the account.
            token_members: further members of the token answer.
        """
        super().__init__()
        self.user = user
        self.added = token_members or {}
        self.always_refresh_tokens = True

    def token_members(self, access_token: str, grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer."""
        return {**super().token_members(access_token, grant), **self.added}

    def userinfo(self, _call: Call, token: Token) -> dict[str, Any]:
        """Return the user."""
        account = self._account_of(token.grant)
        return {"id": account.sub, "name": account.name} if self.user is None else dict(self.user)


def hub_site(
    user: Any = None, *, token_members: Mapping[str, Any] | None = None, **provider_settings: Any
) -> OAuth2Site:
    """Return a site whose provider `hub` is a `Hub`.

    Args:
        provider_settings: of `hub`, beyond its endpoints.
    """

    def make(**client: Any) -> OAuth2Provider:
        return OAuth2Provider(**{**hub_endpoints(), **client, **provider_settings})

    return OAuth2Site(Hub(user, token_members), make)


def hub_endpoints() -> dict[str, Any]:
    """Return the settings that name the endpoints of a `Hub`."""
    return {
        "authorization_endpoint": f"{HUB}/authorize",
        "token_endpoint": f"{HUB}/token",
        "userinfo_endpoint": f"{HUB}/user",
    }
