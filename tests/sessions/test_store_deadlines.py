"""A store that hangs, or takes nothing, holds nobody for long and loses no tokens; on a clock that jumps."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.stores.guarded_store import DEADLINE
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, TokenSite


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time jumps to the next deadline as soon as nobody has anything to do."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def store() -> ScriptedStore:
    return ScriptedStore()


@pytest.fixture
def site(store: ScriptedStore) -> TokenSite:
    return TokenSite(store)


async def until(condition: Callable[[], object]) -> None:
    """Look again and again, in bounded time, at what goes on in the background."""
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110  # it sets no event of ours
            await anyio.sleep(0.01)


async def test_a_store_that_hangs_delays_requests_only_briefly(site, store):
    """Two seconds, and then the same answer."""
    browser = await site.signed_in()
    store.before["get"] = [anyio.sleep_forever]

    began = anyio.current_time()
    answer = await browser.fetch("/page")
    took = anyio.current_time() - began

    assert took == pytest.approx(DEADLINE, abs=0.1)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await browser.fetch("/page")).status_code == 200


async def test_tokens_that_a_store_does_not_take_are_kept_and_written_later(site, store):
    """The old refresh token is spent by then; another process waits until they are written."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            store.broken = {"replace"}
            gate.open()
    going_on = await browser.fetch("/page")
    store.forget_calls()
    store.broken = set()
    await until(lambda: "replace" in store.calls)

    elsewhere = await site.restarted().browser_of(browser).fetch("/page")

    assert (going_on.status_code, elsewhere.status_code, site.refreshes) == (200, 200, 1)
    assert site.provider.revoked == []


async def test_tokens_that_a_store_did_not_take_go_back_when_the_session_has_ended(site, store):
    """Somebody signed out meanwhile: a refresh token that nobody can use any more must not live on."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    store.broken = {"replace"}
    await browser.fetch("/page")

    await site.restarted().middleware.sessions.end_all("alice")
    store.broken = set()
    await until(lambda: site.provider.revoked)

    assert (await browser.fetch("/page")).status_code == 401
    assert len(site.provider.revoked) == 1
