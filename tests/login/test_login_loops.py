"""A user caught in a login loop gets a page that explains the likely cause."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, Response
from asgi_oidc.testing.cookie_jar import CookieJar
from tests.protected_site import ORIGIN, OTHER_SECRET, PROGRAM, Site, session_cookies


async def at_page(browser: Browser, path: str = "/page") -> Response:
    """Follow a link in a mail, and all that happens then; a provider that knows the person always says yes."""
    page = await browser.get(path, initiator="https://mail.example.net/")
    return await browser.submit(page, "alice") if page.page.forms else page


def logins_of(page: Response) -> int:
    return sum("/auth/callback" in step.url for step in page.history)


class Forgetful(Browser):
    """A browser that loses the session cookie with each answer, and keeps all others."""

    async def _send(self, request: Any) -> Response:
        response = await super()._send(request)
        for cookie in session_cookies(self):
            self.jar.receive(f"{cookie}=; Path=/; Secure; HttpOnly; Max-Age=0", ORIGIN)
        return response


async def test_a_browser_that_loses_its_session_cookie_is_told_so(caplog):
    """It may be blocked, or there are too many."""
    site = Site()
    known = await site.signed_in()
    browser = Forgetful(site.middleware, ORIGIN, {site.provider.origin: site.provider}, clock=site.clock, jar=known.jar)
    browser.jar.receive(f"{session_cookies(known)[0]}=; Path=/; Secure; HttpOnly; Max-Age=0", ORIGIN)

    page = await at_page(browser)

    assert (page.status_code, "does not stay signed in" in page.text) == (400, True)
    assert "code=login_loop_without_cookie" in caplog.text
    assert len(page.history) < 16


class Blocking(CookieJar):
    """A browser that takes no cookie of the site."""

    def receive(self, set_cookie: str, url: str) -> None:
        if not url.startswith(ORIGIN):
            super().receive(set_cookie, url)


async def test_a_browser_without_any_cookies_is_told_so():
    """That was found out by its login already."""
    site = Site()
    browser = site.browser()
    browser.jar = Blocking(site.clock)

    page = await at_page(browser)

    assert (page.status_code, "did not send the cookie" in page.text) == (400, True)


@pytest.mark.parametrize("ahead", [7200, -7200])
async def test_servers_whose_clocks_differ_are_named(ahead):
    """One signs in, and the other takes that for over; neither looks wrong from inside."""
    site = Site(session_idle=600, session_lifetime=3600)
    other = Site(session_idle=600, session_lifetime=3600, provider=site.provider)
    site.provider.clock = site.clock
    other.clock.now = site.clock.now + ahead

    async def balanced(scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["path"].startswith("/auth/")
        await (site if is_ours else other).middleware(scope, receive, send)

    page = await at_page(site.browser(app=balanced))

    if ahead > 0:
        assert (page.status_code, "does not keep you signed in" in page.text) == (400, True)
        assert logins_of(page) <= 4
    else:
        assert page.status_code == 200


async def test_after_the_fix_a_user_can_try_again_at_once():
    """The page begins to count anew."""
    site = Site()
    browser = await lost(site)

    assert (await at_page(browser)).status_code == 400
    assert (await at_page(browser)).json()["sub"] == "alice"


async def lost(site: Site) -> Browser:
    """Give a browser that has just signed in again and again, and lost its session each time."""
    browser = site.browser()
    for _ in range(3):
        await at_page(browser)
        forget(browser)
    return browser


def forget(browser: Browser) -> None:
    for name in session_cookies(browser):
        browser.jar.receive(f"{name}=; Path=/; Secure; HttpOnly; Max-Age=0", ORIGIN)


async def test_a_program_never_enters_a_login_loop():
    """It is not sent anywhere."""
    site = Site()
    browser = await lost(site)

    response = await browser.fetch("/page", headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (401, "login_required")


async def test_a_login_by_link_counts_as_well():
    """Single-page apps go there by themselves."""
    site = Site()
    browser = await lost(site)

    assert (await browser.get("/auth/login?return_to=/page")).status_code == 400


async def test_somebody_who_is_signed_in_may_sign_in_as_often_as_they_like():
    """They have clicked on it."""
    site = Site()
    browser = await site.signed_in()

    for _ in range(6):
        assert (await browser.get("/auth/login?return_to=/page", initiator=f"{ORIGIN}/page")).status_code == 200


@pytest.mark.parametrize("more", [{}, {"acr_values": ["urn:example:mfa"]}])
async def test_an_app_that_always_wants_another_login_is_reported(more):
    """It sends them to sign in as somebody else, and the provider says the same again (Django: `user_passes_test`)."""

    async def never_content(scope: Any, receive: Any, send: Any) -> None:
        url = scope["oidc"].login_url(scope["path"], **more)
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", url.encode())]})
        await send({"type": "http.response.body", "body": b""})

    site = Site(inner=never_content)
    browser = site.browser()
    site.provider.sign_in_as("alice")

    typed = await browser.get("/page")
    clicked = await site.browser().get("/page", initiator=f"{ORIGIN}/")

    for page in (typed, clicked):
        assert (page.status_code, "keeps asking you to sign in" in page.text) == (403, True)


async def test_logins_far_apart_are_not_a_loop():
    """A person has done something in between."""
    site = Site()
    browser = await site.signed_in()

    for _ in range(6):
        forget(browser)
        site.clock.advance(10)
        assert (await at_page(browser)).status_code == 200


async def test_short_sessions_are_not_a_loop():
    """Five seconds of idleness, as somebody has set it."""
    site = Site(session_idle=5)
    browser = await site.signed_in()

    for _ in range(6):
        site.clock.advance(5)
        assert (await at_page(browser)).status_code == 200


async def test_a_sign_out_resets_the_loop_count():
    """Whoever signs out and in again five times is testing something."""
    site = Site()
    browser = await site.signed_in()

    for _ in range(5):
        await browser.fetch("/auth/logout", method="POST")
        assert (await at_page(browser)).status_code == 200


async def test_the_count_is_sealed():
    """Nobody makes another person's browser stop, or goes on for ever by a forged one."""
    site = Site()
    browser = await lost(site)

    elsewhere = Site(secret=OTHER_SECRET, provider=site.provider).browser_of(browser)

    assert (await at_page(elsewhere)).status_code == 200


