"""Lists the routes of an app, as far as they can be seen from outside. No framework is imported."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_ROUTES = 5_000
LAYERS = ("app", "asgi_app", "asgi_handler", "_app", "wrapped")  # where middlewares keep the app inside


@dataclass(frozen=True, slots=True)
class AppRoute:
    """A route.

    Attributes:
        path: relative to the app, with `{}` for a segment that is a parameter.
        takes_rest: whether it also serves what is below the path.
        methods: None if it takes all methods, or they are unknown.
    """

    path: str
    takes_rest: bool = False
    methods: frozenset[str] | None = None

    @property
    def example(self) -> str:
        """A path that it serves."""
        return self.path.replace("{}", "x") or "/"


@dataclass(slots=True)
class AppRoutes:
    """The routes of an app.

    Attributes:
        is_complete: whether these are all.
    """

    routes: list[AppRoute] = field(default_factory=list)
    is_complete: bool = True


def routes_of(app: Any) -> AppRoutes:
    """List the routes of Starlette, FastAPI, Litestar and Quart; others have none that can be seen."""
    found = AppRoutes(is_complete=False)
    for layer in inner_apps(app):
        if isinstance(getattr(layer, "routes", None), list):
            found.is_complete = True
            _add_routes(layer.routes, "", found)
            break
        if hasattr(layer, "url_map"):
            found.is_complete = True
            _add_rules(layer.url_map, found)
            break
    return found


def inner_apps(app: Any) -> Iterator[Any]:
    """Return an app and what is inside it, the outermost first."""
    visited: set[int] = set()
    waiting = [app]
    while waiting and len(visited) < MAX_ROUTES:
        layer = waiting.pop(0)
        if layer is None or id(layer) in visited:
            continue
        visited.add(id(layer))
        yield layer
        waiting += [getattr(layer, name, None) for name in LAYERS if not isinstance(layer, type)]
        waiting.append(getattr(layer, "__self__", None))  # `Quart.asgi_app` is a method


def mount_paths_of(app: Any) -> dict[int, str]:
    """Return the paths at which apps are mounted (Starlette, FastAPI), by the id of each app."""
    found: dict[int, str] = {}
    waiting: list[tuple[Any, str]] = [(app, "")]
    while waiting and len(found) < MAX_ROUTES:
        outer, path = waiting.pop(0)
        for layer in inner_apps(outer):
            if id(layer) in found:
                continue
            found[id(layer)] = path
            routes = getattr(layer, "routes", None)
            mounts = [route for route in (routes if isinstance(routes, list) else []) if _is_mount(route)]
            waiting += [(route.app, path + route.path) for route in mounts]
    return found


def _is_mount(route: Any) -> bool:
    return type(route).__name__ == "Mount" or (hasattr(route, "app") and hasattr(route, "routes"))


def _add_routes(routes: list[Any], start: str, found: AppRoutes) -> None:
    for route in routes:
        if len(found.routes) >= MAX_ROUTES:
            found.is_complete = False
            return
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            _add_router(route, start, found)
        elif _is_mount(route):
            _add_mount(route, start + path, found)
        else:
            methods = getattr(route, "methods", None)
            found.routes.append(_route(start + path, frozenset(methods) if methods else None))


def _add_router(router: Any, start: str, found: AppRoutes) -> None:
    """Read a router that an app of FastAPI includes; the routes of another host are none of ours."""
    context, included = getattr(router, "include_context", None), getattr(router, "original_router", None)
    routes = getattr(included, "routes", None)
    if isinstance(routes, list):
        _add_routes(routes, start + getattr(context, "prefix", ""), found)
    else:
        found.is_complete = False


def _add_mount(mount: Any, path: str, found: AppRoutes) -> None:
    inner = getattr(mount, "routes", None)
    if isinstance(inner, list) and inner:
        _add_routes(inner, path.rstrip("/"), found)
    else:
        found.routes.append(AppRoute(_with_braces(path.rstrip("/"))[0], takes_rest=True))


def _add_rules(url_map: Any, found: AppRoutes) -> None:
    """Read the rules of Werkzeug, which Quart uses: `/x/<int:number>`."""
    for rule in url_map.iter_rules():
        methods = rule.methods
        found.routes.append(
            _route(rule.rule.replace("<", "{").replace(">", "}"), frozenset(methods) if methods else None)
        )


def _route(template: str, methods: frozenset[str] | None) -> AppRoute:
    path, takes_rest = _with_braces(template)
    return AppRoute(path, takes_rest, methods)


def _with_braces(template: str) -> tuple[str, bool]:
    """Replace each segment with a parameter by `{}`; a parameter for the rest of the path ends it."""
    segments = []
    for segment in template.split("/"):
        if "{" not in segment:
            segments.append(segment)
            continue
        if segment.startswith("{path:") or segment.endswith(":path}"):
            return "/".join(segments), True
        segments.append("{}")
    return "/".join(segments), False
