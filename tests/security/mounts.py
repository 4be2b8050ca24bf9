"""Apps in one another, at least one for each way in which frameworks take a mount or `root_path` off a path.

Each handler writes down its place: the path that leads to it where nobody plays tricks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import falcon.asgi
import litestar
import quart
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path as django_path
from fastapi import FastAPI
from hypercorn.middleware import DispatcherMiddleware
from litestar import types
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from .attacked_site import Scope
from .frameworks import django_site

# Of each app, mounted or not.
PAGES = ("/secret", "/panel", "/open/x", "/files/logo", "/a/secret", "/static/open/x")

Mounts = Mapping[str, Any]
Factory = Callable[["Visits", str, Mounts], Any]
"""Makes an app of its visits, its place and what is mounted in it."""


@dataclass
class Visits:
    """The places of the handlers that ran since the last look, and of all that there are."""

    ran: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def handler(self, place: str) -> Callable[[], None]:
        """Make what writes down that a handler ran."""
        self.places.add(place)
        return lambda: self.ran.append(place)


def of_starlette(visits: Visits, place: str, mounts: Mounts) -> Starlette:
    """Make an app of Starlette: whole segments are taken off."""

    def route(page: str) -> Route:
        note = visits.handler(place + page)

        async def handle(request: Request) -> Response:
            note()
            return PlainTextResponse(page)

        return Route(page, handle)

    return Starlette(routes=[*map(route, PAGES), *(Mount(path, app=app) for path, app in mounts.items())])


def of_fastapi(visits: Visits, place: str, mounts: Mounts) -> FastAPI:
    """Make an app of FastAPI."""
    app = FastAPI(openapi_url=None)

    def add(page: str) -> None:
        note = visits.handler(place + page)

        async def handle() -> str:
            note()
            return page

        app.get(page)(handle)

    for page in PAGES:
        add(page)
    for path, mounted in mounts.items():
        app.mount(path, mounted)
    return app


def of_litestar(visits: Visits, place: str, mounts: Mounts) -> litestar.Litestar:
    """Make an app of Litestar: plain text is taken off, and `root_path` where it comes first."""

    def handler(page: str) -> Any:
        note = visits.handler(place + page)

        @litestar.get(page, media_type="text/plain")
        async def handle() -> str:
            note()
            return page

        return handle

    def mount(path: str, app: Any) -> Any:
        @litestar.asgi(path, is_mount=True, copy_scope=True)
        async def mounted(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
            await app(scope, receive, send)

        return mounted

    handlers = [*map(handler, PAGES), *(mount(path, app) for path, app in mounts.items())]
    return litestar.Litestar(handlers, openapi_config=None, logging_config=None)


def of_quart(visits: Visits, place: str, mounts: Mounts) -> quart.Quart:
    """Make an app of Quart: plain text is taken off."""
    app = quart.Quart("tests.security.mounts", static_folder=None)

    def add(page: str) -> None:
        note = visits.handler(place + page)

        async def handle() -> str:
            note()
            return page

        app.add_url_rule(page, page, handle)

    for page in PAGES:
        add(page)
    if mounts:
        app.asgi_app = DispatcherMiddleware({**mounts, "": app.asgi_app})  # type: ignore[method-assign]  # as its documentation says
    return app


def of_falcon(visits: Visits, place: str, mounts: Mounts) -> Any:
    """Make an app of Falcon: nothing is taken off, but its sink takes what begins with its path."""
    app = falcon.asgi.App()
    app.req_options.strip_url_path_trailing_slash = True

    def resource(note: Callable[[], None]) -> Any:
        class Resource:
            async def on_get(self, request: Any, response: Any) -> None:
                note()

        return Resource()

    def sink(path: str) -> Any:
        visits.places.update(f"{place}{path}{page}" for page in PAGES)

        async def drain(request: Any, response: Any, **_: Any) -> None:
            visits.ran.append(f"{place}{path}/{request.path.removeprefix(path).lstrip('/')}")

        return drain

    for page in PAGES:
        app.add_route(page, resource(visits.handler(place + page)))
    for path in mounts:
        app.add_sink(sink(path), path)
    return app


class DjangoUrls:
    """What Django takes for a module of routes."""

    def __init__(self, visits: Visits, place: str) -> None:
        self.urlpatterns = [django_path(page[1:], self._view(visits.handler(place + page))) for page in PAGES]

    def _view(self, note: Callable[[], None]) -> Any:
        async def view(request: HttpRequest) -> HttpResponse:
            note()
            return HttpResponse("page")

        return view


class Django:
    """An app of Django that has its own routes and settings for as long as it answers: a process has one of each."""

    def __init__(self, urls: DjangoUrls, script_name: str | None) -> None:
        django_site()
        self._urls, self._script_name = urls, script_name
        self.app = ASGIHandler()
        self.settle()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer."""
        self.settle()
        await self.app(scope, receive, send)

    def settle(self) -> None:
        """Put the settings into force."""
        django_settings.ROOT_URLCONF = self._urls
        django_settings.FORCE_SCRIPT_NAME = self._script_name


def of_django(visits: Visits, place: str, mounts: Mounts) -> Any:
    """Make an app of Django: plain text is taken off."""
    return Django(DjangoUrls(visits, place), None)


def of_django_with_script_name(visits: Visits, place: str, mounts: Mounts) -> Any:
    """Make one that sets its root path itself."""
    return Django(DjangoUrls(visits, place), "/app")


