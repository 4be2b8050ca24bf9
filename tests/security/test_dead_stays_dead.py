"""After a sign-out, an expiry or another login, no old cookie and no slower request brings a session back."""

import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest

from asgi_oidc import MemoryStore, OIDCError
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.in_process import call_app
from tests.attacked_provider import own_path
from tests.scripted_store import ScriptedStore

from .attacked_site import ORIGIN, AttackedSite, Clock, CountingApp, Scope, who_am_i
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

IDLE, LIFETIME, GRACE = 600, 3600, 30
TOKEN_LIFETIME = 120


class SlowApp(CountingApp):
    """An app whose page `/slow` waits until the test lets it answer, and whose page `/token` calls another API.

    `/early` waits for another gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = anyio.Event()
        self.early_gate = anyio.Event()
        self.got: list[str | OIDCError] = []
        """What those that asked for a token were given."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/slow"):
            await self.gate.wait()
        if scope["path"].startswith("/early"):
            await self.early_gate.wait()
        if scope["path"].endswith("/token"):
            try:
                self.got.append(await scope["oidc"].access_token())
            except OIDCError as error:
                self.got.append(error)
        await super().__call__(scope, receive, send)


class SlowStage(AttackedSite):
    """A stage with that app, short limits, tokens that are soon due, and a clock that all share."""

    def __init__(self, place: str = "cookies") -> None:
        clock = Clock()
        self.slow_app = SlowApp()
        self.is_kept_here = place in ("memory", "store")
        provider = FakeProvider(clock=clock, alg="EdDSA")
        provider.access_token_lifetime = TOKEN_LIFETIME
        super().__init__(
            provider,
            self.slow_app,
            clock=clock,
            session_idle=IDLE,
            session_lifetime=LIFETIME,
            scope="openid profile email offline_access",
            store={"memory": MemoryStore, "store": ScriptedStore}[place](clock=clock) if self.is_kept_here else None,
            logout_store=MemoryStore(clock=clock) if place == "cookies, marks shared" else None,
            frontchannel_logout=True,
        )
        self.clock = clock

    async def hear(self, logout_token: str) -> None:
        """Let the provider sign somebody out."""
        url, form = ORIGIN + own_path("backchannel-logout"), {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"logout_token": logout_token}).encode()
        status, _, _ = await call_app(self.middleware, "POST", url, form, body)
        assert status == 200

    @property
    def active_refresh_tokens(self) -> list[str]:
        """Those that the provider would still take."""
        memory, now = self.provider.memory, self.provider.now()
        return [token for token in memory.refresh_tokens if memory.live_refresh_token(token, now=now)]


@pytest.fixture(params=["cookies", "cookies, marks shared", "memory", "store"])
def stage(request: pytest.FixtureRequest) -> SlowStage:
    """With sealed cookies, with revocations that processes share, in memory, and with any other store."""
    return SlowStage(request.param)


@dataclass
class Login:
    """What the test knows of one login, and of all copies of its cookie."""

    user: str
    created_at: float
    used_at: float
    dead_from: float = float("inf")
    replaced: list["Login"] = field(default_factory=list)

    def may_be_active(self, now: float) -> bool:
        return now < min(self.dead_from, self.created_at + LIFETIME, self.used_at + IDLE)


