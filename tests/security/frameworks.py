"""One small app per framework: three public handlers, protected ones, and a note of which ran."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import django
import falcon.asgi
import litestar
import quart
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path as django_path
from django.urls import re_path
from fastapi import FastAPI
from litestar import types
from litestar.datastructures import State
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from .attacked_site import Scope

PUBLIC = ("/", "/health", "/static/*")
PROTECTED = ("/admin", "/admin/users/7", "/private/file")
OPEN = ("/", "/health", "/static/app.css")
# Those of the protected handlers; some frameworks add HEAD where there is GET.
METHODS: Sequence[Literal["GET", "POST", "DELETE"]] = ("GET", "POST", "DELETE")
ELSEWHERE = "anything else"

LitestarRequest = litestar.Request[Any, Any, Any]
Run = tuple[str, str]
"""A protected handler that ran, and the method by which its framework called it."""


@dataclass
class Counts:
    """Which protected handlers ran since the last look, and how many public ones."""

    runs: list[Run] = field(default_factory=list)
    public: int = 0

    @property
    def protected(self) -> int:
        """How often protected handlers ran."""
        return len(self.runs)

    def ran(self, path: str, method: str) -> None:
        """Write down that a protected handler ran."""
        self.runs.append((path, method))

    def reset(self) -> None:
        """Begin again."""
        self.runs, self.public = [], 0


@dataclass
class Site:
    """An app of a framework, and the counts of its handlers."""

    app: Any
    counts: Counts = field(default_factory=Counts)
    has_websockets: bool = True


def path_of_user(number: str) -> str:
    """Say which of the two kinds of paths a handler was called for: that of user 7, or of another."""
    return "/admin/users/7" if number == "7" else "/admin/users/*"


def starlette_site() -> Site:
    """Give Starlette with plain routes."""
    return _starlette(Counts(), [])


def starlette_catch_all_site() -> Site:
    """Give Starlette with a protected handler for all that no other route takes, as a single-page app has."""
    counts = Counts()

    async def anything(request: Request) -> Response:
        rest = request.path_params["rest"]
        # The patterns make these public, whichever handler serves them and whatever the method.
        if rest not in ("", "health", "static") and not rest.startswith("static/"):
            counts.ran(ELSEWHERE, request.method)
        return PlainTextResponse("anything")

    return _starlette(counts, [Route("/{rest:path}", anything, methods=METHODS)])


def _starlette(counts: Counts, further: list[BaseRoute]) -> Site:
    async def admin(request: Request) -> Response:
        counts.ran("/admin", request.method)
        return PlainTextResponse("protected")

    async def user(request: Request) -> Response:
        counts.ran(path_of_user(request.path_params["number"]), request.method)
        return PlainTextResponse("protected")

    async def file(request: Request) -> Response:
        counts.ran("/private/file", request.method)
        return PlainTextResponse("protected")

    async def public(request: Request) -> Response:
        counts.public += 1
        return PlainTextResponse("public")

    async def protected_socket(websocket: WebSocket) -> None:
        counts.ran("/admin", "WEBSOCKET")
        await websocket.close()

    async def public_socket(websocket: WebSocket) -> None:
        counts.public += 1
        await websocket.close()

    methods = ["GET", "POST"]
    routes: list[BaseRoute] = [
        Route("/admin", admin, methods=METHODS),
        Route("/admin/users/{number}", user, methods=METHODS),
        Mount("/private", routes=[Route("/file", file, methods=METHODS)]),
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

    async def admin(request: Request) -> None:
        counts.ran("/admin", request.method)

    async def user(number: str, request: Request) -> None:
        counts.ran(path_of_user(number), request.method)

    async def file(request: Request) -> None:
        counts.ran("/private/file", request.method)

    async def public() -> None:
        counts.public += 1

    async def static(path: str) -> None:
        await public()

    async def protected_socket(websocket: WebSocket) -> None:
        counts.ran("/admin", "WEBSOCKET")
        await websocket.close()

    routes: list[tuple[str, Callable[..., Any]]] = [
        ("/admin", admin),
        ("/admin/users/{number}", user),
        ("/private/file", file),
        ("/", public),
        ("/health", public),
        ("/static/{path:path}", static),
    ]
    for template, handler in routes:
        app.api_route(template, methods=list(METHODS))(handler)
    app.websocket("/admin")(protected_socket)
    return Site(app, counts)


def litestar_site() -> Site:
    """Give Litestar."""
    counts = Counts()

    @litestar.route("/admin", http_method=METHODS)
    async def admin(request: LitestarRequest) -> str:
        counts.ran("/admin", request.method)
        return "protected"

    @litestar.route("/admin/users/{number:str}", http_method=METHODS)
    async def user(request: LitestarRequest) -> str:
        counts.ran(path_of_user(request.path_params["number"]), request.method)
        return "protected"

    @litestar.route("/private/file", http_method=METHODS)
    async def file(request: LitestarRequest) -> str:
        counts.ran("/private/file", request.method)
        return "protected"

    @litestar.route(["/", "/health", "/static/{rest:path}"], http_method=["GET", "POST"])
    async def public(state: State) -> str:
        counts.public += 1
        return "public"

    @litestar.websocket("/admin")
    async def protected_socket(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        counts.ran("/admin", "WEBSOCKET")
        await socket.accept()
        await socket.close()

    handlers = [admin, user, file, public, protected_socket]
    app = litestar.Litestar(handlers, openapi_config=None, logging_config=None)
    return Site(app, counts)


def quart_site() -> Site:
    """Give Quart."""
    counts = Counts()
    app = quart.Quart("tests.security.frameworks", static_folder=None)

    async def admin() -> str:
        counts.ran("/admin", quart.request.method)
        return "protected"

    async def user(number: str) -> str:
        counts.ran(path_of_user(number), quart.request.method)
        return "protected"

    async def file() -> str:
        counts.ran("/private/file", quart.request.method)
        return "protected"

    async def public(**_: str) -> str:
        counts.public += 1
        return "public"

    async def protected_socket() -> None:
        counts.ran("/admin", "WEBSOCKET")
        await quart.websocket.accept()

    for template, handler in (("/admin", admin), ("/admin/users/<number>", user), ("/private/file", file)):
        app.add_url_rule(template, template, handler, methods=METHODS)
    for template in ("/", "/health", "/static/<path:rest>"):
        app.add_url_rule(template, template, public, methods=["GET", "POST"])
    app.add_websocket("/admin", "socket", protected_socket)
    return Site(app, counts)


def falcon_site() -> Site:
    """Give Falcon."""
    counts = Counts()

    class Protected:
        def __init__(self, path: str) -> None:
            self._path = path

        async def on_get(self, request: Any, response: Any, *, number: str | None = None) -> None:
            counts.ran(self._path if number is None else path_of_user(number), request.method)

        on_post = on_delete = on_get

        async def on_websocket(self, request: Any, socket: Any, *, number: str | None = None) -> None:
            counts.ran(self._path if number is None else path_of_user(number), "WEBSOCKET")
            await socket.accept()

    class Public:
        async def on_get(self, request: Any, response: Any, **_: str) -> None:
            counts.public += 1

    app = falcon.asgi.App()
    for template in ("/admin", "/admin/users/{number}", "/private/file"):
        app.add_route(template, Protected(template))
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
        async def admin(request: HttpRequest) -> HttpResponse:
            counts.ran("/admin", request.method)
            return HttpResponse("protected")

        async def user(request: HttpRequest, number: str) -> HttpResponse:
            counts.ran(path_of_user(number), request.method)
            return HttpResponse("protected")

        async def file(request: HttpRequest) -> HttpResponse:
            counts.ran("/private/file", request.method)
            return HttpResponse("protected")

        async def public(request: HttpRequest, **_: str) -> HttpResponse:
            counts.public += 1
            return HttpResponse("public")

        self.urlpatterns = [
            django_path("admin", admin),
            django_path("admin/users/<number>", user),
            re_path(r"^private/file/?$", file),
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


class Override:
    """Lets a header say what the method is, as clients behind old proxies need it; it reads methods generously."""

    NAMES = ("x-http-method-override", "x-http-method", "x-method-override")

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Call the app; of several headers the last one counts."""
        if scope["type"] == "http":
            headers = [(name.lower().replace("_", "-"), value) for name, value in Headers(scope=scope).items()]
            methods = [scope["method"], *(value for name, value in headers if name in self.NAMES)]
            scope = {**scope, "method": methods[-1].partition(",")[0].strip().upper()}
        await self._app(scope, receive, send)


def overriding_site() -> Site:
    """Give Starlette whose methods can be overridden."""
    site = starlette_site()
    return Site(Override(site.app), site.counts)
