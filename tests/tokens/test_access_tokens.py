"""An app that asks for the access token gets a valid one: refreshed once, kept, and never another user's."""

import asyncio
import contextlib
import copy
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_oidc import AccessTokenExpired, LoginRefused, RefreshFailed, SessionEnded
from asgi_oidc.testing import Browser
from tests.protected_site import Clock, cookie_header, who_am_i
from tests.token_site import LIFETIME, STORES, TokenSite


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


@pytest.mark.parametrize(("age", "refreshes"), [(LIFETIME - 61, 0), (LIFETIME - 60, 1), (LIFETIME + 1, 1)])
async def test_a_token_is_refreshed_when_a_minute_is_left(site, age, refreshes):
    """It has to live on until the other API has read it."""
    browser = await site.signed_in()
    site.clock.advance(age)

    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, refreshes)
    assert site.provider.token_info(site.tokens[-1]).active


async def test_a_page_that_asks_for_no_token_makes_no_call(site):
    """Most pages need none."""
    browser = await site.signed_in()
    site.app.at_work = lambda scope: anyio.lowlevel.checkpoint()
    site.clock.advance(LIFETIME + 1)

    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, 0)


async def test_a_hundred_requests_at_once_make_one_call(site):
    """A second use of a refresh token would end the grant."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.tokens.clear()
    header = cookie_header(browser)
    answers: list[int] = []

    async def visit() -> None:
        answers.append((await site.call("/page", headers={"cookie": header})).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(visit)

    assert (answers, site.refreshes, len(set(site.tokens))) == ([200] * 100, 1, 1)
    assert await who_am_i(browser) == "alice"


async def test_a_late_request_with_the_old_cookie_gets_the_new_token(site):
    """A page has many parts, and some were sent before the new cookie came."""
    browser = await site.signed_in()
    late = site.browser(jar=copy.deepcopy(browser.jar))
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    await late.fetch("/page")

    assert (site.refreshes, site.tokens[-1]) == (1, site.tokens[-2])


async def hold_a_refresh_and_leave(site: TokenSite, browser: Browser, *, natively: bool) -> None:
    """Ask for a page, and go away while its refresh is under way."""
    with site.provider.hold("refresh", when="after") as gate:
        if natively:
            task = asyncio.get_running_loop().create_task(browser.fetch("/page"))
            await gate.until_held()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(browser.fetch, "/page")
                await gate.until_held()
                tasks.cancel_scope.cancel()


@pytest.mark.parametrize("natively", [False, True])
async def test_a_client_that_goes_away_loses_nothing(site, natively, anyio_backend_name):
    """The old refresh token is spent by then."""
    natively = natively and anyio_backend_name == "asyncio"  # trio has one way to cancel
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    await hold_a_refresh_and_leave(site, browser, natively=natively)
    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes, site.provider.revoked) == (200, 1, [])


async def test_an_app_that_fails_after_the_refresh_loses_nothing(site):
    """Its answer never brings the cookie."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def fail(scope: object) -> None:
        await site.ask_for_the_token(scope)
        raise RuntimeError("a mistake of the app")

    site.app.at_work = fail
    with pytest.raises(RuntimeError, match="a mistake"):
        await browser.fetch("/page")
    site.app.at_work = site.ask_for_the_token
    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, 1)


async def test_new_tokens_reach_the_browser_with_the_answer():
    """In sealed cookies: the next process knows nothing but what the browser brings."""
    site = TokenSite("cookies")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    elsewhere = site.restarted()
    seen: list[str] = []

    async def look(scope: object) -> None:
        seen.append(await scope["oidc"].access_token())  # type: ignore[index]

    elsewhere.app.at_work = look
    await elsewhere.browser_of(browser).fetch("/page")

    assert (site.refreshes, seen) == (1, site.tokens[-1:])


