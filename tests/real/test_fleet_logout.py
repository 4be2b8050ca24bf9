"""A revoked session is dead in all processes: sealed cookies, several real processes, and revocations in Redis."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from asgi_oidc.sessions.revocation_feed import STALE
from asgi_oidc.testing import Client, FakeProvider, serve
from tests.real.fleet import Fleet, Visit, cookie_of, environ, fleet, visits
from tests.real.processes import PATIENCE, free_port
from tests.real.redis_server import RedisServer, redis, redis_that_is_down

pytestmark = pytest.mark.real

SECRET = "web-secret"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis."""
    with redis() as started:
        yield started


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own."""
    provider = FakeProvider(clients=[Client("web", SECRET)], alg="ES256")
    with serve(provider) as started:
        provider.issuer = started.url
        yield provider


def settings(fake: FakeProvider, url: str) -> dict[str, str]:
    """Set the app up with sealed cookies, and revocations in Redis."""
    made = environ(fake.issuer, client_id="web", client_secret=SECRET, port=free_port())
    return {**made, "OIDC_LOGOUT_STORE": url}


async def visit_all(started: Fleet, cookie: str) -> list[Visit]:
    """Ask each process once."""
    found = [await visits([started.own_origin(index) + "/page"], cookie) for index in range(len(started.own_ports))]
    return [one for (one,) in found]


async def until_out_everywhere(started: Fleet, *cookies: str) -> None:
    """Wait until no process takes any of these; a process that knew it must not forget it again."""
    out = set[tuple[str, int]]()
    with anyio.fail_after(STALE + PATIENCE):
        while True:
            done = {cookie: [one.status for one in await visit_all(started, cookie)] for cookie in cookies}
            known = {(cookie, at) for cookie, all_of in done.items() for at, one in enumerate(all_of) if one == 401}
            assert out <= known
            assert {status for all_of in done.values() for status in all_of} <= {200, 401}
            out = known
            if len(out) == sum(map(len, done.values())):
                return
            await anyio.sleep(0.05)


async def sign_out(origin: str, cookie: str) -> int:
    """Sign out in one process."""
    async with httpx.AsyncClient(trust_env=False) as out:
        return (await out.post(origin + "/auth/logout", headers={"cookie": cookie})).status_code


async def hear(origin: str, token: str) -> int:
    """Send a logout token to one process."""
    async with httpx.AsyncClient(trust_env=False) as provider:
        body = urlencode({"logout_token": token})
        return (await provider.post(origin + "/auth/backchannel-logout", content=body, headers=FORM)).status_code


async def test_copies_of_a_cookie_are_dead_in_all_processes_within_seconds(fake, server):
    """Signed out in one, by the person; then others by the provider, in another; then in one that starts later."""
    with fleet(settings(fake, server.url), count=3) as started:
        cookies = [await cookie_of(started.origin, fake.issuer) for _ in range(6)]
        of_bob = await cookie_of(started.origin, fake.issuer, "bob")
        before = [one.status for cookie in cookies for one in await visit_all(started, cookie)]
        by_person = await sign_out(started.own_origin(0), cookies[0])
        at_once = (await visit_all(started, cookies[0]))[0].status
        await until_out_everywhere(started, cookies[0])
        others = [one.status for cookie in cookies[1:] for one in await visit_all(started, cookie)]
        token = fake.logout_token("alice")
        by_provider = [await hear(started.own_origin(index), token) for index in (1, 2)]
        await until_out_everywhere(started, *cookies)
        stays = [one.status for one in await visit_all(started, of_bob)]
        again = await cookie_of(started.origin, fake.issuer)
        lives = [one.status for one in await visit_all(started, again)]

    assert set(before) == set(others) == set(stays) == set(lives) == {200}
    assert (by_person, at_once, by_provider) == (303, 401, [200, 400])


async def test_a_process_that_starts_later_knows_earlier_revocations(fake, server):
    """From its first request on."""
    told = settings(fake, server.url)
    with fleet(told, count=1) as started:
        cookie = await cookie_of(started.origin, fake.issuer)
        other = await cookie_of(started.origin, fake.issuer, "bob")
        assert await sign_out(started.own_origin(0), cookie) == 303
        assert await hear(started.own_origin(0), fake.logout_token("bob")) == 200
    with fleet(told, count=1) as started:
        after = [one.status for copy in (cookie, other) for one in await visit_all(started, copy)]

    assert after == [401, 401]


async def test_with_redis_down_nobody_gets_in_and_nobody_is_told_that_they_are_out(fake):
    """Who cannot look whether a session has ended says so, and goes on when Redis does."""
    with redis_that_is_down() as hurt, contextlib.ExitStack() as life:
        life.enter_context(hurt.run())
        started = life.enter_context(fleet(settings(fake, hurt.url), count=1))
        origin = started.own_origin(0)
        cookie = await cookie_of(started.origin, fake.issuer)
        token = fake.logout_token("alice")
        hurt.kill()
        refused = [await sign_out(origin, cookie), await hear(origin, token)]
        await anyio.sleep(STALE + 0.1)
        down = (await visits([origin + "/page"], cookie))[0]
        public = (await visits([origin + "/public"], ""))[0]
        life.enter_context(hurt.run())
        back = await until_answered(origin, cookie)
        told = await hear(origin, token)
        (after,) = await visits([origin + "/page"], cookie)

    assert (refused, down.status, down.retry_after is not None, public.status) == ([503, 503], 503, True, 200)
    assert (back, told, after.status) == (401, 200, 401)


async def until_answered(origin: str, cookie: str) -> int:
    """Wait until it is back."""
    with anyio.fail_after(PATIENCE):
        while True:
            (answer,) = await visits([origin + "/page"], cookie)
            if answer.status != 503:
                return answer.status
            await anyio.sleep(0.1)


async def test_open_websockets_at_other_processes_are_closed_within_seconds(fake, server):
    """By the person, and by the provider."""
    with fleet(settings(fake, server.url), count=2) as started:
        cookies = [await cookie_of(started.origin, fake.issuer) for _ in range(2)]
        url = started.own_origin(1).replace("http:", "ws:") + "/ws"
        headers = [{"cookie": cookie, "origin": started.origin} for cookie in cookies]
        first_one, second_one = (connect(url, additional_headers=these) for these in headers)
        async with first_one as one, second_one as two:
            first = await sign_out(started.own_origin(0), cookies[0])
            codes = [await closing_code(one)]
            second = await hear(started.own_origin(0), fake.logout_token("alice"))
            codes.append(await closing_code(two))

    assert (first, second, codes) == (303, 200, [4401, 4401])


async def closing_code(websocket: object) -> int:
    """Wait for the other end to close it, and say with which code."""
    with anyio.fail_after(PATIENCE), pytest.raises(ConnectionClosed) as closed:
        await websocket.recv()  # type: ignore[attr-defined]  # of websockets' own class
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
