"""When a session has ended, the log says so and its cookies are deleted, but never those of the next session."""

import logging
from typing import Any

import anyio
import pytest

from asgi_oidc import MemoryStore, SessionEnded
from asgi_oidc.testing import Browser, Response
from tests.attacked_provider import own_name, own_path
from tests.internals import stale_cookies_of
from tests.protected_site import ORIGIN, PROGRAM, Site, cookie_header, login_cookie, session_cookies, who_am_i

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


KINDS = ["cookies", "store", "logout_store"]


@pytest.fixture(params=KINDS)
def settings(request: Any) -> dict[str, Any]:
    """Where sessions are kept, and what has ended."""
    return {} if request.param == "cookies" else {request.param: MemoryStore()}


@pytest.fixture
def reasons(caplog: pytest.LogCaptureFixture) -> Any:
    """Give why cookies were ignored, so far."""
    caplog.set_level(logging.INFO, "asgi_oidc")

    def reasons() -> list[str]:
        lines = [record.getMessage() for record in caplog.records if record.name == "asgi_oidc"]
        return [line.partition("reason=")[2] for line in lines if line.startswith("cookie_ignored")]

    return reasons


async def ask(browser: Browser, how: str) -> Response:
    match how:
        case "page":
            return await browser.get("/page", follow=False)
        case "public page":
            return await browser.get("/public/x")
        case "script":
            return await browser.fetch("/page")
        case "login":
            return await browser.get("/auth/login", follow=False)
        case _:
            return await browser.fetch("/auth/session")


@pytest.mark.parametrize("how", ["page", "public page", "script", "session", "login"])
async def test_the_next_answer_deletes_the_cookies_of_a_session_that_has_run_out(settings, how, reasons):
    """They are of no use, and each request would carry them, and say so in the log."""
    site = Site(**settings)
    browser = await site.signed_in()
    site.clock.advance(3601)

    answer = await ask(browser, how)

    assert session_cookies(browser) == []
    assert "no-store" in answer.headers["cache-control"]
    assert reasons() in ([], ["expired"], ["gone"])
    assert (reasons() == []) == (how == "login" and not own_name())  # of several, the session may decide which


@pytest.mark.parametrize("how", ["page", "public page", "script", "session"])
async def test_the_next_answer_deletes_the_cookies_of_a_session_that_was_ended(settings, how, reasons):
    """Signed out at the provider, or by an administrator."""
    site = Site(**settings)
    browser = await site.signed_in()
    token = site.provider.logout_token("alice")
    await site.browser().post(own_path("backchannel-logout"), {"logout_token": token}, headers=PROGRAM)

    await ask(browser, how)

    assert session_cookies(browser) == []
    assert reasons() in (["ended"], ["gone"])
    await ask(browser, how)
    assert len(reasons()) == 1


async def test_the_answer_to_a_form_leaves_what_was_typed_one_step_back(settings):
    """The page of before varies with the cookies: without them, the browser asks for it again, and the text is gone."""
    site = Site(**settings)
    browser = await site.signed_in()
    before = cookie_header(browser)
    site.clock.advance(3601)

    stopped = await browser.post("/page", {"text": "long"})
    after = cookie_header(browser)
    await browser.fetch("/page")

    assert (stopped.status_code, stopped.set_cookies, after) == (401, [], before)
    assert session_cookies(browser) == []


async def test_a_session_that_the_provider_withdrew_leaves_nothing_behind(reasons):
    """The answer to the request that sees it may be late, so it takes the tokens only; the next one takes the rest."""
    site = Site(scope="openid offline_access")
    browser = await site.signed_in()

    async def at_work(scope: Any) -> None:
        with pytest.raises(SessionEnded):
            await scope["oidc"].access_token()

    site.app.at_work = at_work
    site.clock.advance(3599)
    with site.provider.fault("refresh_invalid_grant"):
        await browser.get("/page")
    left = session_cookies(browser)

    await browser.fetch("/auth/session")

    assert left != []
    assert (session_cookies(browser), reasons()) == ([], ["ended"])


async def test_cookies_that_we_cannot_open_are_not_deleted(settings, reasons):
    """Another process may have the secret that opens them."""
    site = Site(**settings)
    browser = await site.signed_in()
    other = site.restarted(secret="Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE")
    kept = session_cookies(browser)

    await other.browser_of(browser).fetch("/page")

    assert session_cookies(browser) == kept
    assert reasons() in (["not_ours"], ["unreadable"])


async def test_missing_token_cookies_do_not_end_a_session(reasons):
    """A proxy may have cut the header; the rest is not for us to delete."""
    browser = await (site := Site()).signed_in()
    name = login_cookie(browser)
    only = "; ".join(pair for pair in cookie_header(browser).split("; ") if pair.startswith(f"{name}="))

    answer = await site.browser().fetch("/page", headers={"cookie": only})

    assert (answer.status_code, answer.set_cookies, reasons()) == (401, [], ["not_ours"])


