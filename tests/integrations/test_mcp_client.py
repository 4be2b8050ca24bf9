"""The official MCP client finds the provider and comes back with a token, wherever the server is."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from asgi_oidc.integrations.mcp import ToolRule, protect_tools
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing import Client as RegisteredClient
from tests.protected_site import CLIENT_SECRET, SECRET
from tests.real.mcp_client import Storage, call
from tests.real.mcp_site import READ, WRITE, mcp_server

ORIGIN = "https://app.example.com"
CALLBACK = "http://127.0.0.1:9/callback"
METHOD = "client_secret_post"
AGENT = OAuthClientInformationFull(client_id="agent", client_secret="s", token_endpoint_auth_method=METHOD)


class User:
    """Alice, at the browser of the machine where the client runs."""

    def __init__(self, provider: FakeProvider) -> None:
        self.browser = Browser(provider, provider.origin)
        self.asked: list[tuple[str, str]] = []
        self.location = ""

    async def open(self, url: str) -> None:
        """Go where the client says, and sign in if the provider asks."""
        query = parse_qs(urlsplit(url).query)
        self.asked.append((query["resource"][0], query["scope"][0]))
        page = await self.browser.get(url, follow=False)
        if not page.location:
            page = await self.browser.submit(button="alice", follow=False)
        self.location = page.location

    async def come_back(self) -> AuthorizationCodeResult:
        """Give the client what the provider said."""
        answer = {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}
        return AuthorizationCodeResult.model_validate(answer)


def alone(inner: Any, **settings: Any) -> Any:
    """A site that is nothing but the server."""
    return OIDCMiddleware(inner, base_url=ORIGIN, **settings)


def mounted(inner: Any, **settings: Any) -> Any:
    """A site that has the server below a path."""
    server = OIDCMiddleware(inner, base_url=f"{ORIGIN}/notes", **settings)
    metadata = server.protected_resource_metadata
    return Starlette(routes=[*(Route(path, metadata) for path in metadata.paths), Mount("/notes", app=server)])


@contextlib.asynccontextmanager
async def connected(url: str, audience: str, site: Callable[..., Any]) -> AsyncIterator[tuple[Client, User]]:
    """Run the server, and connect the client of a user to it."""
    provider = FakeProvider(clients=[RegisteredClient("agent", "s", redirect_uris=[CALLBACK]), RegisteredClient()])
    server = mcp_server().streamable_http_app(host="app.example.com")
    app = site(
        protect_tools(server, [ToolRule("delete_*", scopes=[WRITE])]),
        issuer=provider.issuer,
        client_id="web",
        client_secret=CLIENT_SECRET,
        secret=SECRET,
        http_client=provider.http_client(),
        bearer=Bearer(audience=audience),
        rules=[Rule("/mcp", credentials=["bearer"], scopes=["openid", READ])],
    )
    user = User(provider)
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(CALLBACK)], grant_types=["authorization_code"])
    auth = OAuthClientProvider(
        url, metadata, Storage(client=AGENT), redirect_handler=user.open, callback_handler=user.come_back
    )
    network = {"all://app.example.com": httpx2.ASGITransport(app), "all://": httpx2.ASGITransport(provider)}
    async with (
        server.router.lifespan_context(server),
        httpx2.AsyncClient(auth=auth, mounts=network) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        yield client, user


@pytest.mark.parametrize(
    ("url", "audience", "site"),
    [
        (f"{ORIGIN}/mcp", f"{ORIGIN}/mcp", alone),
        (f"{ORIGIN}/mcp", ORIGIN, alone),
        (f"{ORIGIN}/notes/mcp", f"{ORIGIN}/notes/mcp", mounted),
        (f"{ORIGIN}/notes/mcp", f"{ORIGIN}/notes", mounted),
    ],
)
async def test_the_client_knows_only_the_url_of_the_server(url, audience, site):
    """It gets a token for the audience that the metadata name, and a further scope where a tool needs it."""
    async with connected(url, audience, site) as (notes, user):
        assert await call(notes, "who_am_i") == "alice"
        assert await call(notes, "delete_note", number=7) == "alice deleted 7"

    assert user.asked == [(audience, f"openid {READ}"), (audience, f"openid {READ} {WRITE}")]
