"""A sign-out that the store did not take says so (503), leaves the cookies, and can be tried again."""

import pytest

from tests.protected_site import session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import TokenSite

FULL = {"add", "replace", "link"}  # methods of a store that takes nothing more, but still forgets
READ_ONLY = {*FULL, "remove", "unlink"}


@pytest.fixture
def store() -> ScriptedStore:
    return ScriptedStore()


@pytest.fixture
def site(store: ScriptedStore) -> TokenSite:
    return TokenSite(store)


async def test_a_failed_sign_out_succeeds_once_the_store_works_again(site, store):
    """All that has to be done is to remove one record; nothing has to be written for that."""
    browser = await site.signed_in()
    store.broken = READ_ONLY
    first = await browser.post("/auth/logout", follow=False)
    kept = session_cookies(browser)

    store.broken = FULL
    second = await browser.post("/auth/logout", follow=False)

    assert (first.status_code, kept != [], second.status_code, session_cookies(browser)) == (503, True, 303, [])
    assert await site.middleware.sessions.of("alice") == []


async def test_a_failed_sign_out_of_a_slow_tab_still_ends_the_newer_session(site, store):
    """Its session was replaced meanwhile; the first try does not make the second one forget that."""
    browser = await site.signed_in()
    slow_tab = site.browser(jar=browser.jar.copy())
    await browser.get("/auth/login?return_to=/page")
    store.broken = READ_ONLY
    first = await slow_tab.post("/auth/logout", follow=False)

    store.broken = set()
    second = await slow_tab.post("/auth/logout", follow=False)

    assert (first.status_code, second.status_code, await who_am_i(browser)) == (503, 303, None)
    assert await site.middleware.sessions.of("alice") == []
