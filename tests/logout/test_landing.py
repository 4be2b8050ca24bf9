"""After a logout the browser lands on a page of our own, without the state, and does not start the next login."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from asgi_oidc.testing import Browser, Response
from tests.protected_site import ORIGIN, PROGRAM, Site, session_cookies, who_am_i

LOGOUT = "/auth/logout"
HOSTILE = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "/auth/login",
    "/auth/logout",
    "\x00",
    "/" + "x" * 10_000,
    "",
]


@pytest.fixture
def closed() -> Site:
    """A site where every page needs a user, the start page too."""
    return Site(public=[])


def without_end_session(site: Site) -> Site:
    del site.provider.metadata["end_session_endpoint"]
    return site


async def sign_out(browser: Browser, return_to: str | None = None) -> Response:
    """Click on sign out, and stop before the provider."""
    query = "" if return_to is None else "?" + urlencode({"return_to": return_to})
    return await browser.post(LOGOUT + query, follow=False)


def landing_of(response: Response) -> str:
    """Say where the provider sends the browser after that, as it does."""
    query = parse_qs(urlsplit(response.location).query)
    return f"{query['post_logout_redirect_uri'][0]}/?{urlencode({'state': query['state'][0]})}"


async def test_after_a_logout_the_url_has_no_state(site):
    """Nobody wants to bookmark a state."""
    browser = await site.signed_in()

    home = await browser.post(LOGOUT)

    assert (home.status_code, home.url.rstrip("/")) == (200, ORIGIN)
    assert home.json()["sub"] is None


async def test_the_start_page_of_a_mounted_app_is_found_to_be_public():
    """Then no page of ours stands in for it."""
    site = Site(base_url=f"{ORIGIN}/app", public=["/"])

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await site.middleware({**scope, "root_path": "/app"}, receive, send)

    browser = site.browser(app=server)
    await browser.sign_in("alice", "/app/page")
    home = await browser.post("/app" + LOGOUT)

    assert (home.status_code, urlsplit(home.url).path.rstrip("/")) == (200, "/app")
    assert home.json()["sub"] is None


async def test_without_a_root_path_our_own_page_confirms_the_logout():
    """Nothing is public there, and the next login would begin at once."""
    site = Site(base_url=f"{ORIGIN}/app", public=["/"])
    browser = site.browser()
    await browser.sign_in("alice", "/app/page")

    assert "You are signed out" in (await browser.post("/app" + LOGOUT)).text


async def test_after_a_logout_the_browser_goes_to_its_return_to(site):
    """A page of our own says goodbye."""
    browser = await site.signed_in()

    page = await browser.post(LOGOUT + "?return_to=/public/bye?x=1")

    assert (page.url, page.status_code) == (ORIGIN + "/public/bye?x=1", 200)


async def test_a_form_may_say_where_to(site):
    """With a hidden field."""
    browser = await site.signed_in()

    page = await browser.post(LOGOUT, data={"return_to": "/public/bye"})

    assert page.url == ORIGIN + "/public/bye"


async def test_a_link_that_asks_first_remembers_where_to(site):
    """From another page."""
    browser = await site.signed_in()
    await browser.get(LOGOUT + "?return_to=/public/bye")

    page = await browser.submit()

    assert (page.url, await who_am_i(browser)) == (ORIGIN + "/public/bye", None)


async def test_the_app_can_write_the_url(site):
    """As for a login."""
    await site.signed_in()

    assert site.app.scope["oidc"].logout_url("/bye?a=1&b") == ORIGIN + LOGOUT + "?return_to=%2Fbye%3Fa%3D1%26b"


@pytest.mark.parametrize("return_to", HOSTILE)
@pytest.mark.parametrize("is_local", [False, True])
async def test_a_sign_out_leaves_the_site_for_the_provider_only(return_to, is_local):
    """`return_to` is what a stranger writes into a link."""
    site = without_end_session(Site()) if is_local else Site()
    ours = (ORIGIN,) if is_local else ()

    for data in ({"return_to": return_to}, None):
        browser = await site.signed_in()
        response = await browser.post(LOGOUT, data=data, follow=False) if data else await sign_out(browser, return_to)
        location = response.headers["location"]
        assert location in ours or (location.startswith(site.provider.issuer + "/end_session?") and not is_local)
        if not is_local:
            response = await browser.get(location)  # and comes back to where it would without
            assert response.url.rstrip("/") == ORIGIN
        assert await who_am_i(browser) is None


async def test_two_return_to_parameters_count_as_none(site):
    """Which of them counted would be the parser's choice."""
    browser = await site.signed_in()

    page = await browser.post(LOGOUT + "?return_to=/public/a&return_to=/public/b")

    assert page.url.rstrip("/") == ORIGIN


