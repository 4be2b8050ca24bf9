"""Django's `login_required` and similar decorators, with the user that `UserMiddleware` sets."""

from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.auth.decorators import login_required, user_passes_test
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.test.client import RequestFactory
from django.urls import path
from django.utils.decorators import sync_only_middleware

from asgi_oidc.integrations.django import UserMiddleware
from asgi_oidc.testing import Browser
from tests.integrations.routes import query_of, sign_in, site_of
from tests.protected_site import ORIGIN, Site

OURS = "asgi_oidc.integrations.django.UserMiddleware"
SYNC_ONLY = f"{__name__}.sync_only"


def who(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sub": request.user.sub})


async def awho(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sub": (await request.auser()).sub})


def is_admin(user: Any) -> bool:
    return "admin" in user.claims.get("roles", ())


@sync_only_middleware
def sync_only(get_response: Any) -> Any:
    """A sync middleware, which Django runs in a thread, and which makes the chain before it sync too."""
    return lambda request: get_response(request)


guarded = login_required(redirect_field_name="return_to")
urlpatterns = [
    path("hello", who),
    path("ahello", awho),
    path("me", guarded(who)),
    path("ame", guarded(awho)),
    path("staff", user_passes_test(is_admin, redirect_field_name="return_to")(who)),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # Django has no other


@pytest.fixture(autouse=True, params=[[OURS], [OURS, SYNC_ONLY]], ids=["async", "sync"])
def django_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run each test in a chain of async middleware, and in one of sync ones."""
    if not settings.configured:
        # Others configure nothing more where this came first: one process has one Django.
        settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None, APPEND_SLASH=False)
        django.setup(set_prefix=False)
    with override_settings(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        LOGIN_URL="/auth/login",
        MIDDLEWARE=request.param,
        ROOT_URLCONF=__name__,
    ):
        yield


@pytest.fixture
def site() -> Site:
    return site_of(ASGIHandler())


@pytest.mark.parametrize("url", ["/hello", "/ahello", "/me", "/ame", "/staff"])
async def test_views_have_the_user_of_the_scope(site, url):
    """Sync views use `request.user`, async ones `await request.auser()`."""
    browser = await sign_in(site)

    assert (await browser.fetch(url)).json() == {"sub": "alice"}


@pytest.mark.parametrize("url", ["/hello", "/ahello"])
async def test_without_a_session_the_user_is_anonymous(site, url):
    """On a public path, as in Django itself."""
    assert (await site.browser().fetch(url)).json() == {"sub": None}


@pytest.mark.parametrize("url", ["/me?page=2", "/ame?page=2"])
async def test_login_required_sends_an_anonymous_user_to_a_login_and_back(site, url):
    """`LOGIN_URL` is our login URL, and `return_to` its parameter for the page to return to."""
    browser = site.browser()

    redirect = await browser.get(url, follow=False)
    page = await browser.sign_in("alice", url)

    assert (redirect.status_code, query_of(redirect.location)) == (302, {"return_to": url})
    assert (page.status_code, page.path, page.json()) == (200, url, {"sub": "alice"})


async def test_a_test_of_claims_refuses_others(site):
    """Django then sends the user to the login."""
    redirect = await (await sign_in(site, "bob")).fetch("/staff")

    assert (redirect.status_code, redirect.location) == (302, f"{ORIGIN}/auth/login?return_to=/staff")


async def test_a_missing_middleware_is_named(caplog):
    """It is a mistake of the developer; Django responds with a 500, and logs the error."""
    page = await Browser(ASGIHandler(), ORIGIN).get("/hello")

    assert page.status_code == 500
    assert "wrap the app in OIDCMiddleware" in caplog.text


def test_wsgi_is_told_the_same():
    """Under WSGI there is no scope."""
    with pytest.raises(RuntimeError, match="wrap the app in OIDCMiddleware"):
        UserMiddleware(lambda request: None)(RequestFactory().get("/"))
