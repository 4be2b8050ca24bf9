"""A page that knows when it is over: a websocket that closes with the session, and who-am-i for a script."""

import asyncio
import time
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from asgi_oidc import OIDCMiddleware

SCRIPT = """
const clock = document.querySelector("#clock"), until = document.querySelector("#until");
const socket = new WebSocket(location.origin.replace("http", "ws") + "/clock");
socket.onmessage = event => clock.textContent = event.data;
socket.onclose = event => clock.textContent = event.code === 4401 ? "Your session is over." : "Connection lost.";
fetch("/auth/session").then(answer => answer.json()).then(session =>
    until.textContent = new Date(session.expires_at * 1000).toLocaleTimeString());
"""


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this; people come back here from a sign-out."""
    login = request.scope["oidc"].login_url("/me")
    return HTMLResponse(f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>')


async def bye(request: Request) -> HTMLResponse:
    """A page of the app's own for those who signed out."""
    return HTMLResponse("<!doctype html><h1>Goodbye</h1>")


async def me(request: Request) -> HTMLResponse:
    """A page that stays open while others sign its user out."""
    name, logout = escape(request.user.display_name), escape(request.scope["oidc"].logout_url("/bye"))
    facts = '<p>Signed in until <b id="until"></b> if nothing happens. <b id="clock"></b></p>'
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return HTMLResponse(f"<!doctype html><h1>Hello, {name}</h1>{facts}{form}<script>{SCRIPT}</script>")


async def clock(websocket: WebSocket) -> None:
    """Tell the time until the browser is gone, or the session."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(time.strftime("%H:%M:%S"))
            await asyncio.sleep(1)
    except WebSocketDisconnect:
        return


routes = [Route("/", home), Route("/bye", bye), Route("/me", me), WebSocketRoute("/clock", clock)]
app = OIDCMiddleware.from_env(Starlette(routes=routes), public=["/", "/bye"])