async def test_a_local_logout_goes_to_its_return_to_at_once():
    """There is no provider on the way."""
    site = without_end_session(Site())
    browser = await site.signed_in()

    assert (await sign_out(browser, "/public/bye")).location == ORIGIN + "/public/bye"


PROTECTED = ["/page", "/page?x=1", "/public%2fpage", "/nowhere#part"]


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize("return_to", PROTECTED)
async def test_a_return_to_a_protected_page_shows_signed_out_and_starts_no_login(return_to, is_local):
    """The next login would be silent where the provider knows the person still, and the sign-out undone."""
    site = without_end_session(Site()) if is_local else Site()
    browser = await site.signed_in()
    asked = site.provider.count("/authorize")

    page = await browser.post(LOGOUT, data={"return_to": return_to})

    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert ("may still be signed in" in page.text, await who_am_i(browser)) == (is_local, None)
    assert site.provider.count("/authorize") == asked


async def test_the_signed_out_page_links_to_the_protected_page(site):
    """With a login on the way, that the person has asked for."""
    browser = await site.signed_in()
    await browser.post(LOGOUT + "?return_to=/page%3Fx%3D1")

    login = await browser.click("Sign in again")
    page = await browser.submit(login, "alice")

    assert (page.url, page.json()["sub"]) == (ORIGIN + "/page?x=1", "alice")


async def test_a_user_who_signed_in_again_gets_the_protected_page(site):
    """In another tab, meanwhile."""
    browser = await site.signed_in()
    landing = landing_of(await sign_out(browser, "/page"))
    other = await site.signed_in()

    assert (await other.get(landing)).url == ORIGIN + "/page"


async def test_a_user_without_a_session_sees_the_signed_out_page(site, browser):
    """A second click on the button."""
    page = await browser.post(LOGOUT + "?return_to=/page")

    assert (page.status_code, "You are signed out" in page.text) == (200, True)


async def test_a_public_page_is_known_by_its_letters():
    """Browsers write them in percent."""
    site = Site(public=["/", "/tschüss"])
    browser = await site.signed_in()

    page = await browser.post(LOGOUT + "?return_to=/tsch%25C3%25BCss")

    assert (page.path, "You are signed out" in page.text) == ("/tsch%C3%BCss", False)


@pytest.mark.parametrize("asks", ["a person", "a script"])
async def test_with_a_landing_page_on_another_site_the_logout_response_is_the_page(asks):
    """No page of ours would see the state; a script goes where it would without."""
    away = "https://www.example.org/bye"
    site = without_end_session(Site(post_logout_redirect_uri=away))
    browser = await site.signed_in()

    if asks == "a person":
        page = await sign_out(browser, "/page")
        assert (page.status_code, "You are signed out" in page.text, session_cookies(browser)) == (200, True, [])
    else:
        response = await browser.fetch(LOGOUT + "?return_to=/page", method="POST")
        assert (response.location, session_cookies(browser)) == (away, [])


async def test_a_local_logout_may_end_on_another_site():
    """What is there is not ours to decide, so no page of ours stands in for it."""
    away = "https://www.example.org/bye"
    browser = await without_end_session(Site(post_logout_redirect_uri=away)).signed_in()

    response = await browser.post(LOGOUT, follow=False)

    assert (response.status_code, response.location, session_cookies(browser)) == (303, away, [])


async def test_below_a_mount_a_protected_page_is_known_too():
    """And so is a public one."""
    site = Site(base_url=f"{ORIGIN}/app", public=["/", "/public/*"])

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await site.middleware({**scope, "root_path": "/app"}, receive, send)

    pages = []
    for return_to in ("/app/page", "/app/public/bye"):
        browser = site.browser(app=server)
        await browser.sign_in("alice", "/app/page")
        pages.append(await browser.post(f"/app{LOGOUT}?return_to={return_to}"))

    assert ["You are signed out" in page.text for page in pages] == [True, False]
    assert pages[1].path == "/app/public/bye"


async def test_without_public_pages_the_user_sees_that_the_logout_worked(closed):
    """Else the start page would ask them to sign in, or sign them in again without asking."""
    browser = await closed.signed_in()

    page = await browser.post(LOGOUT)

    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert ("may still be signed in" in page.text, page.headers["cache-control"]) == (False, "no-store")
    assert session_cookies(browser) == []
    again = await browser.click(ORIGIN + "/auth/login")
    assert again.page.forms


async def test_a_local_sign_out_says_that_the_provider_was_not_told(closed):
    """It would sign them in again at the next click."""
    site = without_end_session(closed)
    browser = await site.signed_in()

    page = await browser.post(LOGOUT)

    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert "may still be signed in" in page.text


