"""Sessions over several real processes, a real store and a real provider that notices a refresh token used twice."""

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path

import anyio
import httpx
import pytest

from asgi_oidc.sessions.repository import LOCK_LIFETIME
from asgi_oidc.testing import Client, FakeProvider, numbered_personas, serve
from asgi_oidc.testing.cookie_jar import CookieJar
from tests.real.fleet import UNKEPT, Fleet, Visit, cookie_of, environ, fleet, visit, visits
from tests.real.postgres_server import PostgresServer, postgres_that_is_down
from tests.real.processes import PATIENCE, free_port
from tests.real.real_provider import CLIENT_SECRET, REFRESHING, RealProvider, client
from tests.real.redis_server import RedisServer, cluster_url, redis, redis_cluster, redis_that_is_down
from tests.real.servers import server as one_server
from tests.security.sizes import size

pytestmark = pytest.mark.real

AT_ONCE = 100
CLIENTS = 20
PEOPLE = size(40, 1000)
SHORT = 1  # seconds of an access token that is to run out soon
LIFETIME = 3  # seconds of one that is to be renewed now and then
LONG = 300  # seconds of one that is not
SECRET = "web-secret"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer | PostgresServer]:
    """One Redis or PostgreSQL, for the tests that do not hurt it."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_server")
        return
    with redis() as started:
        yield started


of_both = pytest.mark.parametrize("server", ["redis", "postgres"], indirect=True)
of_redis = pytest.mark.parametrize("server", ["redis"], indirect=True)
HURT: Mapping[str, Callable[[], contextlib.AbstractContextManager[RedisServer | PostgresServer]]] = {
    "redis": partial(redis_that_is_down, "--appendonly", "yes", "--appendfsync", "always"),
    "postgres": postgres_that_is_down,
}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    """A provider whose answers the test can stop."""
    provider = FakeProvider(clients=[Client("web", SECRET)], alg="ES256")
    provider.personas |= {persona.sub: persona for persona in numbered_personas(PEOPLE)}
    with serve(provider) as started:
        provider.issuer = started.url
        yield provider


@dataclass(frozen=True)
class Shared:
    """Four processes for the tests that hurt none."""

    fleet: Fleet
    gate: Path


@pytest.fixture(scope="module")
def shared(
    fake: FakeProvider, server: RedisServer | PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """Start them once."""
    gate = tmp_path_factory.mktemp("gate")
    with fleet(environ_of(fake, server.url) | {"FLEET_GATE": str(gate)}, count=4) as started:
        yield Shared(started, gate)


def environ_of(provider: FakeProvider, store: str) -> dict[str, str]:
    """Set the app up for the fake provider."""
    return environ(provider.issuer, client_id="web", client_secret=SECRET, port=free_port(), store=store)


def environ_of_real(provider: RealProvider, store: str) -> dict[str, str]:
    """Set the app up for the certified provider."""
    settings = environ(provider.issuer, client_id="web", client_secret=CLIENT_SECRET, port=free_port(), store=store)
    # Without it the scope offline_access is ignored.
    return settings | {"OIDC_AUTHORIZATION_PARAMS": '{"prompt": "consent"}'}


async def bursts(provider: RealProvider, store: str, *, processes: int, sessions: int = 1, rounds: int = 1) -> None:
    """Let tokens run out, then ask for each a hundred times at once; after every burst, look."""
    settings = environ_of_real(provider, store)
    provider.register(client(settings["OIDC_BASE_URL"], **REFRESHING))
    with fleet(settings, count=processes) as started:
        for _ in range(rounds):
            provider.change_lifetime(SHORT)
            cookies = [await cookie_of(started.origin, provider.issuer) for _ in range(sessions)]
            provider.change_lifetime(LONG)
            await anyio.sleep(SHORT + 0.1)  # the clocks of other processes go by themselves
            for number, cookie in enumerate(cookies, 1):
                done = await visits([started.origin + "/token"] * AT_ONCE, cookie)

                assert collections.Counter(one.status for one in done) == {200: AT_ONCE}
                assert {one.said["sub"] for one in done} == {"alice"}
                assert len({one.said["token"] for one in done}) == 1
                assert len({one.said["process"] for one in done}) == processes
                assert (provider.grants, provider.revoked) == (["refresh_token"] * number, [])


@of_both
@pytest.mark.long
async def test_four_processes_make_one_refresh(provider, server):
    """100 good answers, one call, nobody signed out."""
    await bursts(provider, server.url, processes=4, sessions=size(2, 10), rounds=size(1, 10))


async def test_four_processes_and_a_cluster_make_one_refresh(provider):
    """Three nodes: every command is about one key."""
    with redis_cluster() as servers:
        await bursts(provider, cluster_url(servers), processes=4)


@pytest.mark.long
async def test_one_process_with_sealed_cookies_makes_one_refresh(provider):
    """The same without a store; all requests carry the first cookie."""
    await bursts(provider, "", processes=1, sessions=size(3, 10), rounds=size(1, 10))


async def signed_in(fake: FakeProvider, started: Fleet, *people: str, lifetime: int) -> dict[str, str]:
    """Sign these people in at once, with access tokens of a lifetime, and give their cookies."""
    fake.access_token_lifetime = lifetime
    cookies: dict[str, str] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)  # more would wait longer for the provider, in this process, than we allow

    async def sign_in(sub: str) -> None:
        jar = CookieJar()
        jar.receive(fake.session_cookie(sub), fake.issuer)
        async with limiter:
            cookies[sub] = await cookie_of(started.origin, fake.issuer, sub, jar=jar)

    async with anyio.create_task_group() as tasks:
        for sub in people:
            tasks.start_soon(sign_in, sub)
    return cookies


async def until_expired(fake: FakeProvider, *, next_lifetime: int) -> None:
    """Let the access tokens run out: the processes have no clock but the real one."""
    await anyio.sleep(SHORT + 0.1)
    fake.access_token_lifetime = next_lifetime


async def until(condition: Callable[[], object]) -> None:
    """Look again and again, in bounded time, at what other processes do."""
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  # they set no event of ours
            await anyio.sleep(0.02)


def owners(fake: FakeProvider) -> dict[str, str]:
    """Say whose token each one is, by the hash that the app shows."""
    tokens = dict(fake.memory.access_tokens)
    return {sha256(name.encode()).hexdigest(): token.grant.sign_in.persona.sub for name, token in tokens.items()}


async def forsaken_refresh(fake: FakeProvider, origin: str, cookie: str) -> None:
    """Ask for a token, and go away when the provider has the call."""
    before = fake.count_grants("refresh_token")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visits, [origin + "/token"], cookie)
        await until(lambda: fake.count_grants("refresh_token") > before)
        tasks.cancel_scope.cancel()


@of_redis
async def test_a_process_killed_during_a_refresh_delays_others_only_briefly(fake, server):
    """Its lock ends by itself: what the provider had not seen is done again; whose answer got lost signs in again."""
    with fleet(environ_of(fake, server.url), count=2) as started:
        cookies = await signed_in(fake, started, "alice", "bob", lifetime=SHORT)
        await until_expired(fake, next_lifetime=LONG)
        with fake.fault("refresh_hangs_before_processing"):
            await forsaken_refresh(fake, started.own_origin(0), cookies["alice"])
        with fake.fault("refresh_hangs_after_processing"):
            await forsaken_refresh(fake, started.own_origin(0), cookies["bob"])
        started.kill(0)
        refreshes = fake.count_grants("refresh_token")
        recovered = await visits([started.own_origin(1) + "/token"] * 20, cookies["alice"])
        calls = fake.count_grants("refresh_token") - refreshes
        lost, still_lost = [(await visits([started.own_origin(1) + "/token"], cookies["bob"]))[0] for _ in range(2)]
        again = await signed_in(fake, started, "bob", lifetime=LONG)
        page = await visits([started.own_origin(1) + "/token"], again["bob"])

    assert [(one.status, one.said.get("sub")) for one in recovered] == [(200, "alice")] * 20
    assert (calls, len({one.said["token"] for one in recovered})) == (1, 1)
    assert (lost.status, still_lost.status, page[0].status) == (401, 401, 200)
    assert max(one.seconds for one in recovered) + lost.seconds <= LOCK_LIFETIME + PATIENCE


@of_both
async def test_a_sign_out_holds_everywhere_while_slow_requests_are_under_way(fake, shared):
    """Twenty of them at other processes; those that ask for a token then get none, and none is made."""
    started, slow = shared.fleet, list[Visit]()
    cookie = (await signed_in(fake, started, "alice", lifetime=SHORT))["alice"]
    refreshes, revoked = fake.count_grants("refresh_token"), len(fake.revoked)
    urls = [started.own_origin(1 + number % 3) + ("/slow", "/slow/token")[number % 2] for number in range(20)]

    async def be_slow() -> None:
        slow.extend(await visits(urls, cookie))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(be_slow)
        await until(lambda: len(list(shared.gate.iterdir())) == 20)
        await until_expired(fake, next_lifetime=LONG)
        async with httpx.AsyncClient(trust_env=False) as out:
            signed_out = await out.post(started.own_origin(0) + "/auth/logout", headers={"cookie": cookie})
        at_once = await visits([started.own_origin(number) + "/page" for number in range(4)], cookie)
        (shared.gate / "open").touch()
    after = await visits([started.own_origin(number) + "/token" for number in range(4)], cookie)

    assert signed_out.status_code == 303
    assert collections.Counter(one.status for one in slow) == {200: 10, 401: 10}
    assert all(one.said["token"] == sha256(b"").hexdigest() for one in slow if one.status == 200)
    assert [one.status for one in (*at_once, *after)] == [401] * 8
    assert (fake.count_grants("refresh_token"), len(fake.revoked)) == (refreshes, revoked + 1)


@of_both
@pytest.mark.long
async def test_many_people_at_many_processes_get_their_own_tokens(fake, shared):
    """They sign in and refresh a hundred at once: whoever mixes answers up hands one person's data to another."""
    people = [persona.sub for persona in numbered_personas(PEOPLE)]
    seen: list[tuple[str, Visit]] = []
    cookies = await signed_in(fake, shared.fleet, *people, lifetime=SHORT)
    refreshes = fake.count_grants("refresh_token")
    await until_expired(fake, next_lifetime=LONG)

    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def come(sub: str) -> None:
        async with limiter:
            seen.extend((sub, one) for one in await visits([shared.fleet.origin + "/token"] * 3, cookies[sub]))

    async with anyio.create_task_group() as tasks:
        for sub in people:
            tasks.start_soon(come, sub)

    whose = owners(fake)
    assert len(seen) == 3 * PEOPLE
    assert {(sub, one.said["sub"], whose[one.said["token"]]) for sub, one in seen} == {(sub,) * 3 for sub in people}
    assert len({one.said["token"] for _, one in seen}) == PEOPLE
    assert fake.count_grants("refresh_token") - refreshes == PEOPLE