STEPS = ["sign_in"] * 3 + ["refresh"] * 3 + ["use", "wait"] * 2 + ["sign_out", "back_channel", "copy", "slow"]


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
        name = self.random.choice([*STEPS, "end_all"] if self.stage.is_kept_here else STEPS)
        await getattr(self, name)(number)
        for browser, login in self.browsers:
            await self.check(browser, login)

    async def check(self, browser: Browser, login: Login | None) -> None:
        who = await who_am_i(browser)
        if login is None or not login.may_be_active(self.now):
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

    async def refresh(self, number: int) -> None:
        """Ask for the access token when it is due, where somebody is signed in, and hold it against whose it may be."""
        alive = [index for index, (_, login) in enumerate(self.browsers) if login and login.may_be_active(self.now)]
        browser, login = self.browsers[self.random.choice(alive or [number])]
        self.stage.slow_app.got.clear()
        self.stage.clock.now += TOKEN_LIFETIME - 60
        page = await browser.get("/token", follow=False)
        for token in self.stage.slow_app.got:
            assert isinstance(token, str)
            assert login is not None
            assert login.may_be_active(self.now)
            info = self.stage.provider.token_info(token)
            assert (info.sub, info.active) == (login.user, True)
        if page.status_code == 200 and login is not None:
            login.used_at = self.now

    async def end_all(self, number: int) -> None:
        """End all sessions of a user from code; the newest of its browsers signed in with the others of its time."""
        user = self.random.choice(["alice", "bob"])
        await self.stage.middleware.sessions.end_all(user, issuer=self.stage.provider.issuer)
        for _, login in self.browsers:
            if login is not None and login.user == user:
                for one in (login, *login.replaced):
                    self.end(one, self.now)

    async def back_channel(self, number: int) -> None:
        """Sign one user out at the provider, everywhere."""
        if self.random.random() < 0.7:  # or nobody would be signed in for long
            return
        user = self.random.choice(["alice", "bob"])
        await self.stage.hear(self.stage.provider.logout_token(user))
        for _, login in self.browsers:
            if login is not None and login.user == user:
                for one in (login, *login.replaced):
                    self.end(one, self.now)

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
            login.used_at = max(login.used_at, began, self.now if login.may_be_active(self.now) else began)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(size(4, 100)))
async def test_no_order_of_events_brings_a_session_back(stage: SlowStage, seed: int, quiet: None) -> None:
    """Sign-ins, sign-outs, refreshes, copies of cookies, slow requests and time, in any order."""
    walk = Walk(stage, f"walk {seed}")

    for _ in range(size(60, 200)):
        await walk.step()

    assert walk.seen_alive > 10
    assert stage.provider.count_grants("refresh_token") > 0


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

    kept_here = stage.is_kept_here
    assert len(answer.set_cookies) == (0 if kept_here else 1)
    assert answer.headers["cache-control"] == ("private" if kept_here else "no-store")
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


async def sid_of(browser: Browser) -> str:
    """Ask for the session at the provider."""
    return str((await browser.fetch("/auth/session")).json()["claims"]["sid"])


RACE = 20  # slow requests
SIGN_OUTS = ["sign out", "end_all", "back-channel by sub", "back-channel by sid", "front-channel"]
ENDS = [*SIGN_OUTS, "idle", "absolute", "withdrawn", "bob signs in"]


async def end_the_session(stage: SlowStage, browser: Browser, how: str) -> None:
    """Let alice's session end while her slow pages are at work."""
    tab = browser.tab()
    match how:
        case "sign out":
            await tab.post("/auth/logout", follow=False)
        case "idle":
            stage.clock.now += IDLE
        case "absolute":
            stage.clock.now += LIFETIME
        case "withdrawn":
            stage.clock.now += TOKEN_LIFETIME
            with stage.provider.fault("refresh_invalid_grant"):
                await tab.fetch("/token")
        case "bob signs in":
            stage.provider.sign_in_as("bob")
            await tab.get("/auth/login")
        case "back-channel by sub":
            await stage.hear(stage.provider.logout_token("alice"))
        case "back-channel by sid":
            await stage.hear(stage.provider.logout_token(None, sid=await sid_of(tab)))
        case "front-channel":
            parameters = urlencode({"iss": stage.provider.issuer, "sid": await sid_of(tab)})
            await tab.fetch(f"{own_path('frontchannel-logout')}?{parameters}")
        case "end_all":
            if not stage.is_kept_here:  # they are in the browsers alone
                await tab.post("/auth/logout", follow=False)
            else:
                await stage.middleware.sessions.end_all("alice", issuer=stage.provider.issuer)


