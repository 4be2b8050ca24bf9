"""The examples behind the servers that people run: one signed-in and one refused request each."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.real.processes import free_port
from tests.real.servers import server
from tests.security.sizes import size

pytestmark = pytest.mark.real

EXAMPLES = ("starlette_app", "fastapi_app", "quart_app", "litestar_app", "django_app")
SERVERS = ("uvicorn-httptools", "hypercorn-asyncio", "granian")
# The sample has each example once and each server at least once; the full form has every pair.
PAIRS = size(
    [(SERVERS[number % len(SERVERS)], name) for number, name in enumerate(EXAMPLES)],
    [(kind, name) for kind in SERVERS for name in EXAMPLES],
)
AT_ONCE = 3  # that start: each takes a processor for a while

Origins = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    fake = FakeProvider(clients=[EXAMPLE])
    with serve(fake) as running:
        fake.issuer = running.url
        yield fake


@pytest.fixture(scope="module")
def origins(provider: FakeProvider) -> Iterator[Origins]:
    """Where each example answers, behind each server."""
    with ExitStack() as running:

        def start(pair: tuple[str, str]) -> str:
            kind, name = pair
            port = free_port()
            environ = environ_of(provider, f"http://127.0.0.1:{port}")
            running.enter_context(server(kind, f"examples.{name}:app", port=port, environ=environ))
            return environ["OIDC_BASE_URL"]

        with ThreadPoolExecutor(AT_ONCE) as threads:
            origins = dict(zip(PAIRS, threads.map(start, PAIRS), strict=True))
        yield origins


def environ_of(provider: FakeProvider, origin: str) -> dict[str, str]:
    """Set an example up as its README says."""
    return {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
        "OIDC_BASE_URL": origin,
        "OIDC_SECRET": secrets.token_urlsafe(32),
    }


@pytest.mark.long
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # that of the browser; the servers have their own
@pytest.mark.parametrize(("kind", "name"), PAIRS)
async def test_an_example_lets_its_user_in_and_nobody_else(kind, name, origins, provider, anyio_backend):
    """The user gets the page; an anonymous request is sent to sign in."""
    async with httpx.AsyncHTTPTransport() as network:
        browser = Browser(network, origins[kind, name], {provider.issuer: network})
        refused = await browser.fetch("/me")
        page = await browser.sign_in("chloe", "/me")

    assert (refused.status_code, refused.json()["error"]) == (401, "login_required")
    assert (page.status_code, page.path, "Hello, Chloë Čapková" in page.text) == (200, "/me", True)