async def test_a_session_without_its_tokens_runs_out_as_well(reasons):
    """Browsers drop cookies one by one."""
    browser = await (site := Site()).signed_in()
    name = login_cookie(browser)
    only = "; ".join(pair for pair in cookie_header(browser).split("; ") if pair.startswith(f"{name}="))
    site.clock.advance(43200)

    answer = await site.browser().fetch("/page", headers={"cookie": only})

    assert [line.partition("=")[0] for line in answer.set_cookies] == [name]
    assert reasons() == ["expired"]


async def test_a_session_of_the_future_is_not_over(reasons):
    """A clock that was set back by days is wrong, and will be put right."""
    browser = await (site := Site()).signed_in()
    site.clock.advance(-3 * 86_400)

    answer = await browser.fetch("/page")

    assert (answer.status_code, answer.set_cookies, reasons()) == (401, [], ["not_yet"])


async def answer_late(site: Site, browser: Browser, sign_in: Any) -> None:
    """Open a slow public page in one tab, and sign in in another one meanwhile."""
    is_at_work, may_answer = anyio.Event(), anyio.Event()

    async def slow(scope: Any) -> None:
        if scope["path"] == "/public/slow":
            is_at_work.set()
            await may_answer.wait()

    site.app.at_work = slow
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(browser.get, "/public/slow")
        await is_at_work.wait()
        await sign_in()
        may_answer.set()


async def test_a_late_answer_does_not_delete_the_cookies_of_the_next_session(settings):
    """Two tabs: one waits for a slow page while the other one signs in."""
    site = Site(**settings)
    browser = await site.signed_in()
    site.clock.advance(3601)

    await answer_late(site, browser, lambda: site.browser_of(browser).sign_in("alice", "/page"))

    assert await who_am_i(browser) == "alice"


async def test_a_late_answer_does_not_delete_them_where_the_login_began_elsewhere():
    """That process took the old session for alive; this one sees its cookies with the callback."""
    site = Site()
    browser, other = await site.signed_in(), site.restarted()
    logout_token = site.provider.logout_token("alice")
    site.clock.advance(1)
    await site.browser().post(own_path("backchannel-logout"), {"logout_token": logout_token}, headers=PROGRAM)
    site.clock.advance(1)

    async def sign_in() -> None:
        tab = other.browser_of(browser)
        asked = await tab.get("/auth/login", initiator=f"{ORIGIN}/", follow=False)
        back = await site.browser_of(browser).get(asked.location, follow=False)
        assert back.location.startswith(ORIGIN + own_path("callback") + "?")
        await site.browser_of(browser).get(back.location)

    await answer_late(site, browser, sign_in)

    assert await who_am_i(browser) == "alice"


async def test_a_late_answer_of_another_process_deletes_nothing(settings):
    """It never hears that the browser has signed in meanwhile."""
    site = Site(**settings)
    browser = await site.signed_in()
    site.clock.advance(3601)

    async def slow(scope: Any) -> None:
        site.clock.advance(2)

    site.app.at_work = slow
    answer = await browser.get("/public/slow")

    assert answer.set_cookies == []


async def test_a_browser_that_is_signing_in_keeps_its_cookies(settings):
    """The next ones have the same name, and may be on their way."""
    site = Site(**settings)
    browser = await site.signed_in()
    old = cookie_header(browser)
    site.clock.advance(3601)
    asked = await site.browser().get("/auth/login", headers={"cookie": "__Host-other=x"}, follow=False)
    login = asked.set_cookies[0].partition(";")[0]

    same_tab = await site.browser().fetch("/page", headers={"cookie": f"{old}; {login}"})
    await site.browser().get("/auth/login", headers={"cookie": old}, follow=False)
    other_tab = await site.browser().fetch("/page", headers={"cookie": old})

    assert (same_tab.set_cookies, other_tab.set_cookies) == ([], [])


async def test_the_answer_to_a_callback_deletes_nothing_of_the_new_session(settings):
    """A login finds the cookies of before, and writes its own over them."""
    site = Site(**settings)
    known = await site.signed_in()
    old, name = cookie_header(known), login_cookie(known)
    site.clock.advance(3601)
    browser, callback = await site.at_callback()

    answer = await site.browser().get(callback, headers={"cookie": f"{old}; {cookie_header(browser)}"}, follow=False)

    (line,) = [line for line in answer.set_cookies if line.startswith(f"{name}=")]
    assert "Max-Age=0" not in line


async def test_visitors_without_a_session_leave_no_state_behind():
    """Only browsers that had a session are remembered, and of those a bounded number."""
    site = Site()

    for number in range(5):
        await site.browser().get("/auth/login", headers={"cookie": f"__Host-oidc-x={number}"}, follow=False)

    assert len(vars(stale_cookies_of(site.middleware)._signing_in)["_names"]) == 0
