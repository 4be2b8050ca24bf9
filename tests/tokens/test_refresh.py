"""Tokens over hours: refreshed in time, once for all concurrent requests, and never mixed up between users."""

import json
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from asgi_oidc.testing import FakeProvider
from tests.protected_site import cookie_header, nothing, who_am_i
from tests.token_site import LIFETIME, STORES, TokenSite


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


class OtherAnswers(httpx.AsyncBaseTransport):
    """The way to a provider that answers a refresh with other members; `...` takes one away."""

    def __init__(self, provider: FakeProvider, members: dict[str, Any]) -> None:
        self._provider = provider
        self._members = members

    def client(self) -> httpx.AsyncClient:
        """Take that way."""
        return httpx.AsyncClient(transport=self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        async with self._provider.http_client() as client:
            answer = await client.request(request.method, request.url, headers=request.headers, content=body)
        content = answer.content
        if b"grant_type=refresh_token" in body:
            members = {**answer.json(), **self._members}
            content = json.dumps({name: value for name, value in members.items() if value is not ...}).encode()
        return httpx.Response(answer.status_code, stream=httpx.ByteStream(content))


def site_with_other_answers(store: str, **members: Any) -> TokenSite:
    """A site whose provider answers a refresh otherwise."""
    provider = FakeProvider(alg="ES256")
    return TokenSite(store, provider=provider, http_client=OtherAnswers(provider, members).client())


@pytest.mark.parametrize(
    ("lifetime", "age", "refreshes"),
    [(40, 19, 0), (40, 20, 1), (100, 49, 0), (100, 50, 1), (3600, 3539, 0), (3600, 3540, 1)],
)
async def test_a_short_lived_token_is_refreshed_halfway(site, lifetime, age, refreshes):
    """A minute ahead would be always, for one that lives a minute."""
    site.provider.access_token_lifetime = lifetime
    browser = await site.signed_in()
    site.clock.advance(age)

    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, refreshes)


@pytest.mark.parametrize("store", STORES)
async def test_a_token_without_a_lifetime_is_used_as_it_is(store):
    """`expires_in` is only recommended (RFC 6749 §5.1)."""
    site = site_with_other_answers(store, expires_in=...)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    site.clock.advance(3000)
    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, 1)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("openid profile", ["openid", "profile"]), (..., ["openid", "profile", "email", "offline_access"])],
)
async def test_scopes_are_those_of_the_newest_token(store, scope, scopes):
    """The provider may give less than before; where it says nothing, nothing has changed (RFC 6749 §6)."""
    site = site_with_other_answers(store, scope=scope)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    await browser.fetch("/page")
    page = await browser.fetch("/page")

    assert page.json()["scopes"] == ["authenticated", *scopes]
    assert (await browser.fetch("/auth/session")).json()["scopes"] == scopes


async def test_a_refreshed_id_token_without_azp_is_fine(site):
    """It is for us alone, and some providers leave out there what they said at the login."""
    site.provider.id_token_overrides = {"azp": "web"}
    browser = await site.signed_in()
    site.provider.id_token_overrides = {}

    pages = []
    for _ in range(2):
        site.clock.advance(LIFETIME + 1)
        pages.append((await browser.fetch("/page")).status_code)

    assert (pages, site.refreshes) == ([200, 200], 2)


async def test_a_session_lasts_for_hours_and_not_longer(site):
    """One refresh per token, none of them twice, until the session itself ends."""
    browser = await site.signed_in()
    for _ in range(143):
        site.clock.advance(300)
        assert (await browser.fetch("/page")).status_code == 200

    assert (site.refreshes, site.provider.memory.revoked_grants) == (143, set())
    site.clock.advance(300)
    assert (await browser.fetch("/page")).status_code == 401


async def test_whoever_is_two_refreshes_late_gets_the_newest_token(site):
    """Also twenty of them at once."""
    browser = await site.signed_in()
    old = cookie_header(browser)
    for _ in range(2):
        site.clock.advance(LIFETIME + 1)
        await browser.fetch("/page")

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: site.call("/page", headers={"cookie": old}))

    assert (site.refreshes, set(site.tokens[-20:])) == (2, {site.tokens[2]})
    assert site.provider.memory.revoked_grants == set()


