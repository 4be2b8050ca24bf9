"""Refresh tokens are revoked: the newest one, once, and the session is dead even if that fails."""

import copy
from typing import Any

import anyio
import pytest

from asgi_oidc import MemoryStore, OIDCError, SessionEnded
from asgi_oidc.testing import Browser
from tests.dpop_site import DPoPSite
from tests.protected_site import ORIGIN, cookie_header, nothing, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, STORES, TokenSite


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


async def sign_out(browser: Browser) -> Any:
    """Press the button."""
    return await browser.post("/auth/logout", follow=False)


def active_refresh_tokens(site: TokenSite) -> list[str]:
    """Name the refresh tokens that the provider would still take."""
    memory, now = site.provider.memory, site.provider.now()
    return [token for token in memory.refresh_tokens if memory.live_refresh_token(token, now=now)]


async def test_a_sign_out_leaves_no_refresh_token_that_is_good(site):
    """One call, also after many refreshes."""
    browser = await site.signed_in()
    for _ in range(3):
        site.clock.advance(LIFETIME + 1)
        await browser.fetch("/page")
    before = active_refresh_tokens(site)

    await sign_out(browser)

    assert (len(before), active_refresh_tokens(site)) == (1, [])
    assert (site.provider.revoked, site.provider.count("/revoke")) == (before, 1)


@pytest.mark.parametrize("store", STORES)
async def test_a_bound_token_is_revoked_with_a_proof(store):
    """Keycloak's policies for DPoP demand one of the key to which the token is bound."""
    site = DPoPSite(store)
    browser = await site.signed_in()
    await sign_out(browser)

    (login,), (revocation,) = site.proofs_at("/token"), site.proofs_at("/revoke")
    assert (revocation.jkt, revocation.claims["htu"]) == (login.jkt, f"{site.provider.issuer}/revoke")
    assert (site.provider.count("/revoke"), active_refresh_tokens(site)) == (1, [])


async def test_the_bound_token_of_a_failed_login_is_revoked_with_a_proof():
    """Its key is that of the login, which has no session."""
    site = DPoPSite()
    await site.failed_login("id_token_wrong_nonce")

    (login,), (revocation,) = site.proofs_at("/token"), site.proofs_at("/revoke")
    assert revocation.jkt == login.jkt


async def test_a_provider_without_a_revocation_endpoint_is_not_called(site):
    """Many offer none."""
    del site.provider.metadata["revocation_endpoint"]
    browser = await site.signed_in()

    assert (await sign_out(browser)).status_code == 303
    assert site.provider.revoked == []


async def test_a_browser_that_has_old_cookies_gives_the_newest_token_back(site):
    """A tab that was asleep while the tokens were refreshed."""
    browser = await site.signed_in()
    late = site.browser(jar=copy.deepcopy(browser.jar))
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")
    newest = active_refresh_tokens(site)

    await sign_out(late)

    assert site.provider.revoked == newest
    assert await who_am_i(browser) is None


async def test_a_refresh_token_of_a_resource_is_the_newest_as_well(site):
    """It came with that call."""
    browser = await site.signed_in()
    await site.app.scope["oidc"].access_token(resource="https://orders.example.com")

    await sign_out(browser)

    assert (active_refresh_tokens(site), site.provider.count("/revoke")) == ([], 1)


async def test_without_a_refresh_token_nothing_is_given_back():
    """The access token ends by itself, in minutes."""
    site = TokenSite(scope="openid")
    browser = await site.signed_in()

    await sign_out(browser)

    assert site.provider.count("/revoke") == 0


async def test_a_second_sign_out_makes_no_call(site):
    """A double click, and a copy of the cookies."""
    browser = await site.signed_in()
    copied = site.browser(jar=copy.deepcopy(browser.jar))

    done = [await sign_out(one) for one in (browser, browser, copied)]

    assert ([answer.status_code for answer in done], await who_am_i(copied)) == ([303] * 3, None)
    assert active_refresh_tokens(site) == []


