"""The FastAPI dependencies: who they let in, and what they write into the OpenAPI document."""

import secrets
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security, WebSocket
from starlette.authentication import SimpleUser
from starlette.requests import HTTPConnection

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.fastapi import CurrentUser, OptionalUser, SignIn, optional_user
from asgi_oidc.principal import User
from asgi_oidc.testing import Browser, FakeProvider

ORIGIN = "https://app.example.com"
ISSUER = "https://id.example.com"

Reader = Annotated[User, Security(SignIn(), scopes=["email"])]
Admin = Annotated[User, Security(SignIn(), scopes=["admin"])]


def make_api() -> FastAPI:
    """Make an app with one route for each dependency; all are public to the middleware."""
    api = FastAPI()

    @api.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.sub

    @api.get("/hello")
    async def hello(user: OptionalUser) -> str:
        return user.display_name if user else "stranger"

    @api.get("/mail")
    async def mail(user: Reader) -> str:
        return str(user.email)

    @api.get("/admin")
    async def admin(user: Admin) -> str:
        return user.sub

    @api.websocket("/ws")
    async def ws(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()
        await socket.send_text(user.sub)
        await socket.close()

    return api


@pytest.fixture
def browser() -> Browser:
    """A browser in front of the wrapped app, where every route is public: the dependencies alone decide."""
    provider = FakeProvider(ISSUER)
    app = OIDCMiddleware(
        make_api(),
        issuer=ISSUER,
        client_id="web",
        client_secret=provider.clients["web"].client_secret,
        base_url=ORIGIN,
        secret=secrets.token_urlsafe(32),
        public=["/", "/me", "/hello", "/mail", "/admin", "/ws"],
        http_client=provider.http_client(),
    )
    return Browser(app, ORIGIN, {ISSUER: provider})


async def sign_in(browser: Browser) -> None:
    """Sign alice in; where it leads does not matter."""
    await browser.get("/auth/login")
    await browser.submit(button="alice")


async def test_a_signed_in_user_is_handed_over(browser):
    """Both dependencies give the very user of the scope."""
    await sign_in(browser)

    me, hello, mail = await browser.fetch("/me"), await browser.fetch("/hello"), await browser.fetch("/mail")

    assert (me.json(), hello.json(), mail.json()) == ("alice", "Alice Adams", "alice@example.com")


async def test_nobody_is_none_or_401_with_a_challenge(browser):
    """A public path may ask for a user all the same, and says how to become one."""
    hello, me = await browser.fetch("/hello"), await browser.fetch("/me")

    assert (hello.json(), me.status_code) == ("stranger", 401)
    assert f"{ORIGIN}/auth/login" in me.headers["www-authenticate"]


async def test_a_scope_that_was_not_granted_is_403(browser):
    """Signing in again would not help."""
    await sign_in(browser)

    assert (await browser.fetch("/admin")).status_code == 403


async def test_a_websocket_route_has_the_user_too(browser):
    """The dependency takes any connection."""
    await sign_in(browser)

    sent = await call_websocket(browser)

    assert [message["text"] for message in sent if message["type"] == "websocket.send"] == ["alice"]


async def test_a_websocket_without_a_user_is_closed_with_our_code(browser):
    """The same code as the middleware's own refusal."""
    sent = await call_websocket(browser)

    assert [(message["type"], message.get("code")) for message in sent] == [("websocket.close", 4401)]


async def test_a_missing_middleware_is_named():
    """A route without a user in the scope is a mistake of the developer, and no 401."""
    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await Browser(make_api(), ORIGIN).get("/me")


async def test_a_user_that_somebody_else_set_is_not_taken():
    """Another middleware's user has other promises: nothing is guessed about it."""
    foreign = HTTPConnection({"type": "http", "user": SimpleUser("alice")})

    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await optional_user(foreign)


def test_the_openapi_document_says_which_routes_need_a_user():
    """Whoever reads the document learns where to sign in first."""
    document = make_api().openapi()

    assert document["paths"]["/me"]["get"]["security"] == [{"SignIn": []}]
    assert document["paths"]["/mail"]["get"]["security"] == [{"SignIn": ["email"]}]
    assert "security" not in document["paths"]["/hello"]["get"]


@pytest.mark.parametrize(
    "sign_in",
    [
        SignIn(issuer="https://id.example.com/tenant/"),
        SignIn(environ={"OIDC_ISSUER": "https://id.example.com/tenant"}),
        SignIn(issuer="https://id.example.com/tenant", environ={"OIDC_ISSUER": "https://other.example"}),
    ],
)
def test_the_openapi_document_names_the_provider(sign_in):
    """A "/" that ends the issuer is left out before the well-known path (Discovery §4.1)."""
    scheme = scheme_of(sign_in)

    assert scheme["type"] == "openIdConnect"
    assert scheme["openIdConnectUrl"] == "https://id.example.com/tenant/.well-known/openid-configuration"


def test_without_an_issuer_the_openapi_document_shows_the_cookie():
    """It never names a provider that nobody told it."""
    scheme = scheme_of(SignIn(environ={}))

    assert (scheme["type"], scheme["in"]) == ("apiKey", "cookie")


def scheme_of(sign_in: SignIn) -> Any:
    """Read the security scheme that a dependency writes into the document."""
    api = FastAPI(dependencies=[Security(sign_in)])

    @api.get("/")
    async def home() -> str:
        return "home"

    return api.openapi()["components"]["securitySchemes"]["SignIn"]


async def call_websocket(browser: Browser) -> list[Any]:
    """Open /ws with the cookies of a browser; give back all that the app sent."""
    cookie = browser.cookies.header(f"{ORIGIN}/ws", is_same_site=True, is_safe_navigation=True)
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", str(cookie or "").encode())]
    scope = {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b"", "subprotocols": []}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    app: Any = browser.apps[ORIGIN]
    await app(scope, receive, send)
    return sent
