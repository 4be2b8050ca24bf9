"""The app's own `on_token` sees each token once, and may change claims or refuse it; nothing in it opens a door."""

from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import LoginRefused, Rule, StepUpRequired, StoreUnavailable
from asgi_oidc.bearer.on_token import ON_TOKEN_DEADLINE
from tests.bearer.token_calls import TokenSite, problem

QUICK_TRIO = ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


class Hook:
    """An `on_token` that remembers its calls."""

    def __init__(self, result: Any = None) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []
        self.result = result

    async def __call__(self, user: Any, claims: dict[str, Any]) -> Any:
        self.calls.append((user, dict(claims)))
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result(claims) if callable(self.result) else self.result


async def test_it_is_called_once_for_a_token():
    """Its result is kept with the token."""
    hook = Hook(lambda claims: {**claims, "roles": ["admin"]})
    site = TokenSite(bearer={"on_token": hook}, rules=[Rule("/page", claims={"roles": "admin"})])
    token = site.token()

    answers = [await site.call_with(token) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    ((user, claims),) = hook.calls
    assert (user.sub, user.credential, user.client_id, claims) == ("alice", "bearer", "cli", site.claims())
    assert site.app.scope["user"].claims["roles"] == ["admin"]


async def test_it_may_change_the_claims_in_place():
    """As `on_login` may."""

    async def change(user: Any, claims: dict[str, Any]) -> None:
        claims["team"] = "red"
        del claims["scope"]

    site = TokenSite(bearer={"on_token": change})
    await site.call_with(site.token())

    assert site.app.scope["user"].claims["team"] == "red"
    assert site.app.scope["auth"].scopes == ["authenticated", "orders:read", "profile"]


async def test_an_address_that_it_changes_is_not_verified_any_more(caplog):
    """The provider has vouched for another one; the log says why, as for `on_login`."""
    hook = Hook(lambda claims: {**claims, "email": "b@example.com"})
    site = TokenSite(bearer={"on_token": hook})
    await site.call_with(site.token(email="a@example.com", email_verified=True))

    assert site.app.scope["user"].email_verified is False
    assert "claim_dropped claim=email_verified why='on_token changed" in caplog.text


@pytest.mark.parametrize(
    ("result", "status", "code"),
    [
        (LoginRefused("not a customer"), 403, "login_refused"),
        (ZeroDivisionError("secret"), 500, "on_token_failed"),
        (TimeoutError(), 500, "on_token_failed"),
        (["iss"], 500, "on_token_result"),
        (lambda claims: {**claims, "sub": "bob"}, 500, "on_token_identity"),
        (lambda claims: {**claims, "iss": "https://evil.example"}, 500, "on_token_identity"),
        (lambda claims: {}, 500, "on_token_identity"),
        (lambda claims: {**claims, "x": object()}, 500, "claims_not_json"),
        (StoreUnavailable("store_failed", ""), 503, "store_failed"),
        (StepUpRequired(acr_values=["gold"]), 401, "insufficient_user_authentication"),
    ],
)
@pytest.mark.parametrize("path", ["/page", "/public/page"])
async def test_it_fails_closed(result, status, code, path, caplog):
    """A hook that breaks lets nobody in, and its texts stay in the app."""
    hook = Hook(result)
    site = TokenSite(bearer={"on_token": hook})
    token = site.token()

    answers = [await site.call_with(token, path) for _ in range(2)]

    assert [(answer.status, problem(answer)["error"]) for answer in answers] == [(status, code)] * 2
    assert (site.app.scopes, len(hook.calls), "secret" in caplog.text) == ([], 2, False)


@pytest.mark.parametrize("anyio_backend", [QUICK_TRIO])
async def test_it_has_a_deadline(anyio_backend):
    """A hook that hangs must not hold requests for ever."""

    async def hang(user: Any, claims: Any) -> None:
        await anyio.sleep(ON_TOKEN_DEADLINE + 1)

    site = TokenSite(bearer={"on_token": hang})

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"], site.app.scopes) == (500, "on_token_failed", [])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_task_that_it_awaits_is_a_failure(anyio_backend):
    """Nothing cancels the request itself."""

    async def hook(user: Any, claims: Any) -> None:
        import asyncio

        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    site = TokenSite(bearer={"on_token": hook})

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"]) == (500, "on_token_failed")


async def test_a_cancelled_request_is_not_swallowed():
    """The server has given up on it."""
    entered, cancelled = anyio.Event(), []

    async def hook(user: Any, claims: Any) -> None:
        entered.set()
        await anyio.sleep_forever()

    site = TokenSite(bearer={"on_token": hook})

    async def call() -> None:
        try:
            await site.call_with(site.token())
        except anyio.get_cancelled_exc_class():
            cancelled.append(True)
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await entered.wait()
        tasks.cancel_scope.cancel()

    assert (cancelled, site.app.scopes) == ([True], [])


async def test_requests_with_one_new_token_share_one_verification():
    """The first does the work; the others wait for it."""
    started, go_on, calls = anyio.Event(), anyio.Event(), []

    async def hook(user: Any, claims: Any) -> None:
        calls.append(user.sub)
        started.set()
        await go_on.wait()

    site = TokenSite(bearer={"on_token": hook})
    token, statuses = site.token(), list[int]()

    async def call() -> None:
        statuses.append((await site.call_with(token)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call)
        await started.wait()
        await anyio.wait_all_tasks_blocked()
        go_on.set()

    assert (calls, statuses, site.provider.count("/jwks")) == (["alice"], [200] * 20, 1)


async def test_a_check_that_a_sign_out_overtakes_lets_nobody_in():
    """The rule's own check may take seconds."""
    site: TokenSite

    async def check(user: Any) -> bool:
        site.clock.advance(10)
        await site.sign_out("alice")
        return True

    site = TokenSite(rules=[Rule("/page", check=check)])

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"], site.app.scopes) == (401, "token_revoked", [])


@pytest.mark.parametrize(
    ("result", "status", "error"),
    [(ZeroDivisionError(), 500, "check_failed"), (StepUpRequired(max_age=60), 401, "insufficient_user_authentication")],
)
async def test_a_check_that_breaks_lets_nobody_in(result, status, error):
    """As for sessions."""

    async def check(user: Any) -> bool:
        raise result

    site = TokenSite(rules=[Rule("/page", check=check)])

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"], site.app.scopes) == (status, error, [])
