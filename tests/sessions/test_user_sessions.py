"""Sessions that are seen and ended from code: at once, for good, and nobody else's."""

from typing import Any

import anyio
import pytest

from asgi_oidc import MemoryStore, SessionEnded, StoreUnavailable
from asgi_oidc.testing import Browser, FakeProvider, Persona
from tests.asgi.test_open_websockets import fill_up
from tests.protected_site import OTHER_SECRET, SECRET, Site, cookie_header, nothing, who_am_i
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


async def ids_of(site: Site, sub: str = "alice") -> list[str]:
    """Name the sessions of a user."""
    return [info.id for info in await site.middleware.sessions.of(sub)]


async def end(site: Site, browser: Browser, how: str) -> None:
    """End a session, in one of the ways that code has."""
    await browser.fetch("/page")
    session_id = site.app.scope["oidc"].session_id
    if how == "end":
        assert await site.middleware.sessions.end("alice", session_id)
    else:
        assert await site.middleware.sessions.end_all("alice") == 1


both = pytest.mark.parametrize("how", ["end", "end_all"])


@both
async def test_a_session_that_was_ended_is_dead_in_all_its_forms(site, how):
    """Pages, scripts, websockets, and the list."""
    browser = await site.signed_in()
    header = cookie_header(browser)

    await end(site, browser, how)

    assert await who_am_i(browser) is None
    assert (await browser.get("/page", follow=False)).status_code == 303
    assert (await site.restarted().call("/auth/session", headers={"cookie": header})).status == 401
    assert await ids_of(site) == []


@both
async def test_a_concurrent_request_does_not_restore_a_signed_out_session(site, how):
    """Twenty of them, whose last use was about to be written."""
    browser = await site.signed_in()
    header = cookie_header(browser)
    ended = anyio.Event()

    async def work_long(scope: Any) -> None:
        await ended.wait()

    async with anyio.create_task_group() as tasks:
        site.app.at_work = work_long
        for _ in range(20):
            tasks.start_soon(site.browser_of(browser).fetch, "/page")
        await anyio.wait_all_tasks_blocked()
        site.app.at_work = nothing
        await end(site, browser, how)
        site.clock.advance(120)
        ended.set()

    assert (await site.call("/auth/session", headers={"cookie": header})).status == 401
    assert await ids_of(site) == []


