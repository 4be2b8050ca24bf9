"""A site with three providers that have the same users, and whatever else could be mixed up."""

from collections.abc import Mapping
from typing import Any

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, App, Clock

NAMES = ("one", "two", "three")


def issuer_of(name: str) -> str:
    """Return the issuer of a provider."""
    return f"https://{name}.id.example.net"


class ThreeProviders:
    """An app whose users sign in at three providers.

    All of them know the same client with the same secret, and the same user under the same `sub`.

    Args:
        per_provider: settings of single providers, by name.
        fakes: the providers, if they are to be of another kind.
        settings: of the middleware; `...` leaves one out.
    """

    def __init__(
        self,
        per_provider: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        fakes: Mapping[str, FakeProvider] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.app = App()
        self.fakes = fakes or {name: FakeProvider(issuer_of(name), alg="ES256") for name in NAMES}
        for fake in self.fakes.values():
            fake.clock = self.clock
        self.providers = {
            name: Provider(
                **{
                    "issuer": fake.issuer,
                    "client_id": "web",
                    "client_secret": CLIENT_SECRET,
                    "http_client": fake.http_client(),
                    **(per_provider or {}).get(name, {}),
                }
            )
            for name, fake in self.fakes.items()
        }
        all_settings = {
            "providers": self.providers,
            "base_url": ORIGIN,
            "secret": SECRET,
            "public": ["/", "/public/*"],
            **settings,
        }
        kept = {name: value for name, value in all_settings.items() if value is not ...}
        self.middleware = OIDCMiddleware(self.app, clock=self.clock, **kept)

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        others = {fake.issuer: fake for fake in self.fakes.values()}
        return Browser(self.middleware, ORIGIN, others, clock=self.clock)

    async def signed_in(self, name: str, *, sub: str = "alice", browser: Browser | None = None) -> Browser:
        """Sign a user in at one of the providers."""
        browser = browser or self.browser()
        response = await browser.sign_in(sub, f"/auth/login?provider={name}&return_to=/private")
        assert response.status_code == 200, response.text
        assert self.app.scope["user"].provider == name
        return browser
