"""Tokens for other APIs: each for one session and one resource, and no refresh token that comes with one is lost."""

import copy
from typing import Any

import anyio
import pytest

from asgi_oidc import OIDCError, RefreshFailed, SessionEnded, TokenNotGranted
from tests.protected_site import nothing, who_am_i
from tests.token_site import LIFETIME, STORES, TokenSite

ORDERS = "https://orders.example.com"


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


async def oidc_of(site: TokenSite, sub: str = "alice") -> Any:
    """Sign in, and give the `scope["oidc"]` of a page."""
    await site.signed_in(sub)
    return site.app.scope["oidc"]


async def get_token(oidc: Any, how: str) -> str:
    """Ask in one of the two ways."""
    if how == "resource":
        return str(await oidc.access_token(resource=ORDERS))
    return str(await oidc.exchange_token(audience="orders"))


both = pytest.mark.parametrize("how", ["resource", "exchange"])
NAMES = {"resource": "refresh", "exchange": "token_exchange"}


def calls_of(site: TokenSite, how: str) -> int:
    """Count what the provider was asked."""
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    return site.provider.count_grants("refresh_token" if how == "resource" else exchange)


@both
async def test_fifty_at_once_make_one_call(site, how):
    """And get one token."""
    browser = await site.signed_in()
    got: list[str] = []

    async def ask(scope: Any) -> None:
        got.append(await get_token(scope["oidc"], how))

    site.app.at_work = ask
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(browser.tab().fetch, "/page")

    assert (len(got), len(set(got)), calls_of(site, how)) == (50, 1, 1)


@both
async def test_concurrent_answers_to_two_users_are_not_mixed_up(site, how):
    """User B once got the token of user A, because both wanted the same (CVE-2025-67490)."""
    oidcs = {name: await oidc_of(site, name) for name in ("alice", "bob")}
    got: dict[str, str] = {}

    async def ask(name: str) -> None:
        got[name] = await get_token(oidcs[name], how)

    with site.provider.hold(NAMES[how], when="after") as gate:
        async with anyio.create_task_group() as tasks:
            for count, name in enumerate(oidcs, 1):
                tasks.start_soon(ask, name)
                await gate.until_held(count)
            gate.held[1].let_go()
            await anyio.wait_all_tasks_blocked()
            gate.open()
    again = {name: await get_token(oidc, how) for name, oidc in oidcs.items()}

    assert {name: site.provider.token_info(token).sub for name, token in got.items()} == {
        "alice": "alice",
        "bob": "bob",
    }
    assert (again, calls_of(site, how)) == (got, 2)


@both
async def test_two_sessions_of_one_user_share_no_token(site, how):
    """One may end, and the other go on."""
    tokens = [await get_token(await oidc_of(site), how) for _ in range(2)]

    assert (len(set(tokens)), calls_of(site, how)) == (2, 2)


async def test_each_resource_and_scope_has_its_own_token(site):
    """A token for less is not one for more."""
    oidc = await oidc_of(site)
    wishes: list[dict[str, str]] = [
        {"audience": "orders"},
        {"audience": "stock"},
        {"audience": "orders", "scope": "openid"},
        {"audience": "orders", "resource": ORDERS},
        {"resource": ORDERS},
    ]

    tokens = [await oidc.exchange_token(**wish) for wish in wishes]
    again = [await oidc.exchange_token(**wish) for wish in wishes]

    assert (len(set(tokens)), again == tokens, calls_of(site, "exchange")) == (5, True, 5)
    assert site.provider.token_info(tokens[2]).scopes == ("openid",)


@both
async def test_a_resource_token_is_refreshed_when_due(site, how):
    """A minute ahead, like the session's own."""
    browser = await site.signed_in()
    first = await get_token(site.app.scope["oidc"], how)
    site.app.at_work = nothing
    for age in (LIFETIME - 61, 1):
        site.clock.advance(age)
        await browser.fetch("/page")
        newest = await get_token(site.app.scope["oidc"], how)
        assert (newest == first) == (age != 1)

    assert site.provider.token_info(newest).active


async def test_a_token_exchange_refreshes_the_users_token_first_when_due(site):
    """The provider would take no dead one."""
    oidc = await oidc_of(site)
    site.clock.advance(LIFETIME + 1)

    token = await oidc.exchange_token(audience="orders")

    assert (site.provider.token_info(token).active, site.refreshes) == (True, 1)


@both
async def test_a_session_that_is_over_gets_none(site, how):
    """Not even one that is known and live."""
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]
    await get_token(oidc, how)
    await browser.post("/auth/logout", follow=False)

    with pytest.raises(SessionEnded):
        await get_token(oidc, how)


