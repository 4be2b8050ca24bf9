"""Finds the middlewares of an app, wherever they are."""

from collections.abc import Iterator
from typing import Any

from asgi_oidc.middleware import OIDCMiddleware

MAX_INSPECTED = 10_000  # objects of an app that are searched


def middlewares(app: Any, *, keep_stacks: bool = False) -> Iterator[OIDCMiddleware]:
    """Find all middlewares around an app, in its middleware stack and on its mounts, the outermost first.

    Args:
        keep_stacks: Starlette builds its middleware stack with the first request. True lets the app keep the one that
            is built here, so that its requests go through the very middlewares that are found.
    """
    waiting, visited = [app], set[int]()
    while waiting and len(visited) < MAX_INSPECTED:
        layer = waiting.pop(0)
        if layer is None or id(layer) in visited:
            continue
        visited.add(id(layer))
        if isinstance(layer, OIDCMiddleware):
            yield layer
        if hasattr(layer, "build_middleware_stack"):
            waiting.append(_stack_of(layer, keep=keep_stacks))
        waiting += [getattr(layer, name, None) for name in ("app", "asgi_app", "asgi_handler")]
        routes = getattr(layer, "routes", None)
        waiting += [getattr(route, "app", None) for route in (routes if isinstance(routes, list) else [])]


def _stack_of(app: Any, *, keep: bool) -> Any:
    stack = getattr(app, "middleware_stack", None)
    if stack is None:
        stack = app.build_middleware_stack()
        if keep:
            app.middleware_stack = stack
    return stack
