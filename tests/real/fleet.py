"""Several processes of one app behind one address, and a load on them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from asgi_oidc.testing import Browser
from tests.real.processes import Running, answers, free_port, running
from tests.real.servers import PYTHON

# Each request has a connection of its own: a server may close one that is kept just when it is used again.
UNKEPT = httpx.Limits(max_connections=None, max_keepalive_connections=0)
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"


@dataclass(frozen=True)
class Fleet:
    """Processes behind one address; each has another one, of its own."""

    origin: str
    own_ports: tuple[int, ...]
    processes: tuple[Running, ...]

    def own_origin(self, index: int) -> str:
        """Write the address of one process."""
        return f"http://127.0.0.1:{self.own_ports[index]}"

    def kill(self, index: int) -> None:
        """End a process without a chance to say anything."""
        os.killpg(self.processes[index].process.pid, signal.SIGKILL)


@contextlib.contextmanager
def fleet(environ: Mapping[str, str], *, count: int) -> Iterator[Fleet]:
    """Run so many processes of the app at the address that OIDC_BASE_URL names; the kernel spreads connections."""
    port = urlsplit(environ["OIDC_BASE_URL"]).port
    own_ports = tuple(free_port() for _ in range(count))
    with contextlib.ExitStack() as stack:
        command = (*PYTHON, "tests.real.fleet_app", str(port))
        processes = [stack.enter_context(running((*command, str(own)), environ)) for own in own_ports]
        started = Fleet(f"http://127.0.0.1:{port}", own_ports, tuple(processes))
        for index, process in enumerate(processes):
            url = started.own_origin(index) + "/public"
            process.wait_until(partial(answers, url), "the process answers")
        try:
            yield started
        finally:
            for process in processes:  # all at once, then one after the other is waited for
                process.process.terminate()


def environ(issuer: str, *, client_id: str, client_secret: str, port: int, store: str = "") -> dict[str, str]:
    """Set the app up."""
    return {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": client_id,
        "OIDC_CLIENT_SECRET": client_secret,
        "OIDC_BASE_URL": f"http://127.0.0.1:{port}",
        "OIDC_SECRET": SECRET,
        "OIDC_STORE": store,
    }


async def cookie_of(origin: str, issuer: str, sub: str = "alice", **options: Any) -> str:
    """Sign somebody in, and give the Cookie header of the browser."""
    async with httpx.AsyncHTTPTransport(verify=False, limits=UNKEPT) as network:
        browser = Browser(network, origin, {issuer: network}, **options)
        page = await browser.sign_in(sub, "/page")
        assert (page.status_code, page.json()["sub"]) == (200, sub)
        return browser.jar.header(origin + "/", is_same_site=True, is_safe_navigation=True)


@dataclass(frozen=True)
class Visit:
    """One request of a load, and how it went."""

    status: int
    said: dict[str, Any]
    seconds: float
    retry_after: str | None = None


async def visit(client: httpx.AsyncClient, url: str, cookie: str) -> Visit:
    """Make one request."""
    began = time.monotonic()
    answer = await client.get(url, headers={"cookie": cookie, "accept": "application/json"})
    return Visit(answer.status_code, answer.json(), time.monotonic() - began, answer.headers.get("retry-after"))


async def visits(urls: Sequence[str], cookie: str) -> list[Visit]:
    """Make these requests at once, over as many connections."""
    done: list[Visit] = []

    async with httpx.AsyncClient(timeout=40, limits=UNKEPT, trust_env=False, verify=False) as client:

        async def one(url: str) -> None:
            done.append(await visit(client, url, cookie))

        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(one, url)
    return done
