"""A session ends by the clock, and being used keeps it alive up to its lifetime."""

import pytest

from tests.protected_site import Site, cookie_header, login_cookie, session_cookies, token_cookies, who_am_i
from tests.scripted_store import ScriptedStore


async def test_an_idle_session_ends():
    """The idle limit."""
    site = Site(session_idle=600)
    browser = await site.signed_in()
    thief = browser.jar.copy()
    thief.clock = lambda: 0  # a browser that keeps cookies for ever

    site.clock.advance(599)
    assert await who_am_i(site.browser(jar=thief)) == "alice"
    site.clock.advance(1)
    assert await who_am_i(site.browser(jar=thief)) is None


async def test_a_session_ends_however_much_it_is_used():
    """The absolute limit."""
    site = Site(session_idle=600, session_lifetime=3600)
    browser = await site.signed_in()

    for _ in range(7):
        site.clock.advance(500)
        assert (await browser.fetch("/page")).status_code == 200
    site.clock.advance(100)

    assert (await browser.fetch("/page")).status_code == 401


async def test_activity_is_saved_at_most_once_a_minute(site):
    """A cookie in every answer would keep caches and proxies busy."""
    browser = await site.signed_in()
    written = []
    for seconds in (1, 58, 1, 1, 59):
        site.clock.advance(seconds)
        written.append(len((await browser.fetch("/page")).set_cookies))

    assert written == [0, 0, 1, 0, 1]


async def test_the_cookie_lives_as_long_as_the_session_may():
    """The browser deletes it by itself; the activity cookie expires with the idle limit."""
    site = Site(session_idle=600, session_lifetime=1000)
    browser = await site.signed_in()
    name, (tokens,) = login_cookie(browser), token_cookies(browser)
    ends = [browser.jar[name].expires_at, browser.jar[tokens].expires_at]

    site.clock.advance(500)
    await browser.fetch("/page")
    ends += [browser.jar[each].expires_at for each in (name, tokens, f"{name}-seen")]

    assert ends == [site.clock.now + 500] * 5


async def test_the_session_endpoint_does_not_extend_the_session(site):
    """A tab left open must not stay signed in by polling."""
    browser = await site.signed_in()

    site.clock.advance(1800)
    response = await browser.fetch("/auth/session")

    assert (response.status_code, response.set_cookies) == (200, [])
    site.clock.advance(1800)
    assert await who_am_i(browser) is None


async def test_the_end_of_a_session_moves_with_its_use(site):
    """`expires_at` says when it ends if it is not used again."""
    browser = await site.signed_in()
    site.clock.advance(1000)
    await browser.fetch("/page")

    response = await browser.fetch("/auth/session")

    assert response.json()["expires_at"] == site.clock.now + 3600


@pytest.mark.parametrize("seconds", [600, 5000])
async def test_a_request_that_outlasts_its_session_does_not_restore_it(seconds):
    """After expiry no slower request does (design, invariant 8)."""
    site = Site(session_idle=600, session_lifetime=3600)
    browser = await site.signed_in()

    async def slow(scope: object) -> None:
        site.clock.advance(seconds)

    site.app.at_work = slow
    response = await browser.fetch("/page")

    assert (response.status_code, response.set_cookies) == (200, [])
    assert await who_am_i(browser) is None


async def test_a_short_idle_limit_is_written_down_more_often():
    """Else a busy user would be thrown out."""
    site = Site(session_idle=40)
    browser = await site.signed_in()

    for _ in range(10):
        site.clock.advance(30)
        assert (await browser.fetch("/page")).status_code == 200


async def test_after_the_end_a_page_leads_to_a_new_login(site):
    """And the provider may still know the user."""
    browser = await site.signed_in()
    site.clock.advance(3600)

    page = await browser.sign_in("alice", "/other")

    assert (page.path, page.json()["sub"]) == ("/other", "alice")


async def test_every_byte_of_the_activity_cookie_counts(site):
    """Whoever changes one of our cookies is nobody, whichever it is."""
    browser = await site.signed_in()
    site.clock.advance(60)
    await browser.fetch("/page")
    (name,) = (name for name in session_cookies(browser) if name.endswith("-seen"))
    value = browser.jar[name].value
    rest = cookie_header(browser).replace(f"{name}={value}", "")

    statuses = set()
    for place, character in enumerate(value):
        spoilt = value[:place] + ("A" if character != "A" else "B") + value[place + 1 :]
        cookie = f"{rest}; {name}={spoilt}"
        statuses.add((await site.call("/auth/session", headers={"cookie": cookie})).status)

    assert statuses == {401}
    assert await who_am_i(browser) == "alice"


async def test_a_login_starts_without_the_activity_cookie_of_an_older_session(site):
    """The activity cookie may be sealed with a secret that is long gone."""
    browser = await site.signed_in()
    site.clock.advance(60)
    await browser.fetch("/page")

    await browser.get("/auth/login")

    assert [name for name in session_cookies(browser) if name.endswith("-seen")] == []
    assert await who_am_i(browser) == "alice"


# --- in a store: the same, by what is sealed in the record


@pytest.mark.parametrize("used_every", [None, 500])
async def test_a_stored_session_ends_by_its_own_limits(used_every):
    """Both are in the sealed record: a store that forgets late, or never, keeps nobody signed in."""
    # The clock of this one stands still.
    site = Site(store=ScriptedStore(), session_idle=600, session_lifetime=3600)
    browser = await site.signed_in()
    thief = browser.jar.copy()
    thief.clock = lambda: 0  # a browser that keeps cookies for ever

    for _ in range(7 if used_every else 0):
        site.clock.advance(used_every)
        assert (await site.browser(jar=thief).fetch("/page")).status_code == 200
    site.clock.advance(99 if used_every else 599)
    assert await who_am_i(site.browser(jar=thief)) == "alice"
    site.clock.advance(1)

    assert await who_am_i(site.browser(jar=thief)) is None


async def test_the_session_endpoint_does_not_extend_a_stored_session():
    """A tab left open must not stay signed in by polling."""
    store = ScriptedStore()
    site = Site(store=store, session_idle=600)
    browser = await site.signed_in()
    store.forget_calls()

    for _ in range(5):
        site.clock.advance(120)
        await browser.fetch("/auth/session")

    assert set(store.calls) == {"get"}
    assert await who_am_i(browser) is None


async def test_the_use_of_a_stored_session_is_written_down_at_most_once_a_minute():
    """However many requests come; and the browser gets nothing at all."""
    store = ScriptedStore()
    site = Site(store=store)
    browser = await site.signed_in()
    store.forget_calls()
    written = []
    for seconds in (1, 58, 1, 1, 59):
        site.clock.advance(seconds)
        assert (await browser.fetch("/page")).set_cookies == []
        written.append(store.calls.count("replace"))

    assert written == [0, 0, 1, 1, 2]
    assert (await browser.fetch("/auth/session")).json()["expires_at"] == site.clock.now + 3600
