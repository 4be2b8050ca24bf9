"""Sessions in a store: what a request costs, what is kept, and what a store that fails does to whom."""

import copy
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_oidc import MemoryStore, OIDCError, OIDCMiddleware, SettingsError
from asgi_oidc.testing import Browser
from tests.internals import revocations_of, session_cookies_of
from tests.protected_site import OTHER_SECRET, SECRET, Site, cookie_header, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, TokenSite


@pytest.fixture
def store() -> ScriptedStore:
    return ScriptedStore()


@pytest.fixture
def site(store: ScriptedStore) -> Site:
    return Site(store=store)


@pytest.fixture
def token_site(store: ScriptedStore) -> TokenSite:
    return TokenSite(store)


async def test_the_cookie_holds_nothing_but_an_id(site):
    """256 bits; what it opens is elsewhere."""
    browser = await site.signed_in("erin")

    assert [len(browser.jar[name].value) for name in session_cookies(browser)] == [43]


async def test_a_request_asks_the_store_once_and_writes_nothing(site, store):
    """Round trips are what a store costs."""
    browser = await site.signed_in()
    store.calls.clear()

    for _ in range(3):
        await browser.fetch("/page")

    assert store.calls == ["get"] * 3


async def test_the_last_use_is_written_once_a_minute(site, store):
    """However busy the user is."""
    browser = await site.signed_in()
    store.calls.clear()

    for _ in range(10):
        site.clock.advance(20)
        await browser.fetch("/page")

    assert store.calls.count("replace") == 3


async def test_a_visitor_without_a_session_asks_the_store_nothing(site, store):
    """Nor does anybody who makes an id up in another form."""
    await site.browser().get("/page", follow=False)
    await site.call("/page", headers={"cookie": "__Host-oidc-ysf36kdz=made-up"})

    assert store.calls == []


async def test_use_keeps_a_session_alive_and_a_pause_ends_it(site):
    """The limits are inside the sealed record."""
    browser = await site.signed_in()
    for _ in range(4):
        site.clock.advance(3000)
        assert await who_am_i(browser) == "alice"
        await browser.fetch("/page")

    site.clock.advance(3600)

    assert await who_am_i(browser) is None


async def test_a_sign_out_holds_in_all_processes(site):
    """A copy of the cookie is worth nothing after it."""
    browser, elsewhere = await site.signed_in(), site.restarted()
    thief = elsewhere.browser(jar=copy.deepcopy(browser.jar))
    assert await who_am_i(thief) == "alice"

    await browser.post("/auth/logout", follow=False)

    assert await who_am_i(thief) is None


async def test_a_new_login_ends_the_session_that_was_planted(site, store):
    """The id is new, and the old record is gone: nobody signs in to a session that somebody else knows."""
    browser = await site.signed_in("bob")
    planted = cookie_header(browser)

    await browser.sign_in("alice", "/auth/login?prompt=login")
    site.provider.sign_in_as("alice")
    await browser.get("/auth/login?return_to=/page")

    assert await who_am_i(browser) == "alice"
    assert cookie_header(browser) != planted
    assert (await site.call("/page", headers={"cookie": planted, "accept": "application/json"})).status == 401


