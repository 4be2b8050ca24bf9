"""Every wait has a deadline: ours for a browser, and a user's for the provider. The clock of these tests jumps."""

import json
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import Rule
from asgi_oidc.login.on_login import ON_LOGIN_DEADLINE as HOOK_DEADLINE
from asgi_oidc.logout.sign_out import METADATA_DEADLINE
from asgi_oidc.policy.access_control import CHECK_DEADLINE
from asgi_oidc.provider.http import DEADLINE
from asgi_oidc.request_body import BODY_DEADLINE
from asgi_oidc.testing.in_process import http_scope
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site, cookie_header, session_cookies, who_am_i


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


async def test_a_browser_that_never_finishes_its_form_is_told_so(site):
    """Otherwise anyone could keep any number of connections open."""
    exchange = Exchange({"type": "http.request", "body": b"code=", "more_body": True})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    began = anyio.current_time()

    scope = http_scope("POST", ORIGIN + "/auth/callback", headers)
    await site.middleware(scope, exchange.receive, exchange.send)

    assert (exchange.status, json.loads(exchange.sent[1]["body"])["error"]) == (408, "body_timeout")
    assert anyio.current_time() - began == pytest.approx(BODY_DEADLINE, abs=0.1)


async def test_a_provider_that_never_finishes_its_logout_token_is_told_so(site):
    """Anyone can send requests there, as slowly as they like."""
    exchange = Exchange({"type": "http.request", "body": b"logout_token=", "more_body": True})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    began = anyio.current_time()

    scope = http_scope("POST", ORIGIN + "/auth/backchannel-logout", headers)
    await site.middleware(scope, exchange.receive, exchange.send)

    members = {"error": "invalid_request", "error_description": "body_timeout"}
    assert (exchange.status, json.loads(exchange.sent[1]["body"])) == (400, members)
    assert anyio.current_time() - began == pytest.approx(BODY_DEADLINE, abs=0.1)


async def test_a_form_that_never_ends_does_not_stop_a_sign_out(site):
    """The session ends before the form is read."""
    browser = await site.signed_in()
    exchange = Exchange({"type": "http.request", "body": b"return_to=", "more_body": True})
    headers = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie_header(browser)}

    async with anyio.create_task_group() as tasks:
        scope = http_scope("POST", ORIGIN + "/auth/logout", headers)
        tasks.start_soon(site.middleware, scope, exchange.receive, exchange.send)
        await anyio.sleep(1)
        during = await who_am_i(browser)

    assert (during, exchange.status) == (None, 303)


async def test_revocation_and_discovery_share_one_deadline_at_logout():
    """A user waits for the page."""
    site = Site(scope="openid offline_access")
    browser = await site.signed_in()
    again = site.restarted(metadata={"revocation_endpoint": site.provider.issuer + "/revoke"}).browser_of(browser)
    began = anyio.current_time()

    with site.provider.fault("discovery_slow", "revoke_slow"):
        response = await again.post("/auth/logout", follow=False)

    assert (response.status_code, session_cookies(browser)) == (303, [])
    assert anyio.current_time() - began == pytest.approx(METADATA_DEADLINE, abs=0.1)


async def test_a_sign_out_does_not_wait_long_for_a_provider_that_hangs(site):
    """The local sign-out is complete in any case."""
    browser = await site.signed_in()
    again = site.restarted().browser_of(browser)
    began = anyio.current_time()

    with site.provider.fault("discovery_slow"):
        response = await again.post("/auth/logout", follow=False)

    assert (response.headers["location"], session_cookies(browser)) == (ORIGIN, [])
    assert anyio.current_time() - began == pytest.approx(METADATA_DEADLINE, abs=0.1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("token_slow", "token_timeout"),
        ("jwks_slow", "jwks_timeout"),
        ("userinfo_slow", "userinfo_timeout"),
    ],
)
async def test_a_login_ends_in_time_when_the_provider_hangs(fault, code):
    """The page says to try again."""
    site = Site(userinfo="always")
    began = anyio.current_time()

    response = await site.failed_login(fault)

    assert (response.status_code, response.json()["error"], response.headers["retry-after"]) == (503, code, "5")
    assert anyio.current_time() - began == pytest.approx(DEADLINE, abs=0.1)


async def test_a_check_of_the_app_that_hangs_lets_nobody_in():
    """A check that does not finish fails closed."""

    async def hanging(user: Any) -> bool:
        await anyio.sleep_forever()
        return True

    site = Site(rules=[Rule("/x", check=hanging)])
    browser = await site.signed_in("alice")
    began = anyio.current_time()

    assert (await browser.fetch("/x")).json()["error"] == "check_failed"
    assert anyio.current_time() - began == pytest.approx(CHECK_DEADLINE, abs=0.1)
    assert [scope["path"] for scope in site.app.scopes] == ["/page"]


async def test_a_hook_that_never_returns_signs_nobody_in():
    """A login is not cancelled when the browser disconnects, so only a deadline can end it."""

    async def hangs(user: Any, claims: Any) -> None:
        await anyio.sleep_forever()

    site = Site(on_login=hangs)
    browser, url = await site.at_callback()
    began = anyio.current_time()

    page = await browser.get(url, headers=PROGRAM, follow=False)

    assert (page.status_code, page.json()["error"]) == (500, "on_login_failed")
    assert anyio.current_time() - began == pytest.approx(HOOK_DEADLINE, abs=0.1)
