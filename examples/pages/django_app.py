"""Django: the middleware's pages with the project's own templates."""

import secrets
from pathlib import Path

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.html import format_html
from django.views.static import serve

from asgi_oidc import OIDCMiddleware
from asgi_oidc.pages import Page

FOLDER = Path(__file__).parent
settings.configure(  # those of a project are in its settings.py
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(32),
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [FOLDER / "templates"]}],
)


def render_page(page: Page) -> str:
    """Write a whole page, or only its content if htmx or Turbo inserts it into a page that is already there."""
    name = "sign_in_page.html" if page.is_fragment else "sign_in_pages.html"
    html: str = render_to_string(name, {"page": page})
    return html


def me(request: HttpRequest) -> HttpResponse:
    """Only signed-in users get here."""
    return HttpResponse(format_html("Hello, {}", request.scope["user"].display_name))


urlpatterns = [path("me", me), path("static/<path:path>", serve, {"document_root": FOLDER / "static"})]
app = OIDCMiddleware.from_env(get_asgi_application(), public=["/static/*"], pages=render_page)
