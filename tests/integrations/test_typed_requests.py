"""`request.user` has a type without a cast; mypy checks the `assert_type` lines of this file."""

from typing import assert_type

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_oidc import OIDC, AnonymousUser, User
from asgi_oidc.integrations.starlette import SignedInRequest, oidc_of, user_of
from tests.integrations.routes import sign_in, site_of


async def account(request: SignedInRequest) -> Response:
    """Stand on a protected path."""
    user = assert_type(request.user, User)
    return JSONResponse({"sub": user.sub})


async def home(request: Request) -> Response:
    """Stand on a public path."""
    user, oidc = assert_type(user_of(request), User | AnonymousUser), assert_type(oidc_of(request), OIDC)
    login = oidc.login_url() if not user.is_authenticated else None
    name = user.display_name if isinstance(user, User) else "stranger"
    return JSONResponse({"name": name, "login": login})


def narrowed(user: User | AnonymousUser) -> str | None:
    """Tell both apart by `is_authenticated`."""
    if user.is_authenticated:
        return assert_type(user, User).sub
    return assert_type(user, AnonymousUser).sub


async def tell(websocket: WebSocket) -> None:
    """Name the user on a websocket."""
    assert_type(user_of(websocket), User | AnonymousUser)
    await websocket.close()


@pytest.fixture(params=["starlette", "fastapi"])
def app(request):
    """Make an app with both handlers."""
    if request.param == "starlette":
        return Starlette(routes=[Route("/", home), Route("/account", account), WebSocketRoute("/ws", tell)])
    api = FastAPI()
    api.get("/")(home)
    api.get("/account")(account)
    return api


async def test_a_handler_with_a_typed_request_gets_the_user(app):
    """At run time the annotation is `Request` itself, which the framework recognizes."""
    browser = await sign_in(site_of(app))

    response = await browser.fetch("/account")

    assert (response.status_code, response.json()) == (200, {"sub": "alice"})


async def test_on_a_public_path_the_user_may_be_anonymous(app):
    """The type says so, and the handler has to check."""
    site = site_of(app, public=["/"])

    anonymous, signed_in = await site.browser().fetch("/"), await (await sign_in(site)).fetch("/")

    assert anonymous.json() == {"name": "stranger", "login": "https://app.example.com/auth/login"}
    assert signed_in.json()["login"] is None


def test_the_two_kinds_of_user_are_told_apart():
    """`is_authenticated` tells them apart, as in every framework."""
    alice = User("alice", "https://id.example.com", {})

    assert (narrowed(alice), narrowed(AnonymousUser())) == ("alice", None)


@pytest.mark.parametrize("find", [user_of, oidc_of])
def test_an_app_without_the_middleware_is_told_so(find):
    """A `KeyError` would not say what to do."""
    with pytest.raises(RuntimeError, match="wrap the app in OIDCMiddleware"):
        find(HTTPConnection({"type": "http", "headers": []}))
