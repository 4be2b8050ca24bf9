"""`recheck`: the provider confirms from time to time that a session is still valid."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import MemoryStore, Rule
from asgi_oidc.asgi.session_watch import SessionWatch
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.tokens.recheck import DEADLINE
from asgi_oidc.tokens.refresh_lock import COOL_DOWN
from asgi_oidc.web.cookies import Cookies
from tests.asgi.test_websockets import connect
from tests.bearer.token_calls import TokenSite as ApiSite
from tests.internals import sessions_of, watcher_of
from tests.protected_site import PROGRAM, Site, cookie_header, who_am_i
from tests.providers.oauth2_site import OAuth2Site
from tests.token_site import LIFETIME, SCOPE, TokenSite

RECHECK = 300  # seconds
WAYS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "refresh": ({"scope": SCOPE}, "refresh_token", ()),
    "introspection": ({}, "introspect", ()),
    "userinfo": ({}, "userinfo", ("introspection_invalid_client",)),
}


def end_at_provider(provider: FakeProvider, sub: str = "alice") -> None:
    """Lock a user out: no token of theirs is valid any more."""
    memory = provider.memory
    for token in (*memory.access_tokens.values(), *memory.refresh_tokens.values()):
        if token.grant.sign_in.persona.sub == sub:
            memory.revoke(token.grant)


@dataclasses.dataclass
class Rechecked:
    """A site with `recheck`, and how it asks the provider."""

    site: Site
    way: str

    @property
    def asked(self) -> int:
        """How often the provider was asked after logins."""
        provider, name = self.site.provider, WAYS[self.way][1]
        return provider.count_grants(name) if name == "refresh_token" else provider.count(name)


@pytest.fixture(params=["cookies", "store"])
def kept(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where sessions are kept."""
    return {} if request.param == "cookies" else {"store": MemoryStore()}


@pytest.fixture(params=WAYS)
def rechecked(request: pytest.FixtureRequest, kept: dict[str, Any]) -> Iterator[Rechecked]:
    """A site that asks in each of the ways, with sessions in each of the places."""
    settings, _, faults = WAYS[request.param]
    site = Site(recheck=RECHECK, userinfo="never", **kept, **settings)
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault(*faults) if faults else contextlib.nullcontext():
        yield Rechecked(site, request.param)


async def test_a_session_that_is_over_at_the_provider_is_gone_after_the_recheck(rechecked):
    """In use or not: the next request after the interval asks."""
    site = rechecked.site
    browser = await site.signed_in()
    end_at_provider(site.provider)
    site.clock.advance(RECHECK - 1)
    assert await who_am_i(browser) == "alice"

    site.clock.advance(1)

    assert await who_am_i(browser) is None
    assert (await browser.get("/page", headers=PROGRAM, follow=False)).status_code == 401


async def test_a_page_then_starts_a_login(rechecked):
    """The user signs in again, often without a page of the provider."""
    site = rechecked.site
    browser = await site.signed_in()
    end_at_provider(site.provider)
    site.clock.advance(RECHECK)

    response = await browser.get("/page", follow=False)

    assert response.location.startswith(site.provider.issuer)


async def test_a_session_in_use_is_confirmed_once_per_interval(rechecked):
    """However many requests there are."""
    site = rechecked.site
    browser = await site.signed_in()
    for _ in range(12):
        site.clock.advance(RECHECK / 4)
        for _ in range(3):
            assert (await browser.fetch("/page")).status_code == 200

    assert rechecked.asked == 3


