"""A small app behind sign-in, for the tests with real parts; `tests.real.app:app` takes its settings from OIDC_..."""

import html
import os
from collections.abc import AsyncIterator
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDCMiddleware

PUBLIC = ("/", "/public")


async def page(request: Request) -> Response:
    """Say which page this is and who reads it; with a way to sign in or out."""
    user = request.user
    who = html.escape(user.display_name) if user.is_authenticated else "nobody"
    way = (
        '<form method="post" action="/auth/logout"><button>Sign out</button></form>'
        if user.is_authenticated
        else '<a href="/auth/login?return_to=/private">Sign in</a>'
    )
    shown = html.escape(request.url.path + ("?" + request.url.query if request.url.query else ""))
    return HTMLResponse(f"<!doctype html><title>{shown}</title><h1>{shown}</h1><p id=who>{who}</p>{way}")


async def claims(request: Request) -> Response:
    """Say what the provider said about the user."""
    return JSONResponse(dict(request.user.claims))


async def access_token(request: Request) -> Response:
    """Say whether there is an access token."""
    token = await request.scope["oidc"].access_token()
    return JSONResponse({"has_access_token": bool(token)})


async def id_token(request: Request) -> Response:
    """Show the ID Token."""
    return JSONResponse({"id_token": request.scope["oidc"].id_token})


async def server_sent_events(request: Request) -> Response:
    """Say hello, and stay open."""

    async def said() -> AsyncIterator[str]:
        yield "data: hello\n\n"
        await anyio.sleep_forever()

    return StreamingResponse(said(), media_type="text/event-stream")


async def echo(websocket: WebSocket) -> None:
    """Say everything again, until the browser is gone."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def bare_app() -> Starlette:
    """Make the app without its protection."""
    return Starlette(
        routes=[
            Route("/claims", claims),
            Route("/access-token", access_token),
            Route("/id-token", id_token),
            Route("/events", server_sent_events),
            WebSocketRoute("/echo", echo),
            Route("/{path:path}", page),
        ]
    )


def protected_app(**settings: Any) -> OIDCMiddleware:
    """Make the app behind sign-in."""
    return OIDCMiddleware(bare_app(), public=PUBLIC, **settings)


if "OIDC_ISSUER" in os.environ:
    app = OIDCMiddleware.from_env(bare_app(), public=PUBLIC)
