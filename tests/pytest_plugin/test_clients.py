"""Every client that can be signed in: its requests have the session, and sign-out takes it away."""

from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import litestar
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient as FastAPITestClient
from litestar.testing import AsyncTestClient as LitestarAsyncTestClient
from litestar.testing import TestClient as LitestarTestClient
from quart import Quart, request, websocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.fastapi import CurrentUser
from asgi_oidc.pytest_plugin import NoMiddleware, OIDCTester, WrongClient
from asgi_oidc.testing import Browser, serve
from tests.pytest_plugin.apps import SETTINGS, on_asyncio, shop, with_added_middleware
from tests.pytest_plugin.django_site import django_site

ADMIN = {"roles": ["admin"]}


def fastapi_app() -> Any:
    """A FastAPI app with the middleware that Starlette makes later."""
    app = FastAPI()

    @app.get("/me")
    @app.get("/reports")
    async def me(user: CurrentUser) -> dict[str, str]:
        return {"sub": user.sub}

    app.add_middleware(OIDCMiddleware, **SETTINGS)
    return app


def litestar_app() -> Any:
    """A Litestar app, wrapped from outside."""

    @litestar.get(["/me", "/reports"])
    async def me(request: litestar.Request[Any, Any, Any]) -> dict[str, str]:
        return {"sub": request.user.sub}

    @litestar.websocket("/ws")
    async def ws(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(socket.user.sub)
        await socket.close()

    app: Any = litestar.Litestar([me, ws])
    return OIDCMiddleware(app, **SETTINGS)


def user_of(connection: Any) -> Any:
    """Return the user, which the types of Quart do not know."""
    return connection.scope["user"]


def quart_app() -> Any:
    """A Quart app, wrapped inside."""
    app: Any = Quart(__name__)

    @app.get("/me")
    @app.get("/reports")
    async def me() -> dict[str, str]:
        return {"sub": user_of(request).sub}

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send(user_of(websocket).sub)

    app.asgi_app = OIDCMiddleware(app.asgi_app, **SETTINGS)
    return app


@pytest.fixture
def django(request: pytest.FixtureRequest) -> Iterator[OIDCTester]:
    """Django is set up first: the fixture looks for its app."""
    with django_site():
        yield request.getfixturevalue("oidc")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: TestClient(with_added_middleware()), id="starlette"),
        pytest.param(lambda: FastAPITestClient(fastapi_app()), id="fastapi"),
        pytest.param(lambda: LitestarTestClient(litestar_app()), id="litestar"),
        pytest.param(lambda: TestClient(shop(), base_url="https://shop.acme.com"), id="with the real base_url"),
    ],
)
def test_sync_clients_are_signed_in_with_and_without_a_lifespan(oidc: OIDCTester, make: Any):
    """Once inside `with`, once without: lifespan events go through the same middleware."""
    client = make()
    with client:
        before = client.get("/me").status_code
        oidc.sign_in(client, "alice")
        mine, refused = client.get("/me").json()["sub"], client.get("/reports").status_code
        oidc.sign_in(client, "bob", claims=ADMIN)
        reports = client.get("/reports").json()["sub"]
        oidc.sign_out(client)

        assert (before, mine, refused, reports) == (401, "alice", 403, "bob")
        assert client.get("/me").status_code == 401


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("base_url", ["http://test", "https://shop.acme.com"])
async def test_async_clients_of_httpx_are_signed_in(oidc: OIDCTester, library: Any, base_url: str):
    """A sync call in an async test, and on the loop of the test itself."""
    async with library.AsyncClient(transport=library.ASGITransport(app=shop()), base_url=base_url) as client:
        before = (await client.get("/me")).status_code
        oidc.sign_in(client, "alice")
        mine, refused = (await client.get("/me")).json()["sub"], (await client.get("/reports")).status_code
        await oidc.asign_in(client, "bob", claims=ADMIN)
        reports = (await client.get("/reports")).json()["sub"]
        await oidc.asign_out(client)

        assert (before, mine, refused, reports) == (401, "alice", 403, "bob")
        assert (await client.get("/me")).status_code == 401


