"""An app at a certified provider in its FAPI 2.0 profile, in two processes: one on asyncio, the other on trio."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from asgi_oidc.testing import Browser
from tests.protected_site import SECRET
from tests.real.certificates import Certificate, ClientAuthority
from tests.real.fapi import StrongClient, client_with_certificate, client_with_key
from tests.real.orders_api import Orders, orders_api
from tests.real.processes import free_port
from tests.real.real_provider import RealProvider
from tests.real.redis_server import redis
from tests.real.servers import server
from tests.security.sizes import size

pytestmark = [pytest.mark.real, pytest.mark.long]

SERVERS = ("uvicorn-h11", "hypercorn-trio")
# How the client authenticates, and where sessions are.
SAMPLE = [("key", "cookies"), ("certificate", "a store")]
CASES = size(SAMPLE, [*SAMPLE, ("key", "a store"), ("certificate", "cookies")])


class Balancer(httpx.AsyncBaseTransport):
    """Sends what is for the app to one of its processes.

    Attributes:
        port: of this process.
    """

    def __init__(self, origin: str, port: int, network: httpx.AsyncBaseTransport) -> None:
        self.origin, self.port, self._network = origin, port, network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on."""
        if str(request.url).startswith(self.origin):
            request.url = request.url.copy_with(port=self.port)
        return await self._network.handle_async_request(request)


@dataclass(frozen=True)
class Site:
    """The app, an API that it calls, and their provider.

    Attributes:
        ports: of the two processes of the app; that of the first is in `origin`.
    """

    provider: RealProvider
    origin: str
    ports: tuple[int, int]
    orders: Orders
    registered: tuple[dict[str, Any], ...]

    @contextlib.asynccontextmanager
    async def signed_in(self) -> AsyncIterator[tuple[Browser, Balancer]]:
        """Sign alice in through the first process; give her browser, and what leads it to one process or the other."""
        self.orders.refused.clear()
        self.provider.register(*self.registered)
        trust = ssl.create_default_context(cafile=self.provider.ca)
        async with httpx.AsyncHTTPTransport(verify=trust) as network:
            balancer = Balancer(self.origin, self.ports[0], network)
            browser = Browser(balancer, self.origin, {self.provider.issuer: network})
            page = await browser.sign_in("alice", "/private")
            assert (page.status_code, page.path) == (200, "/private")
            yield browser, balancer


@pytest.fixture(scope="module", params=CASES, ids=" and ".join)
def site(
    request: pytest.FixtureRequest,
    fapi_provider: RealProvider,
    certificate: Certificate,
    client_authority: ClientAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The site, for one case."""
    has_certificate, has_store = request.param[0] == "certificate", request.param[1] == "a store"
    make: Callable[..., StrongClient] = client_with_key
    if has_certificate:
        make = partial(client_with_certificate, client_authority)
    web, api = make(profile="fapi2"), make("api", issuer=fapi_provider.issuer)
    ports = free_port(), free_port()
    origin = f"https://localhost:{ports[0]}"
    registered = (web.at(origin, backchannel_logout_uri=f"{origin}/auth/backchannel-logout"), api.at(origin))
    fapi_provider.register(*registered)
    environ = {
        **web.environ,
        "OIDC_ISSUER": fapi_provider.issuer,
        "OIDC_BASE_URL": f"{origin}/",
        "OIDC_SECRET": SECRET,
        "SSL_CERT_FILE": certificate.ca,
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", certificate.ca)
        clients = client_authority.ca if has_certificate else None
        orders = stack.enter_context(orders_api(certificate, api.settings, clients=clients))
        environ["ORDERS_URL"] = orders.url
        if has_certificate:
            own = tmp_path_factory.mktemp("own") / "web.pem"
            own.write_text(web.settings["client_certificate"])
            environ["ORDERS_CERTIFICATE"] = str(own)
        if has_store:
            environ["OIDC_STORE"] = stack.enter_context(redis()).url

        def start(kind: str, port: int) -> None:
            app = "tests.real.fapi_app:app"
            stack.enter_context(server(kind, app, port=port, environ=environ, certificate=certificate))

        with ThreadPoolExecutor() as threads:
            list(threads.map(start, SERVERS, ports))
        yield Site(fapi_provider, origin, ports, orders, registered)


async def said_by_orders(browser: Browser, path: str = "") -> dict[str, Any]:
    """Let the app call the API, and return what that says."""
    answer = (await browser.fetch(f"/orders/{path}")).json()
    assert answer["status"] == 200, answer
    said: dict[str, Any] = answer["said"]
    return said


async def test_a_login_passes_nothing_but_a_reference_through_the_browser(site):
    """The request is pushed; the claims come from userinfo, by a call that proves possession too."""
    async with site.signed_in() as (browser, _):
        calls = [call for call in site.provider.calls if call.startswith("POST") or call.endswith("/me")]
        page = await browser.get("/auth/login?return_to=/private", follow=False)
        name = (await browser.fetch("/claims")).json()["name"]

    query = parse_qs(urlsplit(page.location).query)
    assert set(query) == {"client_id", "request_uri"}
    assert name == "Alice Adams"
    assert set(calls) == {"POST /request", "POST /token", "GET /me"}


async def test_the_other_process_refreshes_and_proves_possession_of_the_same_key(site):
    """The key goes with the session, and the certificate with the app; a token that is refused is refreshed once."""
    async with site.signed_in() as (browser, balancer):
        first = await said_by_orders(browser)
        balancer.port = site.ports[1]
        renewed, second = await said_by_orders(browser, "renewed"), await said_by_orders(browser)
        balancer.port = site.ports[0]
        third = await said_by_orders(browser)

    assert first["sub"] == "alice"
    assert first == renewed == second == third
    assert [grant for grant in site.provider.grants if "nonce" not in grant] == ["authorization_code", "refresh_token"]


async def test_a_sign_out_ends_the_session_in_both_processes_and_at_the_provider(site):
    """The next login asks who one is again."""
    async with site.signed_in() as (browser, balancer):
        asked = await browser.submit(await browser.get("/private"), "Sign out")
        home = await browser.submit(asked, "yes")
        statuses = []
        for port in site.ports:
            balancer.port = port
            statuses.append((await browser.fetch("/private")).status_code)
        again = await browser.get("/private")

    assert asked.url.startswith(f"{site.provider.issuer}/session/end")
    assert home.url.partition("?")[0] == f"{site.origin}/"
    assert statuses == [401, 401]
    assert again.url.startswith(f"{site.provider.issuer}/interaction/")


async def test_a_sign_out_at_the_provider_ends_the_session(site):
    """It sends the app a logout token."""
    async with site.signed_in() as (browser, _):
        before = (await browser.fetch("/private")).status_code
        asked = await browser.get(f"{site.provider.issuer}/session/end")
        await browser.submit(asked, "yes")
        after = (await browser.fetch("/private")).status_code

    assert (before, site.provider.logouts, after) == (200, ["web"], 401)
