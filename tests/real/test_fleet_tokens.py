"""Opaque tokens over several real processes: each asks the provider once, and nobody waits for other tokens."""

import time
from collections.abc import Iterator

import anyio
import httpx
import pytest

from asgi_oidc.testing import Client, FakeProvider, serve
from tests.real.fleet import UNKEPT, Fleet, environ, fleet
from tests.real.processes import free_port

pytestmark = pytest.mark.real

API = "https://api.example.com"
AT_ONCE, PROCESSES = 100, 4
SLOW = 2.0  # seconds that the provider takes


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    """A provider that issues opaque tokens."""
    provider = FakeProvider(clients=[Client("web", "web-secret")], alg="ES256")
    with serve(provider) as started:
        provider.issuer = started.url
        yield provider


@pytest.fixture(scope="module")
def processes(fake: FakeProvider) -> Iterator[Fleet]:
    """Four processes of an API, which share nothing."""
    settings = environ(fake.issuer, client_id="web", client_secret="web-secret", port=free_port())
    with fleet(settings | {"OIDC_BEARER_AUDIENCE": API}, count=PROCESSES) as started:
        yield started


def opaque(provider: FakeProvider, sub: str = "alice") -> str:
    return provider.access_token(sub, audience=API, client_id="program", opaque=True)


async def call(fleet: Fleet, process: int, token: str) -> tuple[int, float]:
    """Call one process with a token; return the status, and the seconds until its answer."""
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=40, limits=UNKEPT, trust_env=False) as client:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        answer = await client.get(f"{fleet.own_origin(process)}/page", headers=headers)
    return answer.status_code, time.monotonic() - began


async def calls(fleet: Fleet, tokens: list[str]) -> list[tuple[int, float]]:
    """Make as many calls at once, over all processes."""
    done: list[tuple[int, float]] = []

    async def one(number: int, token: str) -> None:
        done.append(await call(fleet, number % PROCESSES, token))

    async with anyio.create_task_group() as group:
        for number, token in enumerate(tokens):
            group.start_soon(one, number, token)
    return done


async def test_a_hundred_calls_with_one_new_token_cost_one_introspection_in_each_process(fake, processes):
    """At most four, however they are spread."""
    before = fake.count("/introspect")
    token = opaque(fake)

    done = await calls(processes, [token] * AT_ONCE)

    assert {status for status, _ in done} == {200}
    assert fake.count("/introspect") - before == PROCESSES


async def test_while_introspection_is_slow_nobody_else_waits(fake, processes):
    """Neither users whose tokens are known, nor those with JWTs."""
    known, jwt = opaque(fake, "bob"), fake.access_token("chloe", audience=API)
    assert {status for status, _ in await calls(processes, [known] * PROCESSES)} == {200}
    assert {status for status, _ in await calls(processes, [jwt] * PROCESSES)} == {200}
    slow: list[tuple[int, float]] = []
    others: list[tuple[int, float]] = []

    async def call_with_new_tokens() -> None:
        slow.extend(await calls(processes, [opaque(fake) for _ in range(4 * PROCESSES)]))

    fake.slow_by = SLOW
    with fake.fault("introspection_slow"):
        before = fake.count("/introspect")
        async with anyio.create_task_group() as group:
            group.start_soon(call_with_new_tokens)
            while fake.count("/introspect") == before:  # noqa: ASYNC110  # no event comes from the provider's thread
                await anyio.sleep(0.01)
            others.extend(await calls(processes, [known, jwt] * PROCESSES))

    assert {status for status, _ in slow + others} == {200}
    assert min(seconds for _, seconds in slow) >= SLOW
    assert max(seconds for _, seconds in others) < SLOW


async def test_made_up_tokens_get_401_in_every_process(fake, processes):
    """And never any other user."""
    done = await calls(processes, [f"made-up-{number}" for number in range(4 * PROCESSES)])

    assert {status for status, _ in done} == {401}