def test_litestars_client_opens_websockets_as_the_user(oidc: OIDCTester):
    """Its client opens them at the host of its base_url."""
    client: Any = LitestarTestClient(litestar_app())
    oidc.sign_in(client, "alice")

    with client.websocket_connect("/ws", headers=oidc.origin(client)) as connection:
        assert connection.receive_text() == "alice"


@on_asyncio
async def test_the_async_client_of_litestar(oidc: OIDCTester):
    """Litestar wraps the app in a function first."""
    async with LitestarAsyncTestClient(litestar_app()) as client:
        oidc.sign_in(client, "alice")
        mine = (await client.get("/me")).json()["sub"]
        oidc.sign_out(client)

        assert (mine, (await client.get("/me")).status_code) == ("alice", 401)


@on_asyncio
async def test_quarts_client_is_signed_in_for_requests_and_websockets(oidc: OIDCTester):
    """Its jar has no httpx around it; a websocket needs the header of a page."""
    client = quart_app().test_client()
    before = (await client.get("/me")).status_code
    oidc.sign_in(client, "alice")
    mine, refused = await (await client.get("/me")).get_json(), (await client.get("/reports")).status_code
    async with client.websocket("/ws", headers=oidc.origin(client)) as connection:
        greeted = await connection.receive()
    signed_out = await client.post("/auth/logout")

    assert (before, mine["sub"], refused, greeted) == (401, "alice", 403, "alice")
    assert (signed_out.status_code, (await client.get("/me")).status_code) == (303, 401)


@on_asyncio
async def test_the_async_client_of_django(django: OIDCTester):
    """By itself it bypasses the middleware; here it meets rules, endpoints and cookies as in production."""
    from django.test import AsyncClient

    client = AsyncClient()
    before = await client.get("/me", headers={"accept": "text/html"})
    django.sign_in(client, "alice")
    mine, refused = (await client.get("/me")).json(), await client.get("/reports")
    posted = await client.post("/me", data="x=1", content_type="text/plain")
    django.sign_in(client, "bob", claims=ADMIN)
    reports = await client.get("/reports?x=1")
    signed_out = await client.post("/auth/logout")

    assert (before.status_code, before["location"].startswith("https://accounts.acme.com/")) == (303, True)
    assert (mine["sub"], refused.status_code, posted.json()["body"]) == ("alice", 403, "x=1")
    assert (reports.json()["sub"], reports["cache-control"]) == ("bob", "private")
    assert (signed_out.status_code, (await client.get("/me")).status_code) == (303, 401)


@on_asyncio
async def test_django_without_an_asgi_application_is_told(oidc: OIDCTester):
    """Its client does not say which app it calls."""
    with django_site():
        from django.conf import settings
        from django.test import AsyncClient, override_settings

        with override_settings(ASGI_APPLICATION=None), pytest.raises(NoMiddleware, match="ASGI_APPLICATION is missing"):
            oidc.sign_in(AsyncClient())
        assert settings.ASGI_APPLICATION


def test_the_sync_client_of_django_is_refused_with_the_way_on(django: OIDCTester):
    """It runs the app under WSGI, where there is no scope."""
    from django.test import Client

    with pytest.raises(WrongClient, match="use AsyncClient"):
        django.sign_in(Client(), "alice")


async def test_the_browser_of_the_test_kit_is_signed_in(oidc: OIDCTester):
    """It may begin signed in, and then walks as a browser does."""
    browser = Browser(shop(), "https://shop.acme.com")

    oidc.sign_in(browser, "alice")
    page = await browser.get("/me")
    oidc.sign_out(browser)

    assert (page.json()["sub"], (await browser.fetch("/me")).status_code) == ("alice", 401)


def test_a_client_that_calls_a_live_server_is_signed_in(oidc: OIDCTester):
    """A live server in another thread has the same middleware."""
    app = shop()
    with serve(app) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        oidc.sign_in(client, "alice", app=app)

        assert client.get("/me").json()["sub"] == "alice"


