"""One app on two hosts behind real servers: each server passes `Host` on in its own way."""

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
def hosts(request: pytest.FixtureRequest, fake_provider: FakeProvider) -> Iterator[list[str]]:
    """The example behind one of the servers, under two names of this machine."""
    port = free_port()
    hosts = [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]
    environ = {
        "OIDC_ISSUER": fake_provider.issuer,
        "OIDC_CLIENT_ID": "web",
        "OIDC_CLIENT_SECRET": "web-secret",
        "OIDC_BASE_URL": ",".join(hosts),
        "OIDC_SECRET": SECRET,
    }
    with server(request.param, EXAMPLE, port=port, environ=environ):
        yield hosts


async def test_a_login_comes_back_to_the_host_where_it_began(hosts, fake_provider):
    """And its session is of that host alone."""
    async with httpx.AsyncHTTPTransport() as transport:
        others = {fake_provider.issuer: transport, **dict.fromkeys(hosts, transport)}
        browsers = [Browser(transport, host, others) for host in hosts]
        pages = [await browser.sign_in("alice", "/me") for browser in browsers]
        elsewhere = Browser(transport, hosts[0], others, jar=browsers[1].jar)
        crossed = await elsewhere.fetch("/me")
        left = await browsers[0].submit(pages[0], "Sign out")
        after = [(await browser.fetch("/me")).status_code for browser in browsers]

    assert [page.url for page in pages] == [f"{host}/me" for host in hosts]
    assert crossed.status_code == 401
    assert left.url.startswith(hosts[0])
    assert after == [401, 200]


async def test_a_foreign_host_is_served_as_the_first(hosts):
    """It never appears in a URL of ours."""
    async with httpx.AsyncClient(base_url=hosts[1], trust_env=False) as program:
        answer = await program.get("/me", headers={"host": "evil.example"})

    assert answer.status_code == 401
    assert "evil.example" not in answer.text
    assert answer.json()["login_url"].startswith((hosts[0], "/"))
