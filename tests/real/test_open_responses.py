"""Server-sent events behind the servers that people run: they end with their session, and not before."""

import contextlib
from collections.abc import Iterator

import anyio
import httpx
import pytest

from asgi_oidc.testing import Browser, Client, FakeProvider, serve
from tests.real.processes import PATIENCE, free_port
from tests.real.servers import COMMANDS, server

pytestmark = pytest.mark.real

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2


@pytest.fixture(scope="module")
def fake_provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    provider = FakeProvider(clients=[Client("web", "web-secret")])
    with serve(provider) as running:
        provider.issuer = running.url
        yield provider


@pytest.mark.parametrize("kind", COMMANDS)
async def test_this_server_ends_a_response_whose_session_is_over(kind, fake_provider):
    """The client sees a whole response, the server no error; that of another user stays open."""
    port = free_port()
    origin = f"http://localhost:{port}"
    environ = {
        "OIDC_ISSUER": fake_provider.issuer,
        "OIDC_CLIENT_ID": "web",
        "OIDC_CLIENT_SECRET": "web-secret",
        "OIDC_BASE_URL": f"{origin}/",
        "OIDC_SECRET": SECRET,
    }
    with server(kind, "tests.real.app:app", port=port, environ=environ) as process:
        async with httpx.AsyncHTTPTransport() as transport, httpx.AsyncClient(timeout=PATIENCE) as client:
            alice, bob = (Browser(transport, origin, {fake_provider.issuer: transport}) for _ in range(2))
            await alice.sign_in("alice", "/private")
            await bob.sign_in("bob", "/private")
            async with events(client, alice) as of_alice, events(client, bob) as of_bob:
                alices, bobs = of_alice.aiter_text(), of_bob.aiter_text()
                said = [await anext(alices), await anext(bobs)]
                await alice.fetch("/auth/logout", method="POST")
                with anyio.fail_after(PATIENCE):
                    rest = [text async for text in alices]
                is_bobs_open = not of_bob.is_closed
        assert "Traceback" not in process.said, process.said

    assert (said, rest, is_bobs_open) == (["data: hello\n\n"] * 2, [], True)


def events(client: httpx.AsyncClient, browser: Browser) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
    """Open them as a page of the app does."""
    cookie = browser.jar.header(browser.origin + "/", is_same_site=True, is_safe_navigation=True)
    return client.stream("GET", browser.origin + "/events", headers={"cookie": cookie})
