"""Call an API with the user's access token, which is renewed when it runs out."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware

API = os.environ.get("API_URL", "http://127.0.0.1:9400/userinfo")  # of the demo's provider
ORIGIN = urlsplit(API)._replace(path="", query="").geturl()


@asynccontextmanager
async def client_of_app(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """Keep one client for all requests."""
    async with httpx.AsyncClient() as client:
        yield {"client": client}


async def userinfo(request: Request) -> HTMLResponse:
    """Show what the API says about this user."""
    auth = request.scope["oidc"].httpx_auth(ORIGIN)
    answer = await request.state.client.get(API, auth=auth)
    return HTMLResponse(f"<!doctype html><h1>{answer.status_code}</h1><pre>{escape(answer.text)}</pre>")


starlette = Starlette(routes=[Route("/userinfo", userinfo)], lifespan=client_of_app)
app = OIDCMiddleware.from_env(starlette, scope="openid profile email offline_access")
