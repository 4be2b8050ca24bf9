"""What is dropped when our cookies would exceed a proxy's limit, and what the user is told."""

from collections.abc import Sequence
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, FakeProvider, Persona
from asgi_oidc.web.cookie_size import LOGIN_SHARE, MAX_COOKIE_HEADER, SMALL_COOKIES_SHARE, session_share
from tests.protected_site import ORIGIN, OTHER_SECRET, Site, cookie_header, login_cookies, nothing, who_am_i
from tests.token_site import LIFETIME, TokenSite

SESSION_SHARE = session_share(MAX_COOKIE_HEADER)
EVIL = "https://evil.example/"
PAGE = f"{ORIGIN}/edit"
MODES = ["query", "form_post"]
LARGE = 5900  # characters of a claim that make a session about as large as it may be


def site_of(mode: str = "query", more_rules: Sequence[Rule] = (), **settings: Any) -> TokenSite:
    """A site with forms that are kept, and a provider on another site."""
    provider = FakeProvider("https://id.example.net", alg="ES256")
    site = TokenSite(
        provider=provider,
        keep_forms=True,
        rules=[Rule("/save", max_age=60), *more_rules],
        authorization_params={"response_mode": mode},
        **settings,
    )
    site.app.at_work = nothing
    return site


def claim(site: Site, size: int) -> None:
    """Let alice have a claim of that many random letters and digits, which compress badly."""
    text = "".join(Random(1).choices(ascii_letters + digits, k=size))
    site.provider.personas["alice"] = Persona("alice", "A", "a@b", {"n": text})


def kept_form(browser: Browser) -> bool:
    return any(cookie.name.endswith("-form") for cookie in browser.jar)


def size_of_session(browser: Browser) -> int:
    cookies = browser.jar.starting_with("__Host-oidc-")
    return sum(
        len(it.name) + len(it.value) + 3 for it in cookies if "-login-" not in it.name and "-form" not in it.name
    )


async def start_with_a_form(browser: Browser, size: int = 2000) -> str:
    """Send a form that needs a login, keep it, and give the address at the provider."""
    await browser.post("/save", {"text": "t" * size}, initiator=PAGE)
    return (await browser.submit(button="Sign in", follow=False)).location


@pytest.mark.parametrize("mode", MODES)
async def test_a_kept_form_is_dropped_for_a_session_that_needs_the_space(mode):
    """Signing in comes first; the person is told, and has the form in the page before."""
    site = site_of(mode)
    browser = site.browser()
    there = await start_with_a_form(browser)
    before = kept_form(browser)
    claim(site, LARGE)

    told = await browser.submit(await browser.get(there), "alice")

    assert (before, kept_form(browser), await who_am_i(browser)) == (True, False, "alice")
    assert (len(cookie_header(browser)) <= MAX_COOKIE_HEADER, size_of_session(browser) > SESSION_SHARE * 0.75) == (
        True,
        True,
    )
    assert "There is no form to send" in told.text


@pytest.mark.parametrize("mode", MODES)
async def test_the_kept_form_of_another_tab_is_dropped_as_well(mode):
    """With a form of the provider's site the browser does not even show that it is there."""
    site = site_of(mode)
    browser = site.browser()
    other = browser.tab()
    there = (await other.get("/page", follow=False)).location
    await start_with_a_form(browser)
    claim(site, LARGE)

    await other.submit(await other.get(there), "alice")

    assert (kept_form(browser), await who_am_i(browser)) == (False, "alice")
    assert len(cookie_header(browser)) <= MAX_COOKIE_HEADER


@pytest.mark.parametrize("mode", MODES)
async def test_a_kept_form_stays_while_the_session_leaves_space(mode):
    """As most do."""
    site = site_of(mode)
    browser = site.browser()
    there = await start_with_a_form(browser)

    asked = await browser.submit(await browser.get(there), "alice")

    assert (kept_form(browser), "Send your form now?" in asked.text) == (True, True)


async def test_logins_are_dropped_for_tokens_that_grew():
    """A refresh token that the browser does not have is lost to all other processes."""
    site = site_of()
    browser = await site.signed_in()
    for number in range(8):
        await browser.get(f"/auth/login?return_to=/page/{'x' * 200}/{number}", initiator=EVIL, follow=False)
    claim(site, LARGE)
    site.clock.advance(LIFETIME + 1)
    site.app.at_work = site.ask_for_the_token
    before = len(login_cookies(browser))

    await browser.fetch("/page")

    assert (len(login_cookies(browser)) < before, len(cookie_header(browser)) <= MAX_COOKIE_HEADER) == (True, True)
    assert await who_am_i(site.restarted(clock=site.clock).browser_of(browser)) == "alice"


