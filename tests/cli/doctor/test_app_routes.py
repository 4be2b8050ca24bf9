"""The routes of an app, as `doctor` compares them with patterns and rules."""

from typing import Any

import falcon.asgi
import pytest
from fastapi import APIRouter, FastAPI
from litestar import Litestar, get
from quart import Blueprint, Quart
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from asgi_oidc.cli.doctor.access_rules import may_match
from asgi_oidc.cli.doctor.app_routes import MAX_ROUTES, AppRoute, mount_paths_of, routes_of
from asgi_oidc.policy.patterns import read_pattern
from tests.cli.doctor.examined import guarded


async def handler(*_: Any) -> None:
    """Do nothing."""


def fastapi_app() -> FastAPI:
    inner = APIRouter(prefix="/lines")
    inner.add_api_route("/{line}", handler)
    router = APIRouter(prefix="/orders")
    router.add_api_route("/{number}", handler, methods=["PUT"])
    router.include_router(inner)
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix="/api")
    app.mount("/static", StaticFiles(directory="."))
    app.mount("/sub", starlette_app())
    return app


def starlette_app() -> Starlette:
    return Starlette(routes=[Route("/files/{name:path}", handler), WebSocketRoute("/ws", handler)])


def quart_app() -> Quart:
    app = Quart(__name__, static_folder=None)
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.get("/<int:number>/<path:rest>")
    async def item(number: int, rest: str) -> str:
        return rest

    app.register_blueprint(blueprint)
    return app


def litestar_app() -> Litestar:
    @get("/items/{number:int}")
    async def item() -> None:
        """Show an item."""

    return Litestar([item], openapi_config=None, logging_config=None)


def paths(app: Any) -> list[tuple[str, bool]]:
    return [(route.path, route.takes_rest) for route in routes_of(app).routes]


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (starlette_app(), [("/files", True), ("/ws", False)]),
        (
            fastapi_app(),
            [
                ("/api/orders/{}", False),
                ("/api/orders/lines/{}", False),
                ("/static", True),
                ("/sub/files", True),
                ("/sub/ws", False),
            ],
        ),
        (quart_app(), [("/shop/{}", True)]),
        (quart_app().asgi_app, [("/shop/{}", True)]),
        (litestar_app(), [("/items/{}", False)]),
        (Starlette(routes=[Mount("/api", routes=[Route("/x", handler)])]), [("/api/x", False)]),
    ],
)
def test_the_routes_of_each_framework_are_listed(app, expected):
    """With routers, blueprints and mounts; the path of a parameter is any."""
    assert (paths(app), routes_of(app).is_complete) == (expected, True)


@pytest.mark.parametrize(
    "app",
    [
        falcon.asgi.App(),
        handler,
        Starlette(routes=[Host("a.example.com", Router([Route("/h", handler)]))]),
        Starlette(routes=[Route(f"/{number}", handler) for number in range(MAX_ROUTES + 1)]),
    ],
    ids=["falcon", "function", "host", "many"],
)
def test_what_cannot_be_listed_is_not_taken_for_complete(app):
    """Otherwise a rule for a route that was not seen would look useless."""
    assert not routes_of(app).is_complete


def test_the_path_of_a_mount_is_found():
    """Below another one, too; an app that contains itself is no reason to search for ever."""
    middleware = guarded()
    inner = Starlette(routes=[Mount("/admin", app=middleware)])
    outer = Starlette(routes=[Mount("/shop", app=inner)])
    outer.routes.append(Mount("/again", app=outer))

    assert mount_paths_of(outer)[id(middleware)] == "/shop/admin"


@pytest.mark.parametrize(
    ("pattern", "route", "matches"),
    [
        ("/orders", AppRoute("/orders"), True),
        ("/orders", AppRoute("/orders/"), True),
        ("/Orders", AppRoute("/orders"), True),
        ("/orders", AppRoute("/orders/{}"), False),
        ("/orders/*", AppRoute("/orders/{}"), True),
        ("/orders/*", AppRoute("/orders"), True),
        ("/orders/7", AppRoute("/orders/{}"), True),
        ("/orders/7/lines", AppRoute("/orders/{}"), False),
        ("/orders/7/lines", AppRoute("/orders", takes_rest=True), True),
        ("/order/*", AppRoute("/orders"), False),
        ("/*", AppRoute("/"), True),
        ("/", AppRoute("/orders"), False),
        ("/x", AppRoute("/{}"), True),
    ],
)
def test_a_pattern_may_match_a_route(pattern, route, matches):
    """By whole segments, as the policy does."""
    assert may_match(read_pattern(pattern), route) is matches
