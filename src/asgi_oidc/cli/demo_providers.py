"""The demo's three providers behind one port: two with OpenID Connect, and one with plain OAuth 2.0."""

import secrets
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from time import time
from typing import Any

from asgi_oidc import OAuth2Provider, Provider
from asgi_oidc.testing import Client, FakeProvider, GitHubStandIn, Persona

CLIENT_ID = "asgi-oidc-demo"
EXAMPLE = Client(  # for examples/README.md
    "example", "example-secret", backchannel_logout_uri="http://127.0.0.1:8001/auth/backchannel-logout"
)
WORK_PATH = "/work"
HUB_PATHS = ("/login/oauth/authorize", "/login/oauth/access_token", "/user", "/user/emails")  # as GitHub's
COLLEAGUES = (
    Persona("e-4711", "Dana Dawson", "dana@work.example", {"roles": ["admin"]}),
    Persona("e-4712", "Emil Ek", "emil@work.example"),
)


@dataclass(frozen=True, slots=True)
class DemoProviders:
    """An ASGI app that serves the three providers at one origin.

    Attributes:
        example: OpenID Connect; its users are invented people, one of whom is an administrator.
        work: OpenID Connect, at an issuer of its own; its users are the staff of a company.
        hub: OAuth 2.0 without OpenID Connect, as at GitHub.
    """

    example: FakeProvider
    work: FakeProvider
    hub: GitHubStandIn

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request to the provider that owns its path."""
        await self._owner(scope.get("path", ""))(scope, receive, send)

    def _owner(self, path: str) -> FakeProvider:
        if path.startswith(f"{WORK_PATH}/"):
            return self.work
        return self.hub if path in HUB_PATHS else self.example

    def settings(self, http_client: Any = None) -> Mapping[str, Provider | OAuth2Provider]:
        """Return the setting `providers` of the demo app."""
        example, work = (
            Provider(
                title=title,
                issuer=provider.issuer,
                client_id=CLIENT_ID,
                client_secret=provider.clients[CLIENT_ID].client_secret,
                http_client=http_client,
            )
            for title, provider in (("Example ID", self.example), ("Work", self.work))
        )
        hub = OAuth2Provider(
            title="Code Hub",
            client_id=CLIENT_ID,
            client_secret=self.hub.clients[CLIENT_ID].client_secret,
            authorization_endpoint=self.hub.at("https://github.com/login/oauth/authorize"),
            token_endpoint=self.hub.at("https://github.com/login/oauth/access_token"),
            userinfo_endpoint=self.hub.at("https://api.github.com/user"),
            client_auth="client_secret_post",
            emails_endpoint=self.hub.at("https://api.github.com/user/emails"),
            scope="user:email",
            subject="id",
            claims={"preferred_username": "login", "picture": "avatar_url"},
            http_client=http_client,
        )
        return {"example": example, "work": work, "hub": hub}


def demo_providers(*, url: str, app_url: str, clock: Callable[[], float] = time) -> DemoProviders:
    """Return the providers of the demo.

    Args:
        url: the origin at which they are served.
        app_url: the origin of the demo app, their client.
        clock: returns seconds since the epoch.
    """
    return DemoProviders(
        FakeProvider(url, clients=[_openid_client("example", app_url), EXAMPLE], clock=clock),
        FakeProvider(f"{url}{WORK_PATH}", clients=[_openid_client("work", app_url)], personas=COLLEAGUES, clock=clock),
        GitHubStandIn(url=url, clients=[_client(app_url, "hub")], clock=clock),
    )


def _openid_client(name: str, app_url: str) -> Client:
    return _client(
        app_url,
        name,
        post_logout_redirect_uris=[app_url],
        backchannel_logout_uri=f"{app_url}/auth/backchannel-logout/{name}",
    )


def _client(app_url: str, name: str, **registration: Any) -> Client:
    secret = secrets.token_urlsafe(32)
    return Client(CLIENT_ID, secret, redirect_uris=[f"{app_url}/auth/callback/{name}"], **registration)
