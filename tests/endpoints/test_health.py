"""`health_path` tells anyone whether the process works, and nothing else."""

import logging
from typing import Any, Protocol

import anyio
import pytest

from asgi_oidc import Health, HealthCheck, Rule
from asgi_oidc.health.readiness import INTERVAL
from asgi_oidc.testing import Browser, Response
from tests.protected_site import NOW, ORIGIN, PROGRAM, Clock, Site
from tests.provider.provider_caches import all_at_once
from tests.providers.oauth2_site import OAuth2Site
from tests.providers.tenants import TenantSite
from tests.providers.three_providers import ThreeProviders
from tests.scripted_store import ScriptedStore

PATH = "/healthz"
GOOD = {"state": "ok", "last_success": NOW, "last_failure": None}


METADATA = "/.well-known/openid-configuration"


class HasBrowsers(Protocol):
    """Any of the sites of the tests."""

    def browser(self) -> Browser:
        """Open a browser."""


def site(**settings: Any) -> Site:
    """Make a site with a health path."""
    return Site(health_path=PATH, **settings)


async def ask(of: HasBrowsers, path: str = PATH, method: str = "GET") -> Response:
    """Ask as a load balancer does."""
    return await of.browser().fetch(path, method=method, headers=PROGRAM)


async def later(of: Site) -> Response:
    """Ask again when a new check is due."""
    of.clock.advance(INTERVAL)
    return await ask(of)


async def test_a_process_that_works_is_ready():
    """Metadata and keys are there before the first login needs them."""
    with_store = site(store=ScriptedStore())

    response = await ask(with_store)

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "metadata": GOOD, "keys": GOOD, "store": GOOD}
    assert with_store.app.scopes == []


async def test_no_cache_keeps_it_and_it_sets_no_cookie():
    """A cached answer would hide an outage."""
    response = await ask(site())

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in response.headers
    assert response.json()["store"] is None


async def test_a_head_request_gets_the_status_alone():
    """Some load balancers send it."""
    response = await ask(site(), method="HEAD")

    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/live"])
async def test_other_methods_are_not_allowed(path):
    """Neither does the app get them."""
    asked = site()

    response = await ask(asked, path, "POST")

    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert asked.app.scopes == []


async def test_a_provider_that_is_down_leaves_the_process_ready():
    """Otherwise an outage of logins would take down the sessions as well."""
    asked = site()

    with asked.provider.fault("discovery_down"):
        response = await ask(asked)

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["metadata"] == {"state": "failing", "last_success": None, "last_failure": NOW}
    assert response.json()["keys"]["state"] == "unknown"


async def test_a_provider_that_works_again_is_ok_within_seconds():
    """The next check fetches what is missing."""
    asked = site()
    with asked.provider.fault("discovery_down"):
        await ask(asked)

    response = await later(asked)

    assert response.json()["status"] == "ok"
    assert response.json()["metadata"] == {**GOOD, "last_success": NOW + INTERVAL, "last_failure": NOW}


async def test_keys_that_cannot_be_fetched_again_are_stale():
    """Logins go on with the cached ones."""
    asked = site()
    await ask(asked)
    asked.clock.advance(290)

    with asked.provider.fault("jwks_down"):
        response = await ask(asked)

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["keys"] == {"state": "stale", "last_success": NOW, "last_failure": NOW + 290}


async def test_a_provider_that_hangs_does_not_delay_the_answer():
    """Kubernetes waits for a second; the fetch goes on in the background."""
    asked = site()

    with asked.provider.hold("discovery") as gate:
        response = await ask(asked)
        gate.open()

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["metadata"]["state"] == "unknown"
    assert (await later(asked)).json()["status"] == "ok"


async def test_a_clock_that_is_set_back_keeps_no_old_check():
    """Else a store that is down since would count as ok for hours."""
    store = ScriptedStore()
    asked = site(store=store)
    assert (await ask(asked)).status_code == 200
    asked.clock.advance(-3600)

    store.broken = {"get", "linked"}

    assert (await ask(asked)).status_code == 503


