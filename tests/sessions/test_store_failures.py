"""A store that fails: signed-in users stay signed in, nobody becomes another user, and only sealed data is used."""

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_oidc.testing import Browser
from tests.internals import record_names_of
from tests.protected_site import (
    ORIGIN,
    OTHER_SECRET,
    SECRET,
    Exchange,
    Site,
    cookie_header,
    nothing,
    session_cookies,
    who_am_i,
)
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, TokenSite


@pytest.fixture
def store() -> ScriptedStore:
    return ScriptedStore()


@pytest.fixture
def site(store: ScriptedStore) -> TokenSite:
    site = TokenSite(store)
    site.app.at_work = nothing
    return site


async def record_of(site: Site, store: ScriptedStore, browser: Browser) -> bytes:
    """Look at what the store keeps of a browser."""
    await browser.fetch("/page")
    key = record_names_of(site.middleware).key(site.app.scope["oidc"].session_id)  # no public handle, on purpose
    record = await store.memory.get(key)
    assert record is not None
    return record


DOWN: dict[str, Callable[[Browser], Awaitable[Any]]] = {
    "a page": lambda browser: browser.get("/page", follow=False),
    "a script": lambda browser: browser.fetch("/page"),
    "a form": lambda browser: browser.fetch("/page", method="POST"),
    "who am I": lambda browser: browser.fetch("/auth/session"),
    "a sign-out": lambda browser: browser.post("/auth/logout", follow=False),
}


@pytest.mark.parametrize("ask", DOWN.values(), ids=DOWN)
async def test_while_the_store_is_down_nothing_protected_is_served(site, store, ask):
    """Nor is anything taken from the browser, and a minute later all is as before."""
    browser = await site.signed_in()
    before, served = session_cookies(browser), len(site.app.scopes)
    store.broken = {"get", "add", "replace", "remove", "link", "linked", "unlink"}

    answer = await ask(browser)
    store.broken = set()

    assert (answer.status_code, answer.headers["retry-after"], answer.set_cookies) == (503, "5", [])
    assert (len(site.app.scopes), session_cookies(browser)) == (served, before)
    assert await who_am_i(browser) == "alice"


async def test_while_the_store_is_down_a_public_page_sees_an_anonymous_user(site, store):
    """It goes on, for everybody, and gives no token."""
    browser = await site.signed_in()
    store.broken = {"get"}

    page = await browser.fetch("/public/page")
    oidc = site.app.scope["oidc"]

    assert (page.status_code, page.json()["sub"], page.set_cookies) == (200, None, [])
    assert (oidc.id_token, oidc.session_id, site.app.scope["auth"].scopes) == (None, None, [])


@pytest.mark.parametrize(
    ("path", "extensions", "sent"),
    [
        ("/ws", {}, [("websocket.close", 1013)]),
        ("/ws", {"websocket.http.response": {}}, [("websocket.http.response.start", 503)]),
        ("/public/ws", {}, [("websocket.accept", None)]),
    ],
)
async def test_while_the_store_is_down_a_protected_websocket_is_told_to_retry(site, store, path, extensions, sent):
    """Refused before it is accepted; a public one is nobody's."""
    browser = await site.signed_in()
    store.broken = {"get"}
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    exchange = Exchange({"type": "websocket.connect"})

    scope = {"type": "websocket", "path": path, "headers": headers, "extensions": extensions}
    await site.middleware(scope, exchange.receive, exchange.send)

    first = exchange.sent[0]
    assert [(first["type"], first.get("code", first.get("status")))] == sent
    assert path == "/ws" or site.app.scope["user"].is_authenticated is False


async def test_a_store_that_flickers_ends_no_session(site, store):
    """Every second call fails, for a long while."""
    browser = await site.signed_in()
    statuses = set()

    for number in range(40):
        store.broken = {"get"} if number % 2 else set()
        site.clock.advance(30)
        statuses.add((await browser.fetch("/page")).status_code)
    store.broken = set()

    assert (statuses, await who_am_i(browser)) == ({200, 503}, "alice")


async def test_many_at_once_on_a_store_that_is_down_all_get_an_answer(site, store):
    """And all are served when it is back, without a restart."""
    browser = await site.signed_in()
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    for broken in ({"get"}, set[str]()):
        store.broken = broken
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(visit)

    assert statuses == [503] * 100 + [200] * 100


