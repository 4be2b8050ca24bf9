"""After a sign-out no concurrent request restores the session: no slow response, no second login."""

import copy
from typing import Any

import pytest

from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header, login_cookies, session_cookies, who_am_i

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


OTHER_SITE = "https://id.example.net"  # cookies that are Lax stay away from its forms


async def sign_out(browser: Browser) -> None:
    """Press the button."""
    await browser.post("/auth/logout", follow=False)


async def test_a_slow_response_of_another_process_does_not_restore_the_session(site):
    """The processes share no memory; what a slow answer writes must open nothing by itself."""
    browser, other_process = await site.signed_in(), site.restarted()

    async def signs_out_meanwhile(scope: Any) -> None:
        site.clock.advance(120)
        other_process.clock.advance(120)
        await sign_out(other_process.browser_of(browser))

    site.app.at_work = signs_out_meanwhile
    slow = await browser.fetch("/page")

    assert (slow.status_code, len(slow.set_cookies)) == (200, 1)
    assert await who_am_i(browser) is None
    assert await who_am_i(other_process.browser_of(browser)) is None


async def test_a_slow_response_does_not_delete_the_cookies_of_the_next_user(site):
    """Alice's last answer comes after Bob has signed in by another process."""
    browser, other_process = await site.signed_in(), site.restarted()

    async def bob_signs_in_meanwhile(scope: Any) -> None:
        site.clock.advance(120)
        other_process.clock.advance(120)
        site.provider.sign_in_as("bob")
        shared = other_process.browser_of(browser)
        await sign_out(shared)
        await shared.get("/page")

    site.app.at_work = bob_signs_in_meanwhile
    await browser.fetch("/page")

    assert await who_am_i(browser) == "bob"


async def test_a_login_that_waits_for_the_provider_does_not_undo_a_sign_out():
    """A second tab is on its way back while the first signs out."""
    tabs: list[Browser] = []

    async def signs_out_meanwhile(user: Any, claims: Any) -> None:
        if tabs:
            await sign_out(tabs[0])

    site = Site(on_login=signs_out_meanwhile)
    browser = await site.signed_in()
    tabs.append(browser.tab())
    callback = (await browser.get("/auth/login", follow=False)).location
    back = await browser.get(callback, follow=False)

    page = await browser.get(back.location, follow=False)

    assert (page.status_code, "signed out" in page.text) == (400, True)
    assert (await who_am_i(browser), session_cookies(browser)) == (None, [])


async def test_signing_in_by_a_form_ends_the_session_that_was_there():
    """The form comes from another site and brings no session cookie; the login knows all the same."""
    site = Site(provider=FakeProvider(OTHER_SITE, alg="ES256"), authorization_params={"response_mode": "form_post"})
    alice = await site.signed_in()
    stolen = site.browser(jar=copy.deepcopy(alice.jar))
    site.provider.sign_in_as("bob")

    await alice.get("/auth/login")

    assert (await who_am_i(alice), await who_am_i(stolen)) == ("bob", None)


async def test_signing_out_ends_the_session_that_a_form_login_replaced():
    """The same user signed in twice; one sign-out is enough."""
    site = Site(provider=FakeProvider(OTHER_SITE, alg="ES256"), authorization_params={"response_mode": "form_post"})
    browser = await site.signed_in()
    stolen = site.browser(jar=copy.deepcopy(browser.jar))
    site.provider.sign_in_as("alice")
    await browser.get("/auth/login")
    assert await who_am_i(stolen) == "alice"

    await sign_out(browser)

    assert await who_am_i(stolen) is None


async def test_among_logins_of_one_second_the_oldest_is_dropped(site):
    """A browser that restores its tabs starts them all at once; with the name of a provider, seven of them fit."""
    browser, started = site.browser(), list[str]()
    for _ in range(10):
        before = set(login_cookies(browser))
        await browser.get("/auth/login", follow=False)
        started += set(login_cookies(browser)) - before

    left = login_cookies(browser)
    assert (len(left) in (7, 8), sorted(started[-len(left) :])) == (True, left)


