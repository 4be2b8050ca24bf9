"""What was checked before an await is checked again after it: the store and the provider may be slow."""

from typing import Any

import anyio
import pytest

from asgi_oidc import NotSignedIn, SessionEnded
from tests.protected_site import PROGRAM, Clock, cookie_header, nothing, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, STORES, TokenSite

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


async def test_a_sign_out_while_the_store_takes_a_new_session_wins():
    """The login began with a session that the user ended in another tab; the new one must not outlive that."""
    store = ScriptedStore()
    site = TokenSite(store)
    site.app.at_work = nothing
    browser = await site.signed_in()
    callback = (await browser.get("/auth/login", follow=False)).location
    back = (await browser.get(callback, follow=False)).location
    tab = browser.tab()
    store.before["link"].append(lambda: tab.post("/auth/logout", follow=False))

    answer = await browser.get(back, headers=PROGRAM, follow=False)

    assert (answer.status_code, answer.json()["error"]) == (400, "signed_out_meanwhile")
    assert (store.before["link"], session_cookies(browser), await who_am_i(browser)) == ([], [], None)
    assert len(await site.middleware.sessions.of("alice", issuer=site.provider.issuer)) == 0


async def test_a_late_refusal_does_not_end_a_session_that_was_refreshed_meanwhile():
    """The lock of a process that stood still has run out, and another one was faster with the same refresh token."""
    clock = Clock()
    store = ScriptedStore(clock)
    slow = TokenSite(store, clock=clock)
    browser = await slow.signed_in()
    fast = TokenSite(store, provider=slow.provider, clock=clock)
    clock.advance(LIFETIME + 1)
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    with slow.provider.hold("refresh") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(visit)
            await gate.until_held()
            clock.advance(30)
            async with anyio.create_task_group() as others:
                others.start_soon(fast.browser_of(browser).fetch, "/page")
                await gate.until_held(2)
                gate.held[1].let_go()
            slow.provider.faults.add("refresh_invalid_grant")
            gate.open()

    assert (statuses, len(fast.tokens)) == ([503], 1)
    assert [await who_am_i(one) for one in (browser, fast.browser_of(browser))] == ["alice", "alice"]


@pytest.mark.parametrize("store", STORES)
async def test_a_resource_token_is_not_given_after_a_sign_out(store):
    """The provider's answer was under way when the user pressed the button."""
    site = TokenSite(store)
    browser = await site.signed_in()
    got: list[Any] = []

    async def exchange(scope: Any) -> None:
        try:
            got.append(await scope["oidc"].exchange_token(audience="orders"))
        except NotSignedIn as error:
            got.append(error.code)

    site.app.at_work = exchange
    with site.provider.hold("token_exchange", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.tab().fetch, "/page")
            await gate.until_held()
            await browser.post("/auth/logout", follow=False)
            gate.open()

    assert got == ["session_ended"]


@pytest.mark.parametrize("ends", ["by its lifetime", "by the provider"])
@pytest.mark.parametrize("store", STORES)
async def test_a_request_gets_no_token_after_its_session_has_run_out(store, ends):
    """The access token would live on for longer, and so might a request: the session is what gives it out."""
    site = TokenSite(store, session_lifetime=1000)
    site.provider.access_token_lifetime = 3600
    if ends == "by the provider":
        site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) + 500}
    browser = await site.signed_in()
    site.tokens.clear()

    async def work_long(scope: Any) -> None:
        site.clock.advance(499 if ends == "by the provider" else 999)
        await site.ask_for_the_token(scope)
        site.clock.advance(1)
        with pytest.raises(SessionEnded):
            await scope["oidc"].access_token()

    site.app.at_work = work_long
    page = await site.call("/page", headers={"cookie": cookie_header(browser)})

    assert (page.status, len(site.tokens), await who_am_i(browser)) == (200, 1, None)


async def test_a_request_that_saw_its_session_end_gets_no_token_any_more():
    """Another process ended it: the record is gone, which this one sees when it needs the record, and not before."""
    clock = Clock()
    store = ScriptedStore(clock)
    site, other = TokenSite(store, clock=clock), TokenSite(store, clock=clock)
    browser = await site.signed_in()
    got: list[str] = []

    async def ask_several_times(scope: Any) -> None:
        await other.middleware.sessions.end_all("alice", issuer=site.provider.issuer)
        for wanted in ({"resource": "https://orders.example.com"}, {}):
            try:
                got.append(await scope["oidc"].access_token(**wanted))
            except NotSignedIn as error:
                got.append(error.code)

    site.app.at_work = ask_several_times
    await browser.fetch("/page")

    assert got == ["session_ended"] * 2
