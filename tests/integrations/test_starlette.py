"""Starlette needs no module of ours: `request.user` and `@requires` read what the middleware puts into the scope."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDCMiddleware, StepUpRequired
from asgi_oidc.testing.in_process import call_app
from tests.integrations.routes import connect, sign_in, site_of
from tests.protected_site import Site


def make_starlette() -> Starlette:
    """Make an app whose routes ask for scopes."""

    async def who(request: Request) -> Response:
        return JSONResponse({"sub": request.user.sub, "scopes": request.auth.scopes})

    async def login(request: Request) -> Response:
        return RedirectResponse(request.scope["oidc"].login_url(request.query_params["next"]), 303)

    async def tell(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.user.sub)
        await websocket.close()

    routes = [
        Route("/hello", who),
        Route("/me", requires("authenticated")(who)),
        Route("/mail", requires(["email", "profile"])(who)),
        Route("/orders", requires("orders:read")(who)),
        Route("/page", requires("authenticated", redirect="login")(who)),
        Route("/login", login, name="login"),
        WebSocketRoute("/ws", requires("email")(tell)),
        WebSocketRoute("/ws/orders", requires("orders:read")(tell)),
    ]
    return Starlette(routes=routes)


@pytest.fixture
def site() -> Site:
    return site_of(make_starlette())


@pytest.mark.parametrize(
    ("path", "status"), [("/hello", 200), ("/me", 200), ("/mail", 200), ("/page", 200), ("/orders", 403)]
)
async def test_requires_knows_the_granted_scopes(site, path, status):
    """They are `authenticated` and the scopes that the provider granted."""
    response = await (await sign_in(site)).fetch(path)

    assert response.status_code == status
    assert status == 403 or response.json()["sub"] == "alice"


async def test_an_anonymous_user_has_no_scopes(site):
    """On a public path Starlette answers 403 itself."""
    hello, me = await site.browser().fetch("/hello"), await site.browser().fetch("/me")

    assert (hello.json(), me.status_code) == ({"sub": None, "scopes": []}, 403)


async def test_an_anonymous_user_can_be_sent_to_a_login_and_back(site):
    """`redirect` names a route, which redirects to `login_url`."""
    page = await site.browser().sign_in("alice", "/page")

    assert (page.status_code, page.path, page.json()["sub"]) == (200, "/page", "alice")


@pytest.mark.parametrize(("path", "kinds"), [("/ws", {"websocket.send"}), ("/ws/orders", set[str]())])
async def test_a_websocket_has_the_user_and_the_scopes(site, path, kinds):
    """If a scope is missing, Starlette closes it before it is accepted."""
    sent = await connect(site, path, await sign_in(site))

    assert {message["type"] for message in sent} & {"websocket.send"} == kinds
    assert kinds or [message["type"] for message in sent] == ["websocket.close"]


async def test_an_error_of_ours_from_a_handler_reaches_an_inner_middleware():
    """With `middleware=[...]` or `add_middleware`, Starlette does not turn it into a 500."""

    async def transfer(request: Request) -> Response:
        if "acr" not in request.user.claims:
            raise StepUpRequired(acr_values=["urn:example:mfa"])
        return JSONResponse({"sub": request.user.sub})

    site = Site()
    settings: dict[str, Any] = {**site.settings, "clock": site.clock}
    app = Starlette(routes=[Route("/transfer", transfer)], middleware=[Middleware(OIDCMiddleware, **settings)])

    page = await site.browser(app=app).sign_in("alice", "/transfer")

    assert (page.status_code, page.path, page.json()) == (200, "/transfer", {"sub": "alice"})
    assert sum("/authorize" in step.url for step in page.history) == 2  # the login, and the step-up


SPA = "https://spa.example.com"


@pytest.mark.parametrize(("is_outermost", "status"), [(True, 200), (False, 401)])
async def test_cors_middleware_belongs_outside(is_outermost, status):
    """A preflight carries no cookie, so a middleware that requires a user would refuse it."""
    app = Starlette(routes=[Route("/api", lambda request: JSONResponse({"sub": request.user.sub}), methods=["POST"])])
    settings = {name: value for name, value in Site().settings.items() if value is not ...}
    layers: list[tuple[Any, dict[str, Any]]] = [
        (OIDCMiddleware, settings),
        (CORSMiddleware, {"allow_origins": [SPA], "allow_methods": ["POST"]}),
    ]
    for layer, options in layers if is_outermost else reversed(layers):
        app.add_middleware(layer, **options)
    asks = {"origin": SPA, "access-control-request-method": "POST", "cookie": ""}

    found, _, _ = await call_app(app, "OPTIONS", "https://app.example.com/api", asks, b"")

    assert found == status