async def test_beside_a_large_session_a_login_keeps_its_path():
    """Its query has no room."""
    site = site_of()
    claim(site, LARGE)
    browser = await site.signed_in()

    back = await browser.get("/auth/login?return_to=/page%3F" + "q" * 1500, initiator=f"{ORIGIN}/", follow=False)
    site.provider.sign_in_as("alice")
    final_page = await browser.get(back.location)

    assert final_page.path == "/page"
    assert MAX_COOKIE_HEADER - size_of_session(browser) > LOGIN_SHARE


async def test_a_login_that_needs_the_space_drops_the_kept_form():
    """Where the session has grown since, so that it takes the rest."""
    site = site_of()
    browser = await site.signed_in()
    site.clock.advance(120)
    await start_with_a_form(browser, size=1800)
    claim(site, 3850)
    site.clock.advance(LIFETIME)
    site.app.at_work = site.ask_for_the_token
    await browser.fetch("/page")
    before = kept_form(browser)

    await browser.tab().get("/auth/login?return_to=/" + "p" * 110, initiator=f"{ORIGIN}/", follow=False)

    assert (before, kept_form(browser), len(cookie_header(browser)) <= MAX_COOKIE_HEADER) == (True, False, True)


async def test_a_form_that_does_not_fit_is_not_kept_and_the_page_says_so():
    """Before the person leaves it."""
    site = site_of()
    claim(site, LARGE)
    browser = await site.signed_in()
    site.clock.advance(120)

    stopped = await browser.post("/save", {"text": "t" * 2000}, initiator=PAGE)

    assert ("Your form was not sent</h1>" in stopped.text, stopped.page.forms) == (True, [])


async def test_a_form_that_no_longer_fits_is_not_kept():
    """Another tab has signed in while the page was open."""
    site = site_of()
    browser = site.browser()
    stopped = await browser.post("/save", {"text": "t" * 2000}, initiator=PAGE)
    claim(site, LARGE)
    await browser.tab().sign_in("alice", "/page")

    there = await browser.submit(stopped, "Sign in", follow=False)
    kept, size = kept_form(browser), len(cookie_header(browser))
    told = await browser.get(there.location)
    back = await browser.click("Go back")

    assert (kept, size <= MAX_COOKIE_HEADER, "Your form was not sent" in told.text) == (False, True, True)
    assert back.url == PAGE


@pytest.mark.parametrize("mode", MODES)
async def test_logins_that_end_at_once_leave_no_tokens_of_each_other(mode):
    """None sees the cookies of the others; twenty tabs of a browser that was started anew."""
    site = site_of(mode)
    claim(site, 3000)
    browser = site.browser()
    tabs = [browser.tab() for _ in range(6)]
    asked = [await tab.get(f"/page/{number}", follow=False) for number, tab in enumerate(tabs)]
    site.provider.sign_in_as("alice")
    provider = Browser(site.provider, site.provider.origin)
    backs = [await provider.get(one.location, follow=False) for one in asked]
    done = []
    for back in backs:
        late = site.browser(jar=browser.jar.copy())
        form = back.page.forms[0] if mode == "form_post" else None
        done.append(
            await late.get(back.location, initiator=site.provider.issuer, follow=False)
            if form is None
            else await late.post(form.action, dict(form.data(None, {})), initiator=back.url, follow=False)
        )
    for answer in reversed(done):
        for line in answer.set_cookies:
            browser.jar.receive(line, f"{ORIGIN}/auth/callback")

    assert [answer.status_code for answer in done] == [303] * 6
    assert len([cookie for cookie in browser.jar if "-tokens-" in cookie.name]) == 1
    assert await who_am_i(browser) == "alice"


async def test_logins_started_by_other_sites_never_drop_a_users_own():
    """Nobody's tabs are lost because another site leads the browser here."""
    site = site_of()
    browser = site.browser()
    tabs = [browser.tab() for _ in range(5)]
    asked = [await tab.get(f"/page/{number}") for number, tab in enumerate(tabs)]

    for _ in range(20):
        await browser.get("/auth/login?return_to=/" + "x" * 1500, initiator=EVIL, follow=False)
    final_pages = [await tab.submit(page, "alice") for tab, page in zip(tabs, asked, strict=True)]

    assert [page.path for page in final_pages] == [f"/page/{number}" for number in range(5)]