async def test_a_refresh_after_the_answer_has_started_is_kept_for_the_next_one():
    """A stream may need a token at its end."""
    site = TokenSite("cookies")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def stream(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await site.ask_for_the_token(scope)
        await send({"type": "http.response.body", "body": b"end"})  # type: ignore[operator]

    site.middleware.app = stream
    streamed = await browser.fetch("/page")
    site.middleware.app = site.app
    page = await browser.fetch("/page")

    assert not any("-tokens-" in line for line in streamed.set_cookies)
    assert any("-tokens-" in line for line in page.set_cookies)
    assert site.refreshes == 1


async def test_without_a_refresh_token_the_user_signs_in_again():
    """`login_url()` is the way on, and the page of a person goes there by itself."""
    site = TokenSite(scope="openid")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    program = await browser.fetch("/page")
    page = await browser.get("/page", follow=False)

    assert (program.status_code, page.status_code) == (401, 303)
    with pytest.raises(AccessTokenExpired):
        await site.app.scope["oidc"].access_token()


async def test_a_provider_that_is_down_ends_no_session(site):
    """The app gets an error that says so, the browser 503, and one try is made in ten seconds."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault("refresh_down"):
        down = [await browser.fetch("/page") for _ in range(3)]
    site.clock.advance(10)
    up = await browser.fetch("/page")

    assert [(answer.status_code, "retry-after" in answer.headers) for answer in down] == [(503, True)] * 3
    assert (up.status_code, site.refreshes) == (200, 2)


async def test_a_valid_token_is_used_while_the_provider_is_down(site):
    """The last minute is there for that."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME - 30)

    with site.provider.fault("refresh_down"):
        page = await browser.fetch("/page")

    assert (page.status_code, site.provider.token_info(site.tokens[-1]).active) == (200, True)


async def test_a_refresh_token_that_was_withdrawn_ends_the_session(site):
    """The provider has taken the access back."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault("refresh_invalid_grant"):
        page = await browser.fetch("/page")

    assert page.status_code == 401
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    "fault", ["refresh_other_sub", "refresh_other_iss", "refresh_other_aud", "refresh_bad_signature"]
)
async def test_tokens_of_another_login_are_never_used(site, fault):
    """OIDC Core §12.2: the ID Token of a refresh is about the same login, or nothing of the answer counts."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    before = list(site.tokens)

    with site.provider.fault(fault):
        page = await browser.fetch("/page")

    assert (page.status_code, site.tokens) == (503, before)
    assert await who_am_i(browser) == "alice"
    with pytest.raises(RefreshFailed):
        await site.app.scope["oidc"].access_token()


async def test_a_sign_out_during_a_refresh_stands(site):
    """And the tokens that come then are given back."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    header = cookie_header(browser)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.browser_of(browser).fetch, "/page")
            await gate.until_held()
            await browser.post("/auth/logout", follow=False)
            gate.open()
    replayed = await site.call("/page", headers={"cookie": header, "accept": "application/json"})

    assert (replayed.status, len(site.provider.revoked)) == (401, 2)
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    ("scope", "fault", "status"), [("openid", None, 503), ("openid offline_access", "refresh_invalid_grant", 403)]
)
async def test_tokens_that_arrive_expired_cause_no_refresh_loop(scope, fault, status):
    """The browser would loop between us and the provider until it gives up."""
    site = TokenSite(scope=scope)
    site.provider.access_token_lifetime = 1
    browser = site.browser()

    async def take_a_while(scope: object) -> None:
        site.clock.advance(2)
        await site.ask_for_the_token(scope)

    site.app.at_work = take_a_while
    with site.provider.fault(*[fault] if fault else []):
        page = await browser.sign_in("alice", "/page")

    assert (page.status_code, site.provider.count_grants("authorization_code")) == (status, 1)


async def test_claims_are_read_again_with_each_refresh(site):
    """Who lost a role at the provider must not keep it here for hours."""
    site.provider.id_token_overrides = {"role": "user"}
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"role": "nobody"}
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    session = (await browser.fetch("/auth/session")).json()

    assert (session["claims"]["role"], session["claims"]["nonce"] is not None) == ("nobody", True)


async def test_claims_changed_by_on_login_stay_changed():
    """It sees a login, and no refresh."""

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        claims["role"] = claims["role"].upper()
        del claims["email"]

    site = TokenSite(on_login=on_login)
    site.provider.id_token_overrides = {"role": "user", "tier": "free"}
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"role": "other", "tier": "paid"}
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert (claims["role"], claims["tier"], "email" in claims) == ("USER", "paid", False)


async def test_a_provider_without_rotation_is_served_as_well(site):
    """The old refresh token stays good, and the ID Token the first one."""
    site.provider.rotates_refresh_tokens = False
    site.provider.id_token_on_refresh = False
    browser = await site.signed_in()

    for _ in range(3):
        site.clock.advance(LIFETIME + 1)
        await browser.fetch("/page")

    assert (site.refreshes, len(set(site.tokens))) == (3, 4)


async def test_keys_that_become_unavailable_lose_no_refresh_token(site):
    """The ID Token cannot be checked, but the old refresh token is used up."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.provider.rotate_keys()

    with site.provider.fault("jwks_down"):
        down = await browser.fetch("/page")
    site.clock.advance(40)
    up = await browser.fetch("/page")

    assert (down.status_code, up.status_code, site.provider.revoked) == (503, 200, [])


@pytest.mark.parametrize("when", ["login", "refresh"])
async def test_the_provider_may_end_the_session_earlier(site, when):
    """`session_expiry` of the ID Token lowers our end, and lifts none."""
    ends_at = int(site.clock.now) + 1000
    if when == "login":
        site.provider.id_token_overrides = {"session_expiry": ends_at}
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"session_expiry": ends_at + (5000 if when == "login" else 0)}
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    site.clock.advance(1000 - LIFETIME - 2)
    before = await who_am_i(browser)
    site.clock.advance(1)

    assert (before, await who_am_i(browser)) == ("alice", None)