async def test_a_login_started_by_a_click_is_not_counted():
    """Nothing hints at a loop, so there is one cookie less."""
    site = Site()
    typed, clicked = await site.signed_in(), site.browser()
    await clicked.get("/")
    await clicked.get("/page", initiator=ORIGIN + "/")
    await clicked.submit(button="alice")

    assert [cookie.name for one in (typed, clicked) for cookie in one.jar if cookie.name.endswith("-rounds")] == []


async def test_a_rule_that_wants_a_login_each_time_is_not_a_loop():
    """`max_age=0`: every half minute somebody transfers something."""
    site = Site(rules=[Rule("/transfer", max_age=0)], leeway=5)
    browser = site.browser()

    for _ in range(6):
        assert (await browser.sign_in("alice", "/transfer")).status_code == 200
        site.clock.advance(30)


async def test_a_few_step_ups_are_not_a_loop():
    """A link in a mail, and then two pages that need more."""
    site = Site(rules=[Rule("/a", acr_values=["a"]), Rule("/b", acr_values=["b"])])
    browser = site.browser()

    assert [(await at_page(browser, path)).status_code for path in ("/page", "/a", "/b")] == [200] * 3


async def test_servers_whose_secrets_differ_are_named(caplog):
    """One cannot read what the other has sealed: neither the session nor the login."""
    one = Site()
    other = Site(secret=OTHER_SECRET, provider=one.provider, public=[])

    async def split(scope: Any, receive: Any, send: Any) -> None:
        await (one if scope["path"].startswith("/auth/") else other).middleware(scope, receive, send)

    page = await at_page(one.browser(app=split))

    assert (page.status_code, "does not keep you signed in" in page.text) == (400, True)
    assert "code=login_loop_with_cookie" in caplog.text


async def test_a_login_that_no_server_can_read_is_reported(caplog):
    """Its cookie came back; so it is not the browser's fault."""
    one = Site()
    sites = [one, Site(secret=OTHER_SECRET, provider=one.provider)]
    calls: list[str] = []

    async def alternating(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope["path"])
        await sites[calls.count("/auth/callback") % 2].middleware(scope, receive, send)

    page = await at_page(one.browser(app=alternating))

    assert (page.status_code, "could not read it" in page.text) == (400, True)
    assert "code=transaction_unreadable" in caplog.text


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("count", [6, 20])
async def test_many_tabs_restored_at_once_are_not_a_loop(count, order):
    """Each begins a login of its own; whichever is first signs the browser in, and for that the others are no loop."""
    site = Site()
    site.provider.sign_in_as("alice")
    browser = site.browser()
    tabs = [await browser.get(f"/page?tab={number}", follow=False) for number in range(count)]
    callbacks = [(await browser.get(tab.location, follow=False)).location for tab in tabs[::order]]

    pages = [await browser.get(callback) for callback in callbacks]

    assert {page.status_code for page in pages} == {200}
    assert {page.json()["sub"] for page in pages} == {"alice"}


async def test_tabs_that_come_back_late_lead_a_signed_in_user_home():
    """The back button, ten times in a row, within seconds."""
    site = Site()
    browser, url = await site.at_callback()
    await browser.get(url)

    pages = [await browser.get(url) for _ in range(10)]

    assert {(page.status_code, page.path) for page in pages} == {(200, "/")}
