"""Starlette: the middleware's pages with the app's own Jinja2 templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from asgi_oidc import OIDCMiddleware
from asgi_oidc.pages import Page

FOLDER = Path(__file__).parent
templates = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True)


def render_page(page: Page) -> str:
    """Write a whole page, or only its content if htmx or Turbo inserts it into a page that is already there."""
    name = "sign_in_page.html" if page.is_fragment else "sign_in_pages.html"
    return templates.get_template(name).render(page=page)


async def me(request: Request) -> PlainTextResponse:
    """Only signed-in users get here."""
    return PlainTextResponse(f"Hello, {request.user.display_name}")


starlette = Starlette(routes=[Route("/me", me), Mount("/static", StaticFiles(directory=FOLDER / "static"))])
app = OIDCMiddleware.from_env(starlette, public=["/static/*"], pages=render_page)
