"""When a client disconnects and the server cancels its request, changes that have begun are completed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_oidc import LoginRefused
from asgi_oidc.testing import Browser
from tests.asgi.test_lifespan import START, STOP
from tests.endpoints.test_frontchannel_logout import frame, named
from tests.logout_site import FORMS, LogoutSite, are_in, sid_of
from tests.protected_site import OTHER_SECRET, Exchange, Site, who_am_i
from tests.scripted_store import ScriptedStore

SCOPE = "openid profile email offline_access"
SHARED = ["cookies of many processes", "a store"]


class Held:
    """A store or a provider that has been asked and does not answer yet."""

    def __init__(self) -> None:
        self.is_asked = anyio.Event()
        self.may_answer = anyio.Event()

    async def __call__(self) -> None:
        self.is_asked.set()
        await self.may_answer.wait()


async def goes_away(request: Callable[[], Awaitable[Any]], *, when: Callable[[], Awaitable[Any]], how: str) -> None:
    """Make a request, and cancel it once an event has happened."""
    if how == "natively":
        task = asyncio.ensure_future(_made(request))
        await when()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_made, request)
        await when()
        tasks.cancel_scope.cancel()


async def _made(request: Callable[[], Awaitable[Any]]) -> None:
    await request()
    raise AssertionError("the request was answered before it could be cancelled")


async def shut_down(site: Site) -> None:
    """Stop the app as a server does: what is under way has come to its end then."""
    exchange = Exchange(START, STOP)
    await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)
    assert exchange.sent[-1]["type"] == "lifespan.shutdown.complete"


@pytest.fixture
def how(anyio_backend_name: str) -> str:
    """On asyncio servers cancel the task itself, past all shields; on trio there is nothing but scopes."""
    return "natively" if anyio_backend_name == "asyncio" else "by scope"


@pytest.fixture(params=SHARED)
def site(request) -> LogoutSite:
    return LogoutSite(request.param, scope=SCOPE, frontchannel_logout=True)


def other_process(site: LogoutSite) -> LogoutSite:
    return LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})


def hold_store(site: LogoutSite, method: str) -> Held:
    """Let the next call of this method wait."""
    store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
    held = Held()
    store.before[method].append(held)
    return held


def first_write(site: LogoutSite) -> str:
    """The method by which a sign-out writes to the store."""
    return "remove" if site.settings.get("store") else "link"


async def in_everywhere(site: LogoutSite, browser: Browser) -> list[bool]:
    """Say whether the cookies of a browser are good here and in another process."""
    return [(await are_in(each.browser(jar=browser.jar.copy())))[0] for each in (site, other_process(site))]


async def test_a_sign_out_completes_when_the_client_disconnects_during_a_store_write(site, how):
    """If it stopped here, other processes would still accept the session, and its refresh token would stay valid."""
    browser = await site.signed_in()
    held = hold_store(site, first_write(site))

    await goes_away(lambda: browser.post("/auth/logout", follow=False), when=held.is_asked.wait, how=how)
    held.may_answer.set()
    await shut_down(site)

    assert await in_everywhere(site, browser) == [False, False]
    assert len(site.provider.revoked) == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_sign_out_completes_when_the_client_disconnects_during_token_revocation(form, how):
    """The refresh token is revoked, however long the provider takes."""
    site = LogoutSite(form, scope=SCOPE)
    browser = await site.signed_in()

    with site.provider.hold("revoke") as gate:
        await goes_away(lambda: browser.post("/auth/logout", follow=False), when=gate.until_held, how=how)
        gate.open()
    await shut_down(site)

    assert (len(site.provider.revoked), await are_in(browser)) == (1, [False])


async def test_a_frontchannel_logout_completes_when_the_browser_disconnects(site, how):
    """A provider may remove the frame after two seconds."""
    browser = await site.signed_in()
    sid, held = await sid_of(browser), hold_store(site, first_write(site))

    await goes_away(lambda: frame(browser, *named(site, sid)), when=held.is_asked.wait, how=how)
    held.may_answer.set()
    await shut_down(site)

    assert await in_everywhere(site, browser) == [False, False]


async def test_a_backchannel_logout_completes_when_the_provider_disconnects(site, how):
    """Otherwise the logout token could be used up before the sessions have ended."""
    browser, token = await site.signed_in(), site.provider.logout_token("alice")
    held = hold_store(site, "link")

    await goes_away(lambda: site.hear(token), when=held.is_asked.wait, how=how)
    held.may_answer.set()
    await shut_down(site)

    assert await in_everywhere(site, browser) == [False, False]
    assert (await site.hear(token)).status == 400


@pytest.mark.parametrize("what", ["end", "end_all"])
async def test_ending_sessions_from_code_completes_when_the_client_disconnects(what, how):
    """The app ends sessions while it serves a request, which may be cancelled."""
    site = LogoutSite("a store")
    browser = await site.signed_in()
    session_id, sessions = site.app.scope["oidc"].session_id, site.middleware.sessions
    held = hold_store(site, "remove" if what == "end" else "link")

    async def at_work(scope: Any) -> None:
        await (sessions.end("alice", session_id) if what == "end" else sessions.end_all("alice"))

    site.app.at_work = at_work
    await goes_away(lambda: browser.fetch("/page"), when=held.is_asked.wait, how=how)
    held.may_answer.set()
    await shut_down(site)

    assert (await sessions.of("alice"), await who_am_i(browser)) == ([], None)


async def test_a_sign_out_with_unreadable_cookies_completes_when_the_client_disconnects(how):
    """Another process may be able to read the cookies, so it has to learn of the sign-out."""
    site = LogoutSite("a store")
    browser = await site.signed_in()
    renewed = LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock, "secret": OTHER_SECRET})
    held = hold_store(renewed, "remove")

    gone = renewed.browser_of(browser)
    await goes_away(lambda: gone.post("/auth/logout", follow=False), when=held.is_asked.wait, how=how)
    held.may_answer.set()
    await shut_down(renewed)

    assert await who_am_i(browser) is None


async def login(site: LogoutSite, browser: Browser) -> str:
    """Come back from the provider, with this URL."""
    site.provider.sign_in_as("alice")
    away = await browser.get("/auth/login", follow=False)
    return (await browser.get(away.location, follow=False)).location


async def test_a_login_ends_the_session_that_it_replaces_when_the_browser_disconnects(site, how):
    """The code is used up, so the login cannot be finished later."""
    browser = await site.signed_in("bob")
    url = await login(site, browser)
    copy = site.browser(jar=browser.jar.copy())

    with site.provider.hold("code_exchange") as gate:
        await goes_away(lambda: browser.get(url, follow=False), when=gate.until_held, how=how)
        gate.open()
    await shut_down(site)

    assert await in_everywhere(site, copy) == [False, False]


async def test_a_refused_login_revokes_its_refresh_token_when_the_browser_disconnects(how):
    """The refresh token will never be used, so it must not stay valid."""

    async def refuse(user: Any, claims: Any) -> None:
        raise LoginRefused

    site = LogoutSite(scope=SCOPE, on_login=refuse)
    browser = site.browser()
    url = await login(site, browser)

    with site.provider.hold("code_exchange", when="after") as gate:
        await goes_away(lambda: browser.get(url, follow=False), when=gate.until_held, how=how)
        gate.open()
    await shut_down(site)

    assert len(site.provider.revoked) == 1