@of_both
async def test_a_request_costs_one_command_or_shares_one(fake, shared, server):
    """Counted by the server itself; where nobody asks for a token, one that has run out makes no refresh."""
    cookie = (await signed_in(fake, shared.fleet, "alice", lifetime=SHORT))["alice"]
    await until_expired(fake, next_lifetime=LONG)
    refreshes = fake.count_grants("refresh_token")
    with server.counting() as sent_for_one:
        one_by_one = [await visits([shared.fleet.origin + "/page"], cookie) for _ in range(20)]
    with server.counting() as sent_at_once:
        at_once = await visits([shared.fleet.origin + "/page"] * 200, cookie)

    assert [one.status for one in chain(*one_by_one, at_once)] == [200] * 220
    assert reads(sent_for_one) == 20
    assert 0 < reads(sent_at_once) <= 200
    assert fake.count_grants("refresh_token") == refreshes


def reads(sent: Mapping[str, int]) -> int:
    """Say how often sessions were read; nothing else may have been sent, but what a new connection is asked."""
    if "get" in sent:
        assert set(sent) == {"get"}
        return sent["get"]
    assert set(sent) == {"SELECT", "prepared"}
    return sent["prepared"]


@of_both
async def test_a_callback_that_is_sent_to_all_processes_at_once_makes_one_token_call(fake, shared):
    """And one session: whoever copies the URL and the cookie gets none."""
    codes = fake.count_grants("authorization_code")
    jar = CookieJar()
    jar.receive(fake.session_cookie("alice"), fake.issuer)
    async with httpx.AsyncClient(timeout=30, limits=UNKEPT, trust_env=False) as client:
        login = await client.get(shared.fleet.origin + "/auth/login", headers={"accept": "text/html"})
        at_provider = login.headers["location"]
        person = jar.header(at_provider, is_same_site=True, is_safe_navigation=True)
        back = (await client.get(at_provider, headers={"cookie": person})).headers["location"]
        mine = "; ".join(text.partition(";")[0] for text in login.headers.get_list("set-cookie"))
        answers: list[httpx.Response] = []

        async def replay(origin: str) -> None:
            client.cookies.clear()
            answers.append(await client.get(back.replace(shared.fleet.origin, origin), headers={"cookie": mine}))

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(replay, shared.fleet.own_origin(number % 4))

    assert fake.count_grants("authorization_code") == codes + 1
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 7
    refused = [
        text for answer in answers if answer.status_code == 400 for text in answer.headers.get_list("set-cookie")
    ]
    assert all("Max-Age=0" in text for text in refused)


