"""Every cell of the decision table, for each framework and each server: what comes back, and whether the app ran."""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from typing import NamedTuple

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_oidc.testing import Browser, Client, FakeProvider, Persona, serve
from tests.real.processes import free_port
from tests.real.servers import server
from tests.real.table_apps import FRAMEWORKS
from tests.security.sizes import size

pytestmark = [pytest.mark.real, pytest.mark.long]

SERVERS = ("uvicorn-httptools", "hypercorn-asyncio", "granian")
AT_ONCE = 4  # that start: each takes a processor for a while
ROOT = Persona("root", "Ruth Root", "root@example.com", claims={"roles": ["director"]})

NONE = dict.fromkeys(("sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user"))
PAGE: Mapping[str, str | None] = {
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
    "accept": "text/html",
}
OLD_PAGE = {**NONE, "accept": "text/html,*/*;q=0.8"}
PREFETCH = {**PAGE, "sec-purpose": "prefetch;prerender"}
FETCH: Mapping[str, str | None] = {}
XHR = {**NONE, "accept": "*/*", "x-requested-with": "XMLHttpRequest"}
PROGRAM = {**NONE, "accept": "application/json", "origin": None, "referer": None}
FOREIGN = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}

# how a request comes -> what nobody gets, and a user who lacks the right
KINDS: Mapping[tuple[str, str], tuple[Mapping[str, str | None], str, str]] = {
    ("GET", "page"): (PAGE, "login", "403 page"),
    ("HEAD", "page"): (PAGE, "login", "403"),
    ("GET", "page of an old browser"): (OLD_PAGE, "login", "403 page"),
    ("GET", "prefetch"): (PREFETCH, "401", "403"),
    ("GET", "fetch"): (FETCH, "401", "403"),
    ("GET", "xhr"): (XHR, "401", "403"),
    ("GET", "program"): (PROGRAM, "401", "403"),
    **{
        (method, name): (headers, "401", "403")
        for method in ("POST", "PUT", "DELETE")
        for name, headers in (
            ("fetch", FETCH),
            ("program", PROGRAM),
            ("page", {**PAGE, "sec-fetch-site": "same-origin"}),
        )
    },
}
Addresses = dict[tuple[str, str], str]
ROOT_PATH = "/app"
MOUNTED = "starlette below a root path"
ALL_PAIRS = [(kind, name) for name in (*FRAMEWORKS, MOUNTED) for kind in SERVERS]
# Each framework behind one of the servers, and a root path, which each of them passes on in its own way, behind all.
SAMPLE = [*zip(SERVERS * 2, FRAMEWORKS, strict=True), *((kind, MOUNTED) for kind in SERVERS)]
PAIRS = size(SAMPLE, ALL_PAIRS)


class Site(NamedTuple):
    """The site of one framework behind one server, and who looks at it.

    Attributes:
        address: where the server is.
        root_path: what a proxy in front of it takes off; empty for none.
    """

    address: str
    root_path: str
    issuer: str
    anonymous: Browser
    alice: Browser
    root: Browser

    async def runs(self) -> int:
        """Ask the app how often it ran, this time included."""
        return int((await self.anonymous.fetch(f"{self.root_path}/")).text)


