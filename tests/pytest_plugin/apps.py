"""Apps to sign in at, with a real issuer in their settings."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDCMiddleware, Rule
from tests.protected_site import SECRET

SETTINGS: dict[str, Any] = {
    "issuer": "https://accounts.acme.com",
    "client_id": "shop",
    "client_secret": "a secret that only the real provider knows",
    "base_url": "https://shop.acme.com",
    "secret": SECRET,
    "public": ["/"],
    "rules": [Rule("/reports", claims={"roles": "admin"}), Rule("/vault", acr_values=["mfa"])],
}


async def whoami(request: Request) -> JSONResponse:
    """Tell who the user is, as the app knows it."""
    user = request.user
    if not user.is_authenticated:
        return JSONResponse({"sub": None})
    return JSONResponse(
        {"sub": user.sub, "claims": dict(user.claims), "scopes": request.auth.scopes, "credential": user.credential}
    )


async def token(request: Request) -> JSONResponse:
    """Need the access token, as a page that calls another API does."""
    return JSONResponse({"token": await request.scope["oidc"].access_token()})


async def greet(websocket: WebSocket) -> None:
    """Say the user's name over a websocket."""
    await websocket.accept()
    await websocket.send_text(websocket.scope["user"].sub)
    await websocket.close()


def pages() -> Starlette:
    """Return an app without sign-in."""
    paths = ("/", "/me", "/reports", "/vault")
    routes = [Route(path, whoami, methods=["GET", "POST"]) for path in paths]
    return Starlette(routes=[*routes, Route("/token", token), WebSocketRoute("/ws", greet)])


def shop(**settings: Any) -> OIDCMiddleware:
    """Return the app behind sign-in."""
    return OIDCMiddleware(pages(), **{**SETTINGS, **settings})


def with_added_middleware(**settings: Any) -> Starlette:
    """Return the app as most write it: Starlette makes the middleware, and only with the first request."""
    app = pages()
    app.add_middleware(OIDCMiddleware, **{**SETTINGS, **settings})
    return app


def mounted() -> Starlette:
    """Return a site where only one path is behind sign-in."""
    return Starlette(routes=[Mount("/admin", app=shop(base_url="https://shop.acme.com/admin"))])


on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For frameworks that run on nothing else."""