@pytest.mark.parametrize("setting", ["store", "logout_store"])
async def test_a_process_whose_store_does_not_answer_is_not_ready(setting):
    """Its protected paths get 503."""
    store = ScriptedStore()
    asked = site(**{setting: store})
    store.broken = {"get", "linked"}

    response = await ask(asked)

    assert (response.status_code, response.json()["status"]) == (503, "failing")
    assert response.json()["store"] == {"state": "failing", "last_success": None, "last_failure": NOW}
    store.broken = set()
    assert (await later(asked)).json()["store"] == {**GOOD, "last_success": NOW + INTERVAL, "last_failure": NOW}


async def test_the_last_failure_of_the_store_may_have_been_a_request():
    """A store that fails now and then shows."""
    store = ScriptedStore()
    asked = site(store=store)
    browser = await asked.signed_in()
    store.broken = {"get"}
    asked.clock.advance(60)
    await browser.get("/page")
    store.broken = set()

    assert (await later(asked)).json()["store"]["last_failure"] == NOW + 60


@pytest.mark.parametrize("path", [f"{PATH}/live", f"{PATH}/live/"])
async def test_a_process_that_answers_is_alive(path):
    """A restart would repair neither the store nor the provider."""
    store = ScriptedStore()
    store.broken = {"get"}
    asked = site(store=store)

    with asked.provider.fault("discovery_down"):
        response = await ask(asked, path)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert (store.calls, asked.provider.count("/")) == ([], 0)


async def test_a_flood_costs_one_check():
    """Anyone can ask: neither the store nor the provider must suffer."""
    store = ScriptedStore()
    asked = site(store=store)

    await all_at_once(50, lambda: ask(asked))
    for _ in range(50):
        await ask(asked)

    assert store.calls == ["get"]
    assert asked.provider.count(METADATA) == asked.provider.count("/jwks") == 1


async def test_while_the_provider_is_down_it_is_called_once_per_check():
    """So that a flood does not hinder it from coming back."""
    asked = site()

    with asked.provider.fault("discovery_down"):
        for _ in range(4):
            for _ in range(10):
                await ask(asked)
            asked.clock.advance(INTERVAL)

    assert asked.provider.count(METADATA) == 4


async def test_an_outsider_learns_no_name_no_address_and_no_reason():
    """The provider's outage may be known to nobody else yet."""
    store = ScriptedStore()
    store.broken = {"get"}
    several = ThreeProviders({}, health_path=PATH, store=store)

    with several.fakes["two"].fault("discovery_down"):
        response = await ask(several)

    assert response.json() == {
        "status": "failing",
        "metadata": {
            "state": "failing",
            "last_success": NOW,
            "last_failure": NOW,
            "providers": {"ok": 2, "stale": 0, "failing": 1, "unknown": 0},
        },
        "keys": {
            "state": "unknown",
            "last_success": NOW,
            "last_failure": None,
            "providers": {"ok": 2, "stale": 0, "failing": 0, "unknown": 1},
        },
        "store": {"state": "failing", "last_success": None, "last_failure": NOW},
    }


async def test_code_of_the_app_learns_which_provider_fails_and_why():
    """For an admin page, or for the app's own health check."""
    store = ScriptedStore()
    several = ThreeProviders({}, store=store)

    with several.fakes["two"].fault("discovery_down"):
        health = await several.middleware.health()

    assert isinstance(health, Health)
    assert health.status == "degraded"
    assert health.checked_at == NOW
    assert health.store == HealthCheck(state="ok", last_success=NOW)
    assert health.metadata["one"] == HealthCheck(state="ok", last_success=NOW)
    assert (health.metadata["two"].state, health.metadata["two"].code) == ("failing", "metadata_unavailable")
    assert "https://two.id.example.net" in (health.metadata["two"].detail or "")
    assert {name: check.state for name, check in health.keys.items()} == {"one": "ok", "two": "unknown", "three": "ok"}


async def test_no_answer_is_one_of_the_urls_without_the_setting():
    """Off by default; the code has `health()` even then."""
    plain = Site()

    assert (await ask(plain)).status_code == 401
    assert (await plain.middleware.health()).status == "ok"


async def test_a_provider_without_openid_connect_has_neither_metadata_nor_keys():
    """Nothing to fetch, nothing to fail."""
    asked = OAuth2Site(health_path=PATH)

    health = await asked.middleware.health()

    assert list(health.metadata) == list(health.keys) == ["work"]
    assert (await ask(asked)).json()["keys"]["providers"]["ok"] == 1


