"""`asgi-oidc rules`: what an app's middleware decides about a path, and why."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from asgi_oidc import OIDCMiddleware

MAX_INSPECTED = 10_000  # objects of an app that are searched


class NoSuchApp(Exception):
    """There is no such app, or it has no `OIDCMiddleware`; the message tells which."""


def explain_rules(name: str, path: str | None, method: str, *, is_factory: bool = False) -> str:
    """Explain one path, or list all rules, of each middleware in an app.

    Args:
        name: the app, in the form that servers take: `package.module:app`.
        is_factory: whether it is a function that returns the app.

    Raises:
        NoSuchApp: there is no such app, it has no middleware, or `path` is not below it.
        SettingsError: the middleware's settings are invalid.
        ValueError: `method` is not an HTTP method.
    """
    app = _call_factory(load(name), name) if is_factory else load(name)
    found = list(middlewares(app))
    if not found:
        may_be_factory = inspect.isfunction(app) and not inspect.iscoroutinefunction(app)
        raise NoSuchApp(
            f"{name} is a function: add --factory if it returns the app"
            if may_be_factory
            else f"{name} has no OIDCMiddleware around it, in its stack or on a mount, as far as can be seen from "
            "outside: name the middleware itself, such as package.module:guarded_app"
        )
    if path is None:
        return "\n\n".join(middleware.explain_all() for middleware in found)
    if not path.startswith(("/", "https://", "http://")):
        raise NoSuchApp(f"{path!r} is not a path: start it with '/'")
    covering = [middleware for middleware in found if middleware.covers(path)]
    if not covering:
        raise NoSuchApp(f"{path} is not below {', '.join(middleware.base_url for middleware in found)}")
    return "\n\n".join(f"{middleware.base_url}: {middleware.explain(path, method)}" for middleware in covering)


def _call_factory(factory: Any, name: str) -> Any:
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError):
        raise NoSuchApp(f"{name} must be a function that takes no arguments and returns an app") from None
    return factory()


def load(name: str) -> Any:
    """Import an app.

    Raises:
        NoSuchApp: the module or the app in it does not exist.
    """
    module_name, colon, attributes = name.partition(":")
    if not colon or not attributes:
        raise NoSuchApp(f"{name!r} does not name an app: write package.module:app")
    sys.path.insert(0, "")  # the current directory, where servers search for apps too
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_name}.".startswith(f"{exc.name}."):
            raise
        raise NoSuchApp(f"cannot find the module {exc.name!r} from here") from None
    finally:
        sys.path.remove("")
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise NoSuchApp(f"{module_name} has no {attributes!r}")
        found = getattr(found, attribute)
    return found


def middlewares(app: Any) -> Iterator[OIDCMiddleware]:
    """Find all middlewares around an app, in its middleware stack and on its mounts, the outermost first."""
    waiting, visited = [app], set[int]()
    while waiting and len(visited) < MAX_INSPECTED:
        layer = waiting.pop(0)
        if layer is None or id(layer) in visited:
            continue
        visited.add(id(layer))
        if isinstance(layer, OIDCMiddleware):
            yield layer
        if hasattr(layer, "build_middleware_stack"):  # Starlette builds its stack only with the first request
            waiting.append(layer.build_middleware_stack())
        waiting += [getattr(layer, name, None) for name in ("app", "asgi_app", "asgi_handler")]
        routes = getattr(layer, "routes", None)
        waiting += [getattr(route, "app", None) for route in (routes if isinstance(routes, list) else [])]
