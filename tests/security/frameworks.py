"""One small app per framework: three public handlers, protected ones, and a count of who ran."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import django  # type: ignore[import-untyped]
import falcon.asgi
import litestar
import quart
from django.conf import settings as django_settings  # type: ignore[import-untyped]  # Django has no types
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path as django_path  # type: ignore[import-untyped]
from django.urls import re_path
from fastapi import FastAPI
from litestar import types
from litestar.datastructures import State
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

PUBLIC = ("/", "/health", "/static/*")
PROTECTED = ("/admin", "/admin/users/7", "/private/file")
OPEN = ("/", "/health", "/static/app.css")


@dataclass
class Counts:
    """How often handlers ran since the last look."""

    protected: int = 0
    public: int = 0

    def reset(self) -> None:
        """Begin again."""
        self.protected = self.public = 0


@dataclass
class Site:
    """An app of a framework, and the counts of its handlers."""

    app: Any
    counts: Counts = field(default_factory=Counts)
    has_websockets: bool = True


def starlette_site() -> Site:
    """Give Starlette with plain routes."""
    return _starlette(Counts(), [])


def starlette_catch_all_site() -> Site:
    """Give Starlette with a protected handler for all that no other route takes, as a single-page app has."""
    counts = Counts()

    async def anything(request: Request) -> Response:
        rest = request.path_params["rest"]
        # The pattern "/static/*" makes these public, whichever handler serves them.
        if rest != "static" and not rest.startswith("static/") and rest != "":
            counts.protected += 1
        return PlainTextResponse("anything")

    return _starlette(counts, [Route("/{rest:path}", anything, methods=["GET", "POST"])])


def _starlette(counts: Counts, further: list[BaseRoute]) -> Site:
    async def protected(request: Request) -> Response:
        counts.protected += 1
        return PlainTextResponse("protected")

    async def public(request: Request) -> Response:
        counts.public += 1
        return PlainTextResponse("public")

    async def protected_socket(websocket: WebSocket) -> None:
        counts.protected += 1
        await websocket.close()

    async def public_socket(websocket: WebSocket) -> None:
        counts.public += 1
        await websocket.close()

    methods = ["GET", "POST"]
    routes: list[BaseRoute] = [
        Route("/admin", protected, methods=methods),
        Route("/admin/users/{number}", protected, methods=methods),
        Mount("/private", routes=[Route("/file", protected, methods=methods)]),
        Route("/", public, methods=methods),
        Route("/health", public, methods=methods),
        Route("/static/{path:path}", public, methods=methods),
        WebSocketRoute("/admin", protected_socket),
        WebSocketRoute("/health", public_socket),
    ]
    return Site(Starlette(routes=routes + further), counts)


def fastapi_site() -> Site:
    """Give FastAPI."""
    counts = Counts()
    app = FastAPI(openapi_url=None)

    async def protected() -> str:
        counts.protected += 1
        return "protected"

    async def public() -> str:
        counts.public += 1
        return "public"

    async def numbered(number: str) -> str:
        return await protected()

    async def static(path: str) -> str:
        return await public()

    async def protected_socket(websocket: WebSocket) -> None:
        counts.protected += 1
        await websocket.close()

    routes: list[tuple[str, Callable[..., Any]]] = [
        ("/admin", protected),
        ("/admin/users/{number}", numbered),
        ("/private/file", protected),
        ("/", public),
        ("/health", public),
        ("/static/{path:path}", static),
    ]
    for template, handler in routes:
        app.api_route(template, methods=["GET", "POST"])(handler)
    app.websocket("/admin")(protected_socket)
    return Site(app, counts)


def litestar_site() -> Site:
    """Give Litestar."""
    counts = Counts()

    @litestar.route(["/admin", "/admin/users/{number:str}", "/private/file"], http_method=["GET", "POST"])
    async def protected(state: State) -> str:
        counts.protected += 1
        return "protected"

    @litestar.route(["/", "/health", "/static/{rest:path}"], http_method=["GET", "POST"])
    async def public(state: State) -> str:
        counts.public += 1
        return "public"

    @litestar.websocket("/admin")
    async def protected_socket(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        counts.protected += 1
        await socket.accept()
        await socket.close()

    app = litestar.Litestar([protected, public, protected_socket], openapi_config=None, logging_config=None)
    return Site(app, counts)


def quart_site() -> Site:
    """Give Quart."""
    counts = Counts()
    app = quart.Quart("tests.security.frameworks", static_folder=None)

    async def protected(**_: str) -> str:
        counts.protected += 1
        return "protected"

    async def public(**_: str) -> str:
        counts.public += 1
        return "public"

    async def protected_socket() -> None:
        counts.protected += 1
        await quart.websocket.accept()

    for template in ("/admin", "/admin/users/<number>", "/private/file"):
        app.add_url_rule(template, template, protected, methods=["GET", "POST"])
    for template in ("/", "/health", "/static/<path:rest>"):
        app.add_url_rule(template, template, public, methods=["GET", "POST"])
    app.add_websocket("/admin", "socket", protected_socket)
    return Site(app, counts)


def falcon_site() -> Site:
    """Give Falcon."""
    counts = Counts()

    class Protected:
        async def on_get(self, request: Any, response: Any, **_: str) -> None:
            counts.protected += 1

        on_post = on_get

        async def on_websocket(self, request: Any, socket: Any, **_: str) -> None:
            counts.protected += 1
            await socket.accept()

    class Public:
        async def on_get(self, request: Any, response: Any, **_: str) -> None:
            counts.public += 1

    app = falcon.asgi.App()
    for template in ("/admin", "/admin/users/{number}", "/private/file"):
        app.add_route(template, Protected())
    for template in ("/", "/health", "/static/{rest:path}"):
        app.add_route(template, Public())
    return Site(app, counts)


def starlette_mount(app: Any) -> Any:
    """Mount an app in Starlette, which hands it the whole path and says in `root_path` where it starts."""
    return Starlette(routes=[Mount("/mounted", app=app)])


def litestar_mount(app: Any) -> Any:
    """Mount an app in Litestar, which strips the path, adds a slash and says nothing."""

    @litestar.asgi("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        await app(scope, receive, send)

    return litestar.Litestar([mounted], openapi_config=None, logging_config=None)


MOUNTS: dict[str, Callable[[Any], Any]] = {"starlette": starlette_mount, "litestar": litestar_mount}


class DjangoUrls:
    """What Django takes for a module of routes."""

    def __init__(self, counts: Counts) -> None:
        async def protected(request: HttpRequest, **_: str) -> HttpResponse:
            counts.protected += 1
            return HttpResponse("protected")

        async def public(request: HttpRequest, **_: str) -> HttpResponse:
            counts.public += 1
            return HttpResponse("public")

        self.urlpatterns = [
            django_path("admin", protected),
            django_path("admin/users/<number>", protected),
            re_path(r"^private/file/?$", protected),
            django_path("", public),
            django_path("health", public),
            django_path("static/<path:rest>", public),
        ]


def django_site() -> Site:
    """Give Django."""
    counts = Counts()
    if not django_settings.configured:
        django_settings.configure(
            ALLOWED_HOSTS=["*"], ROOT_URLCONF=DjangoUrls(counts), MIDDLEWARE=[], LOGGING_CONFIG=None, APPEND_SLASH=False
        )
        django.setup(set_prefix=False)
    django_settings.ROOT_URLCONF = DjangoUrls(counts)
    return Site(ASGIHandler(), counts, has_websockets=False)


SITES: dict[str, Callable[[], Site]] = {
    "starlette": starlette_site,
    "starlette-catch-all": starlette_catch_all_site,
    "fastapi": fastapi_site,
    "litestar": litestar_site,
    "quart": quart_site,
    "falcon": falcon_site,
    "django": django_site,
}
