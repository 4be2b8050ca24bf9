"""A refresh that fails: what the app gets, what the browser gets, and whether the session goes on."""

import contextlib
import copy
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import OIDCError, RefreshFailed, SessionEnded
from asgi_oidc.tokens.refresh_lock import COOL_DOWN
from tests.protected_site import ORIGIN, nothing, who_am_i
from tests.token_site import LIFETIME, STORES, TokenSite


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


UNTOUCHED = ["refresh_down", "refresh_invalid_client"]
"""The provider did nothing: the refresh token stays good."""
USED_UP = [
    "refresh_other_sub",
    "refresh_other_iss",
    "refresh_other_aud",
    "refresh_other_nonce",
    "refresh_bad_signature",
]
"""The old refresh token is spent, and the new one may be somebody else's."""
UNREADABLE = [
    "refresh_not_json",
    "refresh_malformed_refresh_token",
    "token_html",
    "token_json_array",
    "token_deep_json",
    "token_gzip",
    "token_huge",
]
"""The old refresh token is spent, and the new one cannot be read."""
WITH_THE_NEXT = ["refresh_without_access_token", "token_type_dpop", "token_wrong_types"]
"""The old refresh token is spent, and nothing but the new one can be used."""
BAD_ID_TOKENS = [
    "id_token_expired",
    "id_token_no_exp",
    "id_token_iat_future",
    "id_token_alg_none",
    "id_token_hs256_with_public_key",
    "id_token_foreign_key",
    "id_token_five_parts",
    "id_token_crit",
    "id_token_bad_at_hash",
    "id_token_wrong_azp",
    "id_token_extra_aud",
    "id_token_sub_number",
    "id_token_duplicate_sub",
    "id_token_array_payload",
]


@pytest.mark.parametrize("fault", UNTOUCHED)
async def test_a_refresh_that_was_not_made_is_made_later(site, fault):
    """The session goes on, and so does its token once the provider does."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(fault):
        down = await browser.fetch("/page")
    site.clock.advance(COOL_DOWN)
    up = await browser.fetch("/page")

    assert (down.status_code, down.headers["retry-after"], up.status_code) == (503, "5", 200)
    assert (await who_am_i(browser), len(site.tokens)) == ("alice", 2)


@pytest.mark.parametrize("fault", USED_UP + UNREADABLE)
async def test_an_invalid_refresh_answer_is_not_used(site, fault):
    """Who it is stays as it was. What came with somebody else's ID Token is not used, and the old refresh token is not
    sent again: the provider would take that for theft, and end the grant. Nothing is revoked: the session goes on, and
    what came may be another user's."""
    browser = await site.signed_in()
    before = (await browser.fetch("/auth/session")).json()["claims"]
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(fault):
        first = await browser.fetch("/page")
    after = (await browser.fetch("/auth/session")).json()["claims"]
    site.clock.advance(COOL_DOWN)
    second = await browser.fetch("/page")

    assert (first.status_code, len(site.tokens), after) == (503, 1, before)
    assert (second.status_code, await who_am_i(browser)) == (401, "alice")
    assert (site.refreshes, site.provider.revoked, site.provider.memory.revoked_grants) == (1, [], set())
    assert (await browser.get("/page")).json()["sub"] == "alice"


