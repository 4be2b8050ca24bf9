"""Django Channels: `scope["user"]` is ours below `AuthMiddlewareStack`, whichever of the two is outside."""

from collections.abc import Iterator
from typing import Any

import django
import pytest
from channels.auth import AuthMiddlewareStack
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import override_settings
from django.urls import path
from msgspec import json

from asgi_oidc.testing import Browser
from tests.integrations.routes import sign_in, site_of
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header

BACKEND = f"{__name__}.Backend"
KEY = "a-key-of-django-for-tests-only"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # Channels has no other


@pytest.fixture(autouse=True)
def django_settings() -> Iterator[None]:
    """Let Django keep its sessions in cookies, and know a user of its own."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None, APPEND_SLASH=False)
        django.setup(set_prefix=False)
    settings.SECRET_KEY = KEY  # for good: Django refuses to go back to none
    with override_settings(
        AUTHENTICATION_BACKENDS=[BACKEND],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer",
    ):
        yield


class Backend:
    """A Django backend that accepts any user id of a session."""

    def get_user(self, user_id: int) -> Any:
        from django.contrib.auth.models import User

        return User(pk=user_id, username="django-admin", password="x")


def django_session() -> str:
    """Make the cookie of a user who has signed in with Django itself."""
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    store = SessionStore()
    hashed = Backend().get_user(7).get_session_auth_hash()
    store.update({SESSION_KEY: "7", BACKEND_SESSION_KEY: BACKEND, HASH_SESSION_KEY: hashed})
    return f"{settings.SESSION_COOKIE_NAME}={store._get_session_key()}"


def said(scope: Any) -> dict[str, Any]:
    user = scope["user"]
    return {"kind": type(user).__module__, "sub": user.sub, "is_authenticated": user.is_authenticated}


class Who(AsyncHttpConsumer):  # type: ignore[misc]  # Channels has no types
    """An HTTP consumer that sends who its user is."""

    async def handle(self, body: bytes) -> None:
        headers = [(b"content-type", b"application/json")]
        await self.send_response(200, json.encode(said(self.scope)), headers=headers)


class Tell(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """A websocket consumer that sends the same."""

    async def connect(self) -> None:
        await self.accept()
        await self.send_json(said(self.scope))
        await self.close()


def make_site(*, is_outside: bool) -> Site:
    """Put the middleware around Channels, or into it."""
    routes = {
        "http": URLRouter([path("hello", Who.as_asgi()), path("elsewhere", Who.as_asgi())]),
        "websocket": URLRouter([path("ws", Tell.as_asgi())]),
    }
    if is_outside:
        return site_of(ProtocolTypeRouter({name: AuthMiddlewareStack(app) for name, app in routes.items()}))
    site = site_of(ProtocolTypeRouter(routes))
    inner = site.middleware
    stack = AuthMiddlewareStack(inner)
    site.middleware = stack
    return site


@pytest.fixture(params=[True, False], ids=["outside", "inside"])
def site(request: pytest.FixtureRequest) -> Site:
    return make_site(is_outside=request.param)


async def open_websocket(site: Site, cookies: str) -> dict[str, Any]:
    exchange = Exchange({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000})
    scope: dict[str, Any] = {"type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b""}
    scope |= {"headers": [(b"origin", ORIGIN.encode()), (b"cookie", cookies.encode())], "subprotocols": []}
    scope |= {"scheme": "wss", "root_path": "", "extensions": {}, "asgi": {"version": "3.0"}}
    await site.middleware(scope, exchange.receive, exchange.send)
    (text,) = [message["text"] for message in exchange.sent if message["type"] == "websocket.send"]
    found: dict[str, Any] = json.decode(text)
    return found


ALICE = {"kind": "asgi_oidc.principal", "sub": "alice", "is_authenticated": True}
ANONYMOUS = {"kind": "asgi_oidc.principal", "sub": None, "is_authenticated": False}


async def test_a_consumer_sees_who_signed_in(site):
    """`AuthMiddleware` assigns to the object that it expects in the scope, which must not break ours."""
    browser = await sign_in(site)

    page = await browser.fetch("/hello")

    assert page.json() == ALICE
    assert await open_websocket(site, cookie_header(browser)) == ALICE


async def test_a_consumer_sees_an_anonymous_user(site):
    """All requests share one anonymous user, so nothing may be stored on it."""
    page = await site.browser().fetch("/hello")

    assert page.json() == ANONYMOUS
    assert await open_websocket(site, "") == ANONYMOUS


async def test_a_django_session_does_not_sign_in_here(site):
    """It does not replace the user who has signed in at the provider either."""
    browser = await sign_in(site)
    both = f"{cookie_header(browser)}; {django_session()}"

    page = await Browser(site.middleware, ORIGIN).fetch("/hello", headers={"cookie": django_session()})

    assert page.json() == ANONYMOUS
    assert await open_websocket(site, both) == ALICE


async def test_a_session_of_django_is_one():
    """It shows that the Django session of the tests above is valid."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["user"].username)

    headers = [(b"cookie", django_session().encode())]
    await AuthMiddlewareStack(app)({"type": "websocket", "headers": headers}, None, None)

    assert found == ["django-admin"]
