"""A provider or a store that hangs holds nobody for long, and loses no more than it must; on a clock that jumps."""

from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.provider.http import DEADLINE
from asgi_oidc.sessions.repository import LOCK_LIFETIME
from asgi_oidc.stores.guarded_store import DEADLINE as STORE_DEADLINE
from asgi_oidc.tokens.refresh_lock import COOL_DOWN
from asgi_oidc.tokens.revoke import REVOKE_DEADLINE as REVOKE_DEADLINE
from tests.protected_site import Site, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, STORES, TokenSite


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time jumps to the next deadline as soon as nobody has anything to do."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


@pytest.mark.parametrize(
    ("fault", "later"), [("refresh_hangs_before_processing", 200), ("refresh_hangs_after_processing", 401)]
)
async def test_a_refresh_that_hangs_is_given_up(site, fault, later):
    """Only a refresh token that is spent, and whose successor nobody got, ends the session."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    began = anyio.current_time()

    with site.provider.fault(fault):
        page = await browser.fetch("/page")
    took = anyio.current_time() - began
    site.clock.advance(COOL_DOWN)

    assert page.status_code == 503
    assert took == pytest.approx(DEADLINE, abs=0.1)
    assert ((await browser.fetch("/page")).status_code, site.refreshes) == (later, 2)


async def test_a_refresh_that_is_slow_is_waited_for_by_all(site):
    """One call, and nobody is sent away."""
    browser = await site.signed_in()
    site.provider.slow_by = DEADLINE - 1
    site.clock.advance(LIFETIME + 1)
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    with site.provider.fault("refresh_slow"):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(visit)

    assert (statuses, site.refreshes) == ([200] * 20, 1)


async def test_a_revocation_that_hangs_holds_up_no_sign_out(site):
    """The session is dead before it is made."""
    browser = await site.signed_in()
    began = anyio.current_time()

    with site.provider.fault("revoke_slow"):
        done = await browser.post("/auth/logout", follow=False)

    assert (done.status_code, site.provider.count("/revoke"), session_cookies(browser)) == (303, 1, [])
    assert anyio.current_time() - began == pytest.approx(REVOKE_DEADLINE, abs=0.1)


async def test_a_store_that_is_slow_is_waited_for():
    """Slow is not down, as long as it answers in time."""
    store = ScriptedStore()
    site = Site(store=store)
    browser = await site.signed_in()
    store.before["get"] = [lambda: anyio.sleep(STORE_DEADLINE - 0.1)]

    page = await browser.fetch("/page")

    assert (page.status_code, page.json()["sub"]) == (200, "alice")


@pytest.mark.parametrize("method", ["get", "replace"])
async def test_a_store_that_hangs_while_the_last_use_is_written_costs_its_time_and_no_page(method):
    """That the page was opened is worth less than the page."""
    store = ScriptedStore()
    site = Site(store=store)
    browser = await site.signed_in()
    site.clock.advance(120)
    first_get = [anyio.lowlevel.checkpoint] if method == "get" else []
    store.before[method] = [*first_get, anyio.sleep_forever]
    began = anyio.current_time()

    page = await browser.fetch("/page")

    assert page.status_code == 200
    assert anyio.current_time() - began == pytest.approx(STORE_DEADLINE, abs=0.1)


@pytest.mark.parametrize("method", ["get", "replace", "remove"])
async def test_a_store_that_hangs_during_a_refresh_delays_requests_only_briefly(method):
    """Where it reads, writes or unlocks: the page ends, and the tokens are there for the next one."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def hang() -> None:
        store.before[method].insert(0, hang)
        await anyio.sleep_forever()

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            store.before[method] = [hang]
            gate.open()
            began = anyio.current_time()
    took = anyio.current_time() - began
    store.before.clear()
    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes, site.provider.memory.revoked_grants) == (200, 1, set())
    assert took < 12


async def test_a_lock_that_could_not_be_given_back_is_given_back_when_the_store_answers_again():
    """Else everybody with a token that has run out waits until it ends by itself."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    store.before["remove"] = [anyio.sleep_forever] * 2

    first = await browser.fetch("/page")
    site.clock.advance(LIFETIME + 1)
    began = anyio.current_time()
    second = await browser.fetch("/page")

    assert (first.status_code, second.status_code, site.refreshes) == (200, 200, 2)
    assert anyio.current_time() - began < 5


async def test_a_store_that_never_answers_again_is_not_asked_for_ever():
    """The lock has ended by itself long ago."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    store.before["remove"] = [anyio.sleep_forever] * 1000

    page = await browser.fetch("/page")
    await anyio.sleep(LOCK_LIFETIME)
    tries = len(store.before["remove"])
    await anyio.sleep(10 * LOCK_LIFETIME)

    assert (page.status_code, len(store.before["remove"])) == (200, tries)
    assert 5 < 1000 - tries < 40


async def test_a_store_that_hangs_at_a_sign_out_says_so_in_time():
    """With the cookie kept, to try again."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    store.before["remove"] = [anyio.sleep_forever]

    down = await browser.post("/auth/logout", follow=False)
    kept = session_cookies(browser)
    done = await browser.post("/auth/logout", follow=False)

    assert (down.status_code, len(kept), done.status_code, site.provider.count("/revoke")) == (503, 1, 303, 1)
    assert await who_am_i(browser) is None


async def test_a_sign_out_that_the_store_did_not_take_ends_a_refresh_whose_tokens_it_did_not_take_either():
    """This process knows of both: whoever pressed the button is out here, and gets no token any more."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(visit)
            await gate.until_held()
            store.broken = {"replace", "remove"}
            statuses.append((await browser.tab().fetch("/auth/logout", method="POST")).status_code)
            gate.open()

    assert (statuses, site.tokens[1:]) == ([503, 401], [])
