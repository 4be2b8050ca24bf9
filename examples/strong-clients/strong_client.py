"""A client with a key: it authenticates without a secret, pushes its requests, and has its tokens bound to a key."""

from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware


async def home(request: Request) -> HTMLResponse:
    """Greet the user."""
    return HTMLResponse(f"<!doctype html><h1>Hello {escape(request.user.display_name)}</h1>")


starlette = Starlette(routes=[Route("/", home)])
app = OIDCMiddleware.from_env(
    starlette, client_auth="private_key_jwt", par="always", request_object=True, dpop="always"
)
