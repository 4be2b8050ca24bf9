"""A Django project in one file, behind sign-in; run it with `uvicorn main:application`."""

import os
from typing import Any

import django
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from asgi_oidc import OIDCMiddleware, Rule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "main")

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-this-example")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "main"
ASGI_APPLICATION = "main.application"
MIDDLEWARE = ["asgi_oidc.integrations.django.UserMiddleware"]


def home(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    return HttpResponse(f"Hello, {user.display_name}")


async def reports(request: HttpRequest) -> HttpResponse:
    return HttpResponse("The reports")


urlpatterns = [path("", home), path("reports", reports)]

django.setup()
application = OIDCMiddleware.from_env(get_asgi_application(), rules=[Rule("/reports", claims={"roles": "admin"})])
