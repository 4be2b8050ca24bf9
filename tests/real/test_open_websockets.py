"""Open websockets behind the servers that people run: closed with their session, and not before."""

from collections.abc import Iterator

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

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
async def test_this_server_closes_a_websocket_whose_session_is_over(kind, fake_provider):
    """With a code that tells the page to sign in again; another user's stays."""
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
        async with httpx.AsyncHTTPTransport() as transport:
            alice, bob = (Browser(transport, origin, {fake_provider.issuer: transport}) for _ in range(2))
            await alice.sign_in("alice", "/private")
            await bob.sign_in("bob", "/private")
            async with echo(alice) as of_alice, echo(bob) as of_bob:
                await of_alice.send("hello")
                said = await of_alice.recv()
                await alice.fetch("/auth/logout", method="POST")
                with anyio.fail_after(PATIENCE), pytest.raises(ConnectionClosed) as closed:
                    await of_alice.recv()
                await of_bob.send("still here")
                stays = await of_bob.recv()
        assert "Traceback" not in process.said, process.said

    assert closed.value.rcvd is not None
    assert (said, closed.value.rcvd.code, stays) == ("hello", 4401, "still here")


def echo(browser: Browser) -> connect:
    """Open a websocket as a page of the app does."""
    cookie = browser.jar.header(browser.origin + "/", is_same_site=True, is_safe_navigation=True)
    headers = {"origin": browser.origin, "cookie": cookie}
    return connect(browser.origin.replace("http:", "ws:") + "/echo", additional_headers=headers)
