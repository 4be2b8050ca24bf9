"""A guard of an API that breaks stays shut: no fault of the clock, the hook, a rule or a client lets a program in."""

import ssl
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import LoginRefused, Rule
from asgi_oidc.testing import FakeProvider

from .api_calls import PROTECTED, PUBLIC, WEBSOCKET, APISite, bearer
from .attacked_site import NOW, Broken, attempt, http_scope
from .test_fail_closed import (
    RaisingTransport,
    hook_that_adds_no_json,
    hook_that_changes_iss,
    hook_that_changes_sub,
    hook_that_drops_sub,
    hook_that_is_cancelled,
    hook_that_nests_too_deep,
    hook_that_raises,
    hook_that_refuses,
    hook_that_returns_a_list,
    hook_that_returns_false,
    hook_that_returns_text,
    hook_that_spoils_the_user,
    raising,
)


def api_site(**settings: Any) -> APISite:
    return APISite(FakeProvider(clock=lambda: NOW, alg="EdDSA"), **settings)


@pytest.mark.parametrize(
    "clock",
    [
        raising,
        lambda: None,
        lambda: "soon",
        lambda: float("nan"),
        lambda: float("inf"),
        lambda: -float("inf"),
        lambda: 10**30,
    ],
    ids=["raises", "none", "text", "nan", "inf", "-inf", "huge"],
)
@pytest.mark.parametrize("path", [PROTECTED, PUBLIC, "/auth/session"])
async def test_a_broken_clock_lets_no_program_in(clock: Callable[[], Any], path: str) -> None:
    """A token whose end cannot be checked has ended."""
    site = api_site(clock=clock)

    answer = await attempt(site, http_scope(path, headers=[bearer(site.token())]))

    assert answer is None or answer.status >= 400
    assert site.app.visits == []


@pytest.mark.parametrize("clock", [raising, lambda: float("nan"), lambda: 10**30], ids=["raises", "nan", "huge"])
async def test_a_clock_that_breaks_later_ends_known_tokens(clock: Callable[[], Any]) -> None:
    """A token that was seen before is checked against the clock each time."""
    times = [lambda: NOW]
    site = api_site(clock=lambda: times[0]())
    token = site.token()
    assert (await site.call(PROTECTED, [bearer(token)])).status == 200
    site.app.visits.clear()

    times[0] = clock
    answer = await attempt(site, http_scope(PROTECTED, headers=[bearer(token)]))

    assert answer is None or answer.status >= 400
    assert site.app.visits == []


async def test_a_clock_that_goes_back_brings_no_token_back_to_life() -> None:
    """What has expired was dropped or is checked anew."""
    site = api_site()
    token = site.token(lifetime=60)
    assert (await site.call(PROTECTED, [bearer(token)])).status == 200

    site.clock.now = NOW - 3600
    assert (await site.call(PROTECTED, [bearer(site.token(claims={"iat": NOW, "exp": NOW + 60}))])).status == 401
    site.clock.now = NOW + 91
    assert (await site.call(PROTECTED, [bearer(token)])).status == 401


@pytest.mark.parametrize(
    ("hook", "status"),
    [
        (hook_that_raises, 500),
        (hook_that_refuses, 403),
        (hook_that_changes_sub, 500),
        (hook_that_drops_sub, 500),
        (hook_that_changes_iss, 500),
        (hook_that_returns_text, 500),
        (hook_that_returns_false, 500),
        (hook_that_returns_a_list, 500),
        (hook_that_adds_no_json, 500),
        (hook_that_nests_too_deep, 500),
        (hook_that_is_cancelled, 500),
    ],
)
@pytest.mark.parametrize("place", [PROTECTED, PUBLIC, WEBSOCKET, "/auth/session"])
async def test_a_hook_that_breaks_lets_no_program_in(hook: Any, status: int, place: str) -> None:
    """It decides who gets in, so nobody does without its answer; the next request calls it again."""
    site = api_site(bearer={"on_token": hook})
    cookie = await api_site().session_cookie("alice")
    token = site.token()

    for headers in ([bearer(token)], [cookie, bearer(token)]):
        assert (await site.call(place, headers)).status == status
    assert site.app.visits == []


async def test_a_hook_that_spoils_its_user_spoils_nothing() -> None:
    """It sees a copy; what counts is what it returns."""
    site = api_site(bearer={"on_token": hook_that_spoils_the_user})

    await site.call(PROTECTED, [bearer(site.token("bob"))])

    assert site.app.visits == [(PROTECTED, "bob")]


async def test_what_one_token_was_refused_for_does_not_hold_for_another() -> None:
    """The hook is called for each token, not for each user."""
    seen: list[str] = []

    async def only_orders(user: Any, claims: Any) -> None:
        seen.append(claims["scope"])
        if claims["scope"] != "orders:read":
            raise LoginRefused("not on the list")

    site = api_site(bearer={"on_token": only_orders})
    answers = [await site.call(PROTECTED, [bearer(site.token(scopes=[it]))]) for it in ("x", "orders:read", "x")]

    assert [answer.status for answer in answers] == [403, 200, 403]
    assert seen == ["x", "orders:read", "x"]


async def check_that_raises(*_: Any) -> bool:
    raise Broken("no database")


async def check_that_says_nothing(*_: Any) -> Any:
    return None


async def check_that_is_cancelled(*_: Any) -> bool:
    with anyio.fail_after(0):
        await anyio.sleep_forever()
    return True


@pytest.mark.parametrize("check", [check_that_raises, check_that_says_nothing, check_that_is_cancelled])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_rule_whose_check_breaks_lets_no_program_in(check: Any, kind: str) -> None:
    """Only true is a yes."""
    site = api_site(rules=[Rule("/page", check=check)])
    first = {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}
    scope = http_scope("/page", headers=[bearer(site.token()), (b"origin", b"https://app.example.com")], type=kind)
    try:
        answer = await attempt(site, scope, first)
    except Exception:  # noqa: BLE001  # whatever a check raises is the server's to see
        answer = None

    assert answer is None or answer.sent[0].get("status", 403) >= 400
    assert site.app.visits == []


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no route"),
        httpx.ReadError("gone"),
        httpx.InvalidURL("odd"),
        OSError("no file handles"),
        TimeoutError("slow"),
        ssl.SSLError("bad certificate"),
        Broken("odd"),
        RuntimeError("client is closed"),
        KeyError("x"),
    ],
    ids=lambda it: type(it).__name__,
)
async def test_keys_that_cannot_be_fetched_let_no_program_in(error: Exception) -> None:
    """An outage is no success, and no 401 either."""
    site = api_site(http_client=httpx.AsyncClient(transport=RaisingTransport(error)))

    for place in (PROTECTED, PUBLIC, WEBSOCKET):
        answer = await site.call(place, [bearer(site.token())])
        assert answer.status == 503
        assert str(error).encode() not in answer.body
    assert site.app.visits == []