@pytest.mark.parametrize("base_url", ["http://testserver", "https://shop.acme.com"])
def test_websockets_have_the_session_and_need_the_origin(oidc: OIDCTester, base_url: str):
    """TestClient opens them at ws://testserver, whatever its base_url."""
    client = TestClient(shop(), base_url=base_url)
    oidc.sign_in(client, "alice")

    with client.websocket_connect("/ws", headers=oidc.origin(client)) as connection:
        assert connection.receive_text() == "alice"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws"):
        pass


class AsyncContext:
    """A browser context of an async API, as the one of Playwright."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    async def cookies(self) -> list[dict[str, Any]]:
        return self.kept

    async def add_cookies(self, cookies: list[dict[str, Any]]) -> None:
        self.kept += cookies

    async def clear_cookies(self, *, name: str) -> None:
        self.kept = [cookie for cookie in self.kept if cookie["name"] != name]


AsyncContext.__module__ = "playwright.async_api._generated"


class Context:
    """A browser context of a sync API."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = [{"name": "theme", "value": "dark"}]

    def cookies(self) -> list[dict[str, Any]]:
        return self.kept

    def add_cookies(self, cookies: list[dict[str, Any]]) -> None:
        self.kept += cookies

    def clear_cookies(self, *, name: str) -> None:
        self.kept = [cookie for cookie in self.kept if cookie["name"] != name]


class Page:
    """A page of a browser."""

    def __init__(self) -> None:
        self.context = Context()


class Chromium:
    """A browser, which has no cookies: its contexts have."""


for of_playwright in (Context, Page, Chromium):
    of_playwright.__module__ = "playwright.sync_api._generated"


@pytest.mark.parametrize("make", [Context, Page])
def test_a_browser_context_or_a_page_of_it_is_signed_in(oidc: OIDCTester, make: Any):
    """A context, or the page of one; cookies of others stay."""
    client, app = make(), shop()
    context = getattr(client, "context", client)

    oidc.sign_in(client, "alice", app=app)
    oidc.sign_in(client, "bob", app=app)
    names = [cookie["name"] for cookie in context.kept]
    oidc.sign_out(client, app=app)

    assert len(names) == len(set(names)) == 3
    assert context.kept == [{"name": "theme", "value": "dark"}]


def test_a_browser_of_playwright_has_no_cookies(oidc: OIDCTester):
    """The error says what has."""
    with pytest.raises(WrongClient, match="Playwright's Chromium has no cookies: pass a browser context or a page"):
        oidc.sign_in(Chromium(), app=shop())


def test_cookies_of_others_are_treated_as_before(oidc: OIDCTester):
    """Only ours reach http://testserver although they are Secure."""
    client = TestClient(shop())
    client.cookies.set("mine", "1", domain="testserver.local")
    oidc.sign_in(client, "alice")
    response = httpx.Response(
        200, headers={"set-cookie": "other=1; Secure"}, request=httpx.Request("GET", "http://testserver/")
    )
    client.cookies.extract_cookies(response)  # type: ignore[arg-type]  # httpx2's client, httpx's response

    sent = client.build_request("GET", "/").headers["cookie"]

    assert ("mine=1" in sent, "other=1" in sent) == (True, False)
    client.cookies.clear()
    assert client.get("/me").status_code == 401


async def test_playwrights_async_api_is_awaited(oidc: OIDCTester):
    """Its contexts are changed on their own loop; the sync call says which one to use."""
    context, app = AsyncContext(), shop()

    with pytest.raises(WrongClient, match=r"await oidc\.asign_in"):
        oidc.sign_in(context, "alice", app=app)
    await oidc.asign_in(context, "alice", app=app)
    session = context.kept[0]
    await oidc.asign_out(context, app=app)

    assert session["name"].startswith("__Host-oidc-")
    assert (session["domain"], session["secure"], session["httpOnly"]) == ("shop.acme.com", True, True)
    assert context.kept == []
