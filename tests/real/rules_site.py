"""A site with a form, at another site than its provider, and what may stand in front of it; for a real browser."""

import contextlib
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware, StepUpRequired
from asgi_oidc.testing import Client, FakeProvider, serve
from tests.protected_site import CLIENT_SECRET, OTHER_SECRET, SECRET, Clock
from tests.real.processes import free_port
from tests.real.test_demo import FAILED_ANSWER

PATIENCE = 10_000  # milliseconds for a page, or for something on it
ELSEWHERE = "/elsewhere"  # where pages of others are; what the browser says about those is no complaint about ours
OVER = 3600  # seconds; then a session that nobody used has ended

FORM = """
<form method="post" action="/save?now=1">
  <input name="title"><textarea name="text"></textarea>
  <input type="hidden" name="tag" value="b"><input type="hidden" name="tag" value="a">
  <input type="checkbox" name="é" checked>
  <button name="do" value="save">Save</button>
</form>"""

TITLE = """'single' "double" &amp; <b>&#10; \\ + 100% \u202eback \U0001f600"""
TEXT = "\n\nafter two empty lines\n\ttab, blanks at the end  \n</textarea><script>alert(1)</script>\n\u00e9\u4e2d\n"

ASGIApp = Any


class App:
    """An app that says who is there, has a form on `/edit`, and keeps what is posted to it."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes]] = []
        self.extra = FORM
        self.web = Starlette(routes=[Route("/{path:path}", self.page, methods=["GET", "POST", "PUT"])])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/never":  # never content
            raise StepUpRequired(max_age=600)
        await self.web(scope, receive, send)

    async def page(self, request: Request) -> Response:
        """Answer any other request."""
        if request.method != "GET":
            self.posted.append((request.url.path, await request.body()))
        who, extra = html.escape(request.user.display_name), self.extra if request.url.path != "/" else ""
        claims = html.escape(str(request.user.claims.get("acr")))
        return HTMLResponse(f"<!doctype html><title>app</title><h1 id=who>{who}</h1><p id=acr>{claims}</p>{extra}")


@dataclass(frozen=True)
class Site:
    """An app behind the middleware, at localhost, and its provider at 127.0.0.1: another site for a browser."""

    origin: str
    provider: FakeProvider
    clock: Clock
    app: App
    middleware: OIDCMiddleware

    def beside(self, *, clock: Clock | None = None, secret: str = SECRET, **settings: Any) -> OIDCMiddleware:
        """Make the middleware of another process of the same site."""
        return protected(self.app, self.origin, self.provider, clock or self.clock, secret=secret, **settings)


def protected(app: App, origin: str, provider: FakeProvider, clock: Clock, **settings: Any) -> OIDCMiddleware:
    """Put the middleware around an app."""
    return OIDCMiddleware(
        app,
        issuer=provider.issuer,
        client_id="web",
        client_secret=CLIENT_SECRET,
        base_url=origin,
        clock=clock,
        **{"secret": SECRET, "public": ["/"], **settings},
    )


@contextlib.contextmanager
def site(around: Callable[[Site], ASGIApp] = lambda made: made.middleware, **settings: Any) -> Iterator[Site]:
    """Serve a site while the block lasts.

    Args:
        around: makes what is served of the site; a proxy that breaks something, for one.
        settings: of the middleware.
    """
    clock, port = Clock(), free_port()
    origin = f"http://localhost:{port}"
    provider = FakeProvider(clients=[Client(client_secret=CLIENT_SECRET)], clock=clock, alg="ES256")
    with serve(provider) as running:
        provider.issuer = running.url
        app = App()
        made = Site(origin, provider, clock, app, protected(app, origin, provider, clock, **settings))
        with serve(around(made), port=port):
            yield made


@contextlib.contextmanager
def watched(chromium: Chromium, **options: Any) -> Iterator[BrowserContext]:
    """Open a browser whose complaints fail the test."""
    context = chromium.new_context(**options)
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(f"{message.location['url']} {message.text}"))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert [text for text in complaints if FAILED_ANSWER not in text and ELSEWHERE not in text] == []


def pick(page: Page, name: str) -> None:
    """Sign in at the provider as this person."""
    page.get_by_role("button", name=re.compile(name)).click()


def press(page: Page, name: str) -> None:
    """Press a button of the page."""
    page.get_by_role("button", name=name, exact=True).click()


def signed_in(context: BrowserContext, url: str, name: str) -> Page:
    """Open a page of the app and sign in on the way."""
    page = context.new_page()
    page.goto(url)
    pick(page, name)
    expect(page.locator("#who")).to_contain_text(name)
    return page


def fill_in(page: Page) -> None:
    """Fill in the form of the app."""
    page.locator("[name=title]").fill(TITLE)
    page.locator("[name=text]").fill(TEXT)


@contextlib.contextmanager
def other_pages() -> Iterator[int]:
    """Serve pages of somebody else, each with a form to `?action=...`; give their port on this machine."""

    async def answer(request: Request) -> HTMLResponse:
        action = html.escape(request.query_params["action"])
        fields = '<input name="amount" value="1000"><button>Win</button>'
        return HTMLResponse(f'<!doctype html><form method="post" action="{action}">{fields}</form>')

    with serve(Starlette(routes=[Route(ELSEWHERE, answer)])) as running:
        yield running.port


@dataclass(frozen=True)
class Proxy:
    """Something in front of a site that loses cookies which it sets."""

    app: ASGIApp
    loses: Callable[[str], bool]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def losing_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if not self._is_lost(name, value)]
                message = {**message, "headers": kept}
            await send(message)

        await self.app(scope, receive, losing_send)

    def _is_lost(self, name: bytes, value: bytes) -> bool:
        return name == b"set-cookie" and self.loses(value.decode().partition("=")[0])


@dataclass(frozen=True)
class Balancer:
    """Sends our own URLs to one process, and all others to another."""

    ours: ASGIApp
    others: ASGIApp

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["type"] == "lifespan" or scope["path"].startswith("/auth/")
        await (self.ours if is_ours else self.others)(scope, receive, send)


def is_of_session(cookie: str) -> bool:
    """Say whether a cookie is one of a session, not of a login or of what we count."""
    return "-login-" not in cookie and not cookie.endswith(("-rounds", "-form"))


def loses_session(made: Site) -> ASGIApp:
    """Lose the session of each login."""
    return Proxy(made.middleware, is_of_session)


def loses_all_cookies(made: Site) -> ASGIApp:
    """Lose every cookie."""
    return Proxy(made.middleware, lambda cookie: True)


def has_another_clock(made: Site) -> ASGIApp:
    """Have a second server that is two hours ahead, and takes each session for over."""
    ahead = Clock()
    ahead.advance(2 * 3600)
    return Balancer(made.middleware, made.beside(clock=ahead))


def has_another_secret(made: Site) -> ASGIApp:
    """Have a second server with a secret of its own."""
    return Balancer(made.middleware, made.beside(secret=OTHER_SECRET, public=()))


def is_as_it_should_be(made: Site) -> ASGIApp:
    """Lose nothing."""
    return made.middleware