@pytest.mark.parametrize("fault", WITH_THE_NEXT)
async def test_the_refresh_token_of_an_answer_that_is_refused_is_used_next(site, fault):
    """It was given, whatever else is wrong with the answer; the old one is spent by that."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(fault):
        first = await browser.fetch("/page")
    site.clock.advance(COOL_DOWN)
    second = await browser.fetch("/page")

    assert (first.status_code, second.status_code, await who_am_i(browser)) == (503, 200, "alice")
    assert (site.refreshes, site.provider.memory.revoked_grants) == (2, set())


@pytest.mark.parametrize("fault", WITH_THE_NEXT + UNREADABLE)
async def test_a_resource_that_is_refused_keeps_no_spent_refresh_token_either(site, fault):
    """It is got with the same refresh token."""
    browser = await site.signed_in()

    with site.provider.fault(fault), pytest.raises(RefreshFailed):
        await site.app.scope["oidc"].access_token(resource="https://orders.example.com")
    site.clock.advance(LIFETIME + 1)
    page = await browser.fetch("/page")

    assert page.status_code == (200 if fault in WITH_THE_NEXT else 401)
    assert (site.provider.memory.revoked_grants, await who_am_i(browser)) == (set(), "alice")


@pytest.mark.parametrize("fault", ["token_html", "refresh_without_access_token", "refresh_malformed_refresh_token"])
async def test_an_exchange_that_is_refused_spends_no_refresh_token(site, fault):
    """It uses the access token."""
    browser = await site.signed_in()

    with site.provider.fault(fault), contextlib.suppress(RefreshFailed):
        await site.app.scope["oidc"].exchange_token(audience="orders")
    site.clock.advance(LIFETIME + 1)

    assert (await browser.fetch("/page")).status_code == 200


@pytest.mark.parametrize("fault", [it for it in USED_UP + UNREADABLE + WITH_THE_NEXT if "malformed" not in it])
async def test_without_rotation_it_is_tried_again(site, fault):
    """The refresh token is still good: this provider has never given another one."""
    site.provider.rotates_refresh_tokens = False
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(fault):
        first = await browser.fetch("/page")
    site.clock.advance(COOL_DOWN)
    second = await browser.fetch("/page")

    assert (first.status_code, second.status_code, await who_am_i(browser)) == (503, 200, "alice")


@pytest.mark.parametrize(
    ("status", "later", "calls"), [(200, 401, 1), (503, 200, 2), (None, 200, 2)], ids=["in the body", "503", "before"]
)
@pytest.mark.parametrize("store", STORES)
async def test_a_connection_that_breaks_keeps_a_refresh_token_that_is_not_spent(store, status, later, calls):
    """An answer that began with 200 has spent it; without an answer nobody knows, and most often nothing was done."""
    network = BrokenNetwork()
    site = TokenSite(store, http_client=httpx.AsyncClient(transport=network))
    network.provider, network.is_processing = httpx.ASGITransport(app=site.provider), status == 200
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    network.is_broken, network.status = True, status
    first = await browser.fetch("/page")
    network.is_broken = False
    site.clock.advance(COOL_DOWN)
    second = await browser.fetch("/page")

    assert (first.status_code, second.status_code, network.refreshes) == (503, later, calls)
    assert (site.provider.memory.revoked_grants, await who_am_i(browser)) == (set(), "alice")


class BrokenNetwork(httpx.AsyncBaseTransport):
    """Brings calls to the provider, until it breaks.

    Attributes:
        status: how the answer begins before it breaks off, None where it breaks before.
        is_processing: whether the call arrives.
        refreshes: how many were sent.
    """

    provider: httpx.ASGITransport
    is_broken = False
    is_processing = False
    status: int | None = None
    refreshes = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_refresh = b"grant_type=refresh_token" in await request.aread()
        self.refreshes += is_refresh
        if not (is_refresh and self.is_broken):
            return await self.provider.handle_async_request(request)
        if self.is_processing:
            await self.provider.handle_async_request(request)
        if self.status is None:
            raise httpx.ReadError("broken")
        return httpx.Response(self.status, stream=HalfABody())


class HalfABody(httpx.AsyncByteStream):
    """Breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"access_token": "at'
        raise httpx.ReadError("broken")


@pytest.mark.parametrize("fault", BAD_ID_TOKENS)
async def test_the_id_token_of_a_refresh_is_checked_like_that_of_a_login(site, fault):
    """One was once stored unseen, because it came by a refresh (mod_auth_openidc 2026-07-31)."""
    browser = await site.signed_in()
    before = site.app.scope["oidc"].id_token
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(fault):
        page = await browser.fetch("/page")
    site.app.at_work = nothing
    await browser.fetch("/page")

    assert (page.status_code, len(site.tokens)) == (503, 1)
    assert (site.app.scope["user"].sub, site.app.scope["oidc"].id_token) == ("alice", before)


@pytest.mark.parametrize("stated", ["soon", True, -5, 1e300, None])
async def test_a_stated_end_that_is_none_makes_no_token_and_ends_no_session(site, stated):
    """A provider that writes nonsense has not said that it is over."""
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"session_expiry": stated}
    site.clock.advance(LIFETIME + 1)

    page = await browser.fetch("/page")

    assert (page.status_code, len(site.tokens), await who_am_i(browser)) == (503, 1, "alice")


async def test_a_stated_end_that_is_past_ends_the_session(site):
    """The provider says that it is over."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) - 1}

    page = await browser.fetch("/page")

    assert (page.status_code, len(site.tokens), await who_am_i(browser)) == (401, 1, None)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("refresh_down", RefreshFailed, "refresh_token_unavailable"),
        ("refresh_invalid_client", RefreshFailed, "refresh_provider_refused"),
        ("refresh_other_sub", RefreshFailed, "refresh_claim_sub"),
        ("refresh_bad_signature", RefreshFailed, "refresh_signature"),
        ("refresh_without_access_token", RefreshFailed, "refresh_access_token_missing"),
        ("refresh_invalid_grant", SessionEnded, "session_ended"),
    ],
)
async def test_the_app_is_told_why(site, fault, error, code):
    """It may show its page without what it wanted to get."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    raised: list[OIDCError] = []

    async def go_on_without(scope: Any) -> None:
        try:
            await scope["oidc"].access_token()
        except OIDCError as exc:
            raised.append(exc)

    site.app.at_work = go_on_without
    with site.provider.fault(fault):
        page = await browser.fetch("/page")

    assert (page.status_code, [(type(exc), exc.code) for exc in raised]) == (200, [(error, code)])


