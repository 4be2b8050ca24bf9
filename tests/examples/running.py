"""Start an example as its guide says: beside the fake provider, each on a port of its own."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx

from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.real.processes import Running, free_port
from tests.real.servers import server


@dataclass(frozen=True)
class Example:
    """An example that runs, and its provider."""

    origin: str
    provider: FakeProvider
    process: Running | None = None

    @contextlib.asynccontextmanager
    async def browsing(self) -> AsyncIterator[Browser]:
        """Open a browser that speaks with both over the network."""
        async with httpx.AsyncHTTPTransport() as network:
            yield Browser(network, self.origin, {self.provider.issuer: network})


def environ_of(provider: FakeProvider, base_url: str) -> dict[str, str]:
    """Give the variables that every guide sets."""
    return {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
        "OIDC_BASE_URL": base_url,
        "OIDC_SECRET": secrets.token_urlsafe(32),
    }


@contextlib.contextmanager
def run_example(app: str, *, provider_path_in: tuple[str, str] | None = None, **variables: str) -> Iterator[Example]:
    """Run an example, named as `examples.rules.app:app`, while the block lasts.

    Args:
        provider_path_in: a variable that gets the URL of this path at the provider, and the path.
        variables: further ones of the environment.
    """
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {**environ_of(provider, f"http://127.0.0.1:{port}"), **variables}
        if provider_path_in is not None:
            environ[provider_path_in[0]] = provider.issuer + provider_path_in[1]
        with server("uvicorn-h11", app, port=port, environ=environ) as process:
            yield Example(environ["OIDC_BASE_URL"], provider, process)
            assert "Traceback" not in process.said, process.said
