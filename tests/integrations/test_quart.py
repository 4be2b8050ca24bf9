"""Quart's `requires` and `current_user`."""

from typing import Any

import pytest
from quart import Quart, websocket
from werkzeug.exceptions import Forbidden

from asgi_oidc.integrations.quart import current_user, requires
from asgi_oidc.principal import User
from asgi_oidc.testing import Browser, Response
from tests.integrations.routes import SOCKETS, TERMS, RoutesContract, sign_in, site_of
from tests.integrations.token_routes import TOKEN_TERMS, TokenRoutesContract
from tests.protected_site import ORIGIN, Site


def make_quart() -> Quart:
    """Make an app with the routes of the contract, and some of its own."""
    app = Quart(__name__, static_folder=None)

    async def who() -> dict[str, Any]:
        return {"sub": current_user.sub}

    async def tell() -> None:
        await websocket.accept()
        await websocket.send(str(current_user.sub))

    for path, wanted in (TERMS | TOKEN_TERMS).items():
        app.add_url_rule(path, path, requires(**wanted)(who))
    for path, like in SOCKETS.items():
        app.add_websocket(path, path, requires(**TERMS[like])(tell))

    @app.get("/hello")
    async def hello() -> str:
        return current_user.display_name or "stranger"

    @app.get("/sync/<int:number>")
    @requires(claims={"roles": "admin"})
    def sync(number: int) -> str:
        return f"{number} of {current_user.sub}"

    return app


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # Quart has no other


@pytest.fixture
def site() -> Site:
    return site_of(make_quart())


class TestRoutes(RoutesContract):
    """`requires`."""

    def make_app(self) -> Any:
        return make_quart()

    def requires(self, **wanted: Any) -> Any:
        return requires(**wanted)

    def problem(self, response: Response) -> dict[str, Any]:
        assert response.headers["content-type"] == "application/problem+json"
        return dict(response.json())


class TestTokenRoutes(TokenRoutesContract):
    """The same for clients with access tokens."""

    def make_app(self) -> Any:
        return make_quart()

    def problem(self, response: Response) -> dict[str, Any]:
        assert response.headers["content-type"] == "application/problem+json"
        return dict(response.json())


async def test_the_current_user_is_at_hand_on_every_path(site):
    """If no user is signed in, it is an anonymous user, as in other extensions."""
    alice, anonymous = await sign_in(site), site.browser()

    assert [(await each.fetch("/hello")).text for each in (alice, anonymous)] == ["Alice Adams", "stranger"]


async def test_the_current_user_passes_for_a_user():
    """The proxy behaves like the user object itself."""
    app = Quart(__name__)
    seen: list[bool] = []

    @app.get("/")
    async def home() -> str:
        seen.append(isinstance(current_user, User) and current_user.is_authenticated)
        return "home"

    await (await sign_in(site_of(app))).fetch("/")

    assert seen == [True]


@pytest.mark.parametrize(("sub", "told"), [("alice", (200, "7 of alice")), ("bob", (403, None))])
async def test_a_sync_handler_is_guarded_as_well(site, sub, told):
    """Quart calls it in a thread, with its arguments."""
    response = await (await sign_in(site, sub)).fetch("/sync/7")

    assert (response.status_code, response.text if response.status_code == 200 else None) == told


async def test_a_refusal_can_have_a_page_of_the_app():
    """`errorhandler` gets it like any other 403."""
    app = make_quart()

    @app.errorhandler(403)
    async def sorry(error: Forbidden) -> tuple[str, int]:
        return f"Sorry: {error.description}", 403

    page = await (await sign_in(site_of(app), "bob")).get("/staff")

    assert (page.status_code, page.text) == (403, "Sorry: This user is not allowed to do that")


@pytest.mark.parametrize("path", ["/me", "/hello"])
async def test_a_missing_middleware_is_named(path):
    """It is a mistake of the developer, so it is not a 401."""
    app: Any = make_quart()
    app.config["PROPAGATE_EXCEPTIONS"] = True

    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await Browser(app, ORIGIN).get(path)
