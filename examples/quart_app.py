"""Quart: wrap `asgi_app`; the user is in the request's scope."""

# mypy: disable-error-code="typeddict-item, assignment, arg-type"
# (Quart's types for ASGI leave no room for what a middleware adds.)

from html import escape

from quart import Quart, request

from asgi_oidc import OIDCMiddleware

app = Quart(__name__)


@app.get("/")
async def home() -> str:
    """Anyone may see this."""
    login = request.scope["oidc"].login_url("/me")
    return f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>'


@app.get("/me")
async def me() -> str:
    """Only signed-in users get here."""
    name, logout = escape(request.scope["user"].display_name), escape(request.scope["oidc"].logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return f"<!doctype html><h1>Hello, {name}</h1>{form}"


app.asgi_app = OIDCMiddleware.from_env(app.asgi_app, public=["/"])
