"""Opaque tokens: the provider says whether they are active, again and again."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.bearer.test_token_issuers import Providers
from tests.bearer.token_calls import API, TokenSite, problem
from tests.protected_site import Exchange


def opaque(site: TokenSite, **options: Any) -> str:
    return site.provider.access_token("alice", audience=API, **{"opaque": True, "scopes": ["orders:read"], **options})


async def test_an_active_token_reaches_the_app():
    """Its claims are those of the answer; one answer counts for a while."""
    site = TokenSite()
    token = opaque(site)

    answers = [await site.call_with(token) for _ in range(3)]

    user = site.app.scope["user"]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert (user.sub, user.issuer, user.credential) == ("alice", site.provider.issuer, "bearer")
    assert (site.app.scope["auth"].scopes, site.provider.count("/introspect")) == (["authenticated", "orders:read"], 1)


@pytest.mark.parametrize(("seconds", "is_over"), [(29, False), (30, True)])
async def test_a_revoked_token_ends_within_the_time_that_an_answer_counts(seconds, is_over):
    """That is what `introspection_cache` promises."""
    site = TokenSite()
    token = opaque(site)
    await site.call_with(token)
    site.provider.memory.access_tokens.pop(token)
    site.clock.advance(seconds)

    answer = await site.call_with(token)

    assert answer.status == (401 if is_over else 200)


async def test_a_clock_that_is_set_back_makes_no_answer_last_longer():
    """Else a revoked token would count until the clock catches up."""
    site = TokenSite()
    token = opaque(site, lifetime=7200)
    await site.call_with(token)
    site.provider.memory.access_tokens.pop(token)
    site.clock.advance(-3600)

    assert (await site.call_with(token)).status == 401


async def test_without_a_cache_each_request_asks():
    """For apps that want a revocation to count at once."""
    site = TokenSite(bearer={"introspection_cache": 0})
    token = opaque(site)

    answers = [await site.call_with(token) for _ in range(3)]

    assert ([answer.status for answer in answers], site.provider.count("/introspect")) == ([200, 200, 200], 3)


async def test_the_app_looks_at_a_token_once_for_as_long_as_the_provider_says_the_same():
    """`on_token` may call a database."""
    calls = list[dict[str, Any]]()

    async def on_token(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
        calls.append(claims)
        return {**claims, "seen": len(calls)}

    site = TokenSite(bearer={"on_token": on_token})
    token = opaque(site)
    for _ in range(3):
        await site.call_with(token)
        site.clock.advance(40)

    assert (len(calls), site.provider.count("/introspect")) == (1, 3)
    assert site.app.scope["user"].claims["seen"] == 1

    known = site.provider.memory.access_tokens
    known[token] = replace(known[token], claims={**known[token].claims, "team": "red"})
    await site.call_with(token)

    assert (len(calls), site.app.scope["user"].claims["team"]) == (2, "red")


@pytest.mark.parametrize("fault", ["introspection_down", "introspection_500", "introspection_busy"])
async def test_a_provider_that_is_down_lets_nobody_in(fault):
    """An answer that is too old does not count, and no token is called wrong."""
    site = TokenSite()
    token = opaque(site)
    await site.call_with(token)
    site.app.scopes.clear()
    site.clock.advance(31)
    with site.provider.fault(fault):
        answer = await site.call_with(token, "/public/page")

    assert (answer.status, answer.header(b"retry-after") is not None, site.app.scopes) == (503, True, [])


async def test_an_answer_that_cannot_be_used_lets_nobody_in():
    """A page with status 200 says nothing."""
    site = TokenSite()
    with site.provider.fault("introspection_html"):
        answer = await site.call_with(opaque(site))

    assert (answer.status, site.app.scopes) == (502, [])


async def test_jwts_are_not_introspected_unless_that_is_set():
    """Their signature says enough, until they expire."""
    plain, strict = TokenSite(), TokenSite(bearer={"introspect_jwt": True})
    for site in (plain, strict):
        answer = await site.call_with(opaque(site, opaque=False))
        assert answer.status == 200

    assert (plain.provider.count("/introspect"), strict.provider.count("/introspect")) == (0, 1)


async def test_a_jwt_of_another_issuer_is_never_shown_to_the_provider():
    """It belongs to someone else."""
    site = TokenSite(bearer={"introspect_jwt": True})

    answer = await site.call_with(site.token(iss="https://other.example.com"))

    assert (answer.status, problem(answer)["error"], site.provider.count("/introspect")) == (401, "claim_iss", 0)


async def test_with_several_providers_the_named_one_is_asked():
    """An opaque token does not say where it comes from."""
    providers = Providers()
    site = providers.site(bearer={"introspect": "work", "introspect_jwt": True})
    at_home, at_work = (
        provider.access_token("alice", audience=API, opaque=True) for provider in (providers.home, providers.work)
    )
    jwt_of_home = providers.home.access_token("alice", audience=API)

    answers = [await site.call_with(token) for token in (at_work, at_home, jwt_of_home)]

    assert [answer.status for answer in answers] == [200, 401, 200]
    assert (providers.work.count("/introspect"), providers.home.count("/introspect")) == (2, 0)


async def test_requests_with_one_new_token_ask_once():
    """However many wait."""
    site = TokenSite()
    token, statuses = opaque(site), list[int]()

    async def call() -> None:
        statuses.append((await site.call_with(token)).status)

    with site.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            gate.open()

    assert (statuses, site.provider.count("/introspect")) == ([200] * 20, 1)


async def test_at_its_end_the_app_waits_for_the_calls_that_are_running():
    """A call goes on when its request is gone; a server that stops must not cut it off."""
    site, ended = TokenSite(), anyio.Event()
    token = opaque(site)

    async def run_lifespan() -> None:
        exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)
        ended.set()

    with site.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as requests:
            requests.start_soon(site.call_with, token)
            await gate.until_held()
            requests.cancel_scope.cancel()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_lifespan)
            await anyio.wait_all_tasks_blocked()
            was_over = ended.is_set()
            gate.open()

    assert (was_over, ended.is_set()) == (False, True)
