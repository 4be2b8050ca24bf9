"""FastAPI: the middleware's pages with the app's own Jinja2 templates."""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.fastapi import CurrentUser
from asgi_oidc.pages import Page

FOLDER = Path(__file__).parent
templates = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, enable_async=True)


async def render_page(page: Page) -> str:
    """Write a whole page, or only its content if htmx or Turbo inserts it into a page that is already there."""
    name = "sign_in_page.html" if page.is_fragment else "sign_in_pages.html"
    return await templates.get_template(name).render_async(page=page)


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=FOLDER / "static"))
app.add_middleware(
    OIDCMiddleware,
    issuer=os.environ["OIDC_ISSUER"],
    client_id=os.environ["OIDC_CLIENT_ID"],
    client_secret=os.environ["OIDC_CLIENT_SECRET"],
    base_url=os.environ["OIDC_BASE_URL"],
    secret=os.environ["OIDC_SECRET"],
    public=["/static/*"],
    pages=render_page,
)


@app.get("/me")
async def me(user: CurrentUser) -> str:
    """Only signed-in users get here."""
    return f"Hello, {user.display_name}"
