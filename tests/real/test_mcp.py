"""The official MCP client at a protected MCP server: refused, signed in and stepped up, at real providers."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from asgi_oidc.testing import serve
from tests.real import programs
from tests.real.certificates import Certificate
from tests.real.keycloak import PASSWORD, Keycloak, client_secret
from tests.real.mcp_client import Person, SignIn, call, connected
from tests.real.mcp_site import READ, WRITE, protected_mcp
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client

pytestmark = pytest.mark.real


async def choose_alice(page: Page) -> None:
    """Sign in at the certified provider."""
    await page.get_by_role("button", name="Alice Adams").click()


async def fill_alice_in(page: Page) -> None:
    """Sign in at Keycloak."""
    await page.get_by_label("Username").fill("alice")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign In").click()


@pytest.fixture(scope="module")
async def browser(certificate: Certificate) -> AsyncIterator[Browser]:
    """Debian's Chromium, headless, in the event loop of the tests."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=programs.chromium(),
            args=["--no-sandbox", f"--ignore-certificate-errors-spki-list={certificate.spki}"],
        )
        yield chromium
        await chromium.close()


@contextlib.asynccontextmanager
async def somebody(browser: Browser, sign_in: SignIn) -> AsyncIterator[Person]:
    """Open a browser without cookies, on the machine where the client waits for the answer of the provider."""

    async def done(request: Request) -> Response:
        return PlainTextResponse("You may close this window.")

    with serve(Starlette(routes=[Route("/callback", done)])) as waiting:
        async with await browser.new_context() as context:
            yield Person(await context.new_page(), sign_in, f"{waiting.url}/callback")


@contextlib.contextmanager
def described_client(person: Person, certificate: Certificate) -> Iterator[str]:
    """Serve what a client says of itself, and give its URL, which is its client id."""

    async def describe(request: Request) -> Response:
        return JSONResponse(
            {
                "client_id": str(request.url),
                "client_name": "A client",
                "redirect_uris": [person.redirect_uri],
                "application_type": "native",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }
        )

    app = Starlette(routes=[Route("/client.json", describe)])
    with serve(app, certfile=certificate.chain, keyfile=certificate.key) as server:
        yield f"{server.url}/client.json"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_registers_signs_a_user_in_and_steps_up(provider: RealProvider, browser, mode):
    """All that it knows is the URL of the server: the challenges and the metadata tell it the rest."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    provider.register(client(origin))
    provider.protect(f"{origin}/mcp", [READ, WRITE])
    app = protected_mcp(origin, issuer=provider.issuer, client_id="web", client_secret=CLIENT_SECRET)

    async with somebody(browser, choose_alice) as alice:
        with serve(app, port=port):
            async with httpx.AsyncClient(trust_env=False) as stranger:
                refused = await stranger.post(f"{origin}/mcp", json={})
            async with connected(f"{origin}/mcp", alice, mode=mode) as notes:
                assert await call(notes, "who_am_i") == "alice"
                assert alice.asked == [[READ, "offline_access"]]
                assert await call(notes, "delete_note", number=7) == "alice deleted 7"
                assert await call(notes, "find_token") == []

    assert alice.asked == [[READ, "offline_access"], [READ, "offline_access", WRITE]]
    assert alice.resources == [f"{origin}/mcp"] * 2
    assert refused.status_code == 401
    metadata = f"{origin}/.well-known/oauth-protected-resource/mcp"
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{metadata}", scope="{READ}"'
    assert provider.calls.count("POST /reg") == 1


async def test_a_client_that_describes_itself_at_a_url(https_provider, browser, certificate: Certificate, monkeypatch):
    """The newest way: the id of the client is the URL of its description, and nothing is registered."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    https_provider.register(client(origin))
    https_provider.protect(f"{origin}/mcp", [READ, WRITE], opaque=True)
    app = protected_mcp(origin, issuer=https_provider.issuer, client_id="web", client_secret=CLIENT_SECRET)

    async with somebody(browser, choose_alice) as alice:
        with serve(app, port=port), described_client(alice, certificate) as url:
            trust = ssl.create_default_context(cafile=certificate.ca)
            async with connected(f"{origin}/mcp", alice, client_metadata_url=url, trust=trust) as notes:
                assert await call(notes, "who_am_i") == "alice"
                assert await call(notes, "delete_note", number=7) == "alice deleted 7"

    assert alice.asked == [[READ, "offline_access"], [READ, "offline_access", WRITE]]
    assert "POST /reg" not in https_provider.calls


async def test_a_client_that_keycloak_knows(keycloak_server: Keycloak, browser, certificate, monkeypatch):
    """Keycloak ignores resource indicators: the scopes bring the audience."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    api = keycloak_server.protect(f"{origin}/mcp", "read", "write")
    read, write = api.scopes
    ours = {"client_id": api.client_id, "client_secret": client_secret(api.client_id)}
    app = protected_mcp(origin, read=read, write=write, issuer=keycloak_server.issuer, **ours)

    async with somebody(browser, fill_alice_in) as alice:
        known = keycloak_server.add_client(
            publicClient=True,
            redirectUris=[alice.redirect_uri],
            attributes={"pkce.code.challenge.method": "S256"},
        )
        registered = OAuthClientInformationFull(client_id=known, token_endpoint_auth_method="none")
        with serve(app, port=port):
            async with connected(
                f"{origin}/mcp",
                alice,
                registered=registered,
                grant_types=["authorization_code"],
                trust=keycloak_server.trust,
            ) as notes:
                user = await call(notes, "who_am_i")
                assert await call(notes, "delete_note", number=7) == f"{user} deleted 7"

    assert alice.asked[0] == [read]
    assert {read, write} <= set(alice.asked[1])
