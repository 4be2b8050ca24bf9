"""Revoking a token ends no active session: some providers end everything of a browser with one refresh token."""

from typing import Any

import anyio
import pytest

from asgi_oidc import LoginRefused, MemoryStore, OIDCMiddleware, Rule
from asgi_oidc.testing import Browser, FakeProvider
from tests.internals import record_names_of
from tests.protected_site import ORIGIN, OTHER_SECRET, PROGRAM, SECRET, Clock, nothing, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, STORES, TokenSite
from tests.tokens.test_token_revocation import active_refresh_tokens

VAULT = Rule("/vault", acr_values=["urn:example:mfa"])


def site_of(store: Any = "cookies", **settings: Any) -> TokenSite:
    provider = FakeProvider("https://id.example.net", alg="ES256")  # another site, as most providers are
    site = TokenSite(store, rules=[VAULT], provider=provider, **settings)
    site.provider.revocation_ends_session = True
    return site


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return site_of(request.param)


async def alice_only(user: Any, claims: Any) -> None:
    if user.sub != "alice":
        raise LoginRefused("not on the list")


async def nothing_happens() -> None:
    """Let a call of the store go through."""


async def gets_a_new_token(site: TokenSite, browser: Browser) -> bool:
    site.clock.advance(LIFETIME + 1)
    page = await browser.fetch("/page")
    return page.status_code == 200 and site.provider.token_info(site.tokens[-1]).active


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
@pytest.mark.parametrize("fault", ["id_token_wrong_acr", "id_token_bad_signature", "userinfo_down", "jwks_down"])
@pytest.mark.parametrize("store", STORES)
async def test_a_failed_login_leaves_the_tokens_of_the_active_session(store, fault, response_mode):
    """A step-up that the provider cannot do, for one; a sign-out by an administrator still reaches the app."""
    site = site_of(store, userinfo="always", authorization_params={"response_mode": response_mode})
    browser = await site.signed_in()
    site.provider.rotate_keys()

    with site.provider.fault(fault):
        failed = await browser.get("/vault")

    assert failed.status_code in (403, 502, 503)
    assert (site.provider.revoked, await gets_a_new_token(site, browser)) == ([], True)
    assert ["web"] in site.provider.memory.reached.values()


async def test_an_app_that_refuses_a_second_login_ends_no_session():
    """The user is still who they were."""
    seen: list[str] = []

    async def once(user: Any, claims: Any) -> None:
        seen.append(user.sub)
        if len(seen) > 1:
            raise LoginRefused("once is enough")

    site = site_of(on_login=once)
    browser = await site.signed_in()

    refused = await browser.get("/auth/login")

    assert (refused.status_code, await gets_a_new_token(site, browser)) == (403, True)


async def test_a_session_that_does_not_fit_ends_no_other_one():
    """Sealed cookies have little room."""
    site = site_of()
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"groups": ["x" * 40] * 700}

    failed = await browser.get("/auth/login")
    site.provider.id_token_overrides = {}

    assert (failed.status_code, await gets_a_new_token(site, browser)) == (500, True)


@pytest.mark.parametrize("fails", ["link", "get"])
async def test_a_store_that_fails_at_a_login_ends_no_session(fails):
    """Nobody can tell then whose it is."""
    store = ScriptedStore()
    site = site_of(store)
    browser = await site.signed_in()
    back = await browser.get("/auth/login", follow=False)
    url = (await browser.get(back.location, follow=False)).location

    async def fail_from_now_on() -> None:
        store.broken = {"link", "get"}

    store.before["link"] = [fail_from_now_on]
    failed = await browser.get(url, headers=PROGRAM)
    store.broken = set()

    assert (failed.status_code, site.provider.revoked) == (503, [])
    assert await gets_a_new_token(site, browser)


@pytest.mark.parametrize("kept", ["sessions in the store", "revocations in the store"])
async def test_a_store_that_fails_after_a_session_is_written_ends_that_session_alone(kept):
    """It was to take over from the session that the browser has; that one goes on."""
    store = ScriptedStore()
    is_store = kept == "sessions in the store"
    site = site_of(store) if is_store else site_of(logout_store=store)
    browser = await site.signed_in()

    async def fail_from_now_on() -> None:
        store.broken = {"linked"}

    # The first look is for the login, the second for the new session.
    store.before["linked"] = [nothing_happens, fail_from_now_on]
    failed = await browser.get("/auth/login?return_to=/page")
    store.broken = set()

    assert (failed.status_code, site.provider.revoked) == (503, [])
    assert (await who_am_i(browser), await gets_a_new_token(site, browser)) == ("alice", True)


@pytest.mark.parametrize("store", STORES)
async def test_the_failed_login_of_another_user_gives_its_refresh_token_back(store):
    """Alice, who is signed in, has nothing of bob's sign-in."""
    site = site_of(store, on_login=alice_only)
    browser = await site.signed_in("alice")
    site.provider.sign_in_as("bob")

    await browser.get("/auth/login")

    assert (len(site.provider.revoked), await who_am_i(browser)) == (1, "alice")
    assert await gets_a_new_token(site, browser)


async def test_a_login_that_fails_leaves_those_of_other_tabs_alone(site):
    """They are on their way to the same user."""
    browser = site.browser()
    browser.jar.receive(site.provider.session_cookie("alice"), site.provider.origin)
    other = browser.tab()
    back = await other.get("/page", follow=False)
    url = (await other.get(back.location, follow=False)).location

    with site.provider.fault("id_token_wrong_acr"):
        failed = await browser.get("/vault")
    page = await other.get(url)

    assert (failed.status_code, page.status_code, site.provider.revoked) == (403, 200, [])


