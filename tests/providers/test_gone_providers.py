"""Sessions whose provider was removed or replaced are invalid, and can still sign out."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asgi_oidc import MemoryStore, RefreshFailed
from asgi_oidc.provider.source_directory import OUTDATED, RETRY_INTERVAL
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN
from tests.providers.tenants import TenantSite, sign_out
from tests.providers.three_providers import ThreeProviders

STORES: dict[str, Callable[[], Any]] = {"cookies": lambda: None, "memory": MemoryStore}


def vanish(site: TenantSite) -> None:
    """Remove the tenant."""
    site.remove("acme")


def become_another_issuer(site: TenantSite) -> None:
    """Give the name to another company."""
    site.add("acme", issuer="https://another.id.example.net")


def become_another_client(site: TenantSite) -> None:
    """Register the app anew."""
    site.change("acme", client_id="web-2")


ENDS = [vanish, become_another_issuer, become_another_client]


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TenantSite:
    return TenantSite("acme", "globex", store=STORES[request.param]())


@pytest.fixture(params=ENDS, ids=lambda end: end.__name__)
def end(request: pytest.FixtureRequest) -> Callable[[TenantSite], None]:
    end: Callable[[TenantSite], None] = request.param
    return end


async def is_signed_in(browser: Browser) -> bool:
    """Ask as a program."""
    return (await browser.fetch("/auth/session")).status_code == 200


async def test_it_does_not_count_after_a_minute(site, end):
    """The users of a tenant that has left, or of another company of that name, get nothing."""
    browser = await site.signed_in("acme")
    end(site)
    site.clock.advance(OUTDATED)

    page = await browser.get("/private", follow=False)
    await browser.get("/public/x")

    assert page.status_code == 303
    assert not site.app.scope["user"].is_authenticated
    assert not await is_signed_in(browser)


async def test_it_is_noticed_while_the_session_is_in_use(site, end):
    """Requests do not wait for the database, so the first of them may still count."""
    browser = await site.signed_in("acme")
    end(site)
    counted = []
    for _ in range(6):
        site.clock.advance(10)
        counted.append((await browser.get("/private", follow=False)).status_code == 200)
        await anyio.wait_all_tasks_blocked()

    assert (counted[0], counted[-1]) == (True, False)


async def test_it_does_not_count_in_a_new_process(site, end):
    """A process that has never heard of the tenant asks first."""
    browser = await site.signed_in("acme")
    end(site)
    site.restart(store=site.settings["store"])

    page = await browser.get("/private", follow=False)

    assert (page.status_code, site.source.calls) == (303, ["acme", "acme"])


async def test_the_others_go_on(site, end):
    """Tenants are independent of each other."""
    await site.signed_in("acme")
    browser = await site.signed_in("globex")
    end(site)
    site.clock.advance(OUTDATED)

    assert (await browser.get("/private")).status_code == 200


async def test_it_can_sign_out_locally(site, end):
    """Neither the old provider nor the new one is called."""
    browser = await site.signed_in("acme")
    old = site.fakes["acme"]
    end(site)
    site.clock.advance(OUTDATED)
    calls = len(old.calls)

    response = await sign_out(browser)
    site.restart(store=site.settings["store"])

    assert (response.status_code, response.location.startswith(ORIGIN)) == (303, True)
    assert (len(old.calls), site.fakes["acme"].count("/end-session")) == (calls, 0)
    assert not await is_signed_in(browser)


async def test_after_signing_out_it_stays_out_when_the_provider_comes_back(site):
    """Dead stays dead, also with copies of its cookies."""
    browser = await site.signed_in("acme")
    copied = browser.jar.header(ORIGIN + "/", is_same_site=True, is_safe_navigation=True)
    row = site.source.rows["acme"]
    site.remove("acme")
    site.clock.advance(OUTDATED)
    await sign_out(browser)
    site.source.rows["acme"] = row
    site.clock.advance(OUTDATED)

    thief = await site.browser().get("/private", headers={"cookie": copied}, follow=False)

    assert thief.status_code == 303


async def test_it_counts_again_if_the_provider_comes_back(site):
    """A database that was restored, or a row deleted by mistake, signs nobody out."""
    browser = await site.signed_in("acme")
    row = site.source.rows["acme"]
    site.remove("acme")
    site.clock.advance(OUTDATED)
    lost = await is_signed_in(browser)
    site.source.rows["acme"] = row
    site.clock.advance(OUTDATED)

    assert (lost, await is_signed_in(browser)) == (False, True)


async def test_it_cannot_refresh(site, end):
    """A request that is under way when the tenant leaves gets no new token either, and is no 500."""
    old = site.fakes["acme"]
    old.access_token_lifetime = OUTDATED
    browser = await site.signed_in("acme")
    codes = []

    async def lose_the_tenant(scope: Any) -> None:
        end(site)
        site.clock.advance(OUTDATED)
        with pytest.raises(RefreshFailed) as caught:
            await scope["oidc"].access_token()
        codes.append(caught.value.code)

    site.app.at_work = lose_the_tenant
    await browser.get("/private")

    assert (codes, old.count_grants("refresh_token")) == (["refresh_provider_gone"], 0)


async def test_while_the_database_fails_a_new_process_is_unsure(site):
    """Neither signed in nor signed out: protected paths are 503, public ones go on, and signing out works."""
    browser = await site.signed_in("acme")
    site.source.error = RuntimeError()
    site.restart(store=site.settings["store"])

    page = await browser.get("/private", follow=False)
    public = await browser.get("/public/x")
    site.clock.advance(RETRY_INTERVAL)
    site.source.error = None
    later = await browser.get("/private")

    assert (page.status_code, public.status_code, later.status_code) == (503, 200, 200)


async def test_it_can_sign_out_while_the_database_fails(site):
    """Signing out needs no provider."""
    browser = await site.signed_in("acme")
    site.source.error = RuntimeError()
    site.restart(store=site.settings["store"])

    response = await sign_out(browser)
    site.source.error = None
    site.clock.advance(RETRY_INTERVAL)

    assert response.status_code == 303
    assert not await is_signed_in(browser)


async def test_a_login_at_another_tenant_does_not_wait_for_the_old_one(site):
    """The session of a tenant that cannot be looked up does not hold up a new login."""
    browser = await site.signed_in("acme")
    site.clock.advance(OUTDATED)
    await site.signed_in("globex")
    site.source.is_hanging = True

    with anyio.fail_after(5):
        response = await site.sign_in("globex", browser)
    site.source.is_hanging = False

    assert (response.status_code, site.app.scope["user"].provider) == (200, "globex")


async def test_it_is_logged_once(caplog):
    """Not for every request of every user."""
    site = TenantSite("acme")
    browsers = [await site.signed_in("acme") for _ in range(3)]
    site.remove("acme")
    site.clock.advance(OUTDATED)
    for browser in browsers:
        await browser.get("/private", follow=False)

    lines = [record for record in caplog.records if record.message.startswith("provider_gone")]
    assert len(lines) == 1


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Any:
    return STORES[request.param]()


def without(site: ThreeProviders, name: str, **settings: Any) -> ThreeProviders:
    """Restart a site without one of its providers."""
    others = {other: provider for other, provider in site.providers.items() if other != name}
    after = ThreeProviders(providers=others, **settings)
    after.clock.now = site.clock.now
    after.fakes = site.fakes
    return after


async def test_sessions_of_a_provider_that_was_removed_are_invalid(store, caplog):
    """An administrator has removed it; no request is a 500."""
    site = ThreeProviders(store=store)
    gone, stays = await site.signed_in("one"), await site.signed_in("two")
    after = without(site, "one", store=store)
    for browser in (gone, stays):
        browser.apps[ORIGIN] = after.middleware

    pages = [(await browser.get("/private", follow=False)).status_code for browser in (gone, stays)]
    await gone.get("/public/x")

    assert pages == [303, 200]
    assert not after.app.scope["user"].is_authenticated
    assert "provider_gone" in caplog.text


async def test_its_users_can_sign_out(store):
    """Locally, because there is no provider to send them to."""
    site = ThreeProviders(store=store)
    browser = await site.signed_in("one")
    after = without(site, "one", store=store)
    browser.apps[ORIGIN] = after.middleware

    response = await sign_out(browser)
    browser.apps[ORIGIN] = ThreeProviders(providers=site.providers, store=store).middleware

    assert (response.status_code, response.location.startswith(ORIGIN)) == (303, True)
    assert not await is_signed_in(browser)


async def test_sessions_are_invalid_if_the_name_belongs_to_another_provider(store):
    """Otherwise, users of the old provider would become users of the new one."""
    site = ThreeProviders(store=store)
    browser = await site.signed_in("one")
    swapped = {"one": site.providers["two"], "two": site.providers["one"]}
    after = ThreeProviders(providers=swapped, store=store)
    browser.apps[ORIGIN] = after.middleware

    assert (await browser.get("/private", follow=False)).status_code != 200
