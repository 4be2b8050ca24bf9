"""A rolling update while `secret` is rotated, under load: nobody is signed out, and no request fails."""

import collections
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from asgi_oidc.sessions.secret_rotation import GRACE
from asgi_oidc.testing import Browser, Client, FakeProvider, numbered_personas, serve
from tests.real.fleet import SECRET, UNKEPT, environ
from tests.real.processes import PATIENCE, Running, answers, free_port, running, wait_until
from tests.real.redis_server import RedisServer, redis
from tests.real.servers import PYTHON
from tests.security.sizes import size

pytestmark = pytest.mark.real

CLIENT_SECRET = "web-secret"
NEW_SECRET = "Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE"
PROCESSES = 3
PEOPLE = 4  # that sign in at each stage
VISITORS = 2  # at any time
BETWEEN_VISITS = 0.05  # seconds: the processes need some time for themselves, to start and to stop


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis."""
    with redis() as started:
        yield started


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    provider = FakeProvider(clients=[Client("web", CLIENT_SECRET)], alg="ES256")
    provider.personas |= {persona.sub: persona for persona in numbered_personas(5 * PEOPLE)}
    with serve(provider) as started:
        provider.issuer = started.url
        yield provider


class Site(httpx.AsyncBaseTransport):
    """Three processes behind a balancer, which takes one out before it is stopped, as Kubernetes does."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.origin = settings["OIDC_BASE_URL"]
        self.statuses: collections.Counter[int] = collections.Counter()
        self.processes: dict[int, Running] = {}
        self._stacks: dict[int, contextlib.ExitStack] = {}
        self._in_service: list[int] = []
        self._under_way: collections.Counter[int] = collections.Counter()
        self._numbers = itertools.count()
        self._network = httpx.AsyncHTTPTransport(limits=UNKEPT)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on to the next process; those to the provider go where they are addressed."""
        if not str(request.url).startswith(self.origin):
            return await self._network.handle_async_request(request)
        port = self._in_service[next(self._numbers) % len(self._in_service)]
        self._under_way[port] += 1
        request.url = request.url.copy_with(port=port)
        try:
            response = await self._network.handle_async_request(request)
            await response.aread()
        finally:
            self._under_way[port] -= 1
        self.statuses[response.status_code] += 1
        return response

    async def start(self) -> int:
        """Start a process, and let it serve once it is ready."""
        port, stack = free_port(), contextlib.ExitStack()
        command = (*PYTHON, "tests.real.fleet_app", str(port))
        self.processes[port] = stack.enter_context(running(command, self.settings))
        self._stacks[port] = stack
        url = f"http://127.0.0.1:{port}/public"
        await anyio.to_thread.run_sync(self.processes[port].wait_until, partial(answers, url), "the process answers")
        self._in_service.append(port)
        return port

    async def stop(self, port: int) -> None:
        """Send a process no further requests, and end it when it has none left."""
        if port in self._in_service:
            self._in_service.remove(port)
        await anyio.to_thread.run_sync(wait_until, lambda: not self._under_way[port], "all requests are done")
        await anyio.to_thread.run_sync(self._stacks.pop(port).close)
        del self.processes[port]

    async def until_all_said(self, text: str) -> None:
        """Wait for a line in the log of each process."""
        for process in list(self.processes.values()):
            await anyio.to_thread.run_sync(process.wait_until, lambda p=process: text in p.said, f"it said {text}")

    async def replace_one(self) -> None:
        """Start a new process in place of the oldest."""
        oldest = next(iter(self.processes))
        await self.start()
        await self.stop(oldest)

    def write(self, name: str, text: str) -> None:
        """Replace a file as kubelet does: nobody reads half of it."""
        new = self.folder / f"{name}.new"
        new.write_text(text, "ascii")
        new.rename(self.folder / name)


@contextlib.asynccontextmanager
async def site_in(folder: Path, settings: dict[str, str]) -> AsyncIterator[Site]:
    """Run the processes while the block lasts."""
    site = Site(folder, settings)
    site.write("clock", "0")
    site.write("secret", SECRET)
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(PROCESSES):
                tasks.start_soon(site.start)
        yield site
    finally:
        for port in list(site.processes):
            await site.stop(port)


class Load:
    """People who are signed in, and visit the site again and again."""

    def __init__(self, site: Site, issuer: str) -> None:
        self._site = site
        self._issuer = issuer
        self._numbers = itertools.count()
        self._browsers: list[tuple[str, Browser]] = []
        self._is_over = False
        self.visits = 0
        self.signed_out: list[str] = []

    async def sign_in(self) -> None:
        """Let some more people sign in."""
        for _ in range(PEOPLE):
            sub = f"user-{next(self._numbers):04}"
            browser = Browser(self._site, self._site.origin, {self._issuer: self._site})
            page = await browser.sign_in(sub, "/page")
            assert (page.status_code, page.json()["sub"]) == (200, sub)
            self._browsers.append((sub, browser))

    async def run(self) -> None:
        """Visit in turn; whoever is not recognized was signed out."""
        for number in itertools.count():
            if self._is_over:
                return
            sub, browser = self._browsers[number % len(self._browsers)]
            page = await browser.fetch("/page")
            if page.status_code != 200 or page.json()["sub"] != sub:
                self.signed_out.append(sub)
            self.visits += 1
            await anyio.sleep(BETWEEN_VISITS)

    async def go_on(self) -> None:
        """Wait until all people have visited often enough in this stage."""
        enough = self.visits + VISITORS * len(self._browsers)
        await anyio.to_thread.run_sync(wait_until, lambda: self.visits >= enough, "people have visited")

    def stop(self) -> None:
        """Let the visits end."""
        self._is_over = True


@pytest.mark.long
@pytest.mark.parametrize("kept_in", ["OIDC_STORE", "OIDC_LOGOUT_STORE"][: size(1, 2)])
async def test_a_rolling_update_in_which_the_secret_is_rotated_signs_nobody_out(fake, server, tmp_path, kept_in):
    """Processes notice the new secret at different times, and some of them are replaced in the middle."""
    settings = environ(fake.issuer, client_id="web", client_secret=CLIENT_SECRET, port=free_port())
    del settings["OIDC_SECRET"]
    settings |= {
        kept_in: server.url,
        "OIDC_SECRET_FILE": str(tmp_path / "secret"),
        "FLEET_CLOCK": str(tmp_path / "clock"),
        "FLEET_LOG": "1",
    }
    with anyio.fail_after(6 * PATIENCE):
        async with site_in(tmp_path, settings) as site, anyio.create_task_group() as tasks:
            load = Load(site, fake.issuer)
            await load.sign_in()
            for _ in range(VISITORS):
                tasks.start_soon(load.run)

            site.write("secret", f"{NEW_SECRET},{SECRET}")
            await site.until_all_said("setting_reloaded")
            await load.sign_in()
            await site.replace_one()
            await load.sign_in()
            site.write("clock", str(GRACE))
            await site.until_all_said("secret_seals")
            await load.sign_in()
            await site.replace_one()
            await site.replace_one()
            await load.go_on()
            load.stop()

    assert (load.signed_out, site.statuses.keys() - {200, 302, 303, 307}) == ([], set())
