"""Providers that the app looks up: `providers` is an object with `async def get(self, name)`."""

from typing import Any

import anyio
import pytest

from asgi_oidc import OIDCMiddleware, Provider, SettingsError
from asgi_oidc.provider.call_limit import MAX_CALLS_PER_PROVIDER
from asgi_oidc.provider.source_directory import (
    BURST,
    FRESH,
    MAX_CONNECTIONS,
    MAX_LOOK_UPS,
    OUTDATED,
    RETRY_INTERVAL,
    STALE,
    UNKNOWN_FRESH,
)
from asgi_oidc.settings.several_providers import read_found_provider
from asgi_oidc.testing import Response
from tests.protected_site import ORIGIN, SECRET, App
from tests.provider.provider_caches import all_at_once
from tests.providers.tenants import TenantSite, tenant_at
from tests.security.sizes import size


async def test_a_user_signs_in_at_a_tenant():
    """The app learns which tenant it is."""
    site = TenantSite("acme", "globex")

    await site.signed_in("globex")

    user = site.app.scope["user"]
    assert (user.provider, user.issuer, user.sub) == ("globex", "https://globex.id.example.net", "alice")
    assert site.source.calls == ["globex"]


async def test_nothing_is_looked_up_at_start_up():
    """The app starts while the database is down."""
    site = TenantSite("acme")

    await site.browser().get("/public/x")

    assert site.source.calls == []


async def test_a_tenant_is_looked_up_once_for_many_requests():
    """Neither the page, nor the login, nor its callback asks again."""
    site = TenantSite("acme")
    browser = await site.signed_in("acme")

    for _ in range(5):
        await browser.get("/private")
        await site.sign_in("acme")

    assert site.source.calls == ["acme"]


@pytest.mark.long
async def test_50_logins_at_once_for_20_of_1000_tenants():
    """One look-up, one discovery and one JWKS call for each, from a database that takes 100 ms.

    The sample takes fewer tenants, one after the other: a thousand logins at once keep a busy machine from answering
    in time.
    """
    busy = size(4, 20)
    site = TenantSite(*(f"t{number}" for number in range(busy)))
    for number in range(busy, 1000):
        site.source.rows[f"t{number}"] = lambda: tenant_at("https://unused.example.net")
    site.source.delay = 0.1
    names = [f"t{number}" for number in range(busy) for _ in range(50)]

    while names:
        responses = await all_at_once(size(50, 1000), lambda: site.sign_in(names.pop()))
        assert {response.status_code for response in responses} == {200}

    assert sorted(site.source.calls) == sorted(f"t{number}" for number in range(busy))
    assert {fake.count("/openid-configuration") for fake in site.fakes.values()} == {1}
    assert {fake.count("/jwks") for fake in site.fakes.values()} == {1}
    assert {fake.count("/token") for fake in site.fakes.values()} == {50}


async def test_a_client_that_disconnects_does_not_stop_the_look_up_of_the_others():
    """The first one to ask is not the only one who waits."""
    site = TenantSite("acme")
    site.source.delay = 0.05
    responses: list[Response] = []

    async def sign_in() -> None:
        responses.append(await site.sign_in("acme"))

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as inner:
                inner.start_soon(site.sign_in, "acme")
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(sign_in)
                first.cancel()

    assert [response.status_code for response in responses] == [200]
    assert site.source.calls == ["acme"]


async def test_after_half_a_minute_it_is_looked_up_again_in_the_background():
    """A request of a busy tenant never waits for the database."""
    site = TenantSite("acme")
    browser = await site.signed_in("acme")
    site.clock.advance(FRESH)
    site.source.is_hanging = True

    with anyio.fail_after(5):
        pages = [await browser.get("/private") for _ in range(3)]
        await site.signed_in("acme")

    assert [page.status_code for page in pages] == [200, 200, 200]
    await anyio.wait_all_tasks_blocked()
    assert site.source.calls == ["acme", "acme"]
    site.source.is_hanging = False


async def test_equal_settings_keep_the_metadata_and_the_keys():
    """The database makes a new object of the same row each time."""
    site = TenantSite("acme")
    for _ in range(4):
        await site.signed_in("acme")
        site.clock.advance(OUTDATED)

    fake = site.fakes["acme"]
    assert len(site.source.calls) == 4
    assert (fake.count("/openid-configuration"), fake.count("/jwks")) == (1, 1)


