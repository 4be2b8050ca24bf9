"""New tokens in sealed cookies: they reach the browser on whatever answer there is, and a late answer does no harm."""

import contextlib
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import anyio
import pytest

from asgi_oidc import SessionEnded
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, Exchange, cookie_header, login_cookie, nothing, session_cookies, who_am_i
from tests.token_site import LIFETIME, STORES, TokenSite

App = Callable[[Any, Any, Any], Any]


@pytest.fixture
def site() -> TokenSite:
    """Sealed cookies: all of them, but where a test says otherwise."""
    return TokenSite("cookies")


async def token_elsewhere(site: TokenSite, browser: Browser) -> str:
    """Ask for the token in a process that knows nothing but what the browser has."""
    elsewhere = site.restarted()
    seen: list[str] = []

    async def look(scope: Any) -> None:
        seen.append(await scope["oidc"].access_token())

    elsewhere.app.at_work = look
    await elsewhere.browser_of(browser).fetch("/page")
    return seen[0]


def answering(site: TokenSite, status: int, *headers: tuple[bytes, bytes]) -> App:
    """An app that asks for the token, and then answers so, piece by piece."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await site.ask_for_the_token(scope)
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("status", [200, 204, 303, 404, 500])
async def test_new_tokens_come_with_any_answer(site, status):
    """A stream as well: it is the start that brings them, and no cache keeps it, whatever the app allows."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.middleware.app = answering(site, status, (b"cache-control", b"public, s-maxage=60"), (b"location", b"/page"))

    answer = await browser.fetch("/page")

    assert (answer.status_code, answer.headers["cache-control"], site.refreshes) == (status, "no-store", 1)
    assert await token_elsewhere(site, browser) == site.tokens[-1]
    assert site.refreshes == 1


async def test_new_tokens_leave_the_cookie_of_the_login_alone(site):
    """It alone says who is signed in, so no late answer may write it."""
    browser = await site.signed_in()
    login = login_cookie(browser)
    site.clock.advance(LIFETIME + 1)

    answer = await browser.fetch("/page")

    assert answer.set_cookies != []
    assert not any(line.startswith(f"{login}=") for line in answer.set_cookies)


async def test_every_answer_of_a_burst_leaves_the_browser_with_good_tokens(site):
    """They arrive in any order, and any of them may be the last."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    header = cookie_header(browser)
    answers: list[Exchange] = []

    async def visit() -> None:
        answers.append(await site.call("/page", headers={"cookie": header}))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(visit)

    for answer in answers:
        one = site.browser(jar=browser.jar.copy())
        for name, value in answer.sent[0]["headers"]:
            if name == b"set-cookie":
                one.jar.receive(value.decode(), ORIGIN)
        assert await token_elsewhere(site, one) == site.tokens[-1]
    assert (len(answers), site.refreshes) == (5, 1)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_new_tokens_come_with_the_accept_of_a_websocket(site, when):
    """Or with the next answer, where it was accepted before."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if when == "after":
            await send({"type": "websocket.accept"})
        await site.ask_for_the_token(scope)
        if when == "before":
            await send({"type": "websocket.accept"})

    site.middleware.app = app
    exchange = Exchange({"type": "websocket.connect"})
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    await site.middleware({"type": "websocket", "path": "/ws", "headers": headers}, exchange.receive, exchange.send)
    site.middleware.app, site.app.at_work = site.app, nothing
    for name, value in exchange.sent[0].get("headers", []):
        assert name == b"set-cookie"
        browser.jar.receive(value.decode(), ORIGIN)
    if when == "after":
        await browser.fetch("/page")

    assert (await token_elsewhere(site, browser), site.refreshes) == (site.tokens[-1], 1)


@pytest.mark.parametrize("why", ["the app failed", "the client went away", "the answer had started"])
async def test_the_next_response_sets_cookies_that_one_could_not(site, why):
    """Also one that asks for no token."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if why == "the answer had started":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await site.ask_for_the_token(scope)
        if why == "the app failed":
            raise RuntimeError("a mistake of the app")
        if why == "the client went away":
            raise OSError("the connection is gone")
        await send({"type": "http.response.body", "body": b""})

    site.middleware.app = app
    with contextlib.suppress(RuntimeError, OSError):
        await browser.fetch("/page")
    site.middleware.app, site.app.at_work = site.app, nothing
    answer = await browser.fetch("/page")

    assert any("-tokens-" in line for line in answer.set_cookies)
    assert (await token_elsewhere(site, browser), site.refreshes) == (site.tokens[-1], 1)


async def test_what_the_browser_has_is_not_sent_again(site):
    """A cookie that changes nothing keeps every cache from every page."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    again = [await browser.fetch("/page") for _ in range(3)]

    assert [answer.set_cookies for answer in again] == [[], [], []]


async def test_tokens_that_grow_beyond_the_cookies_serve_this_process(site, caplog):
    """The browser keeps what it has: half of the new ones would be nobody."""
    browser = await site.signed_in()
    before = session_cookies(browser)
    site.provider.id_token_overrides = {"groups": ["a-group-with-a-long-name"] * 1000}
    site.clock.advance(LIFETIME + 1)

    pages = [await browser.fetch("/page") for _ in range(3)]

    assert ([page.status_code for page in pages], site.refreshes) == ([200] * 3, 1)
    assert [name for name in session_cookies(browser) if not name.endswith("-seen")] == before
    assert "groups" in caplog.text


async def test_tokens_that_shrink_leave_no_piece_behind(site):
    """An old piece would cost room in every request, and make nobody of somebody when it fits nothing."""
    site.provider.id_token_overrides = {"groups": [token_hex(16) for _ in range(200)]}
    browser = await site.signed_in()
    pieces = len([name for name in session_cookies(browser) if "-tokens-" in name])
    site.provider.id_token_overrides = {"groups": []}
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")

    assert (pieces > 1, len([name for name in session_cookies(browser) if "-tokens-" in name])) == (True, 1)
    assert await who_am_i(site.restarted().browser_of(browser)) == "alice"


@pytest.mark.parametrize("store", STORES)
async def test_a_late_answer_of_a_session_that_ended_takes_nothing_from_the_next_user(store):
    """Alice signs out while a refresh of hers is under way, and Bob signs in: he must stay."""
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await browser.tab().post("/auth/logout", follow=False)
            site.app.at_work = nothing
            site.provider.sign_in_as("bob")
            await browser.tab().get("/auth/login?return_to=/page")
            gate.open()

    assert await who_am_i(browser) == "bob"


@pytest.mark.parametrize("store", STORES)
async def test_a_page_that_saw_the_end_takes_nothing_from_a_newer_login(store):
    """The page is still at work when the user has signed in again in another tab."""
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def see_the_end_and_work_on(scope: Any) -> None:
        site.app.at_work = nothing
        with contextlib.suppress(SessionEnded):
            await scope["oidc"].access_token()
        await browser.tab().get("/auth/login?return_to=/page")

    site.app.at_work = see_the_end_and_work_on
    with site.provider.fault("refresh_invalid_grant"):
        await browser.fetch("/page")

    assert await who_am_i(browser) == "alice"