def of_fastapi_with_root_path(visits: Visits, place: str, mounts: Mounts) -> FastAPI:
    """Make an app of FastAPI that sets its root path itself."""
    app = of_fastapi(visits, place, mounts)
    app.root_path = "/app"
    return app


def _as_of_old(scope: Any) -> Any:
    """Take `root_path` off as Starlette 0.33 to 0.38 did: as a regular expression."""
    return {**scope, "path": re.sub(r"^" + scope.get("root_path", ""), "", scope["path"]), "root_path": ""}


class OldRoute(Route):
    """A route that looks at the path as it was looked at then."""

    def matches(self, scope: Any) -> Any:
        """Say whether it matches."""
        return super().matches(_as_of_old(scope))


class OldMount(Mount):
    """A mount that looks at the path as it was looked at then."""

    def matches(self, scope: Any) -> Any:
        """Say whether it matches."""
        match, child = super().matches(_as_of_old(scope))
        return match, {**child, "root_path": scope.get("root_path", "") + child.get("root_path", "")}


def of_old_starlette(visits: Visits, place: str, mounts: Mounts) -> Starlette:
    """Make an app of Starlette as it was."""
    app = of_starlette(visits, place, {})
    old: list[BaseRoute] = [OldRoute(route.path, route.endpoint) for route in app.routes if isinstance(route, Route)]
    app.router.routes[:] = [*old, *(OldMount(path, app=mounted) for path, mounted in mounts.items())]
    app.router.redirect_slashes = False
    return app


def of_hypercorn(visits: Visits, place: str, mounts: Mounts) -> Any:
    """Make a dispatcher, which takes nothing off and adds plain text to `root_path`."""
    return DispatcherMiddleware(dict(mounts))


@dataclass(frozen=True)
class Tree:
    """An app in which others are mounted.

    Attributes:
        mounts: where they are, and what they are.
    """

    make: Factory
    mounts: Mapping[str, "Tree"] = field(default_factory=dict)

    def build(self, visits: Visits, place: str = "") -> Any:
        """Make the app."""
        below = {path: tree.build(visits, place + path.rstrip("/")) for path, tree in self.mounts.items()}
        return self.make(visits, place, below)


def chain(*makes: Factory, paths: tuple[str, ...] = ("/static", "/a", "/b")) -> Tree:
    """Mount an app in an app in an app."""
    tree = Tree(makes[-1])
    for make, path in zip(reversed(makes[:-1]), reversed(paths[: len(makes) - 1]), strict=True):
        tree = Tree(make, {path: tree})
    return tree


# What hands on the whole path, and what is held against it: in the first the second would have to be given whole paths.
KEEPING = (of_starlette, of_fastapi, of_old_starlette)
DISPATCHING = (of_quart, of_hypercorn)
PATHS = ("/static", "/a", "/b", "/", "/static/a", "/open", "/stat", "/files")


def random_tree(source: Random, *, depth: int = 3, is_kept: bool = False) -> Tree:
    """Make an app of any kind, with others in it."""
    if depth == 0 or source.random() < 0.1:
        return Tree(source.choice((*KEEPING, of_litestar, of_quart, of_django, *(() if is_kept else (of_falcon,)))))
    make = source.choice((*KEEPING, of_litestar, of_litestar, of_litestar, *(() if is_kept else DISPATCHING)))
    paths = source.sample(PATHS, source.choice((1, 1, 2)))
    below = make is not of_litestar
    return Tree(
        make, {path: random_tree(source, depth=depth - 1, is_kept=below) for path in sorted(paths, reverse=True)}
    )


TREES: Mapping[str, Tree] = {
    "starlette": chain(of_starlette, of_starlette, of_starlette),
    "starlette in litestar": chain(of_litestar, of_starlette),
    "fastapi": chain(of_fastapi, of_fastapi),
    "fastapi with a root path": chain(of_fastapi_with_root_path, of_fastapi),
    "litestar": chain(of_litestar, of_litestar, of_litestar),
    "litestar at the root": chain(of_litestar, of_litestar, of_litestar, paths=("/", "/static")),
    "litestar in starlette": chain(of_starlette, of_litestar, of_litestar),
    "starlette of mounts in litestar": chain(of_litestar, of_starlette, of_starlette),
    "litestar below a name like the root path": chain(
        of_starlette, of_litestar, of_litestar, paths=("/app", "/static")
    ),
    "quart": chain(of_quart, of_quart),
    "quart in starlette": chain(of_starlette, of_quart),
    "quart in litestar": chain(of_litestar, of_litestar, of_quart),
    "django": chain(of_django),
    "django in starlette": chain(of_starlette, of_django),
    "django in litestar": chain(of_litestar, of_django),
    "django with a script name": chain(of_django_with_script_name),
    "falcon": chain(of_falcon, of_falcon),
    "falcon in litestar": chain(of_litestar, of_falcon),
    "starlette of old": chain(of_old_starlette, of_old_starlette, of_old_starlette),
    "starlette of old in litestar": chain(of_litestar, of_old_starlette, of_old_starlette),
    "litestar in starlette of old": chain(of_old_starlette, of_litestar, of_litestar),
    "litestar in fastapi in litestar": chain(of_litestar, of_fastapi, of_litestar, of_litestar),
    "hypercorn in litestar": chain(of_litestar, of_hypercorn, of_litestar),
    "hypercorn": Tree(
        of_hypercorn,
        {"/static": Tree(of_quart), "/a": Tree(of_litestar), "/b": Tree(of_starlette), "": Tree(of_starlette)},
    ),
}
