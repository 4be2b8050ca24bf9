"""Quart: wrap `asgi_app`; `current_user` is the signed-in user, and `requires` says what a route needs of them."""

# mypy: disable-error-code="typeddict-item, assignment, arg-type"
# (Quart's types for ASGI leave no room for what a middleware adds.)

from html import escape

from quart import Quart, request

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.quart import current_user, requires

app = Quart(__name__)


@app.get("/")
async def home() -> str:
    """Anyone may see this."""
    login = request.scope["oidc"].login_url("/me")
    return f'<!doctype html><h1>Welcome</h1><a href="{escape(login)}">Sign in</a>'


@app.get("/me")
@requires(scopes=["email"])
async def me() -> str:
    """Only signed-in users whose e-mail address we may read get here."""
    name, logout = escape(current_user.display_name), escape(request.scope["oidc"].logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return f"<!doctype html><h1>Hello, {name}</h1>{form}"


app.asgi_app = OIDCMiddleware.from_env(app.asgi_app, public=["/"])
