"""Finds the middlewares of an app, wherever they are."""

from collections.abc import Iterator
from typing import Any

from asgi_oidc.middleware import OIDCMiddleware

MAX_INSPECTED = 10_000  # objects of an app that are searched


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
