"""The guide to tokens: its app calls an API, and its lines work as they stand."""

import secrets
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

import asgi_oidc
from asgi_oidc import OIDCError
from asgi_oidc.testing import Browser
from tests.examples.guides import blocks, read_guide, run_block, run_waiting_block
from tests.examples.running import run_example
from tests.protected_site import ORIGIN, Site

GUIDE = read_guide("tokens")


class Api:
    """Another API: it lets everybody in, and keeps the tokens that came."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tokens += [value.decode() for name, value in scope["headers"] if name == b"authorization"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_the_app_calls_an_api_for_the_user():
    """The user's own token, at the origin that the app names."""
    with run_example("examples.tokens.app:app", provider_path_in=("API_URL", "/userinfo")) as example:
        async with example.browsing() as browser:
            page = await browser.sign_in("alice", "/userinfo")

    assert ("<h1>200</h1>" in page.text, "alice@example.com" in page.text) == (True, True)


async def test_the_lines_for_handlers_work_as_they_stand():
    """They are copied into handlers."""
    calls, tokens = blocks(GUIDE, "python")[:2]
    api, names = Api(), dict[str, Any]()

    async def at_work(scope: Any) -> None:
        names.update(scope=scope, client=httpx.AsyncClient(transport=httpx.ASGITransport(app=api)))
        await run_waiting_block(calls, names)
        await run_waiting_block(tokens, names)

    site = Site(scope="openid offline_access")
    site.app.at_work = at_work

    await site.signed_in()

    assert [token.startswith("Bearer at-") for token in api.tokens] == [True]
    assert len({names["token"], names["orders"], names["exchanged"]}) == 3


async def test_the_handler_of_the_guide_sends_the_browser_to_a_login():
    """Where the framework would answer 500, because it is inside of the middleware."""

    async def orders_page(request: Any) -> PlainTextResponse:
        return PlainTextResponse((await request.scope["oidc"].access_token())[:3])

    site = Site()
    site.provider.access_token_lifetime = 300
    settings = {**site.settings, "clock": site.clock, "public": ["/orders"], "secret": secrets.token_urlsafe(32)}
    names: dict[str, Any] = {"orders_page": orders_page, "settings": settings}
    run_block(blocks(GUIDE, "python")[-1], names)
    browser = Browser(names["app"], ORIGIN, {site.provider.origin: site.provider}, clock=site.clock)

    first = await browser.sign_in("alice", "/orders")
    site.clock.advance(600)
    again = await browser.get("/orders")

    assert (first.status_code, first.text, again.status_code, again.text) == (200, "at-", 200, "at-")
    assert len([step for step in again.history if "/auth/callback" in step.url]) == 1


@pytest.mark.parametrize(
    ("public", "path", "error", "status"),
    [
        (["/page"], "/page", "NotSignedIn", 401),
        ([], "/page", "StepUpRequired", 401),
        ([], "/page", "AccessTokenExpired", 401),
        ([], "/page", "SessionEnded", 401),
        ([], "/page", "RefreshFailed", 503),
        ([], "/page", "StoreUnavailable", 503),
    ],
)
async def test_an_exception_that_reaches_the_middleware_is_answered_as_listed(public, path, error, status):
    """What a script gets; a page leads to a login instead of 401."""
    made = getattr(asgi_oidc, error)
    site = Site(public=public)
    browser = site.browser() if public else await site.signed_in()

    async def fail(scope: Any) -> None:
        raise made(max_age=300) if error == "StepUpRequired" else made()

    site.app.at_work = fail
    site.clock.advance(120)

    answer = await browser.fetch(path)

    assert issubclass(made, OIDCError)
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) is (status == 503)
    assert f"| `{error}`" in GUIDE
