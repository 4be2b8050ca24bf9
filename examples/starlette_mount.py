"""Only /admin behind sign-in: set OIDC_BASE_URL to the mounted path, such as https://app.example.com/admin."""

from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from asgi_oidc import OIDCMiddleware


async def home(request: Request) -> HTMLResponse:
    """The site itself knows nothing of sign-in."""
    return HTMLResponse('<!doctype html><h1>Welcome</h1><a href="/admin/">Administration</a>')


async def admin(request: Request) -> HTMLResponse:
    """Only signed-in users get here."""
    name, logout = escape(request.user.display_name), escape(request.scope["oidc"].logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    page = f'<h1>Administration</h1><p>Hello, {name}</p><a href="{request.url_for("admin")}">Reload</a>{form}'
    return HTMLResponse(f"<!doctype html>{page}")


admin_app = Starlette(routes=[Route("/", admin, name="admin")])
protected = OIDCMiddleware.from_env(admin_app)
app = Starlette(routes=[Route("/", home), Mount("/admin", app=protected)])
