"""Django under ASGI: `request.user` is the signed-in user, so `login_required` works as it always does."""

import secrets

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html

from asgi_oidc import OIDCMiddleware

settings.configure(  # those of a project are in its settings.py
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    LOGIN_URL="/auth/login",
    MIDDLEWARE=["asgi_oidc.integrations.django.UserMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(32),
)


async def home(request: HttpRequest) -> HttpResponse:
    """Anyone may see this."""
    login = request.scope["oidc"].login_url("/me")
    return HttpResponse(format_html('<!doctype html><h1>Welcome</h1><a href="{}">Sign in</a>', login))


@login_required(redirect_field_name="return_to")  # type: ignore[untyped-decorator]
def me(request: HttpRequest) -> HttpResponse:
    """Only signed-in users get here."""
    logout = request.scope["oidc"].logout_url()
    form = format_html('<form method="post" action="{}"><button>Sign out</button></form>', logout)
    return HttpResponse(format_html("<!doctype html><h1>Hello, {}</h1>{}", request.user.display_name, form))


urlpatterns = [path("", home), path("me", me)]
app = OIDCMiddleware.from_env(get_asgi_application(), public=["/"])