@pytest.mark.parametrize("destination", ["image", "iframe", "style"])
async def test_a_picture_in_a_page_signs_nobody_out(site, destination):
    """Users may put pictures on our pages, and those come from our own origin."""
    browser = await site.signed_in()

    response = await browser.fetch("/auth/logout", headers={"sec-fetch-dest": destination})

    assert (response.status_code, await who_am_i(browser)) == (400, "alice")


async def test_a_denial_response_for_a_websocket_is_private():
    """It is about the user as well, and caches see an ordinary answer."""

    async def denies(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"cache-control", b"public, max-age=600"), (b"x-litespeed-cache-control", b"public")]
        kind = "websocket.http.response.start" if scope["type"] == "websocket" else "http.response.start"
        await send({"type": kind, "status": 200, "headers": headers})
        await send({"type": kind.replace("start", "body"), "body": b'{"sub": "alice"}'})

    site = Site(inner=denies)
    browser = site.browser()
    await browser.sign_in("alice", "/page")
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    exchange = Exchange({"type": "websocket.connect"})

    await site.middleware({"type": "websocket", "path": "/ws", "headers": headers}, exchange.receive, exchange.send)

    assert exchange.sent[0]["headers"] == [(b"vary", b"Cookie"), (b"cache-control", b"private, max-age=600")]


async def test_a_session_that_is_too_large_logs_the_fix(caplog):
    """Fields of the log are cut, so the fix comes first."""
    site = Site()
    site.provider.id_token_overrides = {"groups": ["a-group-with-a-long-name"] * 1000}
    browser, url = await site.at_callback()

    page = await browser.get(url, follow=False)

    assert page.status_code == 500
    assert "request fewer claims" in caplog.text
    assert "groups" in caplog.text


async def test_a_login_that_does_not_fit_ends_no_session(site):
    """What fails leaves everything as it was."""
    browser = await site.signed_in()
    site.provider.sign_in_as("bob")
    site.provider.id_token_overrides = {"groups": ["a-group-with-a-long-name"] * 1000}

    page = await browser.get("/auth/login")

    assert (page.status_code, await who_am_i(browser)) == (500, "alice")


async def test_two_tabs_that_come_back_late_both_get_a_fresh_login(site):
    """Left open over lunch, both at the provider."""
    first = site.browser()
    second = first.tab()
    await first.get("/one")
    await second.get("/two")
    site.clock.advance(700)

    pages = [await tab.submit(button="alice") for tab in (first, second)]

    assert [page.status_code for page in pages] == [200, 200]
    assert "Your browser did not send the cookie" not in pages[1].text


async def test_an_exception_of_a_hook_cannot_forge_a_log_line(caplog):
    """Its text may hold what a user is called, and users choose that."""

    async def raises(user: Any, claims: Any) -> None:
        raise ValueError(f"no team for {claims['name']}")

    site = Site(on_login=raises)
    site.provider.id_token_overrides = {"name": "x\nCRITICAL forged line"}
    browser, url = await site.at_callback()

    page = await browser.get(url, follow=False)

    assert page.status_code == 500
    assert "forged" not in caplog.text
    assert "raised=ValueError" in caplog.text
    assert "test_sign_out_races.py:" in caplog.text


async def test_two_tabs_that_switch_to_another_user_do_not_disturb_each_other(site):
    """The first replaces the session that both began with; nobody has signed out."""
    browser = await site.signed_in()
    site.provider.sign_in_as("bob")
    tabs = [browser.tab(), browser.tab()]
    waiting = [(await tab.get("/auth/login", follow=False)).location for tab in tabs]
    back = [(await tab.get(url, follow=False)).location for tab, url in zip(tabs, waiting, strict=True)]

    pages = [await tab.get(url) for tab, url in zip(tabs, back, strict=True)]

    assert [page.status_code for page in pages] == [200, 200]
    assert await who_am_i(browser) == "bob"
