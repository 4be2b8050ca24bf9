"""A Starlette app behind sign-in; run it with `uvicorn main:app`."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDCMiddleware, Rule


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello, {request.user.display_name}")


async def reports(request: Request) -> PlainTextResponse:
    return PlainTextResponse("The reports")


async def news(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"News for {websocket.user.display_name}")
    await websocket.close()


app = Starlette(routes=[Route("/", home), Route("/reports", reports), WebSocketRoute("/news", news)])
guarded = OIDCMiddleware.from_env(app, rules=[Rule("/reports", claims={"roles": "admin"})])
