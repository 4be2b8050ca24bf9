"""The servers that people run in front of their apps: a whole login through each, over real HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from asgi_oidc.testing import Browser, Client, FakeProvider, serve
from tests.real.processes import free_port
from tests.real.servers import COMMANDS, server

pytestmark = pytest.mark.real

EXAMPLE = "examples.starlette_app:app"
SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2


@pytest.fixture(scope="module")
def fake_provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    provider = FakeProvider(clients=[Client("web", "web-secret")])
    with serve(provider) as running:
        provider.issuer = running.url
        yield provider


@pytest.fixture(scope="module", params=COMMANDS)
def origin(request: pytest.FixtureRequest, fake_provider: FakeProvider) -> Iterator[str]:
    """The example behind one of the servers: its origin."""
    port = free_port()
    origin = f"http://localhost:{port}"
    environ = {
        "OIDC_ISSUER": fake_provider.issuer,
        "OIDC_CLIENT_ID": "web",
        "OIDC_CLIENT_SECRET": "web-secret",
        "OIDC_BASE_URL": f"{origin}/",
        "OIDC_SECRET": SECRET,
    }
    with server(request.param, EXAMPLE, port=port, environ=environ):
        yield origin


async def test_whole_login_through_this_server(origin, fake_provider):
    """Home is public, a deep link leads through the provider and back, and signing out ends it."""
    async with httpx.AsyncHTTPTransport() as transport:
        browser = Browser(transport, origin, {fake_provider.issuer: transport})
        home = await browser.get("/")
        final = await browser.sign_in("alice", "/me?page=2")
        left = await browser.submit(final, "Sign out")
        again = await browser.fetch("/me")

    assert (home.status_code, final.status_code, final.path) == (200, 200, "/me?page=2")
    assert "Alice Adams" in final.text
    assert (left.status_code, again.status_code) == (200, 401)
    assert browser.refused_cookies == []


async def test_program_gets_json_through_this_server(origin):
    """A program without a session is told where to sign in; nothing else of the app is shown."""
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as program:
        answer = await program.post("/me", json={})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"] == "login_required"
    assert "set-cookie" not in answer.headers
