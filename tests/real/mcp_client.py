"""The official MCP client, and its user at a real browser."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from playwright.async_api import Page
from pydantic import AnyUrl

SignIn = Callable[[Page], Awaitable[None]]


@dataclass
class Storage:
    """Where the client keeps what it got, in memory."""

    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the registered client."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the registered client."""
        self.client = client_info


@dataclass
class Person:
    """Somebody who uses an MCP client, and signs in where it says.

    Attributes:
        redirect_uri: of the client, on this machine.
        asked: the scopes of each authorization request.
    """

    page: Page
    sign_in: SignIn
    redirect_uri: str
    asked: list[list[str]] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        """Go where the client says, and sign in where the provider asks."""
        query = parse_qs(urlsplit(url).query)
        self.asked.append(query["scope"][0].split())
        self.resources += query["resource"]
        await self.page.goto(url)
        if not self.page.url.startswith(self.redirect_uri):
            await self.sign_in(self.page)
            await self.page.wait_for_url(f"{self.redirect_uri}?*")

    async def come_back(self) -> AuthorizationCodeResult:
        """Give the client what the provider said."""
        answer = {name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query).items()}
        return AuthorizationCodeResult.model_validate(answer)


@contextlib.asynccontextmanager
async def connected(
    url: str,
    person: Person,
    *,
    mode: str = "auto",
    trust: ssl.SSLContext | None = None,
    client_metadata_url: str | None = None,
    registered: OAuthClientInformationFull | None = None,
    grant_types: Sequence[str] = ("authorization_code", "refresh_token"),
) -> AsyncIterator[Client]:
    """Connect the client to an MCP server for a person.

    Args:
        mode: `auto` speaks the newest version of the protocol; `legacy` is what older clients speak.
        trust: certificates to trust.
        client_metadata_url: where the client describes itself; without it, and without `registered`, it registers.
        registered: the client, if it is known to the provider already.
    """
    metadata = OAuthClientMetadata(
        client_name="A client", redirect_uris=[AnyUrl(person.redirect_uri)], grant_types=list(grant_types)
    )
    auth = OAuthClientProvider(
        url,
        metadata,
        Storage(client=registered),
        redirect_handler=person.open,
        callback_handler=person.come_back,
        client_metadata_url=client_metadata_url,
    )
    async with (
        httpx2.AsyncClient(auth=auth, verify=trust or True, timeout=30, trust_env=False) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode, read_timeout_seconds=30) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool, and return what it says."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content["result"] if result.structured_content else None