async def test_the_same_object_keeps_them_too():
    """A source may have a cache of its own."""
    site = TenantSite("acme")
    provider = site.source.rows["acme"]()
    site.source.rows["acme"] = lambda: provider
    for _ in range(3):
        await site.signed_in("acme")
        site.clock.advance(OUTDATED)

    assert (len(site.source.calls), site.fakes["acme"].count("/openid-configuration")) == (3, 1)


async def test_a_changed_tenant_is_noticed_within_a_minute():
    """An administrator has changed what the app requests."""
    site = TenantSite("acme")
    await site.signed_in("acme")
    site.change("acme", authorization_params={"audience": "new"})
    site.clock.advance(OUTDATED)

    response = await site.browser().get("/auth/login?provider=acme", follow=False)

    assert "audience=new" in response.location


async def test_while_it_is_busy_a_change_is_noticed_too():
    """The look-up in the background counts."""
    site = TenantSite("acme")
    browser = await site.signed_in("acme")
    site.change("acme", authorization_params={"audience": "new"})
    locations = []
    for _ in range(6):
        site.clock.advance(10)
        await browser.get("/private")
        await anyio.wait_all_tasks_blocked()
        response = await site.browser().get("/auth/login?provider=acme", follow=False)
        locations.append("audience=new" in response.location)

    assert (locations[0], locations[-1], len(site.source.calls)) == (False, True, 3)


async def test_a_removed_tenant_is_noticed_within_a_minute():
    """Nobody is sent to a provider that the app has removed."""
    site = TenantSite("acme")
    await site.signed_in("acme")
    site.remove("acme")
    site.clock.advance(OUTDATED)

    response = await site.browser().get("/auth/login?provider=acme", follow=False)

    assert (response.status_code, response.location) == (404, "")


async def test_a_new_tenant_can_sign_in_soon_after_somebody_tried_it():
    """That there was none is remembered for seconds only."""
    site = TenantSite()
    before = await site.sign_in("acme")
    site.add("acme")
    site.clock.advance(UNKNOWN_FRESH)

    await site.signed_in("acme")

    assert before.status_code == 404


async def test_that_there_is_none_is_remembered_for_a_while():
    """Reloading the page does not ask the database again."""
    site = TenantSite()

    for _ in range(10):
        await site.browser().get("/auth/login?provider=acme")

    assert site.source.calls == ["acme"]


@pytest.mark.parametrize(
    "name", ["Acme", "a%2563me", "ac/me", "", "x" * 65, "x" * 10_000, "..", "acme%00", "-acme", "ac me", "%C3%A4"]
)
async def test_a_name_that_cannot_be_one_never_reaches_the_database(name: str):
    """It may hold anything."""
    site = TenantSite("acme")

    for url in (f"/auth/login?provider={name}", f"/auth/callback/{name}?code=x&state=y"):
        response = await site.browser().get(url, follow=False)
        assert 200 <= response.status_code < 500
        assert not response.location.startswith("https://acme.id")

    assert site.source.calls == []


async def test_two_names_in_one_link_are_none():
    """A link leads to one provider; the page asks which."""
    site = TenantSite("acme", "globex")

    response = await site.browser().get("/auth/login?provider=acme&provider=globex", follow=False)

    assert (response.status_code, response.location, site.source.calls) == (200, "", [])


class Broken:
    """Ways for a look-up to go wrong: what `get` returns or raises, and the code."""

    def __init__(self, code: str, *, error: Exception | None = None, value: object = None) -> None:
        self.code, self.error, self.value = code, error, value

    def apply(self, site: TenantSite) -> None:
        """Break the database of a site."""
        site.source.error = self.error
        if self.error is None:
            site.source.rows["acme"] = lambda: self.value


BROKEN = [
    Broken("provider_lookup_failed", error=RuntimeError("postgres://app:s3cret@db is down")),
    Broken("provider_lookup_failed", error=SettingsError(["issuer: must be a URL"])),
    Broken("provider_lookup_timeout", error=TimeoutError("s3cret")),
    Broken("provider_lookup_result", value={"issuer": "https://acme.id.example.net"}),
    Broken("provider_lookup_result", value="https://acme.id.example.net"),
    Broken("provider_lookup_result", value=False),
    Broken("provider_lookup_result", value=Provider),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.code} {broken.error or broken.value!r}")