@pytest.mark.parametrize("stated", ["soon", 1, True, -5])
async def test_an_invalid_or_past_session_end_signs_nobody_in(site, stated):
    """Otherwise the session would be dead at once, and the login would loop."""
    site.provider.id_token_overrides = {"session_expiry": stated}
    browser = site.browser()

    page = await browser.sign_in("alice", "/page")

    assert (page.status_code, await who_am_i(browser)) == (502, None)


async def test_a_sign_out_gives_the_newest_refresh_token_back(site):
    """RFC 7009."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    await browser.post("/auth/logout", follow=False)

    assert [site.provider.token_info(token).active for token in site.provider.revoked] == [False]
    assert not site.provider.token_info(site.tokens[-1]).active


@pytest.mark.parametrize("fault", ["revoke_down", "revoke_refuses"])
async def test_a_sign_out_does_not_wait_for_the_revocation(site, fault):
    """It is done as well as it goes."""
    browser = await site.signed_in()

    with site.provider.fault(fault):
        done = await browser.post("/auth/logout", follow=False)

    assert (done.status_code, site.provider.count("/revoke")) == (303, 1)
    assert await who_am_i(browser) is None


async def test_a_provider_without_revocation_is_not_asked(site):
    """Its metadata says so."""
    del site.provider.metadata["revocation_endpoint"]
    browser = await site.signed_in()

    await browser.post("/auth/logout", follow=False)

    assert site.provider.count("/revoke") == 0


async def test_a_login_that_is_refused_gives_its_refresh_token_back():
    """Nobody will ever use it."""

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        raise LoginRefused("not on the list")

    site = TokenSite(on_login=on_login)

    await site.browser().sign_in("alice", "/page")

    assert len(site.provider.revoked) == 1


@pytest.mark.parametrize("end", ["logout", "idle", "absolute"])
async def test_slow_requests_restore_no_ended_session(site, end):
    """Twenty of them, each in the middle of its work when the session ends."""
    browser = await site.signed_in()
    arrived: list[int] = []
    ended = anyio.Event()

    async def work_long(scope: Any) -> None:
        arrived.append(1)
        await ended.wait()
        with contextlib.suppress(SessionEnded):
            await scope["oidc"].access_token()

    async def end_it() -> None:
        while len(arrived) < 20:
            await anyio.lowlevel.checkpoint()
        if end == "logout":
            await site.browser_of(browser).post("/auth/logout", follow=False)
        site.clock.advance({"logout": 0, "idle": 3600, "absolute": 12 * 3600}[end])
        ended.set()

    header = cookie_header(browser)
    site.app.at_work = work_long
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(site.browser_of(browser).fetch, "/page")
        tasks.start_soon(end_it)

    assert await who_am_i(browser) is None
    assert (await site.call("/auth/session", headers={"cookie": header})).status == 401


@pytest.mark.parametrize(
    ("second", "role"), [({"role": ..., "tier": "free"}, None), ({"role": ..., "tier": ..., "roles": ...}, "admin")]
)
async def test_a_removed_claim_is_gone_unless_the_id_token_is_minimal(second, role):
    """Some providers leave an empty claim out; others send no more than who it is with a refresh."""
    site = TokenSite(scope="openid offline_access")
    site.provider.id_token_overrides = {"role": "admin", "tier": "free"}
    browser = await site.signed_in()
    site.provider.id_token_overrides = second
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert (claims.get("role"), claims["sub"]) == (role, "alice")


@pytest.mark.parametrize("asks_for", ["access_token", "resource"])
@pytest.mark.parametrize("between", [{}, {"id_token": "none"}, {"role": "admin"}], ids=["minimal", "none", "whole"])
async def test_a_role_that_is_lost_is_lost_whatever_the_refresh_in_between_brought(site, asks_for, between):
    """An ID Token that tells next to nothing takes nothing away, and gives nothing for good either."""
    site.provider.claims_in_id_token = False
    site.provider.id_token_overrides = {"role": "admin", "tier": "free"}
    browser = await site.signed_in()
    site.provider.id_token_on_refresh = between != {"id_token": "none"}
    site.provider.id_token_overrides = {name: value for name, value in between.items() if name == "role"}
    for _ in range(2):
        site.clock.advance(LIFETIME + 1)
        await browser.fetch("/page")
    site.provider.id_token_on_refresh, site.provider.id_token_overrides = True, {"tier": "free"}
    site.clock.advance(LIFETIME + 1)

    await ask(site, browser, asks_for)
    claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert ("role" in claims, claims["tier"], claims["name"]) == (False, "free", "Alice Adams")


async def test_what_the_id_token_of_another_apis_token_says_is_remembered(site):
    """Its claims are as good as any: the next whole ID Token takes away what they gave."""
    site.provider.id_token_overrides = {"tier": "free"}
    browser = await site.signed_in()
    seen: list[bool] = []
    for roles in ({"role": "admin"}, {}, {"tier": "free", "name": "Alice"}):
        site.provider.claims_in_id_token = False
        site.provider.id_token_overrides = roles
        site.clock.advance(LIFETIME + 1)
        await ask(site, browser, "resource")
        seen.append("role" in (await browser.fetch("/auth/session")).json()["claims"])

    assert seen == [True, True, False]


async def test_the_id_token_of_another_apis_token_may_end_the_session_earlier(site):
    """It is a word of the provider about this session, whatever the access token beside it is for."""
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) + LIFETIME + 10}
    site.clock.advance(LIFETIME + 1)

    await ask(site, browser, "resource")
    before = await who_am_i(browser)
    site.clock.advance(9)

    assert (before, await who_am_i(browser)) == ("alice", None)


async def ask(site: TokenSite, browser: Browser, asks_for: str) -> None:
    """Open a page that asks for the token of the session, or for that of another API."""
    wanted = {"resource": "https://orders.example.com"} if asks_for == "resource" else {}

    async def at_work(scope: Any) -> None:
        await scope["oidc"].access_token(**wanted)

    site.app.at_work = at_work
    assert (await browser.fetch("/page")).status_code == 200


@pytest.mark.parametrize("ahead", [-120, 400])
async def test_a_clock_that_is_wrong_for_a_while_spends_no_refresh_token_twice(site, ahead):
    """The times of the ID Token do not fit, but it is about the same login: its refresh token is kept."""
    browser = await site.signed_in()
    provider_clock = Clock()
    site.provider.clock = provider_clock
    for clock in (site.clock, provider_clock):
        clock.advance(LIFETIME + 200)
    site.clock.advance(ahead)

    wrong = await browser.fetch("/page")
    site.clock.now = provider_clock.now = max(site.clock.now, provider_clock.now) + 11
    right = await browser.fetch("/page")

    assert (wrong.status_code, right.status_code, site.provider.revoked) == (503, 200, [])


async def test_a_token_of_another_api_is_used_to_its_end_while_the_provider_is_down(site):
    """As that of the session is; and one try is made in ten seconds."""
    await site.signed_in()
    oidc = site.app.scope["oidc"]
    token = await oidc.exchange_token(audience="orders")
    site.clock.advance(LIFETIME - 30)
    calls = site.provider.count("/token")

    with site.provider.fault("token_500"):
        still = {await oidc.exchange_token(audience="orders") for _ in range(5)}
        made = site.provider.count("/token") - calls
        site.clock.advance(31)
        with pytest.raises(RefreshFailed):
            await oidc.exchange_token(audience="orders")

    assert (still, made) == ({token}, 2)  # one for the token of the session, one for this


async def test_an_app_that_asks_for_several_tokens_at_once_is_answered_the_same(site):
    """What a task group raises is a group."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def ask_twice(scope: Any) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.ask_for_the_token, scope)
            tasks.start_soon(site.ask_for_the_token, scope)

    async def ask_and_fail(scope: Any) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.ask_for_the_token, scope)
            await anyio.lowlevel.checkpoint()
            raise KeyError("a mistake of the app")

    with site.provider.fault("refresh_down"):
        site.app.at_work = ask_twice
        page = await browser.fetch("/page")
        site.app.at_work = ask_and_fail
        with pytest.raises(ExceptionGroup):
            await browser.fetch("/page")

    assert (page.status_code, "retry-after" in page.headers) == (503, True)


