"""Tenants in a database: the users of each sign in at the tenant's own provider, and have their own path."""

import os
import sqlite3
from html import escape

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import Scope

from asgi_oidc import OIDCMiddleware, Provider

DATABASE = os.environ.get("DATABASE", "tenants.db")


class Tenants:
    """The table `tenants`, with the columns name, issuer, client_id and client_secret."""

    async def get(self, name: str) -> Provider | None:
        """Return the provider of a tenant, None if there is no such tenant."""
        row = await anyio.to_thread.run_sync(self._row, name)
        return None if row is None else Provider(issuer=row[0], client_id=row[1], client_secret=row[2])

    def _row(self, name: str) -> tuple[str, str, str] | None:
        with sqlite3.connect(DATABASE) as database:
            found = database.execute("SELECT issuer, client_id, client_secret FROM tenants WHERE name = ?", (name,))
            row: tuple[str, str, str] | None = found.fetchone()
            return row


async def choose_provider(scope: Scope) -> str | None:
    """Return the tenant in the path: `/t/acme/...`."""
    segments: list[str] = scope["path"].split("/")
    return segments[2] if segments[1] == "t" and len(segments) > 3 else None


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    return HTMLResponse("<!doctype html><h1>Welcome</h1>")


async def dashboard(request: Request) -> HTMLResponse:
    """Users see their own tenant only."""
    tenant = request.path_params["tenant"]
    if request.user.provider != tenant:
        raise HTTPException(404)
    return HTMLResponse(f"<!doctype html><h1>{escape(tenant)}</h1><p>{escape(request.user.display_name)}</p>")


app = OIDCMiddleware(
    Starlette(routes=[Route("/", home), Route("/t/{tenant}/dashboard", dashboard)]),
    providers=Tenants(),
    choose_provider=choose_provider,
    base_url=os.environ["OIDC_BASE_URL"],
    secret=os.environ["OIDC_SECRET"],
    public=["/"],
)
