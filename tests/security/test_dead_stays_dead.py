"""After a sign-out, an expiry or another login, no old cookie and no slower request brings a session back."""

import random
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from asgi_oidc.testing import Browser, FakeProvider

from .sizes import size
from .stage import ORIGIN, Clock, CountingApp, Scope, Stage, who_am_i

IDLE, LIFETIME, GRACE = 600, 3600, 30


class SlowApp(CountingApp):
    """An app whose page `/slow` waits until the test lets it answer."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = anyio.Event()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await self.gate.wait()
        await super().__call__(scope, receive, send)


class SlowStage(Stage):
    """A stage with that app, short limits, and a clock that the provider shares."""

    def __init__(self) -> None:
        clock = Clock()
        self.slow_app = SlowApp()
        provider = FakeProvider(clock=clock, alg="EdDSA")
        super().__init__(provider, self.slow_app, clock=clock, session_idle=IDLE, session_lifetime=LIFETIME)
        self.clock = clock


@pytest.fixture
def stage() -> SlowStage:
    return SlowStage()


@dataclass
class Login:
    """What the test knows of one login, and of all copies of its cookie."""

    user: str
    created_at: float
    used_at: float
    dead_from: float = float("inf")
    replaced: list["Login"] = field(default_factory=list)

    def may_live(self, now: float) -> bool:
        return now < min(self.dead_from, self.created_at + LIFETIME, self.used_at + IDLE)


class Walk:
    """Takes random steps in several browsers, and says who may be signed in where."""

    def __init__(self, stage: SlowStage, seed: str) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self.browsers: list[tuple[Browser, Login | None]] = [(stage.browser(), None)]
        self.seen_alive = 0

    @property
    def now(self) -> float:
        return self.stage.clock.now

    async def step(self) -> None:
        number = self.random.randrange(len(self.browsers))
        name = self.random.choice(["sign_in", "sign_in", "sign_out", "copy", "use", "use", "wait", "wait", "slow"])
        await getattr(self, name)(number)
        for browser, login in self.browsers:
            await self.check(browser, login)

    async def check(self, browser: Browser, login: Login | None) -> None:
        who = await who_am_i(browser)
        if login is None or not login.may_live(self.now):
            assert who is None
        assert who in (None, login and login.user)
        self.seen_alive += who is not None

    async def sign_in(self, number: int) -> None:
        browser, old = self.browsers[number]
        user = self.random.choice(["alice", "bob"])
        was_open = await who_am_i(browser) is not None
        self.stage.provider.sign_in_as(user)
        page = await browser.get("/auth/login")
        assert page.status_code == 200
        login = Login(user, self.now, self.now)
        if old is not None and was_open:
            self.end(old, self.now + (GRACE if old.user == user else 0))
            login.replaced = [old, *old.replaced] if old.user == user else []
        self.browsers[number] = (browser, login)
        assert await who_am_i(browser) == user

    async def sign_out(self, number: int) -> None:
        browser, login = self.browsers[number]
        was_open = await who_am_i(browser) is not None
        await browser.post("/auth/logout", follow=False)
        assert await who_am_i(browser) is None
        if login is not None and was_open:
            self.end(login, self.now)
            for one in login.replaced:
                self.end(one, self.now)
        self.browsers[number] = (browser, None)

    @staticmethod
    def end(login: Login, dead_from: float) -> None:
        login.dead_from = min(login.dead_from, dead_from)

    async def copy(self, number: int) -> None:
        browser, login = self.browsers[number]
        self.browsers = [*self.browsers[-5:], (self.stage.browser(jar=browser.jar.copy()), login)]

    async def use(self, number: int) -> None:
        browser, login = self.browsers[number]
        page = await browser.get("/page", follow=False)
        if page.status_code == 200 and login is not None:
            login.used_at = self.now

    async def wait(self, number: int) -> None:
        self.stage.clock.now += self.random.choice([1, 20, 40, 61, 200, 500, 601, 3000])

    async def slow(self, number: int) -> None:
        """Begin a request, do something else in the same browser, then let the request end."""
        browser, login = self.browsers[number]
        self.stage.slow_app.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(self._visit_slowly, browser, login)
            await anyio.wait_all_tasks_blocked()
            await getattr(self, self.random.choice(["sign_in", "sign_out", "wait"]))(number)
            self.stage.slow_app.gate.set()

    async def _visit_slowly(self, browser: Browser, login: Login | None) -> None:
        began = self.now
        page = await browser.fetch("/slow")
        if page.status_code == 200 and login is not None:
            login.used_at = max(login.used_at, began, self.now if login.may_live(self.now) else began)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(size(4, 100)))
async def test_no_order_of_events_brings_a_session_back(stage: SlowStage, seed: int, quiet: None) -> None:
    """Sign-ins, sign-outs, copies of cookies, slow requests and time, in any order."""
    walk = Walk(stage, f"walk {seed}")

    for _ in range(size(60, 200)):
        await walk.step()

    assert walk.seen_alive > 10


@pytest.mark.parametrize("deed", ["sign out", "expire", "bob signs in"])
async def test_a_slow_answer_writes_no_cookie_of_a_session_that_is_over(stage: SlowStage, deed: str) -> None:
    """The rolling cookie of a slow request would come after the one that signed out (nextjs-auth0 #2530)."""
    browser = await stage.signed_in("alice")
    stage.clock.now += 120  # long enough that the last use is to be written down
    answers = []

    async def visit() -> None:
        answers.append(await browser.tab().fetch("/slow"))

    async with anyio.create_task_group() as group:
        group.start_soon(visit)
        await anyio.wait_all_tasks_blocked()
        if deed == "sign out":
            await browser.post("/auth/logout", follow=False)
        elif deed == "expire":
            stage.clock.now += LIFETIME
        else:
            stage.provider.sign_in_as("bob")
            await browser.get("/auth/login")
        stage.slow_app.gate.set()

    assert answers[0].status_code == 200
    assert [line for line in answers[0].set_cookies if "oidc" in line] == []
    assert await who_am_i(browser) == ("bob" if deed == "bob signs in" else None)


async def test_an_answer_in_time_does_write_it(stage: SlowStage) -> None:
    """Or the test above would pass without any rolling cookie."""
    browser = await stage.signed_in("alice")
    stage.clock.now += 120
    stage.slow_app.gate.set()

    answer = await browser.fetch("/slow")

    assert len(answer.set_cookies) == 1
    assert answer.headers["cache-control"] == "no-store"
    assert answer.url == f"{ORIGIN}/slow"


async def test_a_session_ends_at_its_limits_whatever_the_cookie_says(stage: SlowStage) -> None:
    """A browser may keep a cookie for ever; the limits are inside the sealed value."""
    idle = await stage.signed_in()
    busy = await stage.signed_in("bob")
    for browser in (idle, busy):
        browser.jar.clock = lambda: 0.0

    stage.clock.now += IDLE - 1
    assert [await who_am_i(it) for it in (idle, busy)] == ["alice", "bob"]
    await busy.get("/page")
    stage.clock.now += 1
    assert [await who_am_i(it) for it in (idle, busy)] == [None, "bob"]
    for _ in range(LIFETIME // IDLE * 2):
        await busy.get("/page", follow=False)
        stage.clock.now += IDLE // 2
    assert await who_am_i(busy) is None
