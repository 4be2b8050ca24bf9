"""The app's own say in who may come in: it sees, changes, refuses, and can make no one else of a user."""

import asyncio
from typing import Any

import pytest

from asgi_oidc import LoginRefused, OIDCError
from tests.protected_site import PROGRAM, Site, session_cookies, who_am_i


async def failed(site: Site) -> dict[str, Any]:
    browser, url = await site.at_callback()
    response = await browser.get(url, headers=PROGRAM, follow=False)
    assert session_cookies(browser) == []
    return {"status": response.status_code, **response.json()}


async def test_it_sees_the_user_and_the_claims():
    """All of them, before the session is written."""
    seen: list[Any] = []

    async def look(user: Any, claims: Any) -> None:
        seen.append((user.sub, user.email, claims["roles"]))

    await Site(on_login=look).signed_in()

    assert seen == [("alice", "alice@example.com", ["admin"])]


async def test_it_may_change_the_claims_it_got():
    """In place."""

    async def change(user: Any, claims: dict[str, Any]) -> None:
        claims["team"] = "blue"
        claims["roles"].append("tester")
        del claims["email"]

    site = Site(on_login=change)
    await site.signed_in()

    user = site.app.scope["user"]
    assert (user.claims["team"], user.claims["roles"], user.email) == ("blue", ["admin", "tester"], None)


async def test_it_may_return_new_claims():
    """Only those are kept."""

    async def choose(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
        return {"iss": claims["iss"], "sub": claims["sub"], "name": "Alice"}

    site = Site(on_login=choose)
    await site.signed_in()

    assert set(site.app.scope["user"].claims) == {"iss", "sub", "name"}


async def test_it_may_refuse(caplog):
    """The person gets a page, the reason goes to the log."""

    async def refuse(user: Any, claims: Any) -> None:
        raise LoginRefused("not on the list")

    site = Site(on_login=refuse)
    answer = await failed(site)

    assert (answer["status"], answer["error"]) == (403, "login_refused")
    assert "not on the list" not in str(answer)
    assert "not on the list" in caplog.text
    page = await site.browser().sign_in("bob", "/page")
    assert (page.status_code, "does not have access" in page.text) == (403, True)


async def test_when_it_raises_nobody_is_signed_in(caplog):
    """And the traceback is in the log."""

    async def raises(user: Any, claims: Any) -> None:
        raise ZeroDivisionError("a bug of the app")

    answer = await failed(Site(on_login=raises))

    assert (answer["status"], answer["error"]) == (500, "on_login_failed")
    assert "ZeroDivisionError" in caplog.text
    assert "a bug of the app" not in str(answer)


@pytest.mark.parametrize("changes", [{"sub": "admin"}, {"iss": "https://other.example.com"}, {"sub": None}])
async def test_on_login_cannot_change_the_subject(changes):
    """Who it is, the provider says."""

    async def change(user: Any, claims: dict[str, Any]) -> None:
        claims.update(changes)

    answer = await failed(Site(on_login=change))

    assert (answer["status"], answer["error"]) == (500, "on_login_identity")


@pytest.mark.parametrize("value", [object(), {1: object()}, "\ud800"])
async def test_claims_that_are_no_json_are_an_error(value):
    """They could not be kept."""

    async def change(user: Any, claims: dict[str, Any]) -> None:
        claims["bad"] = value

    answer = await failed(Site(on_login=change))

    assert (answer["status"], answer["error"]) == (500, "claims_not_json")


@pytest.mark.parametrize("returned", [True, 7, "claims", ["claims"]])
async def test_what_it_returns_is_claims_or_nothing(returned):
    """`return True` is a mistake that should say so, and not a crash."""

    async def returns(user: Any, claims: Any) -> Any:
        return returned

    answer = await failed(Site(on_login=returns))

    assert answer["status"] == 500
    assert answer["error"].startswith("on_login")


async def test_it_runs_once_per_login():
    """Not at every request."""
    calls: list[str] = []

    async def count(user: Any, claims: Any) -> None:
        calls.append(user.sub)

    browser = await Site(on_login=count).signed_in()
    await browser.get("/page")
    await who_am_i(browser)

    assert calls == ["alice"]


async def test_a_cancelled_task_of_its_own_is_its_failure():
    """On asyncio that looks like a cancellation of the login: there is a page all the same, and no token is left."""

    async def waits_for_a_cancelled_task(user: Any, claims: Any) -> None:
        raise asyncio.CancelledError  # as `await task` does

    site = Site(on_login=waits_for_a_cancelled_task, scope="openid offline_access")

    answer = await failed(site)

    assert (answer["status"], answer["error"], len(site.provider.revoked)) == (500, "on_login_failed", 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_login_is_no_failure_of_its_hook(anyio_backend, caplog):
    """The loop ends, for example; nothing else is made of that."""

    async def cancelled(user: Any, claims: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    browser, url = await Site(on_login=cancelled).at_callback()

    with pytest.raises(OIDCError, match="unexpected_error"):
        await browser.get(url, follow=False)
    assert "on_login_failed" not in caplog.text


async def test_exceptions_that_end_a_program_leave_the_login():
    """On trio it would end the run as an internal error, out of a task that nobody waits for."""

    async def leaves(user: Any, claims: Any) -> None:
        raise SystemExit(3)

    browser, url = await Site(on_login=leaves).at_callback()

    with pytest.raises(SystemExit, match="3"):
        await browser.get(url, follow=False)


# --- the access token


async def test_a_hook_that_asks_for_the_access_token_gets_it():
    """To call an API of the provider before anybody is signed in."""
    seen: list[str] = []

    async def with_groups(user: Any, claims: dict[str, Any], *, access_token: str) -> None:
        seen.append(access_token)
        claims["groups"] = ["from the API"]

    site = Site(on_login=with_groups)
    await site.signed_in()

    assert site.app.scope["user"].claims["groups"] == ["from the API"]
    assert seen == [await site.app.scope["oidc"].access_token()]


class WithDefault:
    """A hook that is an object, with the parameter as the third one."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, user: Any, claims: Any, access_token: str = "") -> None:
        self.seen.append(access_token)


async def test_the_parameter_may_be_anywhere():
    """Its name counts."""
    hook = WithDefault()
    await Site(on_login=hook).signed_in()

    assert hook.seen[0].startswith("at-")


@pytest.mark.parametrize("name", ["other", "kwargs"])
async def test_other_hooks_do_not_get_it(name):
    """Those that exist go on working, and nothing that they log has the token."""
    seen: list[Any] = []

    async def with_other(user: Any, claims: Any, other: Any = None) -> None:
        seen.append(other)

    async def with_kwargs(user: Any, claims: Any, **access_token: Any) -> None:
        seen.append(access_token or None)

    hooks: dict[str, Any] = {"other": with_other, "kwargs": with_kwargs}
    await Site(on_login=hooks[name]).signed_in()

    assert seen == [None]
