"""Starlette: `request.user` is the signed-in user, and `@requires` knows the granted scopes."""

from html import escape

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.starlette import SignedInRequest, oidc_of


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    login = oidc_of(request).login_url("/me")
    return HTMLResponse(f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>')


@requires("email")
async def me(request: SignedInRequest) -> HTMLResponse:
    """Only signed-in users whose e-mail address we may read get here."""
    name, logout = escape(request.user.display_name), escape(oidc_of(request).logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return HTMLResponse(f"<!doctype html><h1>Hello, {name}</h1>{form}")


starlette = Starlette(routes=[Route("/", home), Route("/me", me)])
app = OIDCMiddleware.from_env(starlette, public=["/"])
