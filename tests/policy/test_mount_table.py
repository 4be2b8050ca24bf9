"""Mounts that match plain prefixes are found in the app's route tables; parts that cannot be inspected are reported."""

import functools
from typing import Any

import falcon.asgi
import litestar
import pytest
import quart
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from fastapi import APIRouter, FastAPI
from hypercorn.middleware import DispatcherMiddleware
from litestar import types
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from asgi_oidc.policy.mount_table import MAX_INSPECTED, MountTable, find_mounts
from asgi_oidc.web.path_readings import UNKNOWN
from tests.security.frameworks import django_site


async def leaf(scope: Any, receive: Any, send: Any) -> None:
    """An app whose routing cannot be inspected."""


async def page(request: Any) -> Any:
    """A handler."""


def litestar_with(**apps: Any) -> Any:
    """Mount apps below their names."""

    def mount(name: str, app: Any) -> Any:
        @litestar.asgi(f"/{name}", is_mount=True, copy_scope=True)
        async def mounted(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
            await app(scope, receive, send)

        return mounted

    mounts = [mount(name, app) for name, app in apps.items()]
    return litestar.Litestar(mounts, openapi_config=None, logging_config=None)


INNER = litestar_with()


def falcon_with(*sinks: str) -> Any:
    async def drain(request: Any, response: Any, **_: Any) -> None:
        """Take it all."""

    app: Any = falcon.asgi.App()
    for sink in sinks:
        app.add_sink(drain, sink)
    return app


def quart_with(*rules: str) -> quart.Quart:
    app = quart.Quart("tests.policy.test_mount_table", static_folder=None)
    for rule in rules:
        app.add_url_rule(rule, rule, page)
    return app


def fastapi_with_routers() -> FastAPI:
    app, router, inner = FastAPI(openapi_url=None), APIRouter(prefix="/files"), APIRouter()
    router.get("/old{rest:path}")(page)
    inner.include_router(router, prefix="/v1")
    app.include_router(inner, prefix="/api")
    return app


class Wrapper:
    """A middleware as they are."""

    def __init__(self, app: Any) -> None:
        self._inner = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand on."""


class Slotted:
    """One without a dictionary."""

    __slots__ = ("app", "never_set")

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand on."""


def closed_over(app: Any) -> Any:
    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        await never_set(scope, receive, send)

    if app is None:
        never_set = leaf
    return call


async def named_in_the_module(scope: Any, receive: Any, send: Any) -> None:
    await MOUNTED(scope, receive, send)


MOUNTED = litestar_with(admin=INNER)
OF_HYPERCORN: Any = DispatcherMiddleware

APPS: dict[str, tuple[Any, set[str]]] = {
    "litestar": (MOUNTED, {"/admin"}),
    "litestar in litestar": (litestar_with(a=litestar_with(b=INNER)), {"/a", "/a/b"}),
    "litestar at the root": (litestar_with(**{"": litestar_with(b=INNER)}), {"/b"}),
    "litestar in starlette": (Starlette(routes=[Mount("/s", MOUNTED), Route("/x", page)]), {"/s/admin"}),
    "litestar below any name": (Starlette(routes=[Mount("/s/{name}", MOUNTED)]), {"/s/{}/admin"}),
    "litestar of a host": (Starlette(routes=[Host("a.example.com", MOUNTED)]), {"/admin"}),
    "litestar in an endpoint": (Starlette(routes=[Route("/x", MOUNTED)]), {"/admin"}),
    "litestar in a wrapper of a mount": (
        Starlette(routes=[Mount("/s", MOUNTED, middleware=[Middleware(GZipMiddleware)])]),
        {"/s/admin"},
    ),
    "starlette": (Starlette(routes=[Mount("/api", Router([Route("/x", page), Route("/{rest:path}", page)]))]), set()),
    "starlette for the rest": (
        Router([Route("/a{rest:path}", page), Route("/{x}/b{rest:path}", page)]),
        {"/a", "/{}/b"},
    ),
    "static files": (Starlette(routes=[Mount("/static", StaticFiles(directory="tests"))]), set()),
    "fastapi": (fastapi_with_routers(), {"/api/v1/files/old"}),
    "quart": (
        quart_with("/a/<path:rest>", "/b<path:rest>", "/<x>/c<path(length=2):rest>", "/d<rest>"),
        {"/b", "/{}/c"},
    ),
    "falcon": (
        falcon_with("/a", "^/b/", r"/c\.d", "/e.*", "/f(?P<rest>.+)$", "/", "/g$", "/h(/|$)"),
        {"/a", "/c.d", "/e", "/f"},
    ),
    "falcon in starlette": (Starlette(routes=[Mount("/s", falcon_with("/s/a"))]), {"/s/a"}),
    "falcon in litestar": (litestar_with(l=falcon_with("/a")), {"/l", "/l/a"}),
    "hypercorn": (OF_HYPERCORN({"/a": falcon_with(), "/b/": quart_with(), "": Starlette()}), {"/a"}),
    "hypercorn in quart": (quart_with(), set()),
    "in a wrapper": (Wrapper(Slotted(closed_over(functools.partial(named_in_the_module)))), {"/admin"}),
    "in two of them": (Wrapper([Wrapper(Starlette()), MOUNTED]), {"/admin"}),
    "by their paths": (Wrapper({"/x": MOUNTED, 7: Starlette()}), {"/x/admin"}),
}


@pytest.mark.parametrize("name", APPS)
def test_prefixes_are_found_in_the_tables_of_an_app(name):
    """They are found through any number of wrappers, and wherever the app is mounted."""
    app, prefixes = APPS[name]

    assert find_mounts(app).mounts.prefixes == prefixes


def test_a_dispatcher_that_stands_within_an_app_is_found():
    """Its documentation says to set it up like that, so that it and the app refer to each other."""
    app: Any = quart_with()
    app.asgi_app = OF_HYPERCORN({"/a": INNER, "": app.asgi_app})

    assert find_mounts(app).mounts.prefixes == {"/a"}
    assert find_mounts(app.asgi_app).mounts.prefixes == {"/a"}


def django_with(*patterns: Any, **settings: Any) -> Any:
    site = django_site().app
    django_settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": list(patterns)})()
    return site


async def view(request: HttpRequest) -> HttpResponse:
    """A handler."""


def test_prefixes_are_found_in_the_urlconf_of_django():
    """Included URLconfs and expressions without an end match prefixes."""
    inner = [path("/users", view), path("/x", include([path("y", view)]))]
    app = django_with(
        path("a", include(inner)),
        path("b/", include([path("c", include(inner)), path("<path:rest>", view)])),
        path("d<path:rest>", view),
        path("<int:number>/e", include(inner)),
        path("f", view),
        re_path(r"^g", view),
        re_path(r"^h$", view),
        re_path(r"^i/(?P<number>\d+)/$", view),
        re_path(r"^j/", include(inner)),
        re_path(r"k$", view),
    )

    found = find_mounts(app)

    assert found.mounts.prefixes == {
        *("/a", "/a/x", "/b/c", "/b/c/x", "/d", "/{}/e", "/{}/e/x", "/g", "/j//x"),
    }
    assert found.opaque == {}


def test_an_unreadable_route_is_reported_with_its_location():
    """In Django and Falcon, a route may be any regular expression."""
    app = django_with(re_path(r"admin", view), re_path(r"^v(\d)/", include([path("x", view)])))

    assert find_mounts(app).opaque == {"/": "the expression 'admin'", "/v": "the expression '^v(\\\\d)/'"}
    assert find_mounts(falcon_with(r"/v\d/admin", "/a+b")).opaque == {
        "/v": "the expression '/v\\\\d/admin'",
        "/a": "the expression '/a+b'",
    }


def test_a_urlconf_that_does_not_load_is_told():
    """Django itself reports the cause when it serves a request."""
    site = django_site().app
    django_settings.ROOT_URLCONF = "tests.no_such_module"

    assert find_mounts(site).opaque == {"": "the URLconf of Django"}


def test_root_paths_that_apps_set_themselves_are_found():
    """Such an app strips its root path, whatever the server says."""
    app = FastAPI(openapi_url=None)
    app.root_path = "/v1"
    site = django_with()
    django_settings.FORCE_SCRIPT_NAME = "/v2"
    try:
        found = find_mounts(site)
    finally:
        django_settings.FORCE_SCRIPT_NAME = None

    assert find_mounts(app).mounts.root_paths == {"/v1"}
    assert found.mounts.root_paths == {"/v2"}


def shaped_like(name: str, **members: Any) -> Any:
    """Stand in for an app of a framework that is not installed here: its class and its tables have these names."""
    module, _, qualname = name.rpartition(".")
    return type(qualname, (), {"__module__": module, "__call__": leaf, **members})()


def test_the_mounts_of_blacksheep_are_read():
    """BlackSheep is not installed here, so the test imitates its route tables."""

    def route(pattern: bytes, handler: Any = page) -> Any:
        return shaped_like("blacksheep.server.routing.Route", pattern=pattern, handler=handler)

    app = shaped_like(
        "blacksheep.server.application.Application",
        mount_registry=shaped_like("blacksheep.server.routing.MountRegistry", mounted_apps=[route(b"/a/*", INNER)]),
        router=shaped_like(
            "blacksheep.server.routing.Router",
            routes={b"GET": [route(b"/b"), route(b"/c/*"), route(b"/d*"), route(b"/{x}/e/*"), route(b"/*")]},
        ),
    )

    found = find_mounts(app).mounts

    assert found.prefixes == {"/a", "/c", "/d", "/{}/e"}
    assert {kept.start for kept in found.kept} == {"/a"}


def test_the_urls_of_channels_are_read():
    """They are Django patterns, and routers can be nested."""
    django_site()
    inner = shaped_like("channels.routing.URLRouter", routes=[re_path(r"^users", view), path("x/", view)])
    routes = [path("ws", inner), path("chat/", inner), re_path("^y$", view)]
    app = Wrapper({"http": django_with(), "websocket": shaped_like("channels.routing.URLRouter", routes=routes)})

    assert find_mounts(app).mounts.prefixes == {"/ws", "/ws/users", "/chat/users"}


def test_an_opaque_app_is_reported_with_its_location():
    """The developer needs to know which app it is."""
    here = "tests.policy.test_mount_table"

    assert find_mounts(leaf).unknown == {"": f"{here}.leaf"}
    assert find_mounts(Wrapper(None)).unknown == {"": f"{here}.Wrapper"}
    assert find_mounts(Starlette(routes=[Mount("/metrics", leaf)])).unknown == {"/metrics": f"{here}.leaf"}
    assert find_mounts(Wrapper({"/x": MOUNTED, "/y": INNER})).unknown == {"": f"{here}.Wrapper"}
    assert MountTable(None).mounts == UNKNOWN


class Moody:
    """An app that raises when its attributes are read."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            raise RuntimeError("leave me alone")
        return object.__getattribute__(self, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""


def test_an_app_that_raises_when_inspected_is_opaque():
    """The error of the app must not break the middleware."""
    broken = shaped_like("litestar.app.Litestar")

    assert find_mounts(Wrapper(Moody())).unknown == {"": "tests.policy.test_mount_table.Moody"}
    assert find_mounts(broken).unknown == {"": "litestar.app.Litestar"}


def test_an_app_with_too_many_routes_is_opaque():
    """The work of an inspection is bounded."""
    apps = [Wrapper(leaf) for _ in range(MAX_INSPECTED)]

    assert find_mounts(Wrapper(apps)).unknown[""] == "an app of too many parts"


def test_the_table_is_read_again_when_an_app_has_more_routes():
    """Litestar adds routes while it serves, and Quart after it was wrapped."""
    app = litestar_with(a=INNER)
    table = MountTable(app, prefixes=["/told"])

    first = (table.refresh(), set(table.mounts.prefixes), table.refresh())
    app.register(litestar.asgi("/b", is_mount=True, copy_scope=True)(INNER))
    second = (table.refresh(), set(table.mounts.prefixes), table.refresh())

    assert first == (True, {"/a", "/told"}, False)
    assert second == (True, {"/a", "/b", "/told"}, False)


@pytest.mark.parametrize(("prefixes", "unread"), [(None, 1), ([], 0), (["/x"], 0)])
def test_with_plain_prefixes_set_the_app_is_not_inspected(prefixes, unread):
    """An empty list counts as well: the app has no such prefixes."""
    table = MountTable(leaf, prefixes=prefixes)

    table.refresh()

    assert len(table.opaque) == unread
