"""The FastAPI dependencies: which users they accept, and what they write into the OpenAPI document."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from starlette.authentication import SimpleUser
from starlette.requests import HTTPConnection

from asgi_oidc import OIDCMiddleware
from asgi_oidc.integrations.fastapi import CurrentUser, OptionalUser, SignIn, optional_user, require
from asgi_oidc.principal import User
from asgi_oidc.testing import Browser, Response
from tests.integrations.routes import SOCKETS, TERMS, RoutesContract, query_of, sign_in, site_of
from tests.integrations.token_routes import TOKEN_TERMS, TokenRoutesContract
from tests.protected_site import ORIGIN, Site

Reader = Annotated[User, Security(SignIn(), scopes=["email"])]
Staff = Annotated[User, require(claims={"roles": "admin"}, scopes=["email"])]


def make_api() -> FastAPI:
    """Make an app with the routes of the contract, and one for each other way to ask for a user."""
    api = FastAPI()

    async def who(user: CurrentUser) -> dict[str, str]:
        return {"sub": user.sub}

    async def tell(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()
        await socket.send_text(user.sub)
        await socket.close()

    for path, wanted in (TERMS | TOKEN_TERMS).items():
        api.get(path, dependencies=[require(**wanted)])(who)
    for path, like in SOCKETS.items():
        api.websocket(path, dependencies=[require(**TERMS[like])])(tell)

    @api.get("/hello")
    async def hello(user: OptionalUser) -> str:
        return user.display_name if user else "stranger"

    @api.get("/reader")
    async def reader(user: Reader) -> str:
        return str(user.email)

    @api.get("/team")
    async def team(user: Staff) -> str:
        return user.sub

    @api.get("/wrapped")
    async def wrapped(user: Annotated[User, Depends(require(claims={"roles": "admin"}, scopes=["email"]))]) -> str:
        return user.sub

    @api.get("/wrapped-scopes", dependencies=[Depends(require(scopes=["orders:read"]))])
    async def wrapped_scopes() -> str:
        return "Orders"

    @api.get("/added-scopes")
    async def added_scopes(user: Annotated[User, Security(require(scopes=["email"]), scopes=["orders:read"])]) -> str:
        return user.sub

    @api.get("/plain")
    async def plain(user: CurrentUser) -> str:
        return user.sub

    return api


@pytest.fixture
def site() -> Site:
    return site_of(make_api())


class TestRoutes(RoutesContract):
    """`require`."""

    def make_app(self) -> Any:
        return make_api()

    def requires(self, **wanted: Any) -> Any:
        return require(**wanted)

    def problem(self, response: Response) -> dict[str, Any]:
        return dict(response.json()["detail"])


class TestTokenRoutes(TokenRoutesContract):
    """The same for clients with access tokens."""

    def make_app(self) -> Any:
        return make_api()

    def problem(self, response: Response) -> dict[str, Any]:
        return dict(response.json()["detail"])


async def test_a_signed_in_user_is_handed_over(site):
    """Every dependency returns the user object of the scope."""
    browser = await sign_in(site)

    answers = [(await browser.fetch(path)).json() for path in ("/plain", "/hello", "/reader", "/team", "/wrapped")]

    assert answers == ["alice", "Alice Adams", "alice@example.com", "alice", "alice"]


@pytest.mark.parametrize("path", ["/team", "/wrapped"])
async def test_a_typed_dependency_refuses_as_well(site, path):
    """Its requirements are in the annotation, also inside `Depends`."""
    bob, anonymous = await sign_in(site, "bob"), site.browser()

    assert [(await each.fetch(path)).status_code for each in (bob, anonymous)] == [403, 401]


@pytest.mark.parametrize("path", ["/wrapped-scopes", "/added-scopes"])
async def test_scopes_count_inside_depends_and_security(site, path):
    """`Depends(require(scopes=...))` does not lose its scopes, and `Security` adds to them."""
    browser = await sign_in(site)

    refused = await browser.fetch(path)

    assert refused.status_code == 403
    assert refused.json()["detail"]["error"] == "insufficient_scope"


async def test_an_anonymous_user_is_none_or_a_login(site):
    """A route on a public path may still require a user."""
    hello, plain = await site.browser().fetch("/hello"), await site.browser().get("/plain", follow=False)

    assert (hello.json(), plain.status_code, query_of(plain.location)) == ("stranger", 303, {"return_to": "/plain"})


async def test_scopes_of_routers_and_routes_are_all_needed():
    """FastAPI collects them for the dependency."""
    api = FastAPI()

    async def outer(user: Reader) -> User:
        return user

    @api.get("/both")
    async def both(user: Annotated[User, Security(outer, scopes=["orders:read"])]) -> str:
        return user.sub

    browser = await sign_in(site_of(api))

    assert (await browser.fetch("/both")).status_code == 403


@pytest.mark.parametrize(("sub", "status"), [("alice", 200), ("bob", 403)])
async def test_the_terms_hold_for_a_whole_app_that_adds_the_middleware_itself(sub, status):
    """With `add_middleware`, the middleware is inside FastAPI; the responses are the same."""
    site = Site()
    api = FastAPI(dependencies=[require(claims={"roles": "admin"})])
    settings = {**site.settings, "clock": site.clock, "public": "everything-but-rules"}
    api.add_middleware(OIDCMiddleware, **settings)

    @api.get("/")
    async def home() -> str:
        return "home"

    browser = site.browser(app=api)
    redirect = await browser.get("/", follow=False)
    page = await browser.sign_in(sub, "/")

    assert (redirect.status_code, page.status_code) == (303, status)


async def test_a_missing_middleware_is_named():
    """It is a mistake of the developer, so it is not a 401."""
    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await Browser(make_api(), ORIGIN).get("/me")


async def test_a_user_that_somebody_else_set_is_not_taken():
    """The user object of another middleware may have other attributes."""
    foreign = HTTPConnection({"type": "http", "user": SimpleUser("alice")})

    with pytest.raises(RuntimeError, match="OIDCMiddleware"):
        await optional_user(foreign)


def test_the_openapi_document_says_which_routes_need_a_user():
    """Readers of the document see where to sign in, and with which scopes."""
    document = make_api().openapi()

    def security(path: str) -> Any:
        return document["paths"][path]["get"].get("security")

    assert security("/plain") == [{"SignIn": []}]
    assert security("/reader") == security("/team") == [{"SignIn": ["email"]}]
    assert sorted(security("/orders")[0]["SignIn"]) == ["openid", "orders:read"]
    assert security("/hello") is None
    assert set(document["components"]["securitySchemes"]) == {"SignIn", "BearerToken", "SessionCookie"}


@pytest.mark.parametrize(
    "sign_in",
    [
        SignIn(issuer="https://id.example.com/tenant/"),
        SignIn(environ={"OIDC_ISSUER": "https://id.example.com/tenant"}),
        SignIn(issuer="https://id.example.com/tenant", environ={"OIDC_ISSUER": "https://other.example"}),
    ],
)
def test_the_openapi_document_names_the_provider(sign_in):
    """A trailing "/" of the issuer is removed before the well-known path is added (Discovery §4.1)."""
    scheme = scheme_of(sign_in)

    assert scheme["type"] == "openIdConnect"
    assert scheme["openIdConnectUrl"] == "https://id.example.com/tenant/.well-known/openid-configuration"


def test_without_an_issuer_the_openapi_document_shows_the_cookie():
    """The document names no provider that is not configured."""
    scheme = scheme_of(SignIn(environ={}))

    assert (scheme["type"], scheme["in"]) == ("apiKey", "cookie")


def scheme_of(sign_in: SignIn) -> Any:
    """Read the security scheme that a dependency writes into the document."""
    api = FastAPI(dependencies=[Security(sign_in)])

    @api.get("/")
    async def home() -> str:
        return "home"

    return api.openapi()["components"]["securitySchemes"]["SignIn"]


ADMIN: dict[str, Any] = {
    "claims": {"roles": "admin"},
    "scopes": ["openid"],
    "email_domains": ["b.example", "a.example"],
}
DIFFERENT: list[dict[str, Any]] = [
    {},
    {"claims": {"roles": "admin"}},
    {"claims": {"roles": ["admin"]}, "max_age": 300},
    {"claims": {"flag": True}},
    {"claims": {"flag": 1}},
    {"claims": {("a.b",): "x"}},
    {"claims": {("a", "b"): "x"}},
    {"claims": {"a.b": "x"}},
    {"scopes": ["email"]},
    {"scopes": ["orders"]},
    {"email_domains": ["example.com"]},
    {"acr_values": ["mfa"]},
    {"max_age": 300},
]


@pytest.mark.parametrize("key", [require(**ADMIN), require(**ADMIN).dependency], ids=["require", "its dependency"])
async def test_a_requirement_can_be_overridden_in_tests(key):
    """An equal requirement is the key, as an annotation leaves no object to refer to."""
    api = FastAPI()

    @api.get("/staff")
    async def staff(user: Annotated[User, require(**ADMIN)]) -> str:
        return user.sub

    @api.get("/others", dependencies=[require(claims={"roles": "other"})])
    async def others() -> str:
        return "others"

    api.dependency_overrides[key] = lambda: User("tester", "https://id.example.com", {})
    browser = site_of(api).browser()

    assert (await browser.fetch("/staff")).json() == "tester"
    assert (await browser.fetch("/others")).status_code == 401


async def test_the_current_user_can_be_overridden_in_tests():
    """The key is another `SignIn()`."""
    api = FastAPI()

    @api.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.sub

    api.dependency_overrides[SignIn(issuer="https://id.example.com")] = lambda: User("tester", "x", {})

    assert (await site_of(api).browser().fetch("/me")).json() == "tester"


def test_requirements_are_equal_when_they_ask_for_the_same():
    """FastAPI calls equal dependencies once per request, so no weaker requirement may be equal."""
    for place, terms in enumerate(DIFFERENT):
        one, again = require(**terms), require(**terms)
        assert (one == again, hash(one) == hash(again), one.dependency == again) == (True, True, True)
        assert one == again.dependency
        assert [one == require(**other) for other in DIFFERENT] == [place == index for index in range(len(DIFFERENT))]

    class Stricter(SignIn):
        """Refuses everybody."""

    assert Stricter() != SignIn()
    assert require() != optional_user


async def test_two_requirements_of_one_route_are_both_asked():
    """The result of one must not be used for the other."""
    api = FastAPI(dependencies=[require(claims={"roles": "admin"})])

    @api.get("/both", dependencies=[require(claims={"roles": "other"})])
    async def both() -> str:
        return "both"

    assert (await (await sign_in(site_of(api))).fetch("/both")).status_code == 403
