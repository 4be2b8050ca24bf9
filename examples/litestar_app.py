"""Litestar: `request.user` is the signed-in user, and a guard says what a route needs of them."""

# mypy: disable-error-code="typeddict-item, arg-type"
# (Litestar's types for ASGI leave no room for what a middleware adds.)

from html import escape
from typing import Any

from litestar import Litestar, MediaType, Request, get

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.litestar import requires


@get("/", media_type=MediaType.HTML)
async def home(request: Request[Any, Any, Any]) -> str:
    """Anyone may see this."""
    login = request.scope["oidc"].login_url("/me")
    return f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>'


@get("/me", media_type=MediaType.HTML, guards=[requires(scopes=["email"])])
async def me(request: Request[Any, Any, Any]) -> str:
    """Only signed-in users whose e-mail address we may read get here."""
    logout = request.scope["oidc"].logout_url()
    form = f'<form method="post" action="{escape(logout)}"><button>Sign out</button></form>'
    return f"<!doctype html><h1>Hello, {escape(request.user.display_name)}</h1>{form}"


app = OIDCMiddleware.from_env(Litestar([home, me]), public=["/"])