@pytest.mark.parametrize("path", ["/slow", "/slow/token"])
@pytest.mark.parametrize("how", ENDS)
async def test_twenty_slow_responses_restore_no_session(stage: SlowStage, how: str, path: str) -> None:
    """Their cookies, their tokens and their writes come after its end; what was saved before is worth nothing."""
    browser = await stage.signed_in("alice")
    stage.clock.now += 61  # the last use is to be written down, and with it the tokens are due
    thief = stage.browser(jar=browser.jar.copy())
    answers = []

    async def visit() -> None:
        answers.append(await browser.tab().fetch(path))

    async with anyio.create_task_group() as group:
        for _ in range(RACE):
            group.start_soon(visit)
        await anyio.wait_all_tasks_blocked()
        stage.slow_app.got.clear()
        await end_the_session(stage, browser, how)
        got_before = len(stage.slow_app.got)
        stage.clock.now += TOKEN_LIFETIME
        stage.slow_app.gate.set()

    lines = [line for answer in answers for line in answer.set_cookies]
    assert [answer.status_code for answer in answers] == [200] * RACE
    assert [line for line in lines if "oidc" in line and "Max-Age=0" not in line] == []
    assert [token for token in stage.slow_app.got[got_before:] if isinstance(token, str)] == []
    assert await who_am_i(thief) is None
    assert await who_am_i(browser) == ("bob" if how == "bob signs in" else None)


@pytest.mark.parametrize("how", SIGN_OUTS)
async def test_no_copy_of_any_cookie_handed_out_opens_a_session(stage: SlowStage, how: str) -> None:
    """Twenty requests are in flight, each would roll or refresh; some answer before the sign-out, some after it."""
    browser = await stage.signed_in("alice")
    copies = [browser.jar.copy()]
    stage.clock.now += 61

    async def visit(path: str) -> None:
        answer = await browser.tab().fetch(path)
        copies.append(browser.jar.copy())
        for line in answer.set_cookies:  # whoever saved this one alone, and all others from before
            copies.append(copies[0].copy())
            copies[-1].receive(line, ORIGIN)

    async with anyio.create_task_group() as group:
        for path in ("/early", "/early/token", "/slow", "/slow/token"):
            for _ in range(RACE // 4):
                group.start_soon(visit, path)
        await anyio.wait_all_tasks_blocked()
        stage.slow_app.early_gate.set()
        await anyio.wait_all_tasks_blocked()
        before = [await who_am_i(stage.browser(jar=jar.copy())) for jar in copies]
        await end_the_session(stage, browser, how)
        stage.slow_app.gate.set()
    after = [await who_am_i(stage.browser(jar=jar)) for jar in copies]

    assert set(before) == {"alice"}
    assert (len(after) >= 1 + RACE, set(after), await who_am_i(browser)) == (True, {None}, None)


@pytest.mark.parametrize("how", [*SIGN_OUTS, "bob signs in"])
async def test_a_refresh_during_a_sign_out_restores_no_session(stage: SlowStage, how: str) -> None:
    """Twenty pages wait for it, and what it gets belongs to nobody by then."""
    browser = await stage.signed_in("alice")
    stage.clock.now += TOKEN_LIFETIME
    thief = stage.browser(jar=browser.jar.copy())
    with stage.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as group:
            for _ in range(RACE):
                group.start_soon(browser.tab().fetch, "/token")
            await gate.until_held()
            await anyio.wait_all_tasks_blocked()
            await end_the_session(stage, browser, how)
            gate.open()

    assert [token for token in stage.slow_app.got if isinstance(token, str)] == []
    assert await who_am_i(thief) is None
    assert await who_am_i(browser) == ("bob" if how == "bob signs in" else None)
    assert len(stage.active_refresh_tokens) == (1 if how == "bob signs in" else 0)