@both
async def test_a_concurrent_refresh_does_not_restore_the_session(site, how):
    """And the refresh token that it got is given back."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    tab = browser.tab()

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            site.app.at_work = site.ask_for_the_token
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            site.app.at_work = nothing
            await end(site, tab, how)
            gate.open()

    memory, now = site.provider.memory, site.provider.now()
    assert [token for token in memory.refresh_tokens if memory.live_refresh_token(token, now=now)] == []
    assert (site.tokens, await who_am_i(browser)) == ([], None)


async def test_a_page_may_end_its_own_session(site):
    """ "Sign out everywhere", and the page is still to be answered."""
    browser = await site.signed_in()
    other = await site.signed_in()
    raised: list[str] = []

    async def end_all(scope: Any) -> None:
        await site.middleware.sessions.end_all(scope["user"].sub)
        site.clock.advance(LIFETIME + 1)
        try:
            await scope["oidc"].access_token()
        except SessionEnded as error:
            raised.append(error.code)

    site.app.at_work = end_all
    page = await browser.fetch("/page")

    assert (page.status_code, raised) == (200, ["session_ended"])
    assert [await who_am_i(one) for one in (browser, other)] == [None, None]


async def test_a_user_may_sign_in_again_after_the_end(site):
    """The end is about sessions, not about the person."""
    browser = await site.signed_in()
    await site.middleware.sessions.end_all("alice")

    page = await browser.get("/page")

    assert (page.json()["sub"], len(await ids_of(site))) == ("alice", 1)


@pytest.mark.parametrize("sub", ["Alice", "alice ", "", "alic", "alice\x00", "*", "sub:alice"])
async def test_a_user_is_named_byte_for_byte(site, sub):
    """Two names for one person are never guessed."""
    browser = await site.signed_in()

    assert (await ids_of(site, sub), await site.middleware.sessions.end_all(sub)) == ([], 0)
    assert await who_am_i(browser) == "alice"


@pytest.mark.parametrize("sub", ["auth0|5f7c", "ü:ñ*?[a]", "x" * 255, "a b", "{tag}", "../alice"])
async def test_any_name_has_its_sessions(store, sub):
    """Providers choose what a `sub` looks like."""
    provider = FakeProvider(alg="ES256", personas=[Persona(sub, "Some One", "some@example.com")])
    site = Site(store=store, provider=provider)
    await site.signed_in(sub)

    listed = await site.middleware.sessions.of(sub)

    assert (len(listed), await site.middleware.sessions.end_all(sub)) == (1, 1)


async def test_two_who_end_all_at_once_count_each_session_once(site):
    """In two processes."""
    for _ in range(5):
        await site.signed_in()
    counts: list[int] = []

    async def end_all(one: Site) -> None:
        counts.append(await one.middleware.sessions.end_all("alice"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_all, site)
        tasks.start_soon(end_all, site.restarted())

    assert (sum(counts), await ids_of(site)) == (5, [])


async def test_a_sign_out_leaves_the_list_at_once(site):
    """And an entry whose session the store has lost goes when somebody looks."""
    one, other = await site.signed_in(), await site.signed_in()

    await one.post("/auth/logout", follow=False)
    after_sign_out = await ids_of(site)
    await other.fetch("/page")

    assert after_sign_out == [site.app.scope["oidc"].session_id]


async def test_a_session_that_the_store_has_lost_leaves_the_list(site, store):
    """The record is what counts."""
    await site.signed_in()
    store.answers = {"get": None}
    looked_at = await ids_of(site)
    store.answers = {}

    assert (looked_at, await site.middleware.sessions.end_all("alice")) == ([], 0)


async def test_the_list_shows_the_last_use_to_the_minute(site):
    """For a page that says where somebody is signed in."""
    browser = await site.signed_in()
    site.clock.advance(600)
    await browser.fetch("/page")

    (info,) = await site.middleware.sessions.of("alice")

    assert (info.seen_at - info.created_at, info.expires_at) == (600, int(site.clock.now) + 3600)


async def test_two_sites_list_their_own_sessions_alone(store):
    """In one store, under one secret."""
    site, other = Site(store=store), Site(store=store, base_url="https://other.example.com")
    browser = await site.signed_in()

    assert (await ids_of(other), await other.middleware.sessions.end_all("alice")) == ([], 0)
    assert await who_am_i(browser) == "alice"


async def test_a_rotated_secret_lists_and_ends_the_sessions_of_before(site):
    """Until the old one goes: then they open nothing, and nobody sees them."""
    browser = await site.signed_in()
    both_secrets = site.restarted(secret=[OTHER_SECRET, SECRET])
    without = site.restarted(secret=OTHER_SECRET)

    listed = [await ids_of(one) for one in (both_secrets, without)]
    ended = await both_secrets.middleware.sessions.end("alice", listed[0][0])

    assert ([len(ids) for ids in listed], ended, await who_am_i(browser)) == ([1, 0], True, None)


async def test_of_two_callers_that_end_a_session_one_is_told_so(site, store):
    """The other one ended nothing."""
    await site.signed_in()
    (name,) = await ids_of(site)
    told: list[bool] = []

    async def end_first() -> None:
        told.append(await site.middleware.sessions.end("alice", name))

    store.before["remove"] = [end_first]
    told.append(await site.middleware.sessions.end("alice", name))

    assert told == [True, False]


async def test_a_session_of_a_user_at_the_revocation_limit_can_be_ended(site):
    """The record is gone, whether or not there is a revocation for concurrent requests."""
    browser = await site.signed_in()
    fill_up(site, "alice")

    ended = await site.middleware.sessions.end("alice", (await ids_of(site))[0])

    assert (ended, await who_am_i(browser), await ids_of(site)) == (True, None, [])


async def test_a_record_of_another_release_is_not_listed(site, store):
    """Its format is unknown here; the process that wrote it can read it."""
    await site.signed_in()
    store.answers["get"] = b"oidc-session-9" + bytes(100)

    assert await ids_of(site) == []


@pytest.mark.parametrize("method", ["linked", "get", "remove"])
async def test_a_store_that_is_down_raises_for_the_caller(site, store, method):
    """ "None" would be taken for "there are none", and "False" for "it is over"."""
    browser = await site.signed_in()
    (name,) = await ids_of(site)
    sessions = site.middleware.sessions
    store.broken = {method}

    with pytest.raises(StoreUnavailable):
        await (sessions.end("alice", name) if method == "remove" else sessions.of("alice"))
    store.broken = set()

    assert await who_am_i(browser) == "alice"


async def test_a_full_store_still_ends_sessions(site, store):
    """It gives room; of all of a user, a login that is under way elsewhere might not hear, so the caller is told."""
    one, other = await site.signed_in(), await site.signed_in()
    await one.fetch("/page")
    session_id = site.app.scope["oidc"].session_id

    store.broken = {"add", "replace", "link"}
    ended = await site.middleware.sessions.end("alice", session_id)
    with pytest.raises(StoreUnavailable):
        await site.middleware.sessions.end_all("alice")
    store.broken = set()

    assert (ended, await who_am_i(one), await who_am_i(other)) == (True, None, None)


async def test_listed_ids_do_not_open_sessions(site):
    """It may stand in a page, a form or a log."""
    browser = await site.signed_in()
    (name,) = await ids_of(site)
    cookie = cookie_header(browser).partition("=")[0]

    answer = await site.call("/auth/session", headers={"cookie": f"{cookie}={name}"})

    assert (answer.status, name in cookie_header(browser)) == (401, False)


async def test_a_list_shows_no_session_of_a_login_under_way():
    """A visitor costs the store nothing."""
    site = Site(store=MemoryStore())
    await site.at_callback()

    assert await ids_of(site) == []