async def test_a_small_form_stays_beside_the_largest_session():
    """What it takes is known from the login that it was kept for."""
    site = site_of("form_post")
    browser = site.browser()
    there = await start_with_a_form(browser, size=200)
    claim(site, LARGE)

    asked = await browser.submit(await browser.get(there), "alice")

    assert ("Send your form now?" in asked.text, size_of_session(browser) > SESSION_SHARE * 0.75) == (True, True)


@pytest.mark.parametrize("mode", MODES)
async def test_the_form_of_a_login_stays_and_other_logins_are_dropped(mode):
    """The person is about to send it."""
    site = site_of(mode)
    browser = site.browser()
    for number in range(6):
        await browser.tab().get(f"/page/{number}/" + "x" * 60, follow=False)
    there = await start_with_a_form(browser, size=1900)
    before = len(login_cookies(browser))
    claim(site, 3300)

    asked = await browser.submit(await browser.get(there), "alice")

    assert ("Send your form now?" in asked.text, len(login_cookies(browser)) < before - 1) == (True, True)
    assert len(cookie_header(browser)) <= MAX_COOKIE_HEADER


@pytest.mark.parametrize("size", range(5800, 7400, 100))
async def test_a_session_that_grows_by_a_refresh_keeps_within_its_share(size):
    """The cookie that signs in counts as well."""
    site = site_of()
    browser = await site.signed_in()
    claim(site, size)
    site.clock.advance(LIFETIME + 1)
    site.app.at_work = site.ask_for_the_token

    await browser.fetch("/page")

    assert size_of_session(browser) <= SESSION_SHARE + SMALL_COOKIES_SHARE


async def test_a_session_that_cannot_fit_names_what_is_large(caplog):
    """Neither compressed nor as it is: the user cannot sign in, and the log says which claim to drop."""
    site = site_of()
    claim(site, 9000)

    page = await site.browser().sign_in("alice", "/page")

    assert page.status_code == 500
    assert "code=session_too_large" in caplog.text


LONG = [f"urn:example:assurance:{number}:{'x' * 100}" for number in range(4)]


@pytest.mark.parametrize("path", ["/admin", "/auth/login?acr_values=" + "%20".join(LONG)])
async def test_a_login_that_has_no_room_beside_the_session_does_not_start(caplog, path):
    """Else a proxy would refuse every request for ten minutes; and a link of another site may ask for such a login."""
    site = site_of(login_params=["acr_values"], more_rules=[Rule("/admin", acr_values=LONG)])
    claim(site, LARGE + 400)
    browser = await site.signed_in()

    refused = await browser.get(path, initiator=EVIL, follow=False)

    assert (refused.status_code, login_cookies(browser)) == (500, [])
    assert "require fewer or shorter acr_values" in caplog.text
    assert await who_am_i(browser) == "alice"


async def test_a_login_with_long_requirements_starts_beside_a_small_session():
    """There is room, whatever its share."""
    site = site_of(login_params=["acr_values"])
    browser = await site.signed_in()

    back = await browser.get("/auth/login?acr_values=" + "%20".join(LONG), follow=False)

    assert (back.status_code, len(login_cookies(browser))) == (303, 1)


async def test_a_login_with_long_requirements_starts_beside_unreadable_cookies():
    """They are about to be replaced: a user must never be locked out by what was there before."""
    site = site_of(login_params=["acr_values"])
    claim(site, LARGE + 400)
    browser = await site.signed_in()
    other = site.restarted(secret=OTHER_SECRET).browser_of(browser)

    back = await other.get("/auth/login?acr_values=" + "%20".join(LONG), follow=False)

    assert (back.status_code, len(login_cookies(other))) == (303, 1)


async def test_an_ordinary_login_starts_beside_a_session_from_before_the_limit_was_lowered():
    """It is the way to a session that fits."""
    site = site_of(max_cookie_header=16_000)
    claim(site, 2 * LARGE)
    browser = await site.signed_in()
    other = site.restarted(max_cookie_header=MAX_COOKIE_HEADER).browser_of(browser)

    back = await other.get("/auth/login", initiator=f"{ORIGIN}/", follow=False)

    assert len(cookie_header(other)) > MAX_COOKIE_HEADER
    assert (back.status_code, len(login_cookies(other))) == (303, 1)
