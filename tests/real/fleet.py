"""Several processes of one app behind one address, and a load on them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from asgi_oidc.testing import Browser
from tests.real.processes import Running, answers, free_port, running
from tests.real.servers import PYTHON

SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"


@dataclass(frozen=True)
class Fleet:
    """Processes behind one address, or each behind an address of its own."""

    origin: str
    ports: tuple[int, ...]
    processes: tuple[Running, ...]

    def at(self, index: int, path: str) -> str:
        """Write the URL of a path at one process."""
        return f"http://127.0.0.1:{self.ports[index]}{path}"

    def kill(self, index: int) -> None:
        """End a process without a chance to say anything."""
        os.killpg(self.processes[index].process.pid, signal.SIGKILL)


@contextlib.contextmanager
def workers(environ: Mapping[str, str], *, count: int, port: int) -> Iterator[Fleet]:
    """Run uvicorn with so many workers."""
    command = (*PYTHON, "uvicorn", "tests.real.fleet_app:app", "--port", str(port), "--workers", str(count))
    with running(command, environ) as process:
        origin = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: answers(f"{origin}/public"), "the workers answer")
        yield Fleet(origin, (port,), (process,))


@contextlib.contextmanager
def machines(environ: Mapping[str, str], *, count: int, port: int) -> Iterator[Fleet]:
    """Run so many processes, each with a port of its own, as machines behind a balancer; the first has `port`."""
    ports = (port, *(free_port() for _ in range(count - 1)))
    with contextlib.ExitStack() as stack:
        processes = []
        for one in ports:
            command = (*PYTHON, "uvicorn", "tests.real.fleet_app:app", "--port", str(one))
            processes.append(stack.enter_context(running(command, environ)))
        for one, process in zip(ports, processes, strict=True):
            url = f"http://127.0.0.1:{one}/public"
            process.wait_until(lambda url=url: answers(url), "the process answers")  # type: ignore[misc]
        yield Fleet(f"http://127.0.0.1:{port}", ports, tuple(processes))


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
    async with httpx.AsyncHTTPTransport() as network:
        browser = Browser(network, origin, {issuer: network}, **options)
        page = await browser.sign_in(sub, "/token")
        assert page.status_code == 200, page.text
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


async def visits(urls: list[str], cookie: str) -> list[Visit]:
    """Make these requests at once, over as many connections."""
    done: list[Visit] = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)

    async with httpx.AsyncClient(timeout=40, limits=limits, trust_env=False) as client:

        async def one(url: str) -> None:
            done.append(await visit(client, url, cookie))

        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(one, url)
    return done