FAILURES: dict[str, dict[str, Any]] = {
    "raises": {"broken": {"get"}},
    "answers with text": {"answers": {"get": "text"}},
    "answers with what is none of ours": {"answers": {"get": b"garbage"}},
    "answers with a number": {"answers": {"get": 1}},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_store_that_fails_signs_nobody_out(site, store, failure):
    """Protected paths wait for it, public ones go on without knowing who it is."""
    browser = await site.signed_in()
    for name, value in failure.items():
        setattr(store, name, value)

    protected, public, session = [await browser.fetch(path) for path in ("/page", "/", "/auth/session")]
    page = await browser.get("/page", follow=False)
    store.broken, store.answers = set(), {}
    after = await browser.fetch("/page")

    assert [answer.status_code for answer in (protected, public, session, page)] == [503, 200, 503, 503]
    assert all("retry-after" in answer.headers for answer in (protected, session, page))
    assert public.json()["sub"] is None
    assert not any(answer.set_cookies for answer in (protected, public, session, page))
    assert (after.status_code, after.json()["sub"]) == (200, "alice")


async def test_a_store_that_is_full_lets_sessions_go_on(token_site, store):
    """They are read; a login and a refresh stop before anything is used up."""
    browser = await token_site.signed_in()
    store.broken = {"add", "replace"}
    token_site.clock.advance(120)
    going_on = await browser.fetch("/page")
    token_site.clock.advance(LIFETIME)
    refresh = await browser.fetch("/page")
    login = await token_site.browser().sign_in("bob", "/page")

    assert (going_on.status_code, refresh.status_code, login.status_code) == (200, 503, 503)
    assert (token_site.refreshes, token_site.provider.count_grants("authorization_code")) == (0, 1)

    store.broken = set()
    assert (await browser.fetch("/page")).status_code == 200
    assert (await token_site.browser().get(login.url)).status_code in (200, 400)


async def test_a_login_goes_on_when_the_store_is_back(site, store):
    """Reloading the page is enough: the code was not used."""
    browser, url = await site.at_callback()
    store.broken = {"add"}
    down = await browser.get(url, follow=False)
    store.broken = set()

    back = await browser.get(url)

    assert (down.status_code, back.status_code, back.json()["sub"]) == (503, 200, "alice")


async def test_signing_out_waits_for_the_store(site, store):
    """It must not say that a session is over that lives on there."""
    browser = await site.signed_in()
    store.broken = {"remove"}
    down = await browser.post("/auth/logout", follow=False)
    kept = session_cookies(browser)
    store.broken = set()

    done = await browser.post("/auth/logout", follow=False)

    assert (down.status_code, len(kept), done.status_code) == (503, 1, 303)
    assert await who_am_i(browser) is None


async def test_an_unreadable_record_blocks_no_login(site, store):
    """The page offers a sign-in, and that works."""
    browser = await site.signed_in()
    store.answers = {"get": b"garbage"}
    page = await browser.get("/page")
    started = await browser.click("Sign in again", follow=False)
    store.answers = {}

    assert "Sign in again" in page.text
    assert (started.status_code, started.location.startswith(site.provider.issuer)) == (303, True)


async def test_an_evicted_session_is_signed_out(site, store):
    """A store may have to forget."""
    browser = await site.signed_in()
    store.memory = MemoryStore()

    assert (await browser.fetch("/page")).status_code == 401
    assert (await browser.get("/page")).json()["sub"] == "alice"


async def test_a_sign_out_while_the_store_takes_a_new_session_wins(site, store):
    """A second tab is on its way back while the first signs out, and the store is slow."""
    browser = await site.signed_in()
    tab = browser.tab()
    callback = (await browser.get("/auth/login", follow=False)).location
    back = await browser.get(callback, follow=False)
    store.before["add"].append(lambda: tab.post("/auth/logout", follow=False))

    page = await browser.get(back.location, follow=False)

    assert (page.status_code, "signed out" in page.text) == (400, True)
    assert await site.middleware.sessions.of("alice") == []


async def test_an_old_session_that_cannot_be_ended_is_no_reason_to_refuse_the_new_one(site, store):
    """The browser has forgotten it, and it ends by itself."""
    browser = await site.signed_in()
    store.broken = {"replace"}

    page = await browser.get("/auth/login")

    assert (page.status_code, await who_am_i(browser)) == (200, "alice")


async def test_two_sites_share_a_store_without_conflict(store):
    """Nor does the session of one open the other, under the same secret."""
    one, two = Site(store=store), Site(store=store, base_url="https://app.example.com/admin", inner=None)
    browser = await one.signed_in()
    name = session_cookies(browser)[0]
    value = next(cookie.value for cookie in browser.jar if cookie.name == name)
    other_name = session_cookies_of(two.middleware).name

    answer = await two.call("/admin/page", headers={"cookie": f"{other_name}={value}", "accept": "application/json"})

    assert answer.status == 401


async def test_a_secret_is_rotated_in_the_middle(site):
    """The old one opens, the new one seals; without the old one the user signs in again."""
    browser = await site.signed_in()

    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    new = site.restarted(secret=OTHER_SECRET)

    assert await who_am_i(both.browser_of(browser)) == "alice"
    assert await who_am_i(new.browser_of(browser)) is None


async def test_a_clock_that_is_set_back_signs_nobody_out(token_site):
    """Nor does it make a session live for ever: the store counts its own time."""
    browser = await token_site.signed_in()
    token_site.clock.advance(LIFETIME + 1)
    with token_site.provider.fault("refresh_down"):
        await browser.fetch("/page")

    token_site.clock.advance(-1000)
    back = await browser.fetch("/page")
    token_site.clock.advance(1010)

    assert (back.status_code, (await browser.fetch("/page")).status_code) == (200, 200)


async def test_sessions_are_listed_and_ended_from_code(site):
    """The newest first, each with its limits."""
    first = await site.signed_in()
    site.clock.advance(100)
    second = await site.signed_in()
    other = await site.signed_in("bob")
    sessions = site.middleware.sessions

    listed = await sessions.of("alice")
    await second.fetch("/page")
    is_mine = site.app.scope["oidc"].session_id == listed[0].id
    ended = await sessions.end("alice", listed[1].id)

    assert [info.seen_at - info.created_at for info in listed] == [0, 0]
    assert (listed[0].created_at - listed[1].created_at, listed[0].expires_at) == (100, int(site.clock.now) + 3600)
    assert (is_mine, ended, await sessions.end("alice", listed[1].id)) == (True, True, False)
    assert [await who_am_i(browser) for browser in (first, second, other)] == [None, "alice", "bob"]


async def test_no_user_can_end_another_users_session(site):
    """A page may hand on what a browser sent."""
    browser = await site.signed_in("bob")
    his = (await site.middleware.sessions.of("bob"))[0].id

    ended = [await site.middleware.sessions.end("alice", name) for name in (his, "", "made-up", "x" * 500)]

    assert (ended, await who_am_i(browser)) == ([False] * 4, "bob")


async def test_all_sessions_of_a_user_end_at_once(site):
    """A password was stolen; those of before a change of the secret end as well."""
    browsers = [await site.signed_in() for _ in range(3)]
    rotated = site.restarted(secret=[OTHER_SECRET, SECRET])

    count = await rotated.middleware.sessions.end_all("alice")

    assert (count, await rotated.middleware.sessions.of("alice")) == (3, [])
    assert [await who_am_i(browser) for browser in browsers] == [None] * 3


async def test_without_a_store_there_is_no_list():
    """The error says what to set."""
    with pytest.raises(OIDCError, match="set store"):
        _ = Site().middleware.sessions


@pytest.mark.parametrize("wrong", ["nonsense", "redis://", "http://localhost", MemoryStore, object(), 5])
def test_a_store_that_is_none_fails_at_start_up(wrong):
    """With what would be right."""
    with pytest.raises(SettingsError, match="store"):
        Site(store=wrong)


async def test_a_store_may_be_named_in_the_environment(site):
    """As everything else."""
    settings = {name: value for name, value in site.settings.items() if name != "store"}

    middleware = OIDCMiddleware.from_env(site.app, environ={"OIDC_STORE": "memory:"}, clock=site.clock, **settings)

    assert await middleware.sessions.of("alice") == []


async def test_the_list_of_a_user_survives_a_browser_that_comes_back(site):
    """A session that a new login of the same browser replaced leaves the list within its grace."""
    browser: Browser = await site.signed_in()
    site.provider.sign_in_as("alice")
    await browser.get("/auth/login?return_to=/page")

    now = await site.middleware.sessions.of("alice")
    site.clock.advance(31)
    later = [info for info in await site.middleware.sessions.of("alice") if info.expires_at > site.clock.now]

    assert (len(now), len(later)) == (2, 1)


async def test_a_sign_out_ends_a_record_that_this_process_cannot_read(site):
    """The secret is being changed, and this process does not know the new one yet."""
    ahead = site.restarted(secret=[OTHER_SECRET, SECRET])
    browser = await ahead.signed_in()
    header = cookie_header(browser)

    await site.browser_of(browser).post("/auth/logout", follow=False)

    assert (await ahead.call("/auth/session", headers={"cookie": header})).status == 401


async def test_a_page_that_wants_a_token_says_so_while_the_store_is_down(token_site, store):
    """Public or not: nobody is told to sign in who may be signed in."""
    browser = await token_site.signed_in()
    store.broken = {"get"}

    page = await browser.fetch("/public/page")

    assert (page.status_code, "retry-after" in page.headers) == (503, True)


async def test_a_clock_that_is_set_back_does_not_end_a_session_that_is_used(token_site, store):
    """The store counts its own time: the last use has to be written all the same."""
    token_site.app.at_work = lambda scope: anyio.lowlevel.checkpoint()
    store.memory = MemoryStore(clock=lambda: seconds_of_the_store[0])
    seconds_of_the_store = [0.0]
    browser = await token_site.signed_in()
    token_site.clock.advance(-7200)

    seen = []
    for _ in range(30):
        token_site.clock.advance(300)
        seconds_of_the_store[0] += 300
        seen.append((await browser.fetch("/page")).status_code)

    assert seen == [200] * 30


async def test_sessions_stay_in_the_list_through_a_change_of_the_secret(site):
    """The list has a name that follows from the secret; use of a session brings it into the new one."""
    browser = await site.signed_in()
    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    both.clock.advance(120)
    await both.browser_of(browser).fetch("/page")
    new = both.restarted(secret=OTHER_SECRET)

    assert len(await new.middleware.sessions.of("alice")) == 1
    assert await new.middleware.sessions.end_all("alice") == 1
    assert await who_am_i(browser) is None


async def test_a_record_that_is_broken_hides_no_other_one_from_the_list(site, store):
    """Who looks for it must see the rest."""
    await site.signed_in()
    await site.signed_in()
    handle = (await site.middleware.sessions.of("alice"))[0].id
    key = next(key for key in store.memory._values._entries if key.endswith(f"session:{handle}"))
    await store.memory.remove(key)
    await store.memory.add(key, b"garbage", lifetime=60)

    assert [info.id == handle for info in await site.middleware.sessions.of("alice")] == [False]


async def test_made_up_ids_do_not_push_out_revocations(site, store):
    """Anybody may sign out of a session that never was: it must not push the memory of a real one out."""
    for number in range(3):
        made_up = f"{number:042}A"
        header = {"cookie": f"{session_cookies_of(site.middleware).name}={made_up}"}
        await site.call("/auth/logout", method="POST", headers=header)

    assert store.calls.count("remove") == 3
    assert not revocations_of(site.middleware)._entries


async def test_a_session_stands_once_in_the_list_of_two_secrets(site):
    """It is in the indexes of both for a while."""
    browser = await site.signed_in()
    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    both.clock.advance(120)
    await both.browser_of(browser).fetch("/page")

    assert len(await both.middleware.sessions.of("alice")) == 1
    assert await both.middleware.sessions.end_all("alice") == 1