class Stripping(httpx.AsyncHTTPTransport):
    """A proxy that takes a prefix off the paths."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path.startswith(ROOT_PATH.encode())
        below = request.url.raw_path.removeprefix(ROOT_PATH.encode())
        return await super().handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(raw_path=below or b"/"),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    fake = FakeProvider(clients=[Client("web", "web-secret")])
    fake.personas["root"] = ROOT
    with serve(fake) as running:
        fake.issuer = running.url
        yield fake


@pytest.fixture(scope="module")
def addresses(provider: FakeProvider) -> Iterator[Addresses]:
    """Where each framework answers, behind each server; one with a path of its own as well."""
    with ExitStack() as running:

        def start(pair: tuple[str, str]) -> str:
            kind, name = pair
            root_path = ROOT_PATH if name == MOUNTED else ""
            port = free_port()
            address = f"http://localhost:{port}"
            environ = {
                "TABLE_APP": name.partition(" ")[0],
                "OIDC_ISSUER": provider.issuer,
                "OIDC_CLIENT_ID": "web",
                "OIDC_CLIENT_SECRET": "web-secret",
                "OIDC_BASE_URL": address + root_path,
                "OIDC_SECRET": secrets.token_urlsafe(32),
            }
            running.enter_context(
                server(kind, "tests.real.table_apps:app", port=port, environ=environ, root_path=root_path)
            )
            return address

        with ThreadPoolExecutor(AT_ONCE) as threads:
            addresses = dict(zip(PAIRS, threads.map(start, PAIRS), strict=True))
        yield addresses


@asynccontextmanager
async def visited(addresses: Addresses, kind: str, name: str, provider: FakeProvider) -> AsyncIterator[Site]:
    """Open three browsers on a site: nobody, a user without rights, and one with all."""
    address, root_path = addresses[kind, name], ROOT_PATH if name == MOUNTED else ""
    async with httpx.AsyncHTTPTransport() as network, Stripping() as stripping:
        way = stripping if root_path else network
        browsers = [Browser(way, address, {provider.issuer: network}) for _ in range(3)]
        await browsers[1].sign_in("alice", f"{root_path}/page")
        await browsers[2].sign_in("root", f"{root_path}/strong")
        yield Site(address, root_path, provider.issuer, *browsers)


async def outcome(site: Site, browser: Browser, method: str, path: str, headers: Mapping[str, str | None]) -> str:
    """Say in a word or two what a request gets, and fail where the rest of the answer does not fit."""
    response = await browser.fetch(site.root_path + path, method=method, headers=headers)
    kind = response.headers.get("content-type", "").partition(";")[0]
    if response.status_code == 200:
        return "app"
    assert response.headers["cache-control"] == "no-store"
    if response.status_code == 303:
        assert response.location.startswith(f"{site.issuer}/authorize?")
        return "login"
    if browser is site.anonymous:
        assert response.set_cookies == []
    if kind == "text/html":
        return f"{response.status_code} page" if method != "HEAD" else str(response.status_code)
    assert kind == "application/problem+json"
    assert method == "HEAD" or response.json()["login_url"].startswith(f"{site.address}{site.root_path}/auth/login")
    assert response.status_code != 401 or response.headers["www-authenticate"].startswith("Cookie ")
    return str(response.status_code)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # that of the browser; the servers have their own
@pytest.mark.parametrize(("kind", "name"), PAIRS)
async def test_every_cell_of_the_decision_table_is_true(name, kind, addresses, provider, anyio_backend):
    """For nobody, for users, and for users who lack a right."""
    got, wanted = {}, {}
    async with visited(addresses, kind, name, provider) as site:
        before = await site.runs()
        for (method, how), (headers, for_anonymous, for_alice) in KINDS.items():
            cells = {
                "nobody": (site.anonymous, "/page", for_anonymous),
                "user": (site.alice, "/page", "app"),
                "user without the right": (site.alice, "/admin/x", for_alice),
                "user with the right": (site.root, "/admin/x", "app"),
                "nobody, public": (site.anonymous, "/public/x", "app"),
                "user, public": (site.alice, "/public/x", "app"),
                "nobody, never sent to sign in": (site.anonymous, "/api/x", "401"),
                "user without the scope": (site.alice, "/api/x", "403"),
            }
            for who, (browser, path, expected) in cells.items():
                wanted[method, how, who] = expected
                got[method, how, who] = await outcome(site, browser, method, path, headers)
        for method in ("POST", "PUT", "DELETE"):
            wanted[method, "foreign", "user"] = "403"
            got[method, "foreign", "user"] = await outcome(site, site.alice, method, "/page", FOREIGN)
        for how, headers, expected in (("page", PAGE, "login"), ("fetch", FETCH, "401")):
            wanted["GET", how, "user with a weak login"] = expected
            got["GET", how, "user with a weak login"] = await outcome(site, site.alice, "GET", "/strong", headers)
            wanted["GET", how, "user with a strong login"] = "app"
            got["GET", how, "user with a strong login"] = await outcome(site, site.root, "GET", "/strong", headers)

        ran = await site.runs() - before - 1  # the last question is a run as well

    assert got == wanted
    assert ran == sum(said == "app" for said in got.values())


async def opened(site: Site, browser: Browser, path: str, origin: str) -> str:
    """Say what becomes of a websocket."""
    cookie = browser.jar.header(site.address + "/", is_same_site=True, is_safe_navigation=True)
    try:
        url = site.address.replace("http:", "ws:") + path
        async with connect(url, additional_headers={"origin": origin, "cookie": cookie}) as websocket:
            await websocket.recv()
        return "app"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except ConnectionClosed as closed:
        return f"closed with {closed.rcvd.code if closed.rcvd else None}"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in PAIRS if name != "django"])
async def test_every_websocket_row_of_the_decision_table_is_true(name, kind, addresses, provider, anyio_backend):
    """Refused before it is accepted, with the status that these servers can give."""
    evil = "https://evil.example"
    async with visited(addresses, kind, name, provider) as site:
        ours, before = site.address, await site.runs()
        got = {
            "nobody": await opened(site, site.anonymous, "/ws", ours),
            "user": await opened(site, site.alice, "/ws", ours),
            "user of another site": await opened(site, site.alice, "/ws", evil),
            "user without the right": await opened(site, site.alice, "/admin/ws", ours),
            "user with the right": await opened(site, site.root, "/admin/ws", ours),
            "nobody, public": await opened(site, site.anonymous, "/public/ws", evil),
            "user, public": await opened(site, site.alice, "/public/ws", ours),
        }
        ran = await site.runs() - before - 1

    assert got == {
        "nobody": "401",
        "user": "app",
        "user of another site": "403",
        "user without the right": "403",
        "user with the right": "app",
        "nobody, public": "app",
        "user, public": "app",
    }
    assert ran == 4


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kind", [kind for kind, name in PAIRS if name == "django"])
async def test_django_receives_no_websockets(kind, addresses, provider, anyio_backend):
    """It is refused before Django would raise."""
    async with visited(addresses, kind, "django", provider) as site:
        got = [
            await opened(site, site.anonymous, "/ws", site.address),
            await opened(site, site.alice, "/admin/ws", site.address),
            await opened(site, site.alice, "/ws", "https://evil.example"),
        ]

    assert got == ["401", "403", "403"]
