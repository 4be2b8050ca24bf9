"""Peers: other ways to keep users signed in, each with the app below it that its cost is compared with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from benchmarks.sites import CLAIMS, ID_TOKEN, SEALED, SECRET, NoOp, OurSite, Site, bare, signed_cookie
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from litestar.middleware.session.client_side import CookieBackendConfig
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

Make = Callable[[], Awaitable[Site]]


@dataclass(frozen=True)
class Peer:
    """One way to keep users signed in.

    Attributes:
        under: the app or middleware below it, whose cost does not count.
    """

    name: str
    make: Make
    under: str
    make_under: Make


class SessionBackend(AuthenticationBackend):
    """Takes the user from the session, as Starlette's documentation shows."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Return the user of the session."""
        user = conn.session.get("user")
        return None if user is None else (AuthCredentials(["authenticated"]), SimpleUser(user["name"]))


async def no_op() -> Site:
    return Site(NoOp(bare))


async def session_middleware() -> Site:
    return Site(SessionMiddleware(bare, SECRET), [signed_cookie({"user": CLAIMS})])


async def session_middleware_with_id_token() -> Site:
    return Site(SessionMiddleware(bare, SECRET), [signed_cookie({"user": CLAIMS, "id_token": ID_TOKEN})])


async def session_middleware_with_all_tokens() -> Site:
    """Return the site with as many cookies in turn as ours that were not seen before, and with the same content."""
    content = await OurSite().content()
    users = ({**content, "user": {**content["user"], "sub": f"user-{number}"}} for number in range(SEALED))
    return Site(SessionMiddleware(bare, SECRET), [signed_cookie(user) for user in users])


async def authentication_middleware() -> Site:
    app = SessionMiddleware(AuthenticationMiddleware(bare, SessionBackend()), SECRET)
    return Site(app, [signed_cookie({"user": CLAIMS})])


async def fastapi_route() -> Site:
    app = FastAPI()

    @app.get("/orders")
    async def orders() -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Site(app)


async def current_user(request: Request) -> Any:
    return request.session.get("user")


async def fastapi_dependency() -> Site:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=SECRET)

    @app.get("/orders")
    async def orders(user: Annotated[Any, Depends(current_user)]) -> PlainTextResponse:
        return PlainTextResponse("ok" if user else "nobody")

    return Site(app, [signed_cookie({"user": CLAIMS})])


@get("/orders", media_type="text/plain")
async def orders() -> str:
    return "ok"


@get("/sign-in", media_type="text/plain")
async def sign_in(request: Any) -> str:
    request.set_session({"user": CLAIMS})
    return "ok"


async def litestar_route() -> Site:
    return Site(Litestar([orders]))


async def litestar_cookie_session() -> Site:
    config = CookieBackendConfig(secret=SECRET[:32].encode(), secure=True)
    app: Any = Litestar([orders, sign_in], middleware=[config.middleware])
    cookies: list[str] = []

    async def keep(message: Any) -> None:
        for name, value in message.get("headers", ()):
            if name.lower() == b"set-cookie":
                cookies.append(value.partition(b";")[0].decode())

    await Site(app, paths=["/sign-in"]).request(send=keep)()
    return Site(app, ["; ".join(cookies)])


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


PAGE = [Route("/orders", page), Route("/public/page", page)]


def starlette_app() -> Starlette:
    return Starlette(routes=PAGE)


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.get("/orders")
    async def root() -> dict[str, str]:
        return {"message": "Hello World"}

    return app


def litestar_app() -> Litestar:
    return Litestar([orders], logging_config=None)  # it would write what others log


FRAMEWORKS: Mapping[str, Callable[[], Any]] = {
    "Starlette": starlette_app,
    "FastAPI": fastapi_app,
    "Litestar": litestar_app,
}
PEERS = (
    Peer("SessionMiddleware", session_middleware, "no-op middleware", no_op),
    Peer("SessionMiddleware with ID Token", session_middleware_with_id_token, "no-op middleware", no_op),
    Peer("SessionMiddleware with all tokens", session_middleware_with_all_tokens, "no-op middleware", no_op),
    Peer("SessionMiddleware + AuthenticationMiddleware", authentication_middleware, "no-op middleware", no_op),
    Peer("FastAPI dependency on SessionMiddleware", fastapi_dependency, "FastAPI route", fastapi_route),
    Peer("Litestar, cookie session", litestar_cookie_session, "Litestar route", litestar_route),
)
