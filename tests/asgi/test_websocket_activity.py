"""`websocket_activity`: what the browser sends over a websocket counts as a request of its session."""

from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.asgi.session_watch import CHECK_INTERVAL, READ_INTERVAL, SAVE_INTERVAL
from asgi_oidc.testing import Browser
from tests.asgi.test_open_websockets import SOON, OpenSockets, Socket
from tests.logout_site import LogoutSite
from tests.protected_site import who_am_i
from tests.scripted_store import ScriptedStore


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
async def stage_of():
    """Make stages; all their websockets end with the test."""
    async with anyio.create_task_group() as tasks:
        yield lambda site: OpenSockets(site, tasks)
        tasks.cancel_scope.cancel()


def site_of(**settings: Any) -> tuple[LogoutSite, ScriptedStore]:
    site = LogoutSite("a store", websocket_activity=True, **settings)
    store: ScriptedStore = site.settings["store"]
    return site, store


async def say(socket: Socket, text: str = "x") -> None:
    """Send a message, and wait for some checks of the session."""
    await socket.to_app.send({"type": "websocket.receive", "text": text})
    await anyio.sleep(SOON)


async def test_a_page_that_talks_over_a_websocket_keeps_its_session(stage_of):
    """Its user may work all day without a single request."""
    site, _ = site_of()
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser)

    for _ in range(3):
        site.clock.advance(3000)
        await say(socket)

    assert (socket.code, await who_am_i(browser)) == (None, "alice")
    site.clock.advance(3600)
    await anyio.sleep(SOON)
    assert (socket.code, await who_am_i(browser)) == (4401, None)


async def test_the_last_use_is_written_down_at_most_once_a_minute(stage_of):
    """A chat sends many messages, and each one would be a write to the store."""
    site, store = site_of()
    socket = await stage_of(site).connect(await site.signed_in())

    site.clock.advance(61)
    store.forget_calls()
    for _ in range(4):
        await say(socket)
        site.clock.advance(11)
    asked = [call for call in store.calls if call in ("get", "replace")]
    site.clock.advance(50)
    await say(socket)

    assert (asked, store.calls.count("replace")) == (["get", "replace"], 2)


async def test_a_silent_websocket_does_not_extend_its_session(stage_of):
    """The session of an unattended page has to expire."""
    site, store = site_of()
    socket = await stage_of(site).connect(await site.signed_in())
    store.forget_calls()

    site.clock.advance(3599)
    await anyio.sleep(SOON)
    site.clock.advance(1)
    await anyio.sleep(SOON)

    assert (socket.code, store.calls.count("replace")) == (4401, 0)


async def test_one_message_extends_the_session_once(stage_of):
    """It expires an hour after that message, however often it was checked meanwhile."""
    site, _ = site_of()
    socket = await stage_of(site).connect(await site.signed_in())

    site.clock.advance(900)
    await say(socket)
    for _ in range(3):
        site.clock.advance(900)
        await anyio.sleep(SOON)
    assert socket.code is None
    site.clock.advance(900)
    await anyio.sleep(SOON)

    assert socket.code == 4401


@pytest.mark.parametrize("forgets", [True, False])
async def test_a_message_does_not_revive_an_expired_session(forgets, stage_of):
    """An ended session never comes back, neither before the next check nor in a store that keeps expired records."""
    site, store = site_of() if forgets else site_of(store=ScriptedStore())
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser)
    store.forget_calls()

    site.clock.advance(3600)
    await say(socket)

    assert (socket.code, await who_am_i(browser), store.calls.count("replace")) == (4401, None, 0)


async def signs_out(site: LogoutSite, browser: Browser) -> None:
    await browser.fetch("/auth/logout", method="POST")


async def is_ended_elsewhere(site: LogoutSite, browser: Browser) -> None:
    await site.restarted().middleware.sessions.end_all("alice")


@pytest.mark.parametrize("end", [signs_out, is_ended_elsewhere])
async def test_a_message_does_not_revive_an_ended_session(end, stage_of):
    """Its record was deleted, and must not be written again."""
    site, _ = site_of()
    browser = await site.signed_in()
    copied = site.browser(jar=browser.jar.copy())
    socket = await stage_of(site).connect(browser)

    site.clock.advance(READ_INTERVAL)  # the use is due to be written down, and the record not yet to be read
    await end(site, browser)
    await say(socket)

    assert (socket.code, await who_am_i(copied)) == (4401, None)


async def test_websocket_messages_do_not_extend_a_session_beyond_its_lifetime(stage_of):
    """`session_lifetime` is an absolute limit."""
    site, _ = site_of(session_lifetime=4000)
    socket = await stage_of(site).connect(await site.signed_in())

    for _ in range(2):
        site.clock.advance(1999)
        await say(socket)
    assert socket.code is None
    site.clock.advance(2)
    await say(socket)

    assert socket.code == 4401


async def test_a_store_that_takes_nothing_ends_no_websocket(stage_of):
    """It may be full or read-only for a while; saving the last use is tried again, with pauses."""
    site, store = site_of()
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser)

    site.clock.advance(3000)
    store.broken = {"replace"}
    store.forget_calls()
    await say(socket)
    for _ in range(SAVE_INTERVAL - 1):
        site.clock.advance(1)
        await anyio.sleep(SOON)
    tried = store.calls.count("replace")
    store.broken = set()
    site.clock.advance(1)
    await anyio.sleep(SOON)
    site.clock.advance(3000)

    assert (socket.code, tried) == (None, 1)
    assert await who_am_i(browser) == "alice"


async def test_a_slow_store_does_not_delay_messages(stage_of):
    """Messages go to the app at once; the task that watches the session saves the last use."""
    site, store = site_of()
    socket = await stage_of(site).connect(await site.signed_in())
    site.clock.advance(61)
    store.forget_calls()

    await socket.to_app.send({"type": "websocket.receive", "text": "at once"})
    while not socket.heard:
        await anyio.lowlevel.checkpoint()

    assert store.calls == []
    await anyio.sleep(2 * CHECK_INTERVAL)
    assert "replace" in store.calls