async def test_a_login_that_fails_leaves_sessions_of_other_middlewares_alone(site):
    """Two mounted apps of one client share what the browser has at the provider."""
    settings = {**site.settings, "base_url": f"{ORIGIN}/admin", "store": None}
    other = OIDCMiddleware(site.app, clock=site.clock, **settings)
    browser = site.browser()
    admin = site.browser_of(browser)
    admin.apps = {**admin.apps, ORIGIN: other}
    await admin.sign_in("alice", "/admin/page")

    with site.provider.fault("id_token_wrong_acr"):
        failed = await browser.get("/vault")

    assert (failed.status_code, site.provider.revoked) == (403, [])


@pytest.mark.parametrize("store", STORES)
async def test_an_ended_session_blocks_no_revocation(store):
    """It was signed out, so what comes after that is given back."""
    site = site_of(store, userinfo="always")
    browser = await site.signed_in()
    copied = site.browser(jar=browser.jar.copy())
    await browser.post("/auth/logout", follow=False)

    with site.provider.fault("userinfo_down"):
        failed = await copied.sign_in("alice", "/page")

    assert (failed.status_code, active_refresh_tokens(site)) == (503, [])


@pytest.mark.parametrize("fault", ["userinfo_down", "id_token_bad_signature"])
@pytest.mark.parametrize("store", STORES)
async def test_an_unreadable_session_may_be_active(store, fault):
    """Another process may have the secret for it."""
    site = site_of(store, userinfo="always")
    browser = await site.signed_in()
    secrets = OTHER_SECRET if store == "cookies" else [OTHER_SECRET, SECRET]
    other = site.restarted(secret=secrets, rules=[VAULT], clock=site.clock).browser_of(browser)

    with site.provider.fault(fault):
        failed = await other.get("/auth/login")

    assert (failed.status_code in (502, 503), site.provider.revoked) == (True, [])
    assert await gets_a_new_token(site, browser)


@pytest.mark.parametrize(("fault", "revoked"), [("userinfo_down", 1), ("id_token_bad_signature", 0)])
async def test_a_session_that_is_gone_from_the_store_shares_nothing(fault, revoked):
    """It ended while the browser was at the provider; but without an ID Token nobody knows who came."""
    site = site_of("memory", userinfo="always")
    browser = await site.signed_in()
    asked = await browser.get("/auth/login", follow=False)
    await site.middleware.sessions.end_all("alice")

    with site.provider.fault(fault):
        failed = await browser.get(asked.location)

    assert (failed.status_code in (502, 503), len(site.provider.revoked)) == (True, revoked)


async def test_a_refresh_that_comes_too_late_leaves_the_next_session_its_tokens(site):
    """The user has signed in anew meanwhile, and the old session has ended by that."""
    browser = await site.signed_in()
    late = site.browser(jar=browser.jar.copy())
    site.clock.advance(LIFETIME + 1)
    site.app.at_work = nothing

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token()

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            site.app.at_work = ask
            tasks.start_soon(late.fetch, "/page")
            await gate.until_held()
            site.app.at_work = nothing
            await browser.get("/auth/login?return_to=/page")
            site.clock.advance(31)
            gate.open()
    site.app.at_work = site.ask_for_the_token

    assert (site.provider.revoked, await gets_a_new_token(site, browser)) == ([], True)


async def test_a_refresh_that_comes_too_late_spares_sessions_of_other_processes():
    """The record is gone, and nobody here knows why: another one of the same sign-in is in the store."""
    clock = Clock()
    site = site_of(MemoryStore(clock=clock), clock=clock)
    browser = await site.signed_in()
    late = site.browser(jar=browser.jar.copy())
    other = site.restarted(rules=[VAULT], clock=clock)
    other.app.at_work = nothing
    site.clock.advance(LIFETIME + 1)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late.fetch, "/page")
            await gate.until_held()
            await other.browser_of(browser).get("/auth/login?return_to=/page")
            site.clock.advance(31)
            gate.open()

    assert (site.provider.revoked, await gets_a_new_token(site, browser)) == ([], True)


@pytest.mark.parametrize(("broken", "revoked"), [(set(), 1), ({"linked"}, 0)])
async def test_a_refresh_of_a_session_that_is_gone_revokes_where_the_store_knows_no_other_one(broken, revoked):
    """Evicted by hand, or by a store that is full."""
    store = ScriptedStore()
    site = site_of(store)
    browser = await site.signed_in()
    key = record_names_of(site.middleware).key(site.app.scope["oidc"].session_id)
    site.clock.advance(LIFETIME + 1)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.fetch, "/page")
            await gate.until_held()
            await store.memory.remove(key)
            store.broken = broken
            gate.open()

    assert (len(site.tokens), len(site.provider.revoked)) == (1, revoked)


async def test_a_provider_that_ends_a_session_by_a_refresh_ends_no_newer_one(site):
    """It was replaced, and lives on for some seconds."""
    browser = await site.signed_in()
    late = site.browser(jar=browser.jar.copy())
    site.clock.advance(LIFETIME + 1)
    site.app.at_work = nothing
    await browser.get("/auth/login?return_to=/page")
    site.app.at_work = site.ask_for_the_token
    site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) - 1}

    ended = await late.fetch("/page")
    site.provider.id_token_overrides = {}

    assert (ended.status_code, site.provider.revoked) == (401, [])
    assert await gets_a_new_token(site, browser)


async def test_few_refresh_tokens_stay_active(site):
    """What is left of a failed login ends with the session that it shares."""
    browser = await site.signed_in()
    with site.provider.fault("id_token_wrong_acr"):
        await browser.get("/vault")

    await browser.post("/auth/logout", follow=False)

    assert active_refresh_tokens(site) == []
