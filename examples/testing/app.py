"""An app that tests can build with settings of their own: a factory, instead of an app at module level."""

from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from asgi_oidc import OIDCMiddleware, User
from asgi_oidc.integrations.fastapi import CurrentUser, require


def create_api() -> FastAPI:
    """Make the API alone, without sign-in."""
    api = FastAPI()

    @api.get("/", response_class=HTMLResponse)
    async def home() -> str:
        return "<!doctype html><h1>Welcome</h1>"

    @api.get("/me", response_class=HTMLResponse)
    async def me(user: CurrentUser, request: Request) -> str:
        logout = escape(request.scope["oidc"].logout_url())
        form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
        return f"<!doctype html><h1>Hello, {escape(user.display_name)}</h1>{form}"

    @api.get("/reports")
    async def reports(user: Annotated[User, require(claims={"roles": "admin"})]) -> dict[str, str]:
        return {"for": user.sub}

    return api


def create_app(**settings: Any) -> OIDCMiddleware:
    """Make the whole app; what `settings` leaves out comes from the environment."""
    return OIDCMiddleware.from_env(create_api(), public=["/"], **settings)
