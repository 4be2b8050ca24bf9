"""Sessions over several real processes, a real Redis and a real provider that notices a refresh token used twice."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterator

import anyio
import httpx
import pytest
from anyio.abc import TaskGroup

from asgi_oidc.sessions.sessions import LOCK_LIFETIME
from asgi_oidc.testing import Client, FakeProvider, serve
from tests.real.fleet import Fleet, Visit, cookie_of, environ, machines, visit, visits, workers
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, REFRESHING, RealProvider, client
from tests.real.redis_server import RedisServer, cluster_url, redis, redis_cluster, redis_that_is_down
from tests.security.sizes import size

pytestmark = pytest.mark.real

LIFETIME = 6  # seconds of an access token: due after three, so that a hundred requests see one and the same
SHORT_LIFETIME = 2  # the same where few requests come
AT_ONCE = 100


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis, for the tests that do not hurt it."""
    with redis() as started:
        yield started


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    """A provider whose answers the test can stop."""
    provider = FakeProvider(clients=[Client("web", "web-secret")])
    provider.access_token_lifetime = SHORT_LIFETIME
    with serve(provider) as started:
        provider.issuer = started.url
        yield provider


def environ_of(provider: FakeProvider, port: int, store: str) -> dict[str, str]:
    """Set the app up for the fake provider."""
    return environ(provider.issuer, client_id="web", client_secret="web-secret", port=port, store=store)


@contextlib.contextmanager
def fleet_at(provider: RealProvider, store: str, *, count: int) -> Iterator[Fleet]:
    """Run the app with the certified provider."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    provider.register(client(origin, **REFRESHING), access_token_lifetime=LIFETIME)
    settings = environ(provider.issuer, client_id="web", client_secret=CLIENT_SECRET, port=port, store=store)
    settings["OIDC_AUTHORIZATION_PARAMS"] = '{"prompt": "consent"}'  # without it the scope offline_access is ignored
    with machines(settings, count=count, port=port) as fleet:
        yield fleet


async def rounds(fleet: Fleet, provider: RealProvider, *, times: int, processes: int) -> None:
    """Let a token run out, ask for it a hundred times at once, and look; again and again."""
    cookie = await cookie_of(fleet.origin, provider.issuer)
    for number in range(1, times + 1):
        await anyio.sleep(LIFETIME + 0.1)  # the provider's own clock has to pass
        done = await visits([fleet.at(each % processes, "/token") for each in range(AT_ONCE)], cookie)

        assert collections.Counter(one.status for one in done) == {200: AT_ONCE}
        assert ({one.said["sub"] for one in done}, len({one.said["token"] for one in done})) == ({"alice"}, 1)
        assert len({one.said["process"] for one in done}) == processes
        assert (list(provider.grants).count("refresh_token"), provider.revoked) == (number, [])


@pytest.mark.long
@pytest.mark.parametrize("times", [size(1, 100)])
async def test_four_processes_and_redis_make_one_refresh(times, provider, server):
    """100 good answers, one call, nobody signed out."""
    with fleet_at(provider, server.url, count=4) as fleet:
        await rounds(fleet, provider, times=times, processes=4)


async def test_a_cluster_serves_it_as_well(provider):
    """Three nodes: every command is about one key."""
    with redis_cluster() as servers, fleet_at(provider, cluster_url(servers), count=2) as fleet:
        await rounds(fleet, provider, times=1, processes=2)


@pytest.mark.long
@pytest.mark.parametrize("times", [size(1, 100)])
async def test_one_process_with_sealed_cookies_makes_one_refresh(times, provider):
    """The same without a store; all requests still carry the first cookie."""
    with fleet_at(provider, "", count=1) as fleet:
        await rounds(fleet, provider, times=times, processes=1)


async def until_expired() -> None:
    """Let an access token run out: the processes have no clock but the real one."""
    await anyio.sleep(SHORT_LIFETIME + 0.1)


async def test_a_process_that_is_killed_in_the_middle_of_a_refresh_holds_nobody_for_long(fake, server):
    """Its lock ends by itself. What the provider had not seen is done again; what it had answered is lost with the
    process, and that user signs in again."""
    port = free_port()
    with machines(environ_of(fake, port, server.url), count=2, port=port) as fleet:
        unseen, answered = [await cookie_of(fleet.origin, fake.issuer, sub) for sub in ("alice", "bob")]
        await until_expired()
        async with anyio.create_task_group() as tasks:
            for cookie, when in ((unseen, "before"), (answered, "after")):
                with fake.fault(f"refresh_hangs_{when}_processing"):
                    await start_a_refresh(tasks, fleet, fake, cookie)
            fleet.kill(0)
        after = [(await visits([fleet.at(1, "/token")], cookie))[0] for cookie in (unseen, answered)]

    print(f"recovered after {after[0].seconds:.1f} s")
    assert [(one.status, one.said.get("sub")) for one in after] == [(200, "alice"), (401, None)]
    assert sum(one.seconds for one in after) <= LOCK_LIFETIME + 2


async def start_a_refresh(tasks: TaskGroup, fleet: Fleet, provider: FakeProvider, cookie: str) -> None:
    """Ask the first process for a token, and wait until the provider has the call."""
    before = provider.count_grants("refresh_token")
    tasks.start_soon(ignored, fleet.at(0, "/token"), cookie)
    await until(lambda: provider.count_grants("refresh_token") > before)


async def until(condition: Callable[[], object], *, within: float = 10) -> None:
    """Look again and again, in bounded time, at what other processes do."""
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110  # other processes set no event of ours
            await anyio.sleep(0.02)


async def ignored(url: str, cookie: str) -> None:
    """Make a request whose answer may never come."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        with contextlib.suppress(httpx.TransportError):
            await visit(client, url, cookie)