async def load(origin: str, cookies: dict[str, str], stop: anyio.Event, done: list[tuple[str, Visit]]) -> None:
    """Let clients come again and again until it is over."""

    async def come(sub: str, cookie: str) -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            while not stop.is_set():
                done.append((sub, await visit(client, origin + "/token", cookie)))
                await anyio.sleep(0.05)

    async with anyio.create_task_group() as tasks:
        for sub, cookie in cookies.items():
            for _ in range(CLIENTS // len(cookies)):
                tasks.start_soon(come, sub, cookie)


@pytest.mark.parametrize("kind", HURT)
async def test_a_store_that_hangs_and_dies_under_load_gives_no_wrong_answer(fake, kind):
    """No wrong answer, no stuck request, and it goes on without a restart of the app."""
    people = ("alice", "bob", "user-0001", "user-0002")
    done, stop = list[tuple[str, Visit]](), anyio.Event()
    with HURT[kind]() as hurt, contextlib.ExitStack() as life:
        life.enter_context(hurt.run())
        started = life.enter_context(fleet(environ_of(fake, hurt.url), count=2))
        cookies = await signed_in(fake, started, *people, lifetime=LIFETIME)
        refreshes = fake.count_grants("refresh_token")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(load, started.origin, cookies, stop, done)
            await until(lambda: fake.count_grants("refresh_token") >= refreshes + len(people))
            hurt.pause()
            await until_next(done, 503)
            hurt.go_on()
            await until_next(done, 200)
            hurt.kill()
            await until_next(done, 503)
            life.enter_context(hurt.run())
            await until_next(done, 200)
            stop.set()
        last = [(await visits([started.origin + "/token"], cookie))[0] for cookie in cookies.values()]
        ended = [process.has_ended for process in started.processes]

    good, whose = [(sub, one) for sub, one in done if one.status == 200], owners(fake)
    assert {(sub, one.said["sub"], whose[one.said["token"]]) for sub, one in good} == {(sub,) * 3 for sub in people}
    assert {(one.status, one.retry_after is not None) for _, one in done} == {(200, False), (503, True)}
    assert max(one.seconds for _, one in done) < PATIENCE
    assert [(one.status, one.said.get("sub")) for one in last] == [(200, sub) for sub in cookies]
    assert ended == [False, False]


async def until_next(done: list[tuple[str, Visit]], status: int) -> None:
    """Wait until as many as there are clients have got such an answer from now on."""
    before = len(done)
    await until(lambda: sum(one.status == status for _, one in done[before:]) >= CLIENTS)


@of_redis
async def test_a_process_that_is_asked_to_end_finishes_a_refresh_first(fake, server):
    """Else each deployment would sign some people out. The client is gone by then: the refresh alone is left."""
    fake.slow_by = 2.0  # seconds; longer than the server waits for requests
    with fleet(environ_of(fake, server.url), count=2) as started:
        cookie = (await signed_in(fake, started, "alice", lifetime=SHORT))["alice"]
        await until_expired(fake, next_lifetime=LONG)
        refreshes = fake.count_grants("refresh_token")
        with fake.fault("refresh_slow"):
            await forsaken_refresh(fake, started.own_origin(0), cookie)
            started.processes[0].process.terminate()
            await until(lambda: started.processes[0].has_ended)
        (after,) = await visits([started.own_origin(1) + "/token"], cookie)

    assert (after.status, after.said.get("sub")) == (200, "alice")
    assert fake.count_grants("refresh_token") == refreshes + 1  # its tokens are in the store


@of_both
async def test_a_trio_server_does_all_of_it(fake, server):
    """Another event loop, and another client of the store."""
    settings = environ_of(fake, server.url)
    origin = settings["OIDC_BASE_URL"]
    port = int(origin.rpartition(":")[2])
    with one_server("hypercorn-trio", "tests.real.fleet_app:app", port=port, environ=settings) as process:
        started = Fleet(origin, (port,), (process,))
        cookie = (await signed_in(fake, started, "alice", lifetime=SHORT))["alice"]
        await until_expired(fake, next_lifetime=LONG)
        refreshes, revoked = fake.count_grants("refresh_token"), len(fake.revoked)
        done = await visits([origin + "/token"] * 20, cookie)
        with server.counting() as sent:
            done += await visits([origin + "/page"] * 20, cookie)
        async with httpx.AsyncClient(trust_env=False) as out:
            await out.post(origin + "/auth/logout", headers={"cookie": cookie})
        (after,) = await visits([origin + "/page"], cookie)

    assert [(one.status, one.said.get("sub")) for one in done] == [(200, "alice")] * 40
    assert (fake.count_grants("refresh_token"), len(fake.revoked)) == (refreshes + 1, revoked + 1)
    assert 0 < reads(sent) <= 20
    assert after.status == 401