async def test_concurrent_requests_share_one_recheck(rechecked):
    """Ten tabs are restored at once."""
    site = rechecked.site
    browser = await site.signed_in()
    site.clock.advance(RECHECK)
    answers: list[int] = []

    async def fetch() -> None:
        answers.append((await browser.fetch("/page")).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(fetch)

    assert (answers, rechecked.asked) == ([200] * 10, 1)


@pytest.mark.parametrize("way", WAYS)
async def test_processes_that_share_a_store_share_one_recheck(way):
    """The one that holds the lock asks, and the others go on with what they have."""
    settings, _, faults = WAYS[way]
    site = Site(recheck=RECHECK, userinfo="never", store=MemoryStore(), **settings)
    site.provider.access_token_lifetime = 10 * RECHECK
    browser = await site.signed_in()
    other = site.restarted()
    for process in (site, other):
        process.clock.advance(RECHECK)
    found: list[str | None] = []

    async def visit(process: Site) -> None:
        found.append(await who_am_i(process.browser_of(browser)))

    with site.provider.fault(*faults) if faults else contextlib.nullcontext():
        asked = Rechecked(site, way).asked
        async with anyio.create_task_group() as tasks:
            for process in (site, other, site, other):
                tasks.start_soon(visit, process)
        await visit(site)
        await visit(other)

    assert (found, Rechecked(site, way).asked - asked) == (["alice"] * 6, 1)


@pytest.mark.parametrize("fault", [None, "userinfo_down"])
async def test_a_clock_that_is_set_back_puts_no_recheck_off(fault):
    """The last one, or the pause after one that failed, is in the future then."""
    site = Site(recheck=RECHECK, userinfo="never")
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault("introspection_invalid_client"):
        browser = await site.signed_in()
        site.clock.advance(5 * RECHECK)
        with site.provider.fault(fault) if fault else contextlib.nullcontext():
            assert await who_am_i(browser) == "alice"
        end_at_provider(site.provider)

        site.clock.advance(-3 * RECHECK)

        assert await who_am_i(browser) is None


async def test_without_the_setting_nobody_asks(kept):
    """The default."""
    site = Site(scope=SCOPE, **kept)
    browser = await site.signed_in()
    site.provider.calls.clear()
    end_at_provider(site.provider)
    site.clock.advance(3000)

    assert await who_am_i(browser) == "alice"
    assert site.provider.calls == []


OUTAGES = {
    "refresh": ["refresh_down", "refresh_invalid_client"],
    "introspection": ["introspection_down", "introspection_500"],
    "userinfo": ["userinfo_down", "userinfo_500", "userinfo_forbids", "userinfo_not_json", "userinfo_html"],
}


@pytest.mark.parametrize(("way", "fault"), [(way, fault) for way, faults in OUTAGES.items() for fault in faults])
async def test_a_provider_that_does_not_say_so_ends_no_session(way, fault, caplog):
    """An outage must not sign everybody out; the next request after a pause asks again."""
    settings, _, faults = WAYS[way]
    site = Site(recheck=RECHECK, userinfo="never", **settings)
    site.provider.access_token_lifetime = 10 * RECHECK
    browser = await site.signed_in()
    site.clock.advance(RECHECK)
    with site.provider.fault(*faults, fault):
        asked = len(site.provider.calls)
        for _ in range(3):
            assert await who_am_i(browser) == "alice"
        per_attempt = len(site.provider.calls) - asked
        site.clock.advance(COOL_DOWN)
        assert await who_am_i(browser) == "alice"
        assert len(site.provider.calls) - asked == 2 * per_attempt

    assert any(line.startswith(("recheck_failed code=recheck_", "refresh_failed code=")) for line in caplog.messages)
    end_at_provider(site.provider)
    site.clock.advance(COOL_DOWN)
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="trio")]
)
async def test_while_the_provider_hangs_one_request_waits_and_the_others_go_on():
    """And even that one only for a few seconds; on a clock that jumps."""
    site = Site(recheck=RECHECK, scope=SCOPE)
    browsers = [await site.signed_in(sub) for sub in ("alice", "bob", "erin")]
    site.clock.advance(RECHECK)
    waited: list[float] = []

    async def visit(browser: Browser) -> None:
        began = anyio.current_time()
        assert await who_am_i(browser) is not None
        waited.append(anyio.current_time() - began)

    with site.provider.hold("refresh") as gate:
        await visit(browsers[0])
        async with anyio.create_task_group() as tasks:
            for browser in browsers:
                tasks.start_soon(visit, browser)
        gate.open()

    assert sorted(waited) == pytest.approx([0, 0, DEADLINE, DEADLINE], abs=0.01)


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_provider_that_answers_again_is_asked_by_all_requests_at_once(is_over):
    """Whatever its first answer is: else somebody who is signed out there could get in beside another request."""
    site = Site(recheck=RECHECK, scope=SCOPE)
    first, *others = [await site.signed_in(sub) for sub in ("alice", "bob", "erin")]
    site.clock.advance(RECHECK)
    with site.provider.fault("refresh_down"):
        assert await who_am_i(first) == "alice"
    for sub in (*(["alice"] if is_over else []), "bob", "erin"):
        end_at_provider(site.provider, sub)
    site.clock.advance(COOL_DOWN)
    found: list[str | None] = [await who_am_i(first)]

    async def visit(browser: Browser) -> None:
        found.append(await who_am_i(browser))

    with site.provider.hold("refresh") as gate:
        async with anyio.create_task_group() as tasks:
            for browser in others:
                tasks.start_soon(visit, browser)
            await gate.until_held()
            await anyio.wait_all_tasks_blocked()
            gate.open()

    assert found == [None if is_over else "alice", None, None]