@pytest.mark.parametrize("fault", ["revoke_down", "revoke_refuses"])
async def test_a_revocation_that_fails_shows_no_token(site, fault, caplog):
    """The sign-out goes on to the provider, and the log says what is left to do."""
    browser = await site.signed_in()
    tokens = active_refresh_tokens(site)

    with site.provider.fault(fault):
        done = await sign_out(browser)

    assert done.location.startswith(site.provider.metadata["end_session_endpoint"])
    assert "not revoked" in caplog.text
    assert not any(token in caplog.text for token in tokens)
    assert session_cookies(browser) == []


@pytest.mark.parametrize("fault", [None, "refresh_down", "refresh_other_sub", "refresh_invalid_grant"])
@pytest.mark.parametrize("age", [LIFETIME - 30, LIFETIME + 1], ids=["token alive", "token dead"])
async def test_a_request_whose_session_was_signed_out_during_its_refresh_gets_no_token(site, age, fault):
    """Neither a new one nor the old one, however the refresh ends."""
    browser = await site.signed_in()
    site.clock.advance(age)
    got: list[object] = []

    async def ask(scope: Any) -> None:
        try:
            got.append(await scope["oidc"].access_token())
        except OIDCError as error:
            got.append(type(error))

    site.app.at_work = ask
    with site.provider.fault(*[fault] if fault else []), site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await sign_out(browser.tab())
            gate.open()

    assert (got, await who_am_i(browser)) == ([SessionEnded], None)


async def test_tokens_that_come_after_the_sign_out_are_given_back(site):
    """Nobody else knows them; twenty requests wait for them."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    header = cookie_header(browser)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(browser.tab().fetch, "/page")
            await gate.until_held()
            await anyio.wait_all_tasks_blocked()
            await sign_out(browser.tab())
            gate.open()

    assert (active_refresh_tokens(site), site.refreshes, len(site.tokens)) == ([], 1, 1)
    assert (await site.call("/auth/session", headers={"cookie": header})).status == 401


async def test_a_resource_token_that_arrives_after_the_sign_out_is_not_used(site):
    """And its refresh token is given back."""
    browser = await site.signed_in()
    got: list[str] = []

    async def ask(scope: Any) -> None:
        got.append(await scope["oidc"].access_token(resource="https://orders.example.com"))

    site.app.at_work = ask
    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await sign_out(browser.tab())
            gate.open()

    assert (got, active_refresh_tokens(site), await who_am_i(browser)) == ([], [], None)


async def test_tokens_that_come_after_the_end_in_another_process_are_given_back():
    """The store tells this process; nothing in its memory does."""
    site = TokenSite(MemoryStore())
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await site.restarted().middleware.sessions.end_all("alice")
            gate.open()

    assert (active_refresh_tokens(site), len(site.tokens), await who_am_i(browser)) == ([], 1, None)


async def test_a_list_that_cannot_be_tidied_up_stops_no_sign_out():
    """The session is dead by then, and the entry ends by itself; a second try would find nothing to give back."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    store.broken = {"unlink"}

    done = await sign_out(browser)

    assert (done.status_code, site.provider.count("/revoke"), session_cookies(browser)) == (303, 1, [])
    assert done.location != ORIGIN


async def test_a_sign_out_that_the_store_stopped_gives_the_token_back_later():
    """Nothing is given back of a session that lives on."""
    store = ScriptedStore()
    site = TokenSite(store)
    browser = await site.signed_in()
    store.broken = {"remove"}
    down = await sign_out(browser)
    early = site.provider.count("/revoke")
    store.broken = set()

    done = await sign_out(browser)

    assert (down.status_code, early, done.status_code, active_refresh_tokens(site)) == (503, 0, 303, [])


@pytest.mark.parametrize("fault", ["id_token_wrong_nonce", "id_token_bad_signature", "userinfo_down"])
async def test_a_login_that_fails_gives_its_refresh_token_back(fault):
    """It came before we knew."""
    site = TokenSite(userinfo="always")

    answer = await site.failed_login(fault)

    assert (answer.status_code in (502, 503), active_refresh_tokens(site)) == (True, [])


async def test_a_sign_out_without_a_session_makes_no_call(site):
    """Anybody can send that form."""
    site.app.at_work = nothing

    done = await sign_out(site.browser())

    assert (done.status_code, site.provider.count("/revoke")) == (303, 0)
