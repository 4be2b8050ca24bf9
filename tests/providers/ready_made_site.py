"""A site whose users sign in at one ready-made provider, which is a stand-in of the real one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from asgi_oidc import OIDCMiddleware, Provider, Rule
from asgi_oidc.testing import (
    AppleStandIn,
    Browser,
    Client,
    GitLabStandIn,
    GoogleStandIn,
    LinkedInStandIn,
    Network,
    Response,
    StandIn,
)
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, App, Clock

STEP_UP = (Rule("/recent/*", max_age=60), Rule("/strong/*", acr_values=["urn:example:mfa"]))


class ReadyMadeSite:
    """An app with a provider named `it`, reached under its real URLs.

    The client is registered with the one redirect URI that the guide names.

    Args:
        kind: of stand-in.
        make: makes the provider, as an app does.
        arguments: for `make`, beside the client and the HTTP client.
        settings: of the middleware.
    """

    def __init__(
        self,
        kind: type[StandIn],
        make: Callable[..., Provider],
        arguments: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.app = App()
        client = Client(client_id="web", redirect_uris=[f"{ORIGIN}/auth/callback/it"])
        self.standin = kind(clients=[client], clock=self.clock)
        self.network = Network(self.standin)
        own = {"client_id": "web", "http_client": self.network.http_client()}
        if isinstance(self.standin, AppleStandIn):
            own |= {name: getattr(self.standin, name) for name in ("team_id", "key_id", "private_key")}
        else:
            own["client_secret"] = CLIENT_SECRET
        self.provider = make(**{**own, **(arguments or {})})
        all_settings = {
            "providers": {"it": self.provider},
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/"],
            "rules": STEP_UP,
            **settings,
        }
        self.middleware = OIDCMiddleware(self.app, clock=self.clock, **all_settings)

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        return Browser(self.middleware, ORIGIN, self.network.apps, clock=self.clock)

    async def sign_in(
        self, sub: str = "1000001", path: str = "/page", *, browser: Browser | None = None
    ) -> tuple[Browser, Response]:
        """Sign a user in; return the browser and the page that it ends at."""
        browser = browser or self.browser()
        page = await browser.get(f"/auth/login?provider=it&return_to={path}")
        if page.page.forms:
            page = await browser.submit(page, sub)
        return browser, page

    async def claims_of(self, sub: str = "1000001") -> dict[str, Any]:
        """Sign a user in; return the claims that the app gets."""
        _, page = await self.sign_in(sub)
        assert page.status_code == 200, page.text
        user = self.app.scope["user"]
        assert (user.provider, user.issuer, user.sub) == ("it", self.standin.issuer, sub)
        return dict(user.claims)


def google_site(**arguments: Any) -> ReadyMadeSite:
    return ReadyMadeSite(GoogleStandIn, Provider.google, arguments)


def gitlab_site(**arguments: Any) -> ReadyMadeSite:
    return ReadyMadeSite(GitLabStandIn, Provider.gitlab, arguments)


def linkedin_site(**arguments: Any) -> ReadyMadeSite:
    return ReadyMadeSite(LinkedInStandIn, Provider.linkedin, arguments)


def apple_site(**arguments: Any) -> ReadyMadeSite:
    return ReadyMadeSite(AppleStandIn, Provider.apple, arguments)


def user_field(**members: Any) -> str:
    """Write the field that Apple posts at a first login."""
    return json.dumps({"name": {"firstName": "Alice", "lastName": "Adams"}, "email": "alice@example.com", **members})
