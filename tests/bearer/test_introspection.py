"""However many requests bring however many tokens, the provider gets few calls, and nobody waits for others."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_oidc.bearer.introspection import (
    MAX_CALLS,
    MAX_CALLS_AGAIN,
    MAX_WAITING,
    REFUSED_LIFETIME,
    Introspection,
)
from asgi_oidc.errors import AnswerRejected, OIDCError, ProviderUnavailable, TokenRejected
from asgi_oidc.provider.call_limit import MAX_CALLS_PER_PROVIDER
from tests.provider.provider_caches import all_at_once
from tests.provider.token_connection import EXPECTED, TokenConnection

LIFETIME = 30


class Api(TokenConnection):
    """An API that introspects the tokens of requests."""

    def __init__(self, lifetime: int = LIFETIME, **options: Any) -> None:
        super().__init__(**options)
        self.introspection = Introspection(EXPECTED, lifetime=lifetime, now=lambda: int(self.clock.now))

    async def call(self, token: str) -> str:
        """Make a request with a token; return whose it is."""
        return (await self.introspection.introspect(token, self.connection)).access_token.sub

    async def outcome(self, token: str) -> str:
        """Return whose a token is, or why it is refused."""
        try:
            return await self.call(token)
        except OIDCError as error:
            return error.code

    def opaque(self, sub: str = "alice", **options: Any) -> str:
        """Return a new opaque token."""
        return self.token(sub, opaque=True, **options)

    async def hold_calls(self, count: int, then: Callable[[], Awaitable[None]]) -> list[str]:
        """Make requests with as many made-up tokens while the provider is slow; return what became of them."""
        outcomes: list[str] = []

        async def request(number: int) -> None:
            outcomes.append(await self.outcome(f"made-up-{number}"))

        with self.provider.hold("introspect") as gate:
            async with anyio.create_task_group() as group:
                for number in range(count):
                    group.start_soon(request, number)
                await gate.until_held(min(count, MAX_CALLS))
                await anyio.wait_all_tasks_blocked()
                await then()
                gate.open()
        return outcomes


async def test_an_answer_is_kept_for_seconds():
    """Not longer, as a token can be revoked."""
    api = Api()
    token = api.opaque()

    for seconds in (0, 10, LIFETIME - 11):
        api.clock.advance(seconds)
        assert await api.call(token) == "alice"
    assert api.introspections == 1

    api.clock.advance(1)
    api.provider.memory.access_tokens.clear()
    assert (await api.outcome(token), api.introspections) == ("token_inactive", 2)


async def test_an_answer_is_kept_until_the_token_expires():
    """Whatever comes first."""
    api = Api()
    token = api.opaque(lifetime=10)
    answer = await api.introspection.introspect(token, api.connection)
    assert answer.fresh_until == answer.access_token.expires_at == int(api.clock.now) + 10

    api.clock.advance(10)

    assert (await api.outcome(token), api.introspections) == ("token_inactive", 2)


async def test_an_answer_without_expiry_is_kept_for_seconds_too():
    """The member is optional."""
    api = Api()
    with api.provider.fault("introspection_no_exp"):
        answer = await api.introspection.introspect(api.opaque(), api.connection)

    assert answer.fresh_until == int(api.clock.now) + LIFETIME


async def test_without_a_cache_each_request_asks():
    """For an app that needs revocation at once."""
    api = Api(lifetime=0)
    token = api.opaque()

    assert [await api.outcome(token) for _ in range(3)] == ["alice"] * 3
    assert [await api.outcome("made-up") for _ in range(3)] == ["token_inactive"] * 3
    assert api.introspections == 6


async def test_the_clock_counts_from_the_call_not_from_its_answer():
    """A slow answer is about the past."""
    api = Api()
    token = api.opaque()

    with api.provider.hold("introspect", when="after") as gate:
        async with anyio.create_task_group() as group:
            group.start_soon(api.call, token)
            await gate.until_held()
            api.clock.advance(5)
            gate.open()

    answer = await api.introspection.introspect(token, api.connection)
    assert answer.fresh_until == int(api.clock.now) - 5 + LIFETIME


async def test_a_refused_token_costs_one_call_in_seconds():
    """A client that does not give up; a token that is only just issued works soon."""
    api = Api()
    for seconds in (0, REFUSED_LIFETIME - 1):
        api.clock.advance(seconds)
        assert await api.outcome("new-token") == "token_inactive"
    assert api.introspections == 1

    api.provider.memory.access_tokens["new-token"] = api.provider.memory.access_tokens[api.opaque()]
    api.clock.advance(1)
    assert await api.outcome("new-token") == "alice"


async def test_a_token_for_another_api_is_remembered_as_well():
    """Each check of the answer refuses."""
    api = Api()
    token = api.opaque(audience="https://other.example.com")

    assert [await api.outcome(token) for _ in range(3)] == ["claim_aud"] * 3
    assert api.introspections == 1


@pytest.mark.parametrize("fault", ["introspection_500", "introspection_html", "introspection_invalid_client"])
async def test_an_outage_is_not_remembered(fault):
    """Nor is it an answer about the token."""
    api = Api()
    token = api.opaque()

    with api.provider.fault(fault):
        for _ in range(2):
            with pytest.raises(OIDCError) as caught:
                await api.call(token)
            assert not isinstance(caught.value, TokenRejected)

    assert await api.call(token) == "alice"


async def test_an_answer_that_is_too_old_does_not_help_in_an_outage():
    """A revoked token would live as long as the outage that somebody causes."""
    api = Api()
    token = api.opaque()
    await api.call(token)
    api.clock.advance(LIFETIME)

    with api.provider.fault("introspection_down"), pytest.raises(ProviderUnavailable):
        await api.call(token)


@pytest.mark.parametrize("sub", ["alice", None])
async def test_a_hundred_requests_with_one_token_cost_one_call(sub):
    """A good one or a made-up one."""
    api = Api()
    token = api.opaque(sub) if sub else "made-up"

    outcomes = await all_at_once(100, lambda: api.outcome(token))

    assert (set(outcomes), api.introspections) == ({sub or "token_inactive"}, 1)


async def test_an_outage_reaches_all_who_wait():
    """With one call."""
    api = Api()
    with api.provider.fault("introspection_html"):
        errors = await all_at_once(20, lambda: api.call("token"))

    assert ({type(error) for error in errors}, api.introspections) == ({AnswerRejected}, 1)


async def test_a_client_that_leaves_does_not_end_the_call():
    """The one who asked first, while another one waits."""
    api = Api()
    token, outcomes = api.opaque(), list[str]()

    async def wait() -> None:
        outcomes.append(await api.outcome(token))

    with api.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as group:
            leaving = anyio.CancelScope()

            async def leave() -> None:
                with leaving:
                    await api.call(token)

            group.start_soon(leave)
            await gate.until_held()
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            leaving.cancel()
            await anyio.wait_all_tasks_blocked()
            gate.open()

    assert (outcomes, api.introspections) == (["alice"], 1)


async def test_an_answer_is_kept_even_if_nobody_waits_for_it():
    """The client that left comes back."""
    api = Api()
    token = api.opaque()

    with api.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as group:
            group.start_soon(api.call, token)
            await gate.until_held()
            group.cancel_scope.cancel()
        gate.open()
        await anyio.wait_all_tasks_blocked()

    assert (await api.call(token), api.introspections) == ("alice", 1)


async def test_calls_at_once_are_limited():
    """The others wait for a slot, and then get their answer."""
    api = Api()

    async def count() -> None:
        assert api.introspections == MAX_CALLS

    outcomes = await api.hold_calls(MAX_CALLS + 30, count)

    assert (outcomes, api.introspections) == (["token_inactive"] * (MAX_CALLS + 30), MAX_CALLS + 30)


async def test_too_many_that_wait_are_sent_away_at_once():
    """With a time to try again, not with a verdict on the token."""
    api = Api()

    async def one_more() -> None:
        with pytest.raises(ProviderUnavailable) as caught:
            await api.call("one-more")
        assert (caught.value.code, caught.value.retry_after > 0) == ("introspection_limit", True)

    outcomes = await api.hold_calls(MAX_CALLS + MAX_WAITING, one_more)

    assert set(outcomes) == {"token_inactive"}
    assert await api.outcome("one-more") == "token_inactive"


async def test_tokens_that_were_active_do_not_wait_behind_made_up_ones():
    """A flood of made-up tokens while the provider is slow makes no known user wait."""
    api = Api()
    known = api.opaque()
    await api.call(known)
    api.clock.advance(LIFETIME)
    before = api.introspections
    with api.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as group:
            for number in range(MAX_CALLS + MAX_WAITING + 10):
                group.start_soon(api.outcome, f"made-up-{number}")
            await gate.until_held(MAX_CALLS)
            group.start_soon(api.call, known)
            await gate.until_held(MAX_CALLS + 1)
            gate.open()

    assert api.introspections > before + MAX_CALLS


async def test_a_known_answer_does_not_wait_at_all():
    """Whatever else is going on."""
    api = Api()
    known = api.opaque()
    await api.call(known)

    async def call_again() -> None:
        assert await api.call(known) == "alice"

    await api.hold_calls(MAX_CALLS + MAX_WAITING, call_again)


async def test_a_slow_introspection_leaves_room_for_sign_ins():
    """They share the connections to the provider, not the limit."""
    assert MAX_CALLS + MAX_CALLS_AGAIN < MAX_CALLS_PER_PROVIDER
    api = Api()

    async def keys() -> None:
        logout = await api.connection.check_logout_token(api.provider.logout_token("alice"))
        assert logout.sub == "alice"

    await api.hold_calls(MAX_CALLS + MAX_WAITING, keys)


async def test_two_providers_do_not_share_answers():
    """The same text may be a token at both."""
    one, other = Api(), Api()
    token = one.opaque()
    await one.introspection.introspect(token, one.connection)

    with pytest.raises(TokenRejected):
        await one.introspection.introspect(token, other.connection)


async def test_no_token_is_kept_as_text():
    """What is in memory ends up in dumps and error reports."""
    api = Api()
    token = api.opaque()
    await api.call(token)

    cache = api.introspection._cache
    assert token.encode() not in b"".join(cache._active)
    assert token not in repr(cache._active)
