"""Cookies that are renewed behind real proxies: the browser gets all of them, and its session goes on."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from asgi_oidc.forward_auth import ForwardAuth
from asgi_oidc.forward_auth.answers import MAX_COOKIES
from asgi_oidc.testing import Browser
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from tests.protected_site import Clock
from tests.real.forward_auth_site import ForwardAuthSite, forward_auth_site, told_headers

pytestmark = pytest.mark.real

IDLE = 600  # seconds


class Crash(Exception):
    """What a bug raises."""


class WithSixCookies:
    """Answers nginx's questions about one path as if six cookies were due, and crashes at another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if headers.get(b"x-forwarded-uri") == b"/public/crash":
            raise Crash
        if headers.get(b"x-forwarded-uri") != b"/six":
            await self._app(scope, receive, send)
            return
        lines = [
            (f"x-auth-cookie-{number}".encode(), f"__Host-{number}=a,b; Path=/; Secure; HttpOnly".encode())
            for number in range(1, MAX_COOKIES + 1)
        ]
        await send({"type": "http.response.start", "status": 200, "headers": [*lines, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def wrap(app: ForwardAuth) -> ASGIApp:
    return WithSixCookies(app)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def site(clock: Clock) -> Iterator[ForwardAuthSite]:
    """Sessions in cookies that end ten minutes after the last use."""
    with forward_auth_site(
        ("nginx", "caddy"), clock=clock, wrap=wrap, environ={"OIDC_SESSION_IDLE": str(IDLE)}
    ) as running:
        yield running


@pytest.fixture
async def network(site: ForwardAuthSite) -> AsyncIterator[httpx.AsyncHTTPTransport]:
    async with httpx.AsyncHTTPTransport(verify=site.trust) as transport:
        yield transport


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
async def test_a_session_in_cookies_goes_on_as_long_as_it_is_used(proxy, site, clock, network):
    """nginx passes the cookie on with the app's answer; with Caddy, the browser is sent to the same page once more."""
    browser = Browser(network, site.origins[proxy], {site.provider.issuer: network}, clock=clock)
    await browser.sign_in("alice", "/wiki")
    pages = []
    for _ in range(3):
        clock.advance(IDLE - 60)
        pages.append(await browser.get("/wiki?page=1"))
    clock.advance(IDLE + 60)
    after = await browser.fetch("/wiki")

    assert [(page.status_code, page.path) for page in pages] == [(200, "/wiki?page=1")] * 3
    assert [[each.status_code for each in page.history] for page in pages] == [[307] * (proxy == "caddy")] * 3
    assert told_headers(pages[-1].json(), "X-User") == ["alice"]
    assert after.status_code == 401


async def test_nginx_passes_several_cookies_on_and_adds_no_empty_ones(site, network):
    """Each stays a header of its own, commas and all."""
    origin = site.origins["nginx"]
    async with httpx.AsyncClient(transport=network, base_url=origin) as client:
        six = await client.get("/six")
        none = await client.get("/public/x")

    names = [line.partition("=")[0] for line in six.headers.get_list("set-cookie")]
    assert names == [f"__Host-{number}" for number in range(1, MAX_COOKIES + 1)]
    assert (none.status_code, none.headers.get_list("set-cookie")) == (200, [])


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
async def test_a_question_that_gets_no_answer_lets_nobody_in(proxy, site, network, caplog):
    """Not even to a public page; the proxy knows nothing of them."""
    async with httpx.AsyncClient(transport=network, base_url=site.origins[proxy]) as client:
        answer = await client.get("/public/crash")

    assert answer.status_code in (403, 500)
    assert '"method"' not in answer.text
