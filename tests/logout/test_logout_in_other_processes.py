"""A sign-out comes in at one process, and holds at the others: for requests under way, logins and older sessions."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_oidc import OIDCError
from asgi_oidc.sessions.revocation_feed import STALE
from asgi_oidc.testing import Browser
from tests.asgi.test_lifespan import START
from tests.internals import revocations_of
from tests.logout_site import LogoutSite, are_in
from tests.protected_site import PROGRAM, Exchange, Site, who_am_i
from tests.scripted_store import ScriptedStore

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


SHARED = ["cookies of many processes", "a store"]
SCOPE = "openid profile email offline_access"
PATIENCE = 20  # seconds; a machine may be busy


def other_process(site: LogoutSite) -> LogoutSite:
    """Start another process of the same site; time is one."""
    return LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})


def store_of(site: Site) -> ScriptedStore:
    store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
    return store


async def signs_out(site: LogoutSite, browser: Browser, how: str) -> None:
    """Sign out in the first process."""
    if how == "here":
        with site.provider.fault("revoke_down"):
            await site.browser_of(browser).fetch("/auth/logout", method="POST")
    else:
        await site.hear(site.provider.logout_token("alice"))


@pytest.mark.parametrize("form", SHARED)
@pytest.mark.parametrize("how", ["here", "at the provider"])
async def test_a_request_under_way_elsewhere_gets_no_new_token(form, how):
    """Its process served nothing since, and has to ask what has ended."""
    site = LogoutSite(form, scope=SCOPE)
    site.provider.access_token_lifetime = 300
    other, alice = other_process(site), await site.signed_in()
    got: list[str] = []

    async def ask_late(scope: Any) -> None:
        await signs_out(site, alice, how)
        site.clock.advance(600)
        try:
            got.append(await scope["oidc"].access_token())
        except OIDCError as error:
            got.append(error.code)

    other.app.at_work = ask_late
    answer = await other.browser(jar=alice.jar.copy()).fetch("/slow")

    assert (got, site.provider.count_grants("refresh_token")) == (["session_ended"], 0)
    assert [line for line in answer.set_cookies if "Max-Age=0" not in line] == []


@pytest.mark.parametrize("form", SHARED)
@pytest.mark.parametrize("how", ["here", "at the provider"])
async def test_a_sign_out_reaches_processes_that_have_cached_the_cookies(form, how):
    """What a process has opened saves it work, and not the look at what ended elsewhere."""
    site = LogoutSite(form, scope=SCOPE)
    other, alice = other_process(site), await site.signed_in()
    elsewhere = other.browser(jar=alice.jar.copy())
    before = [(await elsewhere.fetch("/page", headers=PROGRAM)).status_code for _ in range(2)]

    await signs_out(site, alice, how)
    site.clock.advance(STALE + 1)

    assert (before, (await elsewhere.fetch("/page", headers=PROGRAM)).status_code) == ([200, 200], 401)


@pytest.mark.parametrize("form", ["cookies", *SHARED])
async def test_a_login_that_waits_does_not_outlive_the_sign_out_of_its_session(form):
    """Tab A starts a login; the session is replaced, and its successor signs out: A's callback comes too late."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    waiting = await browser.tab().get("/auth/login", follow=False)
    site.provider.sign_in_as("alice")
    await browser.get("/auth/login")
    site.clock.advance(40)
    await browser.fetch("/auth/logout", method="POST")

    back = await browser.get(waiting.location, follow=False)
    answer = await browser.get(back.location, headers=PROGRAM, follow=False)

    assert (answer.status_code, answer.json()["error"]) == (400, "signed_out_meanwhile")
    assert await who_am_i(browser) is None


@pytest.mark.parametrize("form", SHARED)
async def test_a_login_may_come_back_ten_minutes_after_a_sign_out_elsewhere(form):
    """And is refused all the same."""
    site = LogoutSite(form)
    other, browser = other_process(site), await site.signed_in()
    waiting = await browser.tab().get("/auth/login", follow=False)
    site.provider.sign_in_as("alice")
    await browser.fetch("/auth/logout", method="POST")
    site.clock.advance(590)

    back = await browser.get(waiting.location, follow=False)
    answer = await other.browser_of(browser).get(back.location, headers=PROGRAM, follow=False)

    assert (answer.status_code, answer.json()["error"]) == (400, "signed_out_meanwhile")


