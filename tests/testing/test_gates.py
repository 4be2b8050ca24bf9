"""A test can hold calls to the fake provider and let them go when it likes."""

import anyio
import anyio.lowlevel
import httpx
import pytest

from asgi_oidc.testing import FakeProvider
from tests.testing.relying_party import RelyingParty


@pytest.fixture
def rp(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider, scope="openid offline_access")


@pytest.mark.parametrize(("when", "is_untouched"), [("before", True), ("after", False)])
async def test_call_waits_until_it_may_go(provider, rp, when, is_untouched):
    """Before the provider does anything, or after it did and before it answers."""
    token = (await rp.login())["refresh_token"]
    answers: list[httpx.Response] = []
    async with anyio.create_task_group() as tasks:
        with provider.hold("refresh", when=when) as gate:
            tasks.start_soon(refresh_into, answers, rp, token)
            await gate.until_held()
            meanwhile = (provider.token_info(token).active, len(answers), provider.count_grants("refresh_token"))
            gate.open()

    assert meanwhile == (is_untouched, 0, 1)
    assert [answer.status_code for answer in answers] == [200]


async def test_calls_can_be_let_go_in_any_order(provider, rp):
    """So that answers come back interleaved."""
    tokens = [(await rp.login(sub))["refresh_token"] for sub in ("alice", "bob")]
    answers: list[httpx.Response] = []
    async with anyio.create_task_group() as tasks:
        with provider.hold("token") as gate:
            for token in tokens:
                tasks.start_soon(refresh_into, answers, rp, token)
            await gate.until_held(2)
            next(it for it in gate.held if it.call.form["refresh_token"] == tokens[1]).let_go()
            while not answers:
                await anyio.lowlevel.checkpoint()

    subs = [provider.token_info(answer.json()["access_token"]).sub for answer in answers]
    assert subs == ["bob", "alice"]


@pytest.mark.parametrize(("when", "is_untouched"), [("before", True), ("after", False)])
async def test_a_call_cancelled_at_the_gate_goes_no_further(provider, rp, when, is_untouched):
    """A client that went away before was never heard."""
    token = (await rp.login())["refresh_token"]
    with provider.hold("refresh", when=when) as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rp.refresh, token)
            await gate.until_held()
            tasks.cancel_scope.cancel()
        left = list(gate.held)

    assert left == []
    assert provider.token_info(token).active is is_untouched


async def test_gate_holds_only_what_it_is_for(provider, rp):
    """A held refresh leaves logins alone."""
    with provider.hold("refresh"), anyio.fail_after(5):
        tokens = await rp.login()
        answer = await rp.revoke(token=tokens["refresh_token"])

    assert answer.status_code == 200


async def test_opened_gate_holds_nothing_more(provider, rp):
    """A test that opens it is done with it."""
    token = (await rp.login())["refresh_token"]
    with provider.hold("refresh") as gate:
        gate.open()
        with anyio.fail_after(5):
            answer = await rp.refresh(token)

    assert answer.status_code == 200


async def test_waiting_for_a_call_that_never_comes_fails(provider):
    """A test should fail and not stand still."""
    with provider.hold("refresh") as gate, pytest.raises(TimeoutError):
        await gate.until_held(within=0.01)


def test_gate_for_an_unknown_name_is_refused(provider):
    """A typing mistake would hold nothing, and the test would prove nothing."""
    with pytest.raises(ValueError, match="token_exchange"), provider.hold("refesh"):
        pass


async def refresh_into(answers: list[httpx.Response], rp: RelyingParty, token: str) -> None:
    answers.append(await rp.refresh(token))
