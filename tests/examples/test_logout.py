"""The guide to signing out: its app runs as it says, and a sign-out at the provider stops its clock."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asgi_oidc.testing import Browser, Client, FakeProvider, serve
from tests.real.processes import PATIENCE, answers, free_port, running
from tests.real.servers import PYTHON, server


@dataclass(frozen=True)
class Guide:
    """The app of the guide, and its provider."""

    origin: str
    provider: FakeProvider


@pytest.fixture(scope="module")
def guide() -> Iterator[Guide]:
    """Run both, as the guide says."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    client = Client("example", "example-secret", backchannel_logout_uri=f"{origin}/auth/backchannel-logout")
    provider = FakeProvider(clients=[client])
    provider.tell_clients_by_network()
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": client.client_id,
            "OIDC_CLIENT_SECRET": str(client.client_secret),
            "OIDC_BASE_URL": origin,
            "OIDC_SECRET": secrets.token_urlsafe(32),
        }
        with server("uvicorn-h11", "examples.logout.app:app", port=port, environ=environ) as process:
            yield Guide(origin, provider)
            assert "Traceback" not in process.said, process.said


@pytest.fixture
def anyio_backend() -> str:
    """The app is another process: one backend is enough on our side."""
    return "asyncio"


async def test_a_sign_out_at_the_provider_stops_the_clock(guide):
    """The page is open, the person is elsewhere."""
    async with httpx.AsyncHTTPTransport() as network:
        browser = Browser(network, guide.origin, {guide.provider.issuer: network})
        await browser.sign_in("alice", "/me")
        session = (await browser.fetch("/auth/session")).json()
        cookie = browser.jar.header(guide.origin + "/", is_same_site=True, is_safe_navigation=True)
        headers = {"origin": guide.origin, "cookie": cookie}
        async with connect(guide.origin.replace("http:", "ws:") + "/clock", additional_headers=headers) as clock:
            ticks = [await clock.recv(), await clock.recv()]
            await browser.get(guide.provider.issuer + "/end_session")
            after = await browser.fetch("/me")
            with anyio.fail_after(PATIENCE), pytest.raises(ConnectionClosed) as closed:
                await hear_it_out(clock)

    assert (session["sub"], len(ticks), after.status_code) == ("alice", 2, 401)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(("more", "warns"), [((), False), (("--workers", "2"), True)])
def test_several_processes_that_share_nothing_are_warned(more, warns):
    """At start-up, where the operator looks; the provider is not asked for anything."""
    port = free_port()
    environ = {
        "OIDC_ISSUER": "http://127.0.0.1:9",
        "OIDC_CLIENT_ID": "example",
        "OIDC_CLIENT_SECRET": "example-secret",
        "OIDC_BASE_URL": f"http://127.0.0.1:{port}",
        "OIDC_SECRET": secrets.token_urlsafe(32),
    }
    command = (*PYTHON, "uvicorn", "examples.logout.app:app", "--port", str(port), *more)

    with running(command, environ) as process:
        process.wait_until(lambda: answers(environ["OIDC_BASE_URL"]), "the app answers")
        said = process.said

    assert ("logout_not_shared" in said) is warns


async def hear_it_out(clock: ClientConnection) -> None:
    """Listen until the other end closes it."""
    while True:
        await clock.recv()


async def test_signing_out_in_the_app_ends_at_its_own_page(guide):
    """By the provider, and back."""
    async with httpx.AsyncHTTPTransport() as network:
        browser = Browser(network, guide.origin, {guide.provider.issuer: network})
        await browser.sign_in("bob", "/me")
        page = await browser.submit(button="Sign out")

    assert (page.url, "Goodbye" in page.text) == (guide.origin + "/bye", True)
