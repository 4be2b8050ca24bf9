"""One small app per framework, behind the same rules: each handler counts that it ran, and says how often."""

# mypy: disable-error-code="typeddict-item, arg-type, assignment"
# (Types for ASGI of some frameworks leave no room for what a middleware adds.)

import os
from typing import Any

from asgi_oidc import OIDCMiddleware, Rule

PATHS = ("/", "/public/x", "/page", "/admin/x", "/api/x", "/strong")
SOCKETS = ("/public/ws", "/ws", "/admin/ws")
METHODS = ["GET", "POST", "PUT", "DELETE"]
PUBLIC = ["/", "/public/*"]
RULES = [
    Rule("/admin/*", claims={"roles": "director"}),
    Rule("/api/*", scopes=["read:orders"], login=False),
    Rule("/strong", acr_values=["urn:example:mfa"]),
]
runs = 0


def ran() -> str:
    """Count a run, and tell how many there were before this one of a public page."""
    global runs
    runs += 1
    return str(runs)


async def starlette_socket(websocket: Any) -> None:
    """Say who is there."""
    await websocket.accept()
    await websocket.send_text(ran())
    await websocket.close()


def protected(app: Any) -> OIDCMiddleware:
    """Put the same policy around each."""
    return OIDCMiddleware.from_env(app, public=PUBLIC, rules=RULES)


# A process has one of these, so each imports its framework by itself.


def starlette_app() -> Any:
    """Starlette."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    async def starlette_page(request: Any) -> Any:
        return PlainTextResponse(ran())

    pages = [Route(path, starlette_page, methods=METHODS) for path in PATHS]
    return Starlette(routes=[*pages, *(WebSocketRoute(path, starlette_socket) for path in SOCKETS)])


def fastapi_app() -> Any:
    """FastAPI."""
    from fastapi import FastAPI, WebSocket
    from fastapi.responses import PlainTextResponse

    async def page() -> PlainTextResponse:
        return PlainTextResponse(ran())

    async def socket(websocket: WebSocket) -> None:
        await starlette_socket(websocket)

    app = FastAPI(openapi_url=None)
    for path in PATHS:
        app.api_route(path, methods=METHODS)(page)
        app.head(path)(page)
    for path in SOCKETS:
        app.websocket(path)(socket)
    return app


def litestar_app() -> Any:
    """Litestar."""
    import litestar
    from litestar.handlers import WebsocketRouteHandler

    @litestar.route(list(PATHS), http_method=[*METHODS, "HEAD"], media_type="text/plain", status_code=200)  # type: ignore[list-item]
    async def page() -> str:
        return ran()

    async def socket(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(ran())
        await socket.close()

    sockets = WebsocketRouteHandler(list(SOCKETS))(socket)
    return litestar.Litestar([page, sockets], openapi_config=None, logging_config=None)


def quart_app() -> Any:
    """Quart."""
    import quart

    app = quart.Quart(__name__, static_folder=None)

    async def page() -> str:
        return ran()

    async def socket() -> None:
        await quart.websocket.accept()
        await quart.websocket.send(ran())

    for path in PATHS:
        app.add_url_rule(path, path, page, methods=METHODS)
    for path in SOCKETS:
        app.add_websocket(path, path, socket)
    return app


class FalconPage:
    """A resource of Falcon."""

    async def on_get(self, request: Any, response: Any) -> None:
        """Answer."""
        response.text = ran()

    on_head = on_post = on_put = on_delete = on_get

    async def on_websocket(self, request: Any, socket: Any) -> None:
        """Say who is there."""
        await socket.accept()
        await socket.send_text(ran())


def falcon_app() -> Any:
    """Falcon."""
    import falcon.asgi

    app = falcon.asgi.App()
    for path in (*PATHS, *SOCKETS):
        app.add_route(path, FalconPage())
    return app


def django_app() -> Any:
    """Django, which has no websockets."""
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import re_path

    async def page(request: Any) -> Any:
        return HttpResponse(ran())

    class Urls:
        urlpatterns = (re_path(".*", page),)

    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=Urls, MIDDLEWARE=[], LOGGING_CONFIG=None)
    return get_asgi_application()


FRAMEWORKS = {
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "quart": quart_app,
    "falcon": falcon_app,
    "django": django_app,
}


app = protected(FRAMEWORKS[os.environ["TABLE_APP"]]()) if "TABLE_APP" in os.environ else None