GARBAGE: dict[str, Callable[[bytes], object]] = {
    "text": lambda record: record.decode("latin-1"),
    "a bytearray": bytearray,
    "a view": memoryview,
    "nothing in it": lambda record: b"",
    "other bytes": lambda record: b"\x00" * len(record),
    "half of it": lambda record: record[: len(record) // 2],
    "its head alone": lambda record: record[:40],
    "something at its end": lambda record: record + b"\x00",
    "one bit of its end": lambda record: record[:-1] + bytes([record[-1] ^ 1]),
    "one bit of its summary": lambda record: record[:30] + bytes([record[30] ^ 1]) + record[31:],
    "True": lambda record: True,
}


@pytest.mark.parametrize("garble", GARBAGE.values(), ids=GARBAGE)
async def test_garbled_records_count_as_an_outage(site, store, garble):
    """It may be gone in a moment, so nobody is signed out by it; nothing of it is used."""
    browser = await site.signed_in()
    store.answers = {"get": garble(await record_of(site, store, browser))}

    protected, public = await browser.fetch("/page"), await browser.fetch("/public/page")
    store.answers = {}

    assert (protected.status_code, public.json()["sub"], protected.set_cookies) == (503, None, [])
    assert await who_am_i(browser) == "alice"


async def test_the_record_of_another_user_is_an_outage(site, store):
    """Somebody moved it: it is sealed for the id in the other browser."""
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    store.answers = {"get": await record_of(site, store, bob)}

    answer = await alice.fetch("/page")

    assert answer.status_code == 503
    assert [scope["user"].sub for scope in site.app.scopes[-1:]] == ["bob"]


@pytest.mark.parametrize(
    ("start", "new"), [(13, b"0"), (13, b"2"), (14, b"\x00" * 8)], ids=["older", "newer", "secret"]
)
async def test_a_record_that_we_can_no_longer_read_requires_a_new_login(site, store, start, new):
    """Of another version, or under a secret that is gone: waiting would not help, and the next login replaces it."""
    browser = await site.signed_in()
    record = await record_of(site, store, browser)
    store.answers = {"get": record[:start] + new + record[start + len(new) :]}

    program, page = await browser.fetch("/page"), await browser.get("/page", follow=False)
    store.answers = {}
    back = await browser.get(page.location)

    assert (program.status_code, page.status_code, back.json()["sub"]) == (401, 303, "alice")


async def test_an_older_record_that_comes_back_brings_no_dead_session(site, store):
    """A replica that lags: the session was ended, and this process knows."""
    browser = await site.signed_in()
    thief = site.browser(jar=copy.deepcopy(browser.jar))
    record = await record_of(site, store, browser)
    await browser.post("/auth/logout", follow=False)
    store.answers = {"get": record}

    assert await who_am_i(thief) is None


@pytest.mark.parametrize("method", ["add", "link"])
async def test_a_login_that_the_store_does_not_take_signs_nobody_in(site, store, method):
    """And leaves who was signed in before."""
    browser = await site.signed_in()
    store.broken = {method}
    site.provider.sign_in_as("bob")

    page = await browser.get("/auth/login")
    store.broken = set()

    assert (page.status_code, await who_am_i(browser)) == (503, "alice")
    assert (await site.middleware.sessions.of("bob")) == []


@pytest.mark.parametrize("answer", ["yes", 1, None])
async def test_an_unexpected_answer_of_a_store_counts_as_not_written(site, store, answer):
    """ "Written" is never guessed: a login and a refresh stop before anything is used up."""
    browser = await site.signed_in()
    store.answers = {"add": answer}
    site.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)

    refresh = await browser.fetch("/page")
    login = await site.browser().sign_in("bob", "/page")
    store.answers = {}

    assert (refresh.status_code, login.status_code, site.refreshes) == (503, 503, 0)
    assert (await browser.fetch("/page")).status_code == 200


async def test_a_record_that_is_evicted_during_a_refresh_stays_gone(site, store):
    """The new refresh token is given back: there is no session any more that could use it."""
    browser = await site.signed_in()
    key = record_names_of(site.middleware).key(site.app.scope["oidc"].session_id)
    site.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await store.memory.remove(key)
            gate.open()

    assert (site.tokens, len(site.provider.revoked), await who_am_i(browser)) == ([], 1, None)


