"""An app that is configured by the environment alone, as it runs in a container."""

import asyncio
from collections.abc import AsyncIterator
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDCMiddleware


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    login = escape(request.scope["oidc"].login_url(request.url_for("me").path))
    return HTMLResponse(f'<!doctype html><h1>Welcome</h1><a href="{login}">Sign in</a>')


async def me(request: Request) -> HTMLResponse:
    """Only signed-in users get here."""
    name, logout = escape(request.user.display_name), escape(request.scope["oidc"].logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return HTMLResponse(f"<!doctype html><h1>Hello, {name}</h1>{form}")


async def events(request: Request) -> StreamingResponse:
    """Send an event a second; a proxy must not keep them back."""

    async def ticks() -> AsyncIterator[str]:
        for number in range(60):
            yield f"data: {number}\n\n"
            await asyncio.sleep(1)

    return StreamingResponse(ticks(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def greeting(websocket: WebSocket) -> None:
    """Greet over a websocket."""
    await websocket.accept()
    await websocket.send_text(f"Hello, {websocket.user.display_name}")
    await websocket.close()


routes = [
    Route("/", home),
    Route("/me", me),
    Route("/events", events),
    WebSocketRoute("/greeting", greeting),
]
app = OIDCMiddleware.from_env(Starlette(routes=routes))
