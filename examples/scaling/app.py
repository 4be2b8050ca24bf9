"""Sessions over several processes: who serves me, with which token, and where else am I signed in."""

import os
import time
from hashlib import sha256
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    login = request.scope["oidc"].login_url("/me")
    return HTMLResponse(f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>')


async def me(request: Request) -> HTMLResponse:
    """The token is renewed when it is due, by one process, whichever it is."""
    token = await request.scope["oidc"].access_token()
    name, logout = escape(request.user.display_name), escape(request.scope["oidc"].logout_url())
    facts = f"<p>Process {os.getpid()}, access token {sha256(token.encode()).hexdigest()[:8]}</p>"
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return HTMLResponse(f'<!doctype html><h1>Hello, {name}</h1>{facts}<a href="/devices">My devices</a>{form}')


async def devices(request: Request) -> HTMLResponse:
    """All sessions of the user; it needs a store."""
    here = request.scope["oidc"].session_id
    rows = []
    for session in await app.sessions.of(request.user.sub):
        minutes = (int(time.time()) - session.created_at) // 60
        which = "this one" if session.id == here else "another one"
        button = f'<button name="session" value="{session.id}">End</button>'
        rows.append(f"<li>{which}, {minutes} minutes old {button}")
    form = f'<form method="post" action="/devices/end"><ul>{"".join(rows)}</ul></form>'
    return HTMLResponse(f"<!doctype html><h1>My devices</h1>{form}")


async def end(request: Request) -> RedirectResponse:
    """End one of the user's own sessions; the name of somebody else's ends nothing."""
    session = str((await request.form()).get("session", ""))
    await app.sessions.end(request.user.sub, session)
    return RedirectResponse("/devices", status_code=303)


starlette = Starlette(
    routes=[
        Route("/", home),
        Route("/me", me),
        Route("/devices", devices),
        Route("/devices/end", end, methods=["POST"]),
    ]
)
app = OIDCMiddleware.from_env(starlette, public=["/"], scope="openid profile email offline_access")