async def test_the_refresh_token_that_came_along_is_kept(site):
    """The old one is spent: in the next process the browser, or the store, must have the new one."""
    browser = await site.signed_in()

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token(resource=ORDERS)

    site.app.at_work = ask
    await browser.fetch("/page")
    site.clock.advance(LIFETIME + 1)
    elsewhere = site.restarted()
    elsewhere.app.at_work = site.ask_for_the_token
    page = await elsewhere.browser_of(browser).fetch("/page")

    assert (page.status_code, site.refreshes, site.provider.memory.revoked_grants) == (200, 2, set())


async def test_the_refresh_token_that_came_along_is_kept_when_the_client_goes_away(site):
    """The call goes on without it."""
    browser = await site.signed_in()

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token(resource=ORDERS)

    site.app.at_work = ask
    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            tasks.cancel_scope.cancel()
    await anyio.wait_all_tasks_blocked()
    site.app.at_work = site.ask_for_the_token
    site.clock.advance(LIFETIME + 1)
    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes, site.provider.memory.revoked_grants) == (200, 2, set())


async def test_concurrent_resource_requests_and_a_refresh_use_each_refresh_token_once(site):
    """All of them need the one that there is."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    wishes = [None, *(f"https://api-{number}.example.com" for number in range(5))]
    got: list[str] = []

    async def ask(scope: Any) -> None:
        got.append(await scope["oidc"].access_token(resource=wishes.pop()))

    site.app.at_work = ask
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(browser.tab().fetch, "/page")

    assert (len(set(got)), site.refreshes, site.provider.memory.revoked_grants) == (6, 6, set())


@pytest.mark.parametrize(
    "fault", ["refresh_other_sub", "refresh_other_iss", "refresh_other_aud", "refresh_bad_signature"]
)
async def test_a_token_that_came_with_another_login_is_not_used(site, fault):
    """OIDC Core §12.2 is about every refresh: the answer may be another user's."""
    oidc = await oidc_of(site)

    with site.provider.fault(fault), pytest.raises(RefreshFailed):
        await oidc.access_token(resource=ORDERS)


@pytest.mark.parametrize(
    ("fault", "error", "ends"),
    [("refresh_invalid_grant", SessionEnded, True), ("refresh_down", RefreshFailed, False)],
)
async def test_a_failure_is_that_of_any_refresh(site, fault, error, ends):
    """It is the same refresh token."""
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]

    with site.provider.fault(fault), pytest.raises(error):
        await oidc.access_token(resource=ORDERS)

    assert await who_am_i(browser) == (None if ends else "alice")


@both
async def test_a_refusal_applies_to_one_session_and_resource_only(site, how):
    """Alice may not have it; Bob may."""
    site.provider.targets = []
    oidc = await oidc_of(site)
    with pytest.raises(TokenNotGranted):
        await get_token(oidc, how)
    site.provider.targets = None

    token = await get_token(await oidc_of(site, "bob"), how)

    assert site.provider.token_info(token).sub == "bob"
    assert await oidc.exchange_token(audience="something else")


@both
async def test_a_refusal_is_forgotten_after_a_while(site, how):
    """Somebody may have put it right."""
    site.provider.targets = []
    browser = await site.signed_in()
    raised: list[str] = []

    async def ask(scope: Any) -> None:
        try:
            await get_token(scope["oidc"], how)
        except OIDCError as error:
            raised.append(error.code)

    site.app.at_work = ask
    await browser.fetch("/page")
    site.provider.targets = None
    await browser.fetch("/page")
    site.clock.advance(10)
    await browser.fetch("/page")

    assert raised == ["token_not_granted"] * 2


@both
async def test_a_clock_that_is_set_back_makes_no_refusal_last(site, how):
    """For as long as it went back."""
    site.provider.targets = []
    browser = await site.signed_in()
    with pytest.raises(TokenNotGranted):
        await get_token(site.app.scope["oidc"], how)
    site.provider.targets = None

    site.clock.advance(-3000)
    await browser.fetch("/page")

    assert site.provider.token_info(await get_token(site.app.scope["oidc"], how)).sub == "alice"


async def test_a_late_copy_of_the_cookies_knows_the_tokens_as_well(site):
    """It is the same session."""
    browser = await site.signed_in()
    late = site.browser(jar=copy.deepcopy(browser.jar))
    token = await site.app.scope["oidc"].access_token(resource=ORDERS)

    await late.fetch("/page")

    assert await site.app.scope["oidc"].access_token(resource=ORDERS) == token
    assert (site.refreshes, site.provider.memory.revoked_grants) == (1, set())
