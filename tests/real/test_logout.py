"""Signing out at a certified provider, which tells a running app with real logout tokens."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from asgi_oidc import MemoryStore, RedisStore
from asgi_oidc.testing import Browser
from tests.real.real_provider import RealProvider
from tests.real.redis_server import RedisServer, redis
from tests.real.test_provider import served

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Any:
    """A real Redis."""
    with redis() as started:
        yield started


FORMS: Mapping[str, Any] = {
    "sealed cookie": lambda server: {},
    "sealed cookie, marks in Redis": lambda server: {"logout_store": RedisStore(server.url)},
    "MemoryStore": lambda server: {"store": MemoryStore()},
    "RedisStore": lambda server: {"store": RedisStore(server.url)},
}


@pytest.fixture(params=FORMS)
def settings(request: pytest.FixtureRequest, server: RedisServer) -> dict[str, Any]:
    """Where sessions and revocations are kept."""
    made: dict[str, Any] = FORMS[request.param](server)
    return made


def registered(*, sid: bool) -> dict[str, Any]:
    """Ask for logout tokens, with the session or with the user alone."""
    return {"backchannel_logout_uri": "{origin}/auth/backchannel-logout", "backchannel_logout_session_required": sid}


async def signs_out_at(provider: RealProvider, browser: Browser) -> None:
    """Go to the provider, not to the app, and sign out there."""
    asked = await browser.get(f"{provider.issuer}/session/end")
    done = await browser.submit(asked, "yes")
    assert "You are signed out of the provider" in done.text


def another_browser(browser: Browser) -> Browser:
    """Open a browser without cookies."""
    return Browser(browser.apps[browser.origin], browser.origin, browser.apps)


async def is_in(browser: Browser) -> bool:
    return (await browser.fetch("/claims")).status_code == 200


@pytest.mark.parametrize("sid", [True, False], ids=["by sid", "by sub"])
async def test_a_sign_out_at_the_provider_ends_the_session_in_the_app(provider, settings, sid):
    """With a real logout token; and a copy of the cookies that another browser has is dead as well."""
    async with served(provider, registered=registered(sid=sid), **settings) as browser:
        await browser.sign_in("alice", "/private")
        copy = another_browser(browser)
        copy.jar = browser.jar.copy()
        before = await is_in(copy)
        await signs_out_at(provider, browser)
        after = [await is_in(browser), await is_in(copy)]
        again = await browser.sign_in("alice", "/private")

    assert (before, after, provider.logouts) == (True, [False, False], ["web"])
    assert again.status_code == 200


async def test_a_sign_out_by_user_ends_the_sessions_in_other_browsers(provider, settings):
    """Two browsers, two sessions at the provider, one person; and somebody else, who stays."""
    async with served(provider, registered=registered(sid=False), **settings) as browser:
        other, bob = another_browser(browser), another_browser(browser)
        for each, name in ((browser, "alice"), (other, "alice"), (bob, "bob")):
            await each.sign_in(name, "/private")
        await signs_out_at(provider, browser)
        after = [await is_in(each) for each in (browser, other, bob)]

    assert after == [False, False, True]


async def test_a_sign_out_by_session_leaves_the_other_browsers(provider, settings):
    """The provider named the session that ended."""
    async with served(provider, registered=registered(sid=True), **settings) as browser:
        other = another_browser(browser)
        for each in (browser, other):
            await each.sign_in("alice", "/private")
        await signs_out_at(provider, browser)
        after = [await is_in(each) for each in (browser, other)]

    assert after == [False, True]


async def test_a_sign_out_here_comes_back_by_the_provider_with_its_logout_token(provider):
    """The provider notifies all apps, us too: that is no error, and the final URL is clean."""
    async with served(provider, registered=registered(sid=True)) as browser:
        page = await browser.sign_in("alice", "/private")
        asked = await browser.submit(page, "Sign out")
        home = await browser.submit(asked, "yes")

    assert (provider.logouts, home.url, home.status_code) == (["web"], f"{browser.origin}/", 200)


async def test_an_id_token_of_this_provider_is_no_logout_token(provider):
    """It has the same issuer, audience, keys and `sub`."""
    async with served(provider, registered=registered(sid=True)) as browser:
        await browser.sign_in("alice", "/private")
        id_token = (await browser.fetch("/id-token")).json()["id_token"]
        async with httpx.AsyncClient(trust_env=False) as stranger:
            answer = await stranger.post(f"{browser.origin}/auth/backchannel-logout", data={"logout_token": id_token})
        stays = await is_in(browser)

    assert (answer.status_code, answer.headers["cache-control"], stays) == (400, "no-store", True)
