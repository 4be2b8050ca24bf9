"""The guide to growing past one machine: its app runs as it says, and what it lists is so."""

import re
import secrets
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import MemoryStore, PostgresStore, RedisStore
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.examples.guides import blocks, run_waiting_block, section
from tests.protected_site import Site
from tests.real.postgres_server import OWNER, ROLE, postgres, program
from tests.real.processes import answers, free_port, running
from tests.real.redis_server import RedisServer, cluster_url, redis, redis_cluster
from tests.real.servers import PYTHON

GUIDE = (Path(__file__).parents[2] / "examples" / "scaling" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A real Redis."""
    with redis() as started:
        yield started


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    """Three nodes."""
    with redis_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own, with the client that the demo has for the examples."""
    fake = FakeProvider(clients=[EXAMPLE])
    with serve(fake) as started:
        fake.issuer = started.url
        yield fake


@pytest.fixture(scope="module")
def origin(server: RedisServer, provider: FakeProvider) -> Iterator[str]:
    """The app of the guide, over several processes."""
    port = free_port()
    environ = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
        "OIDC_BASE_URL": f"http://127.0.0.1:{port}",
        "OIDC_STORE": server.url,
        "OIDC_SECRET": secrets.token_urlsafe(32),
    }
    command = (*PYTHON, "uvicorn", "examples.scaling.app:app", "--port", str(port), "--workers", "2")
    with running(command, environ) as process:
        process.wait_until(lambda: answers(environ["OIDC_BASE_URL"]), "the app answers")
        yield environ["OIDC_BASE_URL"]
        assert "Traceback" not in process.said, process.said


async def test_one_device_ends_the_session_of_the_other(origin, provider, anyio_backend_name):
    """What the guide invites to try."""
    sub = {"asyncio": "alice", "trio": "bob"}[anyio_backend_name]  # each run has devices of its own
    async with httpx.AsyncHTTPTransport() as network:
        one, two = (Browser(network, origin, {provider.issuer: network}) for _ in range(2))
        for browser in (one, two):
            await browser.sign_in(sub, "/me")
        listed = await one.get("/devices")
        here, other = (listed.text.count(which) for which in ("this one", "another one"))
        ended = await one.submit(button=re.findall(r'another one.*?value="([\w-]+)"', listed.text)[0])
        after = [(await browser.fetch("/me")).status_code for browser in (one, two)]

    assert (here, other, ended.status_code, ended.path) == (1, 1, 200, "/devices")
    assert after == [200, 401]


async def test_the_lines_about_sessions_end_them():
    """They are copied into handlers."""
    (code,) = blocks(section(GUIDE, "See and end sessions"), "python")
    names: dict[str, Any] = {}

    async def at_work(scope: Any) -> None:
        names.update(scope=scope, user=scope["user"], middleware=site.middleware)
        await run_waiting_block(code, names)

    site = Site(store=MemoryStore())
    site.app.at_work = at_work

    browser = await site.signed_in("alice")

    assert names["session"].created_at <= names["session"].seen_at
    assert await site.middleware.sessions.of("alice") == []
    assert (await browser.fetch("/page")).status_code == 401


@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_the_rights_that_the_guide_lists_are_enough(request, kind):
    """An operator gives what is needed, and no more."""
    rights, of_cluster = re.findall(r"`(\+[^`]*)`", re.sub(r"\s+", " ", GUIDE))
    servers = request.getfixturevalue("cluster") if kind == "cluster" else [request.getfixturevalue("server")]
    wanted = f"{rights} {of_cluster}" if kind == "cluster" else rights
    url = cluster_url(servers) if kind == "cluster" else servers[0].url
    for each in servers:
        with each.ask() as client:
            client.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~asgi-oidc:*", *wanted.split())
    store = RedisStore(url.replace("://", "://app:secret@"))

    async with store.running():
        done = [
            await store.add("key", b"1", lifetime=5),
            await store.get("key"),
            await store.replace("key", b"1", b"2", lifetime=5),
            await store.remove("key", only=b"2"),
            await store.remove("key"),
            await store.link("index", "a", lifetime=5, most=1),
            await store.link("index", "b", lifetime=6, most=1),
            await store.linked("index"),
        ]
        await store.unlink("index", "b")
        done.append(await store.linked("index"))

    assert done == [True, b"1", True, True, False, [], ["a"], ["b"], []]


def test_the_tables_are_made_as_the_guide_says():
    """By the command that it shows, whose SQL it shows as well."""
    text = section(GUIDE, "Set up PostgreSQL")
    (role,) = re.findall(r"^\$ psql \S+ -c \"(.*)\"$", text, re.MULTILINE)
    ((command, options),) = re.findall(r"^\$ asgi-oidc (.*) \| psql (.*) \S+$", text, re.MULTILINE)
    (sql,) = blocks(text, "sql")
    printed = subprocess.run(
        [*PYTHON, "asgi_oidc", *command.split()], capture_output=True, text=True, check=True
    ).stdout
    with postgres() as server:
        with server.ask() as owner:
            owner.execute("CREATE DATABASE guide")
            owner.execute(role.replace(" app ", " another ").encode())  # the server of the tests has the role app
        url = f"postgresql://{OWNER}@/guide?host={server.folder}&port={server.port}"
        psql = [program("psql"), *options.split(), url, "-v", "ON_ERROR_STOP=1"]
        subprocess.run(psql, input=printed, capture_output=True, text=True, check=True)
        store = PostgresStore(server.url.replace("/postgres", "/guide"))
        written = anyio.run(partial(store.add, "key", b"value", lifetime=60))

    assert printed.strip() == sql.strip() == PostgresStore.migration(role=ROLE).strip()
    assert written is True
