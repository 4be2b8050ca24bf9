"""Calls to another API over time: a rejected token is refreshed once for all, and an ended session calls nothing."""

from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import SessionEnded
from tests.protected_site import nothing
from tests.token_site import LIFETIME, STORES, TokenSite
from tests.tokens.test_api_calls import API, Api, oidc_of


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


async def test_a_hundred_calls_that_are_refused_make_one_refresh(site):
    """Each of them comes back with a 401 for the same token."""
    oidc, api = await oidc_of(site), Api(site)
    api.refused.add(await oidc.access_token())
    answers: list[int] = []

    async def call(client: httpx.AsyncClient) -> None:
        answers.append((await client.get(API)).status_code)

    async with api.client(oidc.httpx_auth(API)) as client, anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(call, client)

    assert (answers, site.refreshes, len(set(api.tokens))) == ([200] * 100, 1, 2)


async def test_two_users_of_one_client_stay_apart(site):
    """A client is often shared by the whole app, and the auth given with each call."""
    alice, bob = await oidc_of(site), await oidc_of(site, "bob")
    api, got = Api(site), dict[str, str]()
    site.clock.advance(LIFETIME + 1)

    async def call(client: httpx.AsyncClient, name: str, oidc: Any) -> None:
        answer = await client.get(API, auth=oidc.httpx_auth(API))
        got[name] = answer.request.headers["authorization"].removeprefix("Bearer ")

    async with api.client(None) as client:
        with site.provider.hold("refresh", when="after") as gate:
            async with anyio.create_task_group() as tasks:
                for count, (name, oidc) in enumerate([("alice", alice), ("bob", bob)], 1):
                    tasks.start_soon(call, client, name, oidc)
                    await gate.until_held(count)
                gate.held[1].let_go()
                await anyio.wait_all_tasks_blocked()
                gate.open()

    assert {name: site.provider.token_info(token).sub for name, token in got.items()} == {
        "alice": "alice",
        "bob": "bob",
    }


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_only_a_401_is_about_the_token(site, status):
    """A new one would change nothing."""
    oidc = await oidc_of(site)

    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    async with httpx.AsyncClient(transport=transport, auth=oidc.httpx_auth(API)) as client:
        answer = await client.get(API)

    assert (answer.status_code, site.refreshes) == (status, 0)


@pytest.mark.parametrize("url", ["https://name:word@api.example.com/", "https://API.example.com:443/"])
async def test_the_users_token_stands_above_what_a_url_says(site, url):
    """And above what the call had of its own."""
    oidc, api = await oidc_of(site), Api(site)

    async with api.client(oidc.httpx_auth(API)) as client:
        answer = await client.get(url, headers={"authorization": "Basic bmFtZTp3b3Jk"})

    assert (answer.status_code, api.tokens) == (200, [await oidc.access_token()])


async def test_a_401_from_another_origin_refreshes_nothing(site):
    """The API sent us on, and it was the other one that said 401."""
    oidc, api = await oidc_of(site), Api(site)

    async with api.client(oidc.httpx_auth(API)) as client:
        answer = await client.get(API + "/elsewhere", follow_redirects=True)

    assert (answer.status_code, site.refreshes, len(api.calls)) == (401, 0, 2)


async def test_a_401_while_the_provider_is_down_reaches_the_app(site):
    """The API's own answer says more than an error of ours, and the provider is not asked again at once."""
    oidc, api = await oidc_of(site), Api(site)
    api.takes_none = True

    with site.provider.fault("refresh_down"):
        async with api.client(oidc.httpx_auth(API)) as client:
            answers = [await client.get(API) for _ in range(5)]

    assert ([answer.status_code for answer in answers], site.refreshes, len(api.calls)) == ([401] * 5, 1, 5)


async def test_a_refusal_of_a_session_that_was_withdrawn_ends_it(site):
    """The provider says the same as the API."""
    oidc, api = await oidc_of(site), Api(site)
    api.takes_none = True

    with site.provider.fault("refresh_invalid_grant"):
        async with api.client(oidc.httpx_auth(API)) as client:
            with pytest.raises(SessionEnded):
                await client.get(API)

    with pytest.raises(SessionEnded):
        await oidc.access_token()


async def test_an_auth_that_outlives_its_session_sends_nothing(site):
    """A task in the background goes on after the user has signed out."""
    browser = await site.signed_in()
    oidc, api = site.app.scope["oidc"], Api(site)
    await browser.post("/auth/logout", follow=False)

    async with api.client(oidc.httpx_auth(API)) as client:
        with pytest.raises(SessionEnded):
            await client.get(API)

    assert api.calls == []


async def test_tokens_refreshed_for_an_api_call_reach_the_browser(site):
    """Like any other refresh."""
    browser = await site.signed_in()
    api = Api(site)
    api.refused.add(site.tokens[0])

    async def call(scope: Any) -> None:
        async with api.client(scope["oidc"].httpx_auth(API)) as client:
            await client.get(API)

    site.app.at_work = call
    await browser.fetch("/page")
    site.app.at_work = nothing
    elsewhere = site.restarted()
    elsewhere.app.at_work = call
    await elsewhere.browser_of(browser).fetch("/page")

    assert (site.refreshes, api.tokens[-1] == api.tokens[-2], len(api.calls)) == (1, True, 3)


async def test_all_calls_to_an_api_share_one_refresh_limit(site):
    """One refresh for an API that refuses all tokens, whatever page calls it."""
    browser = await site.signed_in()
    api = Api(site)
    api.takes_none = True

    async def call(scope: Any) -> None:
        async with api.client(scope["oidc"].httpx_auth(API)) as client:
            await client.get(API)

    site.app.at_work = call
    for _ in range(10):
        await browser.fetch("/page")
        site.clock.advance(6)

    assert site.refreshes == 1
