"""The OpenAPI document of a FastAPI app that takes bearer tokens: `/docs` reads from it how to get and send one."""

from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security
from fastapi.security import APIKeyHeader

from asgi_oidc import Rule
from asgi_oidc.integrations.fastapi import CurrentUser, OptionalUser, describe_bearer_tokens, require
from asgi_oidc.principal import User

AUTHORIZE, TOKEN = "https://id.example.com/authorize", "https://id.example.com/token"
URLS: dict[str, Any] = {"authorization_url": AUTHORIZE, "token_url": TOKEN}
EITHER: list[dict[str, list[str]]] = [{"SignIn": []}, {"BearerToken": []}]
EITHER_WITH_EMAIL = [{"SignIn": ["email"]}, {"BearerToken": ["email"]}]
RULES = [
    Rule("/orders/*", scopes=["orders:read"]),
    Rule("/orders/*", methods=["DELETE"], scopes=["orders:write"]),
    Rule("/machines/*", credentials=["bearer"]),
    Rule("/account", credentials=["session"]),
    Rule("/orders/7", scopes=["never:listed"]),
]


def make_api() -> FastAPI:
    """Make an app with one operation for each way to require a user."""
    api = FastAPI()

    async def who(user: CurrentUser) -> str:
        return user.sub

    async def anyone(user: OptionalUser) -> str:
        return user.sub if user else "stranger"

    async def nothing() -> None:
        return None

    api.get("/me")(who)
    api.get("/hello")(anyone)
    api.get("/mail", dependencies=[require(scopes=["email"])])(who)
    api.get("/tokens-only", dependencies=[require(credentials=["bearer"], scopes=["email"])])(who)
    api.get("/sessions-only", dependencies=[require(credentials=["session"])])(who)
    api.get("/key", dependencies=[Security(APIKeyHeader(name="x-key"))])(who)
    for path in ("/orders/{number}", "/machines/{name:path}", "/account", "/unguarded"):
        api.api_route(path, methods=["GET"])(nothing)
    api.delete("/orders/{number}")(nothing)
    return api


def described(**arguments: Any) -> Any:
    """Make the document of such an app."""
    api = make_api()
    describe_bearer_tokens(api, **arguments)
    return api.openapi()


def security(document: Any, path: str, method: str = "get") -> Any:
    return document["paths"][path][method].get("security")


def scheme(document: Any, name: str = "BearerToken") -> Any:
    return document["components"]["securitySchemes"][name]


def test_with_both_urls_tokens_are_oauth2_with_the_scopes_of_the_operation():
    """`/docs` offers to get a token with the scopes that the operation needs, beside the session."""
    document = described(**URLS)

    flow = scheme(document)["flows"]["authorizationCode"]
    assert (scheme(document)["type"], flow["authorizationUrl"], flow["tokenUrl"]) == ("oauth2", AUTHORIZE, TOKEN)
    assert flow["scopes"] == {"email": ""}
    assert security(document, "/me") == EITHER
    assert security(document, "/mail") == EITHER_WITH_EMAIL
    assert (scheme(document, "SignIn")["type"], scheme(document, "SignIn")["in"]) == ("apiKey", "cookie")


def test_without_urls_a_token_can_be_pasted():
    """The document does not say how to get one."""
    document = described()

    assert (scheme(document)["type"], scheme(document)["scheme"]) == ("http", "bearer")
    assert security(document, "/mail") == EITHER_WITH_EMAIL


def test_a_route_for_one_kind_of_credential_offers_that_kind_only():
    """All dependencies of a route have to be met, so the stricter one decides."""
    document = described(**URLS)

    assert security(document, "/tokens-only") == [{"BearerToken": ["email"]}]
    assert security(document, "/sessions-only") == [{"SignIn": []}]
    assert set(document["components"]["securitySchemes"]) == {"SignIn", "BearerToken", "APIKeyHeader"}