async def test_a_session_that_nobody_can_confirm_any_more_ends(kept, caplog):
    """The access token has expired, and there is no refresh token."""
    caplog.set_level("INFO", logger="asgi_oidc")
    site = Site(recheck=RECHECK, **kept)
    site.provider.access_token_lifetime = RECHECK
    browser = await site.signed_in()
    site.clock.advance(RECHECK - 1)
    assert await who_am_i(browser) == "alice"

    site.clock.advance(1)

    assert await who_am_i(browser) is None
    assert any("session_withdrawn" in line and "no refresh token" in line for line in caplog.messages)


async def test_a_session_at_a_provider_without_any_endpoint_to_ask_ends():
    """The setting promises that sessions are confirmed."""
    site = Site(recheck=RECHECK, metadata={"userinfo_endpoint": None, "introspection_endpoint": None})
    site.provider.access_token_lifetime = 10 * RECHECK
    browser = await site.signed_in()
    site.clock.advance(RECHECK)

    assert await who_am_i(browser) is None


async def test_userinfo_of_another_user_ends_the_session():
    """Something is badly wrong with the token then."""
    site = Site(recheck=RECHECK)
    site.provider.access_token_lifetime = 10 * RECHECK
    browser = await site.signed_in()
    site.clock.advance(RECHECK)

    with site.provider.fault("introspection_invalid_client", "userinfo_wrong_sub"):
        assert await who_am_i(browser) is None


@pytest.mark.parametrize("way", ["refresh", "userinfo"])
async def test_a_role_that_was_taken_away_is_gone_after_the_recheck(way, kept):
    """The claims that come with the confirmation count at once, and older cookies do not bring the old ones back."""
    settings, _, faults = WAYS[way]
    site = Site(recheck=RECHECK, rules=[Rule("/admin/*", claims={"roles": "admin"})], **settings, **kept)
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault(*faults) if faults else contextlib.nullcontext():
        browser = await site.signed_in()
        assert (await browser.get("/admin/users")).status_code == 200
        persona = site.provider.personas["alice"]
        site.provider.personas["alice"] = dataclasses.replace(persona, claims={"roles": ["reader"]})
        site.clock.advance(RECHECK)

        assert (await browser.get("/admin/users")).status_code == 403
        assert (await browser.get("/page")).json()["sub"] == "alice"


async def test_a_websocket_is_not_opened_for_a_session_that_is_over_at_the_provider(rechecked):
    """The handshake is a use, too."""
    site = rechecked.site
    browser = await site.signed_in()
    end_at_provider(site.provider)
    site.clock.advance(RECHECK)

    exchange = await connect(site, browser=browser)

    assert exchange.sent == [{"type": "websocket.close", "code": 4401}]


