"""A Django site behind sign-in, which `ASGI_APPLICATION` names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import override_settings
from django.urls import path

from asgi_oidc import OIDCMiddleware
from tests.pytest_plugin.apps import SETTINGS

application: OIDCMiddleware | None = None


async def me(request: HttpRequest) -> HttpResponse:
    """Tell who the user is, in an async view."""
    user: Any = request.user
    return JsonResponse({"sub": user.sub, "body": request.body.decode()})


def reports(request: HttpRequest) -> HttpResponse:
    """Tell the same in a sync view."""
    user: Any = request.user
    return JsonResponse({"sub": user.sub})


urlpatterns = [path("me", me), path("reports", reports)]


@contextmanager
def django_site() -> Iterator[None]:
    """Set Django up for the duration of the block."""
    global application
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None, APPEND_SLASH=False)
        django.setup(set_prefix=False)
    from django.core.handlers.asgi import ASGIHandler

    middleware = ["asgi_oidc.integrations.django.UserMiddleware"]
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=middleware, ASGI_APPLICATION=f"{__name__}.application", ALLOWED_HOSTS=["*"]
    ):
        application = OIDCMiddleware(ASGIHandler(), **SETTINGS)
        yield
        application = None