def test_a_scheme_of_the_app_stays_as_it_is():
    """It is none of our business."""
    assert security(described(**URLS), "/key") == [{"APIKeyHeader": []}, *EITHER]


def test_what_needs_no_user_is_not_described():
    """The default of `public` is that only dependencies and rules require a user."""
    document = described(**URLS)

    assert [security(document, path) for path in ("/hello", "/unguarded")] == [None, None]


def test_rules_count_as_the_middleware_counts_them():
    """Their paths, methods and credentials; a rule for one value of a path parameter is not one for all."""
    document = described(**URLS, rules=RULES)

    read, write = ["orders:read"], ["orders:read", "orders:write"]
    assert security(document, "/orders/{number}") == [{"SignIn": read}, {"BearerToken": read}]
    assert security(document, "/orders/{number}", "delete") == [{"SignIn": write}, {"BearerToken": write}]
    assert security(document, "/machines/{name}") == [{"BearerToken": []}]
    assert security(document, "/account") == [{"SignIn": []}]
    assert list(scheme(document)["flows"]["authorizationCode"]["scopes"]) == ["email", "orders:read", "orders:write"]


def test_with_public_every_other_operation_needs_a_user():
    """The middleware is closed by default."""
    document = described(**URLS, public=["/hello", "/docs/*"])

    assert [security(document, path) for path in ("/hello", "/unguarded", "/me")] == [None, EITHER, EITHER]


def test_scopes_keep_their_descriptions():
    """`/docs` shows them beside the boxes to tick; one that nothing requires can be requested as well."""
    document = described(**URLS, scopes={"email": "Your address", "offline_access": "Stay signed in"})

    flow = scheme(document)["flows"]["authorizationCode"]
    assert flow["scopes"] == {"email": "Your address", "offline_access": "Stay signed in"}


def test_without_a_description_the_document_takes_tokens_where_only_tokens_count():
    """A route with `credentials=["bearer"]` is never described as one with a cookie."""
    document = make_api().openapi()

    assert security(document, "/tokens-only") == [{"BearerToken": ["email"]}, {"SignIn": []}]
    assert (scheme(document)["type"], scheme(document)["scheme"]) == ("http", "bearer")
    assert scheme(document, "SessionCookie")["in"] == "cookie"


def test_routes_that_are_added_later_are_described():
    """FastAPI makes the document anew then; until then, it is made once."""
    api = make_api()
    describe_bearer_tokens(api, **URLS)
    before = api.openapi()

    @api.get("/late")
    async def late(user: Annotated[User, require(scopes=["late:read"])]) -> str:
        return user.sub

    again = api.openapi()
    assert (api.openapi() is again, "/late" in before["paths"]) == (True, False)
    assert security(again, "/late") == [{"SignIn": ["late:read"]}, {"BearerToken": ["late:read"]}]
    assert "late:read" in scheme(again)["flows"]["authorizationCode"]["scopes"]


def test_an_app_without_operations_can_be_described():
    """Its document has no `components` yet."""
    api = FastAPI()
    describe_bearer_tokens(api)

    assert set(api.openapi()["components"]["securitySchemes"]) == {"SignIn", "BearerToken"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"token_url": TOKEN}, "authorization_url is missing"),
        ({"authorization_url": AUTHORIZE}, "token_url is missing"),
        ({**URLS, "authorization_url": "javascript:alert(1)"}, "authorization_url must"),
        ({**URLS, "token_url": "http://id.example.com/token"}, "token_url must use https"),
        ({**URLS, "scopes": {"two words": "..."}}, "scopes without spaces"),
        ({**URLS, "public": "/hello"}, r"write \['/hello'\]"),
        ({**URLS, "rules": ["/orders/*"]}, "expected a Rule"),
    ],
)
def test_a_mistake_is_told_at_once(arguments, told):
    """Not when somebody opens `/docs`."""
    with pytest.raises(ValueError, match=told):
        describe_bearer_tokens(FastAPI(), **arguments)