async def test_an_open_websocket_ends_with_a_session_that_is_over_at_the_provider():
    """With sessions in a store, where a recheck by a websocket reaches the browser's next request."""
    site = Site(recheck=RECHECK, store=MemoryStore(), scope=SCOPE)
    browser = await site.signed_in()
    watcher = watcher_of(site.middleware)
    active = await sessions_of(site.middleware).open(Cookies(cookie_header(browser).encode(), "__Host-oidc"))
    assert active is not None
    watch = SessionWatch(active, watcher)
    end_at_provider(site.provider)
    site.clock.advance(RECHECK)

    assert watch.is_read_due()
    assert not await watch.reload()


async def test_a_session_that_was_refreshed_for_other_reasons_is_confirmed_by_that():
    """A refresh is the answer that a recheck would get."""
    site = TokenSite(recheck=LIFETIME)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME - 30)  # due for a refresh, not yet for a recheck
    await browser.fetch("/page")
    site.clock.advance(40)
    await browser.fetch("/public/page")

    assert site.refreshes == 1


async def test_access_tokens_of_programs_are_not_rechecked():
    """They expire soon, or are introspected."""
    site = ApiSite(recheck=30)
    token = site.token()
    assert (await site.call_with(token)).status == 200
    site.provider.calls.clear()
    site.clock.advance(60)

    assert (await site.call_with(token)).status == 200
    assert site.provider.calls == []


async def test_github_is_asked_at_its_user_api():
    """There is nothing else to ask at."""
    site = OAuth2Site(recheck=RECHECK)
    browser = site.browser()
    await site.sign_in(browser=browser)
    site.clock.advance(RECHECK)
    assert await who_am_i(browser) == "1000001"
    end_at_provider(site.hub, "1000001")
    site.clock.advance(RECHECK)

    assert await who_am_i(browser) is None


async def test_a_user_api_that_names_another_user_ends_the_session():
    """Something is badly wrong with the token then, as with userinfo."""
    site = OAuth2Site(recheck=RECHECK)
    browser = await site.signed_in("1000001")
    await site.signed_in("1000002")
    tokens = site.hub.memory.access_tokens
    own, other = tokens
    tokens[own] = tokens[other]
    site.clock.advance(RECHECK)

    assert await who_am_i(browser) is None


async def test_claims_that_are_dropped_or_renamed_stay_so():
    """What the app does not want to store must not come back with userinfo."""
    site = Site(recheck=RECHECK, userinfo="always", claims={"drop": ["email"], "rename": {"roles": "groups"}})
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault("introspection_invalid_client"):
        browser = await site.signed_in()
        before = (await browser.fetch("/auth/session")).json()["claims"]
        persona = site.provider.personas["alice"]
        site.provider.personas["alice"] = dataclasses.replace(persona, claims={"roles": ["reader"]})
        site.clock.advance(RECHECK)
        after = (await browser.fetch("/auth/session")).json()["claims"]

    assert (before["groups"], after) == (["admin"], {**before, "groups": ["reader"]})
    assert "email" not in after


@pytest.mark.parametrize("userinfo", ["always", "never"])
async def test_userinfo_adds_claims_only_to_sessions_that_have_some_from_there(userinfo):
    """A session whose login did not ask userinfo does not change because of the recheck."""
    site = Site(recheck=RECHECK, userinfo=userinfo)
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault("introspection_invalid_client"):
        site.provider.id_token_overrides["roles"] = ...
        browser = await site.signed_in()
        site.provider.userinfo_overrides["department"] = "sales"
        site.clock.advance(RECHECK)
        claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert claims.get("department") == ("sales" if userinfo == "always" else None)


async def test_claims_of_on_login_stay_as_they_are():
    """The app has decided on them."""

    async def on_login(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
        return {**claims, "roles": ["owner"], "email": "alice@corp.example"}

    site = Site(recheck=RECHECK, userinfo="always", on_login=on_login)
    site.provider.access_token_lifetime = 10 * RECHECK
    with site.provider.fault("introspection_invalid_client"):
        browser = await site.signed_in()
        site.clock.advance(RECHECK)
        claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert (claims["roles"], claims["email"]) == (["owner"], "alice@corp.example")