@pytest.mark.parametrize("form", SHARED)
async def test_another_user_can_sign_in_only_if_the_previous_session_could_be_revoked(form):
    """Else a copy of its cookie would live on, and nobody would know."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    copy = other_process(site).browser(jar=browser.jar.copy())
    site.provider.sign_in_as("bob")
    start = await browser.get("/auth/login", follow=False)
    back = await browser.get(start.location, follow=False)
    store = store_of(site)

    async def break_down() -> None:
        store.broken = {"link", "remove"}

    # The last look before the older session is ended.
    store.before["linked"] = [_nothing, break_down]
    answer = await browser.get(back.location, headers=PROGRAM, follow=False)
    store.broken = set()

    assert (answer.status_code, await are_in(copy)) == (503, [True])
    assert await who_am_i(browser) in ("alice", None)


async def _nothing() -> None:
    """Let it go on."""


async def test_a_session_whose_replacement_was_not_recorded_ends_with_its_successor():
    """The store had a bad moment when the same user signed in again."""
    site = LogoutSite("a store")
    browser = await site.signed_in()
    copy = other_process(site).browser(jar=browser.jar.copy())
    site.provider.sign_in_as("alice")
    store = store_of(site)
    store.broken = {"replace"}
    await browser.get("/auth/login")
    store.broken = set()
    site.clock.advance(60)
    before = await are_in(copy)

    await browser.fetch("/auth/logout", method="POST")

    assert (before, await are_in(copy)) == ([True], [False])


@pytest.mark.parametrize("form", ["cookies", *SHARED])
async def test_a_slow_tab_that_signs_out_ends_the_session_that_replaced_its_own(form):
    """Its request left with the older cookie, within the grace."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    slow_tab = site.browser(jar=browser.jar.copy())
    other = await site.signed_in()
    await browser.get("/auth/login")  # the provider knows them, and asks nothing
    before = await are_in(browser, slow_tab)

    await slow_tab.fetch("/auth/logout", method="POST")

    assert (before, await are_in(browser, slow_tab, other)) == ([True, True], [False, False, True])


async def test_requests_never_wait_for_the_revocation_feed_while_it_is_read():
    """Somebody looks every second, whether there are requests or not."""
    site = LogoutSite("cookies of many processes")
    other, browser = other_process(site), await site.signed_in()
    copy = other.browser(jar=browser.jar.copy())
    store, lifespan = store_of(site), Exchange(START)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.middleware, {"type": "lifespan"}, lifespan.receive, lifespan.send)
        while not lifespan.sent:
            await anyio.lowlevel.checkpoint()
        await browser.fetch("/auth/logout", method="POST")
        with anyio.fail_after(PATIENCE):
            while not revocations_of(other.middleware)._entries:  # noqa: ASYNC110  # it sets no event of ours
                await anyio.sleep(0.05)
        store.forget_calls()
        is_in = await are_in(copy)
        asked = [call for call in store.calls if call != "linked"]
        tasks.cancel_scope.cancel()

    assert (is_in, asked) == ([False], [])


async def test_two_logout_tokens_with_one_jti_at_once_count_as_two():
    """A provider with a mistake: one of them is refused, none is taken for the other."""
    site = LogoutSite("a store")
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    answers = {}

    async def hear(sub: str) -> None:
        answers[sub] = (await site.hear(site.provider.logout_token(sub, jti="one"))).status

    async with anyio.create_task_group() as tasks:
        for sub in ("alice", "bob"):
            tasks.start_soon(hear, sub)

    for sub, browser in (("alice", alice), ("bob", bob)):
        assert (answers[sub] == 200) == (await are_in(browser) == [False])


async def test_a_new_key_that_cannot_be_fetched_is_no_reason_to_refuse_for_good():
    """The provider sends the token again, when its own key set is back."""
    site = LogoutSite()
    browser = await site.signed_in()
    site.provider.rotate_keys()
    token = site.provider.logout_token("alice")

    with site.provider.fault("jwks_down"):
        down = await site.hear(token)
    site.clock.advance(30)
    again = await site.hear(token)

    assert (down.status, again.status, await are_in(browser)) == (503, 200, [False])