async def test_tenants_are_counted_once_they_are_in_use_and_never_called():
    """There may be thousands, and a new one has to be looked up first."""
    tenants = TenantSite("acme", "globex", health_path=PATH)
    before = (await ask(tenants)).json()

    await tenants.signed_in("acme")
    tenants.clock.advance(INTERVAL)
    after = (await ask(tenants)).json()

    assert before == {"status": "ok", "metadata": None, "keys": None, "store": None}
    assert (after["status"], after["keys"]["providers"]["ok"]) == ("ok", 1)
    assert tenants.fakes["acme"].count(METADATA) == 1


@pytest.mark.parametrize("rules", [[], [Rule("/*", claims={"roles": "admin"})]])
@pytest.mark.parametrize(
    "path", ["/%68ealthz", "//healthz", "/healthz/live/x", "/x/../healthz", "/HEALTHZ", "/healthz;a"]
)
async def test_no_other_spelling_is_public(path, rules):
    """What answers without a user is found by the canonical path only."""
    asked = site(rules=rules)

    headers = {"accept": "application/json"}
    exchange = await asked.call(path.replace("%68", "h"), raw_path=path.encode(), headers=headers)

    assert exchange.status == 401
    assert asked.app.scopes == []


async def test_a_root_path_that_is_not_ours_closes_it():
    """As it closes public paths: where the app starts is not clear."""
    exchange = await site().call(PATH, root_path="/x", headers={"accept": "application/json"})

    assert exchange.status == 401


async def test_it_is_below_the_mount_and_answers_on_every_host():
    """As our other URLs do; a probe calls the address of a pod, which is no host of the app."""
    mounted = site(base_url=[f"{ORIGIN}/admin", "https://b.example.org/admin"])

    for host in (b"app.example.com", b"b.example.org", b"10.0.0.7:8000"):
        exchange = await mounted.call(f"/admin{PATH}", headers={"host": host.decode()})
        assert exchange.status == 200
    assert (await mounted.call(f"/admin{PATH}", root_path="/admin")).status == 200
    assert mounted.provider.count(METADATA) == 1


async def test_a_websocket_to_the_path_is_for_the_app():
    """And needs a user, as any other."""
    asked = site()

    explained = asked.middleware.explain(PATH, "WEBSOCKET")

    assert "not signed in  401" in str(explained)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/live"])
async def test_the_rules_say_who_answers(path):
    """Someone who looks for what serves it finds it."""
    asked = site(rules=[Rule("/*", claims={"roles": "admin"})])

    assert "asgi-oidc answers this URL itself" in str(asked.middleware.explain(path))
    assert f"{path} " in asked.middleware.explain_all()


async def test_no_login_returns_to_it():
    """A user would see JSON instead of the app."""
    page = await site().browser().sign_in("alice", f"/auth/login?return_to={PATH}")

    assert page.path == "/"


class BreakingClock(Clock):
    """A clock that may raise."""

    is_broken = False

    def __call__(self) -> float:
        if self.is_broken:
            raise ZeroDivisionError("the issuer is https://id.example.net")
        return super().__call__()

    async def break_down(self) -> None:
        """Raise from now on."""
        self.is_broken = True


@pytest.mark.parametrize("breaks", ["before the check", "during the check"])
async def test_a_bug_in_the_check_counts_as_failing(breaks, caplog):
    """The guard fails closed, says nothing but that, and is no way to flood the store either."""
    store, clock = ScriptedStore(), BreakingClock()
    asked = site(store=store, clock=clock)
    if breaks == "before the check":
        clock.is_broken = True
    else:
        store.before["get"].append(clock.break_down)

    with caplog.at_level(logging.ERROR):
        response = await ask(asked)
    clock.is_broken = False

    assert (response.status_code, response.json()["status"]) == (503, "failing")
    assert "id.example.net" not in response.text + caplog.text
    assert "unexpected_error" in caplog.text
    again = [(await ask(asked)).status_code for _ in range(5)]
    assert (again, store.calls) == ([200] * 5 if breaks == "before the check" else [503] * 5, ["get"])
    assert (await later(asked)).status_code == 200


async def test_a_client_that_gives_up_leaves_the_check_to_the_others():
    """Its result is for all who ask."""
    asked = site()
    with asked.provider.hold("discovery") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, asked)
            await gate.until_held()
            tasks.cancel_scope.cancel()
        gate.open()

    assert (await asked.middleware.health()).status == "ok"
    assert asked.provider.count(METADATA) == 1
