"""Several providers in one process, each reached under its own host names."""

from collections.abc import Mapping

import httpx

from .client_certificates import ClientCertificate, presenting
from .fake_provider import FakeProvider
from .web_urls import origin_of
from .wire import ASGIApp


class Network:
    """The part of the internet that a test needs: calls go to the provider that owns the host.

        network = Network(GitHubStandIn(), FakeProvider("https://id.example.com"))
        app = OIDCMiddleware(my_app, http_client=network.http_client(), ...)
        browser = Browser(app, "https://app.example.com", network.apps)

    Any other host cannot be reached: a call raises `httpx.ConnectError`.

    Args:
        providers: Fake providers and stand-ins.

    Raises:
        ValueError: Two providers own the same host.
    """

    def __init__(self, *providers: FakeProvider) -> None:
        self._apps: dict[str, FakeProvider] = {}
        for provider in providers:
            for origin in provider.origins:
                if self._apps.setdefault(origin_of(origin), provider) is not provider:
                    raise ValueError(f"two providers answer at {origin}; give one of them another `url`")

    @property
    def apps(self) -> Mapping[str, FakeProvider]:
        """The providers by origin, for the argument `others` of `Browser`."""
        return self._apps

    def http_client(self, client_certificate: ClientCertificate | None = None) -> httpx.AsyncClient:
        """Return a client that reaches all the providers, and nothing else.

        Args:
            client_certificate: What it presents in the TLS handshake.
        """
        apps: Mapping[str, ASGIApp] = self._apps
        if client_certificate is not None:
            apps = {origin: presenting(app, client_certificate.pem) for origin, app in apps.items()}
        return httpx.AsyncClient(transport=NetworkTransport(apps))


class NetworkTransport(httpx.AsyncBaseTransport):
    """Passes each request to the provider that answers at its origin."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._transports = {origin: httpx.ASGITransport(app=app) for origin, app in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = origin_of(str(request.url))
        transport = self._transports.get(origin)
        if transport is None:
            raise httpx.ConnectError(f"no provider of this network answers at {origin}", request=request)
        return await transport.handle_async_request(request)