async def test_a_failed_refresh_is_remembered_for_all_requests(site):
    """A hundred at once, and later ones with a copy of the cookies: one call in ten seconds."""
    browser = await site.signed_in()
    copied = site.browser(jar=copy.deepcopy(browser.jar))
    site.clock.advance(LIFETIME + 1)
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    with site.provider.fault("refresh_down"):
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(visit)
        site.clock.advance(COOL_DOWN - 1)
        late = await copied.fetch("/page")

    assert (statuses, late.status_code, late.headers["retry-after"], site.refreshes) == ([503] * 100, 503, "1", 1)


async def test_a_valid_token_is_used_while_a_failure_is_remembered(site):
    """One call in ten seconds, also in the last minute of a token."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME - 60)

    with site.provider.fault("refresh_down"):
        for _ in range(50):
            assert (await browser.fetch("/page")).status_code == 200
            site.clock.advance(1)

    assert (site.refreshes, len(set(site.tokens))) == (5, 1)


async def test_a_withdrawn_session_ends_for_all_with_one_call(site):
    """Twenty requests of one page."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    statuses: list[int] = []

    async def visit() -> None:
        statuses.append((await browser.tab().fetch("/page")).status_code)

    with site.provider.fault("refresh_invalid_grant"):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(visit)

    assert (statuses, site.refreshes, await who_am_i(browser)) == ([401] * 20, 1, None)


async def test_a_withdrawn_session_leads_a_person_to_a_new_login(site):
    """And a program to where it can send its user."""
    browser = await site.signed_in()
    copied = site.browser(jar=copy.deepcopy(browser.jar))
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault("refresh_invalid_grant"):
        page = await browser.get("/page?a=1", follow=False)
        program = await copied.fetch("/page")
    back = await browser.get(page.location)

    assert (page.status_code, page.location.startswith(site.provider.issuer)) == (303, True)
    assert (program.status_code, program.json()["login_url"].startswith(f"{ORIGIN}/auth/login")) == (401, True)
    assert (back.status_code, back.path) == (200, "/page?a=1")


async def test_a_person_reads_that_nothing_is_lost(site):
    """A page in words, with a way on."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault("refresh_down"):
        page = await browser.get("/page?a=1")
    site.clock.advance(COOL_DOWN)
    again = await browser.click("Try again")

    assert (page.status_code, "You are still signed in" in page.text) == (503, True)
    assert (again.status_code, again.path) == (200, "/page?a=1")


async def test_a_public_page_that_needs_a_token_says_the_same(site):
    """It is the token that is missing, wherever it was asked for."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault("refresh_down"):
        page = await browser.fetch("/public/page")

    assert (page.status_code, page.headers["cache-control"]) == (503, "no-store")


async def test_a_failure_after_the_response_has_started_propagates_to_the_server(site):
    """Nobody can take back what was sent; the session stays as it is."""
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await scope["oidc"].access_token()

    site.middleware.app = stream
    with site.provider.fault("refresh_down"), pytest.raises(RefreshFailed):
        await browser.fetch("/page")
    site.middleware.app = site.app

    assert await who_am_i(browser) == "alice"


async def test_refresh_tokens_that_run_out_end_the_session(site):
    """The provider has its own limits, and says `invalid_grant`."""
    site.provider.refresh_token_lifetime = 1000
    browser = await site.signed_in()
    site.clock.advance(1001)

    page = await browser.fetch("/page")

    assert (page.status_code, await who_am_i(browser)) == (401, None)


async def test_a_user_whom_the_provider_has_deleted_is_signed_out(site):
    """With the next refresh."""
    browser = await site.signed_in()
    del site.provider.personas["alice"]
    site.clock.advance(LIFETIME + 1)

    page = await browser.fetch("/page")

    assert (page.status_code, await who_am_i(browser)) == (401, None)


async def test_no_secret_reaches_the_log(site, caplog):
    """What the provider says in its own words does: it holds the answer."""
    browser = await site.signed_in()
    refresh_tokens = list(site.provider.memory.refresh_tokens)

    for fault in (*UNTOUCHED, *USED_UP, "refresh_invalid_grant"):
        site.clock.advance(LIFETIME + 1)
        with site.provider.fault(fault):
            await browser.fetch("/page")

    assert "refresh_failed" in caplog.text
    assert not any(token in caplog.text for token in [*refresh_tokens, *site.tokens])
    assert "invalid_client: unknown client" in caplog.text