async def test_who_waits_for_a_refresh_gets_it_when_the_first_goes_away(site):
    """The first may be a page that somebody closes."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    answers: list[int] = []

    async def visit() -> None:
        answers.append((await browser.tab().fetch("/page")).status_code)

    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as first:
                first.start_soon(visit)
                await gate.until_held()
                for _ in range(10):
                    tasks.start_soon(visit)
                await anyio.wait_all_tasks_blocked()
                first.cancel_scope.cancel()
            gate.open()

    assert (answers, site.refreshes, site.provider.memory.revoked_grants) == ([200] * 10, 1, set())


async def test_concurrent_answers_to_two_users_are_not_mixed_up(site):
    """The second is answered first."""
    browsers = {name: await site.signed_in(name) for name in ("alice", "bob")}
    site.clock.advance(LIFETIME + 1)
    got: dict[str, str] = {}

    async def keep_the_token(scope: Any) -> None:
        got[scope["user"].sub] = await scope["oidc"].access_token()

    site.app.at_work = keep_the_token
    with site.provider.hold("refresh", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            for count, browser in enumerate(browsers.values(), 1):
                tasks.start_soon(browser.fetch, "/page")
                await gate.until_held(count)
            gate.held[1].let_go()
            await anyio.wait_all_tasks_blocked()
            gate.open()

    assert {name: site.provider.token_info(token).sub for name, token in got.items()} == {
        "alice": "alice",
        "bob": "bob",
    }
    assert [await who_am_i(browser) for browser in browsers.values()] == ["alice", "bob"]


async def test_two_browsers_of_one_user_have_tokens_of_their_own(site):
    """What is shared is shared by the session, and never by the name."""
    one, other = await site.signed_in(), await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    await one.fetch("/page")
    await other.fetch("/page")

    assert (site.refreshes, site.tokens[-1] == site.tokens[-2]) == (2, False)


async def test_a_public_page_gets_the_token_of_who_is_signed_in(site):
    """And nobody else gets one there."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    known = await browser.fetch("/public/page")
    unknown = await site.browser().fetch("/public/page")

    assert (known.status_code, unknown.status_code, site.refreshes) == (200, 401, 1)


async def test_the_id_token_of_a_page_is_the_newest(site):
    """It goes along as a hint at the sign-out, also after a refresh in that very page."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    seen: list[str] = []

    async def look_twice(scope: Any) -> None:
        seen.append(scope["oidc"].id_token)
        await scope["oidc"].access_token()
        seen.append(scope["oidc"].id_token)

    site.app.at_work = look_twice
    await browser.fetch("/page")
    await browser.fetch("/page")

    assert seen[0] != seen[1] == seen[2] == seen[3]


@pytest.mark.parametrize("asks", ["access_token", "resource"])
@pytest.mark.parametrize("value", ["admin", ["x"], object()], ids=["text", "list", "no JSON"])
async def test_what_the_app_does_to_its_claims_stays_out_of_the_session(site, value, asks):
    """They are a copy of the request's own; a role that a page puts there for its template must not stick."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    wanted = {"resource": "https://orders.example.com"} if asks == "resource" else {}

    async def change_claims(scope: Any) -> None:
        scope["user"].claims["role"] = value
        del scope["user"].claims["email"]
        await scope["oidc"].access_token(**wanted)

    site.app.at_work = change_claims
    page = await browser.fetch("/page")
    site.app.at_work = nothing
    claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert (page.status_code, "role" in claims, "email" in claims) == (200, False, True)
    assert site.provider.memory.revoked_grants == set()


async def test_a_long_connection_gets_tokens_as_long_as_its_user_is_active_elsewhere():
    """A websocket or a stream brings no request of its own; with a store, the record knows of the others."""
    site = TokenSite("memory")
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]
    site.app.at_work = nothing
    for _ in range(4):
        site.clock.advance(3000)
        await browser.fetch("/page")

    token = await oidc.access_token()

    assert (site.provider.token_info(token).active, site.refreshes) == (True, 1)
