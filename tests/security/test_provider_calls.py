"""How often the provider is called: once per login when warm, once in all when cold, and never as often as asked."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.browser import Response

from .attacked_site import NOW, AttackedSite, Clock, who_am_i
from .held_calls import Gate, calls_of_ours
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

DISCOVERY = "openid-configuration"


@pytest.fixture
def stage() -> AttackedSite:
    """Ed25519 signs fastest."""
    clock = Clock()
    stage = AttackedSite(FakeProvider(clock=clock, alg="EdDSA"), clock=clock)
    stage.clock = clock
    return stage


def gated(path: str) -> tuple[AttackedSite, Gate]:
    provider = FakeProvider(clock=lambda: NOW, alg="EdDSA")
    gate = Gate(provider, path)
    return AttackedSite(provider, http_client=gate.http_client()), gate


async def all_at_once(gate: Gate, deeds: list[Callable[[], Awaitable[Response]]]) -> list[Response]:
    """Start all, let each come as far as the gate, then open it."""
    answers: list[Response] = []

    async def do(deed: Callable[[], Awaitable[Response]]) -> None:
        answers.append(await deed())

    async with anyio.create_task_group() as group:
        for deed in deeds:
            group.start_soon(do, deed)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        gate.open()
    return answers


@pytest.mark.parametrize(("in_id_token", "expected"), [(True, ["token"]), (False, ["token", "userinfo"])])
async def test_a_warm_login_makes_one_call_or_two_with_userinfo(
    stage: AttackedSite, in_id_token: bool, expected: list[str]
) -> None:
    """Each call more is a wait more for every user."""
    stage.provider.claims_in_id_token = in_id_token
    await stage.signed_in()
    stage.provider.calls.clear()

    await stage.signed_in("bob")

    assert calls_of_ours(stage.provider) == expected


async def test_a_request_of_a_signed_in_user_makes_no_call(stage: AttackedSite) -> None:
    """A session is ours to know."""
    browser = await stage.signed_in()
    stage.provider.calls.clear()

    for path in ("/page", "/public", "/auth/session"):
        await browser.get(path)

    assert calls_of_ours(stage.provider) == []


async def test_100_first_visits_at_once_make_one_discovery_call() -> None:
    """A process that has just started is not to stampede the provider."""
    stage, gate = gated(DISCOVERY)

    answers = await all_at_once(gate, [lambda: stage.browser().get("/page", follow=False)] * 100)

    assert [answer.status_code for answer in answers] == [303] * 100
    assert calls_of_ours(stage.provider) == [DISCOVERY]


async def test_100_first_callbacks_at_once_make_one_jwks_call() -> None:
    """The keys are the same for all."""
    stage, gate = gated("/jwks")
    waiting = [await stage.login_in_progress() for _ in range(100)]

    answers = await all_at_once(gate, [finishing(browser, callback) for browser, callback in waiting])

    assert [answer.json()["sub"] for answer in answers] == ["alice"] * 100
    counts = {name: calls_of_ours(stage.provider).count(name) for name in (DISCOVERY, "jwks", "token")}
    assert counts == {DISCOVERY: 1, "jwks": 1, "token": 100}


def finishing(browser: Browser, callback: str) -> Callable[[], Awaitable[Response]]:
    return lambda: browser.get(callback)


async def test_a_cancelled_request_does_not_fail_the_others() -> None:
    """The one whose request makes the call may close the page; the others still wait for an answer."""
    stage, gate = gated(DISCOVERY)
    impatient = anyio.CancelScope()
    answers: list[int] = []

    async def visit(scope: anyio.CancelScope | None = None) -> None:
        with scope or anyio.CancelScope():
            answers.append((await stage.browser().get("/page", follow=False)).status_code)

    async with anyio.create_task_group() as group:
        group.start_soon(visit, impatient)
        await anyio.wait_all_tasks_blocked()
        for _ in range(9):
            group.start_soon(visit)
        await anyio.wait_all_tasks_blocked()
        impatient.cancel()
        await anyio.wait_all_tasks_blocked()
        gate.open()

    assert answers == [303] * 9
    assert len(calls_of_ours(stage.provider)) <= 2


@pytest.mark.long
async def test_a_flood_of_made_up_key_ids_makes_a_handful_of_jwks_calls(stage: AttackedSite) -> None:
    """Anyone can make up a key id; it must not make us hammer the provider."""
    flood = size(200, 10_000)
    await stage.signed_in()
    stage.provider.calls.clear()

    with stage.provider.fault("id_token_made_up_kid"):
        for _ in range(flood):
            browser, callback = await stage.login_in_progress()
            assert (await browser.get(callback)).status_code == 502

    print(f"{flood} made-up key ids: {stage.provider.count('/jwks')} JWKS calls")
    assert stage.provider.count("/token") == flood
    assert stage.provider.count("/jwks") <= 3


async def test_a_flood_at_once_makes_one_jwks_call_at_a_time() -> None:
    """Those who wait for the same keys share the call."""
    stage, gate = gated("/jwks")
    stage.provider.faults.add("id_token_made_up_kid")
    waiting = [await stage.login_in_progress() for _ in range(50)]

    answers = await all_at_once(gate, [finishing(browser, callback) for browser, callback in waiting])

    assert {answer.status_code for answer in answers} == {502}
    assert stage.provider.count("/jwks") <= 4


async def test_after_a_flood_a_new_key_is_found_within_half_a_minute(stage: AttackedSite) -> None:
    """What stops an attacker must not stop the provider from changing its keys."""
    with stage.provider.fault("id_token_made_up_kid"):
        for _ in range(10):
            browser, callback = await stage.login_in_progress()
            await browser.get(callback)
    stage.provider.rotate_keys()

    stage.clock.now += 30

    assert await who_am_i(await stage.signed_in()) == "alice"


@pytest.mark.parametrize("keep_old", [True, False])
async def test_a_new_key_is_picked_up_at_once(stage: AttackedSite, keep_old: bool) -> None:
    """The provider need not warn us before it changes its keys."""
    await stage.signed_in()

    for _ in range(3):
        stage.provider.rotate_keys(keep_old=keep_old)
        await stage.signed_in()

    assert stage.provider.count("/jwks") == 4


async def test_old_keys_serve_while_the_key_set_is_down(stage: AttackedSite) -> None:
    """An outage of one endpoint must not stop logins for an hour."""
    await stage.signed_in()

    with stage.provider.fault("jwks_down"):
        stage.clock.now += 400
        await stage.signed_in()
        stage.clock.now = NOW + 300 + 3600 - 1
        await stage.signed_in()
        stage.clock.now = NOW + 300 + 3600 + 60
        browser, callback = await stage.login_in_progress()
        too_old = await browser.get(callback)

    assert (too_old.status_code, "retry-after" in too_old.headers) == (503, True)
    stage.clock.now += 60
    await stage.signed_in()


@pytest.mark.long
async def test_a_provider_that_is_down_is_asked_a_few_times_only(stage: AttackedSite) -> None:
    """Every visitor of every page comes by here while it is down."""
    visits = size(200, 10_000)

    with stage.provider.fault("discovery_down"):
        answers = [await stage.browser().get("/page") for _ in range(visits)]

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert stage.provider.count(DISCOVERY) <= 3
    stage.clock.now += 10
    await stage.signed_in()


async def test_sessions_and_public_pages_go_on_while_the_provider_is_down(stage: AttackedSite) -> None:
    """Only a new login needs the provider."""
    browser = await stage.signed_in()
    stage.clock.now += 3000

    with stage.provider.fault("discovery_down", "jwks_down", "token_500"):
        assert (await browser.get("/page")).json()["sub"] == "alice"
        assert (await stage.browser().get("/public")).status_code == 200


async def test_one_callback_twice_at_once_makes_one_token_call() -> None:
    """A double click, or a thief with the same cookies, is no second login."""
    stage, gate = gated("/token")
    browser, callback = await stage.login_in_progress()
    answers: list[Response] = []

    async def finish() -> None:
        answers.append(await browser.tab().get(callback, follow=False))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(finish)
        await anyio.wait_all_tasks_blocked()
        gate.open()

    assert stage.provider.count("/token") == 1
    signed_in = [answer for answer in answers if any("-login-" not in line for line in answer.set_cookies)]
    assert len(signed_in) == 1


@pytest.mark.parametrize("fault", ["token_500", "token_html", "token_not_json", "token_oauth_error", "token_redirect"])
async def test_a_code_is_never_sent_twice(stage: AttackedSite, fault: str) -> None:
    """A provider that sees a code again has to take the login for stolen (RFC 6749 §4.1.2)."""
    browser, callback = await stage.login_in_progress()

    with stage.provider.fault(fault):
        await browser.get(callback)
    await browser.get(callback, follow=False)

    assert stage.provider.count("/token") == 1
