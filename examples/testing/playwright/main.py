"""A page behind sign-in, for a real browser; run it with `uvicorn main:app`."""

from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware, Rule


async def home(request: Request) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><h1>Hello, {escape(request.user.display_name)}</h1>")


async def reports(request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><h1>The reports</h1>")


pages = Starlette(routes=[Route("/", home), Route("/reports", reports)])
app = OIDCMiddleware.from_env(pages, rules=[Rule("/reports", claims={"roles": "admin"})])