@pytest.mark.parametrize("method", ["add", "get", "replace", "remove"])
async def test_a_store_that_fails_at_any_step_of_a_refresh_loses_no_refresh_token(site, store, method):
    """Before the call nothing is used up, after it the tokens are kept here, and written when that works again."""
    browser = await site.signed_in()
    site.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)
    first = store.calls.count(method)

    async def fail_once_the_page_is_found() -> None:
        if method != "get" or store.calls.count("get") > first + 1:
            raise OSError("down")

    store.before[method] = [fail_once_the_page_is_found] * 3
    await browser.fetch("/page")
    store.before.clear()
    page = await browser.fetch("/page")
    elsewhere = site.restarted()
    elsewhere.app.at_work = site.ask_for_the_token
    after = await elsewhere.browser_of(browser).fetch("/page")

    assert (page.status_code, after.status_code, site.tokens[-1]) == (200, 200, site.tokens[-2])
    assert (site.refreshes, site.provider.memory.revoked_grants) == (1, set())


async def test_a_refresh_seals_the_record_under_the_new_secret(site):
    """So the old secret can be removed once all records have been written again."""
    browser = await site.signed_in()
    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    both.app.at_work = site.ask_for_the_token
    both.clock.advance(LIFETIME + 1)
    site.clock.advance(LIFETIME + 1)

    await both.browser_of(browser).fetch("/page")
    without = site.restarted(secret=OTHER_SECRET)

    assert await who_am_i(without.browser_of(browser)) == "alice"
    assert (site.refreshes, await who_am_i(browser)) == (1, None)


async def test_two_deployments_of_one_site_share_their_sessions(site):
    """Old and new side by side, while one replaces the other; what one ends is over in both."""
    browser, other = await site.signed_in(), site.restarted()
    site.app.at_work = other.app.at_work = site.ask_for_the_token
    for one in (other, site):
        site.clock.advance(LIFETIME + 1)
        other.clock.now = site.clock.now
        await one.browser_of(browser).fetch("/page")
    await other.browser_of(browser).post("/auth/logout", follow=False)

    assert (site.refreshes, site.provider.memory.revoked_grants != set()) == (2, True)
    assert [await who_am_i(browser), await who_am_i(other.browser_of(browser))] == [None, None]


@pytest.mark.parametrize("seconds", [-60, -3600, -86_400])
async def test_a_clock_that_is_set_back_loses_nothing(site, store, seconds):
    """Pages, refreshes and the sign-out go on, and nothing is written that would live for ever."""
    browser = await site.signed_in()
    site.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    site.clock.advance(seconds)
    pages = [(await browser.fetch("/page")).status_code for _ in range(3)]
    site.clock.advance(LIFETIME + 1)
    pages.append((await browser.fetch("/page")).status_code)
    done = await browser.post("/auth/logout", follow=False)
    site.clock.advance(-seconds)

    assert (pages, done.status_code, await who_am_i(browser)) == ([200] * 4, 303, None)


async def test_exceptions_of_a_store_show_no_secret(site, store, caplog):
    """Its address may hold a password, and its keys tell who is signed in."""
    browser = await site.signed_in()
    store.broken = {"get"}

    answer = await browser.get("/page")

    assert (answer.status_code, "store_failed" in caplog.text) == (503, True)
    assert not any(text in caplog.text + answer.text for text in ("s3cret", cookie_header(browser).partition("=")[2]))


async def test_a_lock_that_is_evicted_lets_no_older_answer_win(site, store):
    """Two processes renew one session; the slower one finds newer tokens, and takes those."""
    site.provider.rotates_refresh_tokens = False
    browser, other = await site.signed_in(), site.restarted()
    lock = record_names_of(site.middleware).lock_key(site.app.scope["oidc"].session_id)
    site.app.at_work = other.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)
    other.clock.now = site.clock.now

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await store.memory.remove(lock)
            tasks.start_soon(other.browser_of(browser).fetch, "/page")
            await gate.until_held(2)
            gate.held[1].let_go()
            await anyio.wait_all_tasks_blocked()
            gate.open()
    await browser.fetch("/page")

    assert (site.refreshes, len(set(site.tokens))) == (2, 1)