async def test_a_request_that_is_open_for_hours_gets_tokens_while_the_user_is_active(site):
    """A websocket in one tab, and work in another."""
    browser = await site.signed_in()
    open_for_hours = site.app.scope["oidc"]

    for _ in range(8):
        site.clock.advance(1000)
        await browser.fetch("/page")
    site.clock.advance(LIFETIME + 1)

    assert site.provider.token_info(await open_for_hours.access_token()).active


async def test_a_refresh_that_says_the_session_is_over_ends_it(site):
    """The provider states its end, and it is past."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) - 1}

    page = await browser.fetch("/page")

    assert (page.status_code, await who_am_i(browser), len(site.provider.revoked)) == (401, None, 1)


async def test_a_refresh_token_with_a_space_is_one(site):
    """RFC 6749 allows spaces in codes (appendix A.11) and refresh tokens (A.17): they travel in forms."""
    site.provider.has_spaces_in_tokens = True
    browser = await site.signed_in()
    for _ in range(2):
        site.clock.advance(LIFETIME + 1)
        assert (await browser.fetch("/page")).status_code == 200
    await browser.post("/auth/logout", follow=False)

    codes = [call.form["code"] for call in site.provider.calls if "code" in call.form]
    assert (site.refreshes, len(codes), len(site.provider.revoked)) == (2, 1, 1)
    assert all(" " in text for text in [*codes, *site.provider.revoked])
