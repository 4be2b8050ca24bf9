"""The guide to frameworks: each section's app does what the table at the top says."""

import secrets
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from websockets.asyncio.client import connect

from asgi_oidc import OIDCMiddleware
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.examples.guides import blocks, read_guide, run_block, section
from tests.real.processes import free_port
from tests.real.servers import server

GUIDE = read_guide("frameworks")
ORIGIN = "https://app.example.com"
WITH_ADMIN = ("Starlette", "FastAPI", "Quart", "Litestar", "Falcon", "Plain ASGI")


@pytest.fixture
def anyio_backend() -> str:
    """Not every framework runs on trio."""
    return "asyncio"


@pytest.fixture
def provider() -> FakeProvider:
    """A provider of this test's own."""
    return FakeProvider()


@pytest.fixture
def names(provider: FakeProvider) -> dict[str, Any]:
    """What the first block of the guide defines, with values that work here."""
    found: dict[str, Any] = {}
    run_block(blocks(GUIDE, "python")[0], found)
    found["settings"] |= {
        "client_secret": provider.clients["web"].client_secret,
        "secret": secrets.token_urlsafe(32),
        "http_client": provider.http_client(),
    }
    return found


def browser_on(app: Any, provider: FakeProvider) -> Browser:
    """Open a browser on an app."""
    return Browser(app, ORIGIN, {provider.issuer: provider})


@pytest.mark.parametrize("heading", WITH_ADMIN)
async def test_a_section_does_what_the_table_says(heading, names, provider):
    """People copy a whole section."""
    run_block(blocks(section(GUIDE, heading), "python")[0], names)
    stranger, alice, bob = (browser_on(names["app"], provider) for _ in range(3))

    home, refused = await stranger.get("/"), await stranger.fetch("/me")
    hello, admin = await alice.sign_in("alice", "/me"), await alice.get("/admin")
    forbidden = await bob.sign_in("bob", "/admin")

    assert [each.status_code for each in (home, refused, hello, admin, forbidden)] == [200, 401, 200, 200, 403]
    assert ("Welcome" in home.text, "Hello, Alice Adams" in hello.text) == (True, True)
    assert "Administration" in admin.text
    assert home.history == ()


async def test_the_typed_access_of_starlette_gives_the_user_and_the_session(names, provider):
    """For those who use a type checker."""
    run_block(blocks(section(GUIDE, "Starlette"), "python")[1], names)
    routes = [Route("/", names["front"]), Route("/account", names["account"])]
    browser = browser_on(OIDCMiddleware(Starlette(routes=routes), **names["settings"]), provider)

    stranger = await browser.get("/")
    account = await browser.sign_in("alice", "/account")
    hello = await browser.get("/")

    assert [each.text for each in (stranger, account, hello)] == [f"{ORIGIN}/auth/login", "alice", "Hello, Alice Adams"]


async def test_the_docs_of_fastapi_offer_tokens(names, provider):
    """Anyone may read them, and a program with such a token gets in."""
    run_block(blocks(section(GUIDE, "FastAPI"), "python")[1], names)
    browser = browser_on(names["app"], provider)
    token = provider.access_token("alice", audience="https://api.example.com", scopes=["orders:read"])

    page, document = await browser.get("/docs"), (await browser.fetch("/openapi.json")).json()
    order = await browser.fetch("/orders/7", headers={"authorization": f"Bearer {token}"})
    refused = await browser.fetch("/orders/7")

    assert (page.status_code, "usePkceWithAuthorizationCodeGrant" in page.text) == (200, True)
    scopes = {"orders:read": "Read orders"}
    flow = document["components"]["securitySchemes"]["BearerToken"]["flows"]["authorizationCode"]
    assert (flow["authorizationUrl"], flow["scopes"]) == ("https://id.example.com/authorize", scopes)
    assert {"BearerToken": list(scopes)} in document["paths"]["/orders/{number}"]["get"]["security"]
    assert (order.status_code, order.json(), refused.status_code) == (200, {"number": 7, "sub": "alice"}, 401)


async def test_only_the_mounted_path_needs_a_user(names, provider):
    """Our URLs are below it as well."""
    run_block(blocks(section(GUIDE, "One mounted path"), "python")[0], names)
    browser = browser_on(names["app"], provider)

    home, refused = await browser.get("/"), await browser.fetch("/admin/")
    admin = await browser.sign_in("alice", "/admin/")

    assert [each.status_code for each in (home, refused, admin)] == [200, 401, 200]
    assert admin.text == "Administration, used by Alice Adams"
    assert any(step.url.startswith(f"{ORIGIN}/admin/auth/callback?") for step in admin.history)


async def test_preflights_pass_if_the_order_is_that_of_the_guide(names, provider):
    """They carry no cookie: inside, they would get 401."""
    run_block(blocks(section(GUIDE, "The order of middlewares"), "python")[0], names)
    asked = {"origin": "https://spa.example.com", "access-control-request-method": "GET"}

    answer = await browser_on(names["app"], provider).fetch("/me", method="OPTIONS", headers=asked)

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://spa.example.com")


async def test_a_consumer_of_channels_knows_the_user():
    """Over HTTP and over a websocket, on a real server."""
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    origin = f"http://127.0.0.1:{port}"
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": EXAMPLE.client_id,
            "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
            "OIDC_BASE_URL": origin,
            "OIDC_SECRET": secrets.token_urlsafe(32),
        }
        with server("uvicorn-h11", "examples.frameworks.channels_app:app", port=port, environ=environ):
            async with httpx.AsyncHTTPTransport() as network:
                browser = Browser(network, origin, {provider.issuer: network})
                refused = await browser.fetch("/me")
                me = await browser.sign_in("alice", "/me")
                cookie = browser.jar.header(origin + "/", is_same_site=True, is_safe_navigation=True)
                headers = {"origin": origin, "cookie": cookie}
                address = origin.replace("http:", "ws:") + "/greeting"
                async with connect(address, additional_headers=headers) as websocket:
                    greeting = await websocket.recv()

    assert (refused.status_code, me.json(), greeting) == (401, {"hello": "Alice Adams"}, "Hello, Alice Adams")
