"""FastAPI: the signed-in user as a typed dependency, which shows in the OpenAPI document (/docs), scopes and all."""

from html import escape
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from asgi_oidc import OIDCMiddleware, User
from asgi_oidc.integrations.fastapi import CurrentUser, OptionalUser, require
from asgi_oidc.integrations.starlette import oidc_of

api = FastAPI(title="asgi-oidc with FastAPI")


@api.get("/", response_class=HTMLResponse)
async def home(user: OptionalUser, request: Request) -> str:
    """Anyone may see this."""
    name, login = escape(user.display_name if user else "stranger"), escape(oidc_of(request).login_url("/me"))
    return f'<!doctype html><h1>Welcome, {name}</h1><a href="{login}">Sign in</a>'


@api.get("/me", response_class=HTMLResponse)
async def me(user: CurrentUser, request: Request) -> str:
    """Only signed-in users get here."""
    name, logout = escape(user.display_name), escape(oidc_of(request).logout_url())
    form = f'<form method="post" action="{logout}"><button>Sign out</button></form>'
    return f"<!doctype html><h1>Hello, {name}</h1>{form}"


@api.get("/api/me")
async def api_me(user: Annotated[User, require(scopes=["email"])]) -> dict[str, str | None]:
    """Say who is signed in; 401 for nobody, 403 for those whose e-mail address we may not read."""
    return {"sub": user.sub, "name": user.name, "email": user.email}


app = OIDCMiddleware.from_env(api, public=["/"])