async def test_a_sign_out_holds_everywhere_while_slow_requests_are_under_way(fake, server, tmp_path):
    """Twenty of them at two other processes."""
    port, gate = free_port(), tmp_path / "gate"
    settings = environ_of(fake, port, server.url) | {"FLEET_GATE": str(gate)}
    with machines(settings, count=3, port=port) as fleet:
        cookie = await cookie_of(fleet.origin, fake.issuer)
        async with anyio.create_task_group() as tasks:
            slow: list[Visit] = []

            async def be_slow() -> None:
                slow.extend(await visits([fleet.at(1 + number % 2, "/slow") for number in range(20)], cookie))

            tasks.start_soon(be_slow)
            await anyio.sleep(0.5)
            async with httpx.AsyncClient(trust_env=False) as client:
                out = await client.post(fleet.at(0, "/auth/logout"), headers={"cookie": cookie})
            at_once = await visits([fleet.at(number, "/page") for number in range(3)], cookie)
            gate.touch()
        after = await visits([fleet.at(number, "/page") for number in range(3)], cookie)

    assert (out.status_code, [one.status for one in slow]) == (303, [200] * 20)
    assert [one.status for one in (*at_once, *after)] == [401] * 6


async def load(fleet: Fleet, cookies: dict[str, str], stop: anyio.Event, done: list[tuple[str, Visit]]) -> None:
    """Let each user come again and again until it is over."""

    async def come(sub: str, cookie: str) -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            while not stop.is_set():
                done.append((sub, await visit(client, fleet.origin + "/token", cookie)))
                await anyio.sleep(0.05)

    async with anyio.create_task_group() as tasks:
        for sub, cookie in cookies.items():
            for _ in range(5):
                tasks.start_soon(come, sub, cookie)


@pytest.mark.parametrize("how", ["hangs", "dies"])
async def test_redis_stops_and_starts_under_load(how, fake):
    """No wrong answer, no stuck request, and it goes on without a restart of the app."""
    port = free_port()
    done: list[tuple[str, Visit]] = []
    with (
        redis_that_is_down("--appendonly", "yes", "--appendfsync", "always") as server,
        contextlib.ExitStack() as life,
    ):
        life.enter_context(server.run())
        with workers(environ_of(fake, port, server.url), count=2, port=port) as fleet:
            cookies = {sub: await cookie_of(fleet.origin, fake.issuer, sub) for sub in ("alice", "bob", "chloe")}
            stop = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(load, fleet, cookies, stop, done)
                await anyio.sleep(1)
                server.pause() if how == "hangs" else server.kill()
                await anyio.sleep(3)
                in_outage, began = len(done), time.monotonic()
                server.go_on() if how == "hangs" else life.enter_context(server.run())
                await until(lambda: len(done) > in_outage and done[-1][1].status == 200)
                recovered = time.monotonic() - began
                await anyio.sleep(1)
                stop.set()
            last = [await visits([fleet.origin + "/token"], cookie) for cookie in cookies.values()]

    print(f"{len(done)} requests, {in_outage} before the end of the outage, recovered after {recovered:.2f} s")
    assert {(sub, one.said["sub"]) for sub, one in done if one.status == 200} == {(sub, sub) for sub in cookies}
    assert {one.status for _, one in done} == {200, 503}
    assert all(one.retry_after for _, one in done if one.status == 503)
    assert max(one.seconds for _, one in done) < 8
    assert [(one.status, one.said["sub"]) for (one,) in last] == [(200, sub) for sub in cookies]


async def test_a_request_costs_one_command(fake, server):
    """Counted by Redis itself."""
    port = free_port()
    with machines(environ_of(fake, port, server.url), count=1, port=port) as fleet:
        cookie = await cookie_of(fleet.origin, fake.issuer)
        refreshes = fake.count_grants("refresh_token")
        await visits([fleet.origin + "/page"], cookie)
        with server.ask() as redis_client:
            redis_client.config_resetstat()
            async with httpx.AsyncClient(trust_env=False) as http:
                for _ in range(200):
                    assert (await visit(http, fleet.origin + "/page", cookie)).status == 200
            calls = {name: stats["calls"] for name, stats in redis_client.info("commandstats").items()}

    calls.pop("cmdstat_config|resetstat", None)
    assert calls == {"cmdstat_get": 200}
    assert fake.count_grants("refresh_token") == refreshes


async def test_a_process_that_is_asked_to_end_finishes_a_refresh_first(fake, server):
    """Else each deployment would sign some people out."""
    port, revoked = free_port(), len(fake.revoked)
    with machines(environ_of(fake, port, server.url), count=2, port=port) as fleet:
        cookie = await cookie_of(fleet.origin, fake.issuer)
        await until_expired()
        fake.latency = 1.0
        async with anyio.create_task_group() as tasks:
            await start_a_refresh(tasks, fleet, fake, cookie)
            fleet.processes[0].process.terminate()
        fake.latency = 0.0
        (after,) = await visits([fleet.at(1, "/token")], cookie)

    assert (after.status, after.said["sub"], len(fake.revoked)) == (200, "alice", revoked)