async def test_a_broken_look_up_is_503_with_a_cause_in_the_log(broken: Broken, caplog):
    """Nobody gets in, and nothing that the database said is shown or logged."""
    site = TenantSite("acme")
    broken.apply(site)

    response = await site.browser().get("/auth/login?provider=acme", follow=False)

    assert (response.status_code, response.headers["retry-after"]) == (503, str(RETRY_INTERVAL))
    assert f"code={broken.code}" in caplog.text
    assert "s3cret" not in caplog.text + response.text


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.code} {broken.error or broken.value!r}")
async def test_a_provider_that_was_looked_up_stays_in_use_during_an_outage(broken: Broken):
    """Nothing is lost while the database is restarted."""
    site = TenantSite("acme")
    browser = await site.signed_in("acme")
    broken.apply(site)

    for _ in range(20):
        site.clock.advance(OUTDATED + 1)
        page = await browser.get("/private")
        assert page.status_code == 200
        await site.signed_in("acme")


async def test_it_does_not_stay_in_use_for_ever():
    """After an hour without a look-up, it is not used: the tenant may have been removed because of an attack."""
    site = TenantSite("acme", session_idle=2 * STALE)
    browser = await site.signed_in("acme")
    site.source.error = RuntimeError()
    site.clock.advance(STALE)

    page = await browser.get("/private", follow=False)
    public = await browser.get("/public/x")
    login = await site.browser().get("/auth/login?provider=acme", follow=False)

    assert (page.status_code, public.status_code, login.status_code) == (503, 200, 503)
    assert not site.app.scope["user"].is_authenticated


async def test_afterwards_the_session_counts_again():
    """An outage signs nobody out."""
    site = TenantSite("acme", session_idle=2 * STALE)
    browser = await site.signed_in("acme")
    site.source.error = RuntimeError()
    site.clock.advance(STALE)
    await browser.get("/private")
    site.source.error = None
    site.clock.advance(RETRY_INTERVAL)

    page = await browser.get("/private")

    assert (page.status_code, site.app.scope["user"].sub) == (200, "alice")


async def test_a_failing_database_is_not_asked_by_every_request():
    """It has enough to do."""
    site = TenantSite("acme")
    site.source.error = RuntimeError()

    for _ in range(20):
        await site.browser().get("/auth/login?provider=acme", follow=False)
    calls = len(site.source.calls)
    site.clock.advance(RETRY_INTERVAL)
    site.source.error = None

    await site.signed_in("acme")

    assert calls == 1


async def test_made_up_names_do_not_flood_the_database():
    """A burst at first, then one per second; tenants that are in use are not affected."""
    site = TenantSite("acme", "globex")
    await site.signed_in("acme")

    codes = [
        (await site.browser().get(f"/auth/login?provider=made-up-{number}")).status_code for number in range(BURST + 50)
    ]
    calls = len(site.source.calls)
    await site.signed_in("acme")

    assert (set(codes[:BURST]), set(codes[BURST:]), calls) == ({404}, {503}, BURST + 1)
    site.clock.advance(1)
    await site.signed_in("globex")


async def test_made_up_names_do_not_flush_the_tenants():
    """Each name that exists stays known, with its metadata and keys."""
    site = TenantSite("acme")
    await site.signed_in("acme")
    for number in range(5000):
        await site.browser().get(f"/auth/login?provider=made-up-{number}")
        if number % 100 == 0:
            site.clock.advance(0.2)

    await site.signed_in("acme")

    assert (site.source.calls.count("acme"), site.fakes["acme"].count("/openid-configuration")) == (1, 1)


async def test_a_session_is_looked_up_while_somebody_makes_up_names():
    """A session cannot be made up, so it does not wait behind guesses; not in a new process either."""
    site = TenantSite("acme")
    browser = await site.signed_in("acme")
    site.restart()
    for number in range(BURST + 10):
        await site.browser().get(f"/auth/login?provider=made-up-{number}")

    page = await browser.get("/private")

    assert page.status_code == 200


