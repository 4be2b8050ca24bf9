"""One provider that is down, hangs or fails leaves the others working, and works again soon after it is back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.provider.call_limit import MAX_CALLS_PER_PROVIDER
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, run_lifespan
from tests.providers.failing_connections import Line, State
from tests.providers.three_providers import NAMES, ThreeProviders

STORES: dict[str, Callable[[], Any]] = {"cookies": lambda: None, "memory": MemoryStore}
BACK_WITHIN = 15  # seconds after an outage (design, section 5)
ACCESS_TOKEN_LIFETIME = 300  # seconds


class Lines(ThreeProviders):
    """Three providers, each at the end of a line of its own; the app uses access tokens.

    Args:
        settings: of the middleware.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.lines = {name: Line(fake) for name, fake in self.fakes.items()}
        clients = {name: {"http_client": line.client()} for name, line in self.lines.items()}
        scope = {"scope": "openid offline_access"}
        others = ThreeProviders({name: {**client, **scope} for name, client in clients.items()}, **settings)
        self.clock, self.app, self.middleware = others.clock, others.app, others.middleware
        for fake in self.fakes.values():
            fake.clock, fake.access_token_lifetime = self.clock, ACCESS_TOKEN_LIFETIME


async def ask_for_the_token(scope: Any) -> None:
    """Be a page that calls another API."""
    await scope["oidc"].access_token()


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("state", ["down", "fails"])
@pytest.mark.parametrize("broken", NAMES)
async def test_the_others_log_in_refresh_and_sign_out(broken: str, state: State, store: str):
    """Users of the other providers notice nothing."""
    site = Lines(store=STORES[store]())
    site.lines[broken].state = state
    failed = await site.browser().get(f"/auth/login?provider={broken}", follow=False)

    for name in (name for name in NAMES if name != broken):
        browser = await site.signed_in(name)
        site.app.at_work = ask_for_the_token
        site.clock.advance(ACCESS_TOKEN_LIFETIME)
        page = await browser.get("/private")
        site.app.at_work = type(site.app)().at_work
        await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
        after = await browser.get("/private", follow=False)

        assert (page.status_code, site.fakes[name].count_grants("refresh_token")) == (200, 1)
        assert after.status_code != 200
    assert (failed.status_code, failed.headers.get("retry-after") is not None) == (503, True)


@pytest.mark.parametrize("state", ["down", "fails"])
async def test_its_own_users_stay_signed_in_and_can_sign_out(state: State):
    """Their sessions are here, and the sign-out is local then."""
    site = Lines()
    browser = await site.signed_in("one")
    site.lines["one"].state = state
    site.clock.advance(2 * 3600 - 1000)

    page = await browser.get("/private")
    await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
    after = await browser.get("/private", follow=False)

    assert (page.status_code, after.status_code) == (200, 303)


@asynccontextmanager
async def hanging_logins(site: Lines, name: str, count: int) -> AsyncIterator[None]:
    """Let the callbacks of that many logins hang at the token endpoint."""
    callbacks: list[tuple[Browser, str]] = []
    for _ in range(count):
        browser = site.browser()
        await browser.get(f"/auth/login?provider={name}")
        back = await browser.submit(button="alice", follow=False)
        callbacks.append((browser, back.location))
    site.lines[name].state = "hangs"
    async with anyio.create_task_group() as tasks:
        for browser, url in callbacks:
            tasks.start_soon(browser.get, url)
        await anyio.wait_all_tasks_blocked()
        yield
        tasks.cancel_scope.cancel()


async def test_logins_that_hang_at_one_provider_leave_room_for_the_others():
    """Each provider has its own limit of calls, so nobody waits behind calls that hang."""
    site = Lines()

    async with hanging_logins(site, "one", MAX_CALLS_PER_PROVIDER + 10):
        with anyio.fail_after(8):  # less than a call may hang
            await site.signed_in("two")
            await site.signed_in("three")
        most = site.lines["one"].most

    assert most == MAX_CALLS_PER_PROVIDER


@pytest.mark.parametrize("state", ["down", "fails"])
@pytest.mark.parametrize("is_known", [False, True], ids=["never reached", "reached before"])
async def test_a_provider_takes_logins_again_within_15_seconds(is_known: bool, state: State):
    """Many logins have failed meanwhile."""
    site = Lines()
    if is_known:
        await site.signed_in("one")
        site.clock.advance(2 * 86_400)  # metadata and keys are too old
    site.lines["one"].state = state
    for _ in range(20):
        response = await site.browser().get("/auth/login?provider=one", follow=False)
        assert response.status_code == 503
        site.clock.advance(0.1)

    site.lines["one"].state = "up"
    site.clock.advance(BACK_WITHIN - 1)

    await site.signed_in("one")


async def test_keys_that_could_not_be_fetched_are_there_within_15_seconds():
    """The metadata was there, so the outage shows at the callback."""
    site = Lines()
    with site.fakes["one"].fault("jwks_down"):
        for _ in range(10):
            browser = site.browser()
            await browser.get("/auth/login?provider=one")
            response = await browser.submit(button="alice")
            assert response.status_code == 503
    site.clock.advance(BACK_WITHIN - 1)

    await site.signed_in("one")


async def test_nothing_is_fetched_at_start_up():
    """An app starts while all of its providers are down, and 300 of them take no time."""
    site = Lines()
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return messages.pop(0)

    site.middleware.app = lambda scope, receive, send: run_lifespan(receive, send)
    await site.middleware({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [line.calls for line in site.lines.values()] == [[], [], []]
