"""A callback works only once across all processes that share a store, and touches the store only after all checks."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.stores.store import SessionStore
from asgi_oidc.testing import Response
from tests.attacked_provider import own_path
from tests.protected_site import ORIGIN, PROGRAM, Clock, Site, login_cookies, who_am_i
from tests.scripted_store import ScriptedStore

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


SHARED = ["store", "logout_store"]


def site_with(shared: str, store: SessionStore, **settings: Any) -> Site:
    settings[shared] = store
    return Site(**settings)


def spoilt(url: str, **changes: str | None) -> str:
    params = {**dict(parse_qsl(urlsplit(url).query)), **changes}
    kept = {name: value for name, value in params.items() if value is not None}
    return f"{ORIGIN}{own_path('callback')}?{urlencode(kept)}"


@pytest.mark.parametrize("shared", SHARED)
async def test_two_processes_make_one_token_call_for_one_callback(shared):
    """It may be a double click behind a load balancer, or an attacker who has the URL and the cookies."""
    store = MemoryStore()
    site = site_with(shared, store)
    browser, url = await site.at_callback()
    thief = site.restarted(clock=site.clock).browser(jar=browser.jar.copy())
    answers: list[Response] = []

    async def open_it(one: Any) -> None:
        answers.append(await one.get(url, headers=PROGRAM, follow=False))

    with site.provider.hold("code_exchange") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(open_it, browser)
            await gate.until_held()
            await open_it(thief)
            gate.open()

    assert [answer.status_code for answer in answers] == [400, 303]
    assert (site.provider.count("/token"), await who_am_i(browser)) == (1, "alice")


@pytest.mark.parametrize("shared", SHARED)
async def test_a_used_callback_stays_used_in_a_process_with_a_slow_clock(shared):
    """By that clock, the login has not expired yet."""
    clock, slow = Clock(), Clock()
    site = site_with(shared, MemoryStore(clock=clock), clock=clock)
    browser, url = await site.at_callback()
    thief = site.restarted(clock=slow).browser(jar=browser.jar.copy())
    thief.jar.clock = slow
    site.provider.clock = clock
    await browser.get(url)

    clock.advance(890)
    slow.advance(590)
    late = await thief.get(url, headers=PROGRAM)

    assert (late.status_code, site.provider.count("/token")) == (400, 1)


@pytest.mark.parametrize("shared", SHARED)
async def test_a_store_that_forgets_lets_no_callback_count_twice(shared):
    """The process itself remembers it."""
    store = ScriptedStore()
    site = site_with(shared, store)
    browser, url = await site.at_callback()
    thief = site.browser(jar=browser.jar.copy())
    await browser.get(url)
    store.answers = {"add": True}

    again = await thief.get(url, headers=PROGRAM)

    assert (again.json()["error"], site.provider.count("/token")) == ("transaction_missing", 1)


@pytest.mark.parametrize("broken", ["add", "linked"])
@pytest.mark.parametrize("shared", SHARED)
async def test_with_the_store_down_a_reload_can_still_finish_the_login(shared, broken):
    """The session could not be saved, so the code is not spent; the page links back to where the user was."""
    store = ScriptedStore()
    site = site_with(shared, store)
    browser, url = await site.at_callback(path="/page?x=1")
    store.broken = {broken}

    down = await browser.get(url)
    calls, asked = site.provider.count("/token"), site.provider.count("/authorize")
    store.broken = set()
    page = await browser.get(url)

    assert (down.status_code, down.headers["retry-after"], calls) == (503, "5", 0)
    assert ("Try again", "/page?x=1") in [(text, href.removeprefix(ORIGIN)) for href, text in down.page.links]
    assert (page.path, page.json()["sub"], site.provider.count("/token")) == ("/page?x=1", "alice", 1)
    assert site.provider.count("/authorize") == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "made-up"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"code": None, "error": "access_denied"},
        {"code": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("shared", SHARED)
async def test_a_callback_that_is_refused_touches_no_store(shared, changes):
    """Anyone can send such requests."""
    store = ScriptedStore()
    site = site_with(shared, store)
    browser, url = await site.at_callback()
    store.forget_calls()

    refused = await browser.get(spoilt(url, **changes), headers=PROGRAM)

    assert (refused.status_code >= 400, store.calls, site.provider.count("/token")) == (True, [], 0)


async def test_a_callback_with_the_wrong_method_touches_no_store():
    """A form was sent although the login asked for a query."""
    store = ScriptedStore()
    site = Site(store=store)
    browser, url = await site.at_callback()
    store.forget_calls()

    refused = await browser.post(own_path("callback"), dict(parse_qsl(urlsplit(url).query)), headers=PROGRAM)

    assert (refused.status_code, store.calls, login_cookies(browser)) == (400, [], [])


async def test_callbacks_push_no_session_out_of_a_full_store():
    """Anyone can start a login and come back with an invented code."""
    site = Site(store=MemoryStore(max_sessions=10))
    users = [await site.signed_in() for _ in range(10)]

    for _ in range(30):
        browser, url = await site.at_callback()
        assert (await browser.get(spoilt(url, code="made-up"), headers=PROGRAM)).json()["error"] == "provider_refused"

    assert [await who_am_i(user) for user in users] == ["alice"] * 10


async def test_callbacks_that_come_at_once_look_for_sign_outs_together():
    """The list of recent revocations may be long, so they share one read."""
    store = ScriptedStore()
    site = Site(logout_store=store)
    visits = [await site.at_callback() for _ in range(10)]
    store.forget_calls()
    reached, goes_on = anyio.Event(), anyio.Event()

    async def wait() -> None:
        reached.set()
        await goes_on.wait()

    store.before["linked"] = [wait]
    async with anyio.create_task_group() as tasks:
        for browser, url in visits:
            tasks.start_soon(
                lambda browser, url: browser.get(spoilt(url, code="made-up"), headers=PROGRAM), browser, url
            )
        await reached.wait()
        await anyio.wait_all_tasks_blocked()
        goes_on.set()

    assert site.provider.count("/token") == 10
    assert store.calls.count("linked") < 2 * 70  # all of the lists, once for the first and once for the others
