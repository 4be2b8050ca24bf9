"""Litestar's guard `requires`, and the user that `request.user` gives."""

from typing import Any

import pytest
from litestar import Litestar, Request, Router, WebSocket, asgi, get, websocket
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.response import Response as LitestarResponse
from litestar.types import Receive, Scope, Send

from asgi_oidc.integrations.litestar import requires
from asgi_oidc.testing import Response
from tests.integrations.routes import SOCKETS, TERMS, RoutesContract, query_of, sign_in, site_of
from tests.integrations.token_routes import TOKEN_TERMS, TokenRoutesContract
from tests.protected_site import Site

AnyRequest = Request[Any, Any, Any]


def make_litestar(**settings: Any) -> Litestar:
    """Make an app with the routes of the contract, and a mounted one."""

    async def who(request: AnyRequest) -> dict[str, str]:
        return {"sub": request.user.sub}

    async def tell(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(socket.user.sub)
        await socket.close()

    @asgi("/files", is_mount=True, guards=[requires()], copy_scope=True)
    async def files(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"file", "more_body": False})

    handlers: list[Any] = [files]
    handlers += [get(path, guards=[requires(**wanted)])(who) for path, wanted in (TERMS | TOKEN_TERMS).items()]
    handlers += [websocket(path, guards=[requires(**TERMS[like])])(tell) for path, like in SOCKETS.items()]
    return Litestar(handlers, openapi_config=None, logging_config=None, **settings)


@pytest.fixture
def site() -> Site:
    return site_of(make_litestar())


class TestRoutes(RoutesContract):
    """`requires`."""

    def make_app(self) -> Any:
        return make_litestar()

    def requires(self, **wanted: Any) -> Any:
        return requires(**wanted)

    def problem(self, response: Response) -> dict[str, Any]:
        return dict(response.json()["extra"])


class TestTokenRoutes(TokenRoutesContract):
    """The same for clients with access tokens."""

    def make_app(self) -> Any:
        return make_litestar()

    def problem(self, response: Response) -> dict[str, Any]:
        return dict(response.json()["extra"])


async def test_a_router_guards_all_its_routes():
    """The requirements of a route are added to those of its router."""

    @get("/")
    async def home(request: AnyRequest) -> str:
        return "home"

    router = Router("/staff", route_handlers=[home], guards=[requires(claims={"roles": "admin"})])
    site = site_of(Litestar([router], openapi_config=None, logging_config=None))
    alice, bob = await sign_in(site), await sign_in(site, "bob")

    assert [(await each.fetch("/staff")).status_code for each in (alice, bob)] == [200, 403]


async def test_the_login_comes_back_below_a_mount_of_litestars(site):
    """Litestar strips the mount from the path."""
    redirect = await site.browser().get("/files/x.pdf?page=2", follow=False)

    assert (redirect.status_code, query_of(redirect.location)["return_to"]) == (303, "/files/x.pdf?page=2")


async def test_a_refusal_can_have_a_page_of_the_app():
    """An exception handler sees Litestar's own exception."""

    def sorry(request: AnyRequest, error: PermissionDeniedException) -> LitestarResponse[str]:
        return LitestarResponse(f"Sorry: {error.detail}", status_code=403)

    site = site_of(make_litestar(exception_handlers={PermissionDeniedException: sorry}))

    page = await (await sign_in(site, "bob")).get("/staff")

    assert (page.status_code, page.text) == (403, "Sorry: This user is not allowed to do that")


async def test_a_missing_middleware_is_named():
    """It is a mistake of the developer, so it is not a 401: Litestar responds with a 500, and logs the error."""
    guard: Any = requires()
    scope: Any = {"type": "http", "headers": []}

    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await guard(ASGIConnection(scope), None)