async def test_a_signed_in_user_never_sees_the_signed_out_page(closed):
    """They signed in again in another tab, or came back by the history."""
    browser = await closed.signed_in()
    landing = landing_of(await sign_out(browser))
    other = await closed.signed_in()

    page = await other.get(landing)

    assert (page.url.rstrip("/"), page.json()["sub"]) == (ORIGIN, "alice")


def spoilt(state: str) -> list[str]:
    another = "B" if state[20] == "A" else "A"
    return ["", "x", state[:-1], state + "A", state[::-1], "ü", "." + state, state[:20] + another + state[21:]]


async def test_a_state_that_we_did_not_send_is_an_ordinary_request(closed):
    """It is checked, and nothing hangs on it: a protected page starts a login, with or without."""
    browser = await closed.signed_in()
    landing = landing_of(await sign_out(browser, "/public/bye"))
    state = parse_qs(urlsplit(landing).query)["state"][0]

    answers = [await browser.get(f"/?{urlencode({'state': wrong})}", follow=False) for wrong in spoilt(state)]
    answers.append(await browser.get(f"/?state={state}&state={state}", follow=False))
    answers.append(await browser.get(f"/?state={state}&" + "x=1&" * 100, follow=False))
    answers.append(await browser.get(f"/page?state={state}", follow=False))

    for answer in answers:
        assert answer.location.startswith(closed.provider.issuer + "/authorize?")


async def test_a_state_counts_for_ten_minutes(closed):
    """Longer nobody stays at the provider."""
    browser = await closed.signed_in()
    landing = landing_of(await sign_out(browser))

    closed.clock.advance(599)
    in_time = await browser.get(landing, follow=False)
    closed.clock.advance(1)
    too_late = await browser.get(landing, follow=False)

    assert (in_time.status_code, too_late.status_code) == (200, 303)


async def test_the_state_of_a_login_is_not_valid_for_a_logout(closed):
    """And the other way round: they are sealed for their own purpose."""
    browser = await closed.signed_in()
    state = parse_qs(urlsplit(landing_of(await sign_out(browser))).query)["state"][0]
    fresh = closed.browser()
    start = await fresh.get("/page", follow=False)
    login_state = parse_qs(urlsplit(start.location).query)["state"][0]

    back = await fresh.get(f"/auth/callback?code=x&state={state}", headers=PROGRAM, follow=False)
    final = await fresh.get(f"/?state={login_state}", follow=False)

    assert (back.status_code, back.json()["error"]) == (400, "transaction_missing")
    assert final.location.startswith(closed.provider.issuer + "/authorize?")


@pytest.mark.parametrize("headers", [PROGRAM, {"sec-purpose": "prefetch"}, {"sec-fetch-dest": "image"}])
async def test_only_a_navigation_is_redirected_after_a_logout(closed, headers):
    """A program gets what it would get without the state."""
    browser = await closed.signed_in()
    landing = landing_of(await sign_out(browser))

    answer = await browser.get(landing, headers=headers, follow=False)

    assert answer.status_code == 401


async def test_ten_tabs_sign_out_at_once(closed):
    """Each of them gets to its page."""
    browsers = [await closed.signed_in() for _ in range(10)]
    landings = [landing_of(await sign_out(browser)) for browser in browsers]
    one = closed.browser()

    pages = [await one.get(landing) for landing in reversed(landings)]

    assert [("You are signed out" in page.text) for page in pages] == [True] * 10


async def test_a_landing_page_on_another_site_handles_the_state_itself():
    """Nobody here sees the state again."""
    site = Site(post_logout_redirect_uri="https://www.example.org/bye", public=[])
    browser = await site.signed_in()

    response = await sign_out(browser, "/public/bye")
    query = parse_qs(urlsplit(response.location).query)

    assert query["post_logout_redirect_uri"] == ["https://www.example.org/bye"]
    assert (await browser.get(f"/?state={query['state'][0]}", follow=False)).status_code == 303


async def test_below_a_mount_the_browser_lands_at_the_mount():
    """`base_url` has a path, and so has its start page."""
    site = Site(base_url=ORIGIN + "/app", public=[], post_logout_redirect_uri=ORIGIN + "/app/out")
    browser = site.browser()
    await browser.sign_in("alice", "/app/page")

    page = await browser.post("/app/auth/logout")

    assert (page.path.partition("?")[0], "You are signed out" in page.text) == ("/app/out", True)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_but_a_get_or_a_post_signs_out(site, method):
    """A HEAD looks ahead."""
    browser = await site.signed_in()

    response = await browser.fetch(LOGOUT, method=method)

    assert (response.status_code, await who_am_i(browser)) == (405, "alice")