async def test_few_look_ups_run_at_once():
    """A thousand tenants that come after a restart do not take all connections of the database."""
    site = TenantSite()
    site.source.delay = 0.01
    names = [f"t{number}" for number in range(10 * MAX_LOOK_UPS)]

    await all_at_once(len(names), lambda: site.browser().get(f"/auth/login?provider={names.pop()}", follow=False))

    assert (len(site.source.calls), site.source.most_under_way) == (10 * MAX_LOOK_UPS, MAX_LOOK_UPS)


async def test_providers_that_are_looked_up_have_their_own_limit_of_calls():
    """As with a mapping: one that hangs does not affect the others."""
    site = TenantSite("acme", "globex")
    await site.signed_in("acme")
    site.clock.advance(2 * 86_400)
    site.lines["acme"].state = "hangs"

    async with anyio.create_task_group() as tasks:
        for _ in range(2 * MAX_CALLS_PER_PROVIDER):
            tasks.start_soon(site.sign_in, "acme")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(8):
            await site.signed_in("globex")
        tasks.cancel_scope.cancel()


async def test_the_app_chooses_by_the_host():
    """Each tenant has a subdomain; its users see no page of ours in between."""
    site = TenantSite("acme", choose_provider=lambda scope: "acme")

    response = await site.browser().get("/private", follow=False)

    assert response.location.startswith("https://acme.id.example.net/")


async def test_a_tenant_that_the_app_chooses_may_not_exist():
    """Anyone can make up a subdomain: that is no error of the app."""
    site = TenantSite("acme", choose_provider=lambda scope: "made-up")

    page = await site.browser().get("/private", follow=False)
    login = await site.browser().get("/auth/login", follow=False)

    assert (page.status_code, page.location, login.status_code, login.location) == (404, "", 404, "")


async def test_the_least_recently_used_tenants_are_looked_up_again():
    """The memory is bounded, however many tenants there are."""
    site = TenantSite("acme")
    await site.signed_in("acme")
    provider = tenant_at("https://unused.example.net", site.lines["acme"].client())
    for number in range(MAX_CONNECTIONS):
        site.source.rows[f"t{number}"] = lambda: provider
        await site.browser().get(f"/auth/callback/t{number}")

    await site.signed_in("acme")

    assert site.source.calls.count("acme") == 2


class Decorated:
    """A source whose `get` was made by a decorator, which hides that it is async."""

    class Get:
        """What the decorator made."""

        def __init__(self, result: object) -> None:
            self.result = result

        def __call__(self, name: str) -> Any:
            return self.result

    def __init__(self, result: object) -> None:
        self.get = Decorated.Get(result)


async def test_a_get_that_is_not_async_is_noticed_when_it_is_called(caplog):
    """The log says what to change."""
    middleware = OIDCMiddleware(App(), providers=Decorated(None), base_url=ORIGIN, secret=SECRET)
    site = TenantSite()
    site.middleware = middleware

    response = await site.browser().get("/auth/login?provider=acme")

    assert response.status_code == 503
    assert "get must be an async function" in caplog.text


def test_a_redirect_uri_of_its_own_is_for_providers_that_are_known():
    """The middleware has to know its URLs before it looks providers up."""
    provider = tenant_at("https://id.example.com", callback_path="/old/callback")

    with pytest.raises(ValueError, match="callback_path"):
        read_found_provider("acme", provider)


async def test_an_exception_that_a_tenant_makes_is_logged_when_it_is_looked_up(caplog):
    """At start-up nobody knows of it."""
    site = TenantSite()
    site.add("acme", allow_missing_nonce=True)

    await site.browser().get("/auth/login?provider=acme", follow=False)

    (line,) = (record.message for record in caplog.records if record.message.startswith("provider_exception"))
    assert ("provider=acme" in line, "setting=allow_missing_nonce" in line) == (True, True)


@pytest.mark.parametrize(("back", "calls"), [(5, 1), (86_400, 2)])
async def test_a_clock_that_is_set_back_loses_no_tenant(back: int, calls: int):
    """A little is nothing; after more, the tenant is looked up once more."""
    site = TenantSite("acme")
    await site.signed_in("acme")
    site.clock.advance(-back)

    for _ in range(3):
        await site.browser().get("/auth/login?provider=acme", follow=False)

    assert len(site.source.calls) == calls
