"""What the app sees in its scope: the user, the granted scopes and the active session."""

import inspect
import json
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_oidc import AccessTokenExpired, NotSignedIn, Rule, middleware
from asgi_oidc.asgi import http_requests
from asgi_oidc.principal import User
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, Exchange, Site, cookie_header


async def test_the_user_is_who_the_provider_says(site):
    """The attributes have the names that Starlette and Litestar use."""
    await site.signed_in()
    user = site.app.scope["user"]

    assert (user.is_authenticated, user.sub, user.issuer) == (True, "alice", site.provider.issuer)
    assert (user.name, user.email, user.display_name, user.identity) == (
        "Alice Adams",
        "alice@example.com",
        "Alice Adams",
        "alice",
    )
    assert user.claims["roles"] == ["admin"]


async def test_the_anonymous_user_has_the_same_attributes(site, browser):
    """A template can use them without checking first whether a user is signed in."""
    await browser.get("/")
    user = site.app.scope["user"]

    assert (user.is_authenticated, user.sub, user.issuer, user.name, user.email) == (False, None, None, None, None)
    assert (user.display_name, user.identity, dict(user.claims)) == ("", "", {})


async def test_claims_are_json_and_of_this_request_alone(site):
    """An app may send the claims on as JSON, and changes to them must not reach other requests."""
    browser = await site.signed_in()
    claims = site.app.scope["user"].claims
    assert json.loads(json.dumps(claims)) == claims

    claims["sub"] = "somebody else"
    await browser.fetch("/page")

    assert site.app.scope["user"].claims["sub"] == "alice"


@pytest.mark.parametrize(
    ("claims", "display_name"),
    [
        ({"name": "Alice", "email": "a@b"}, "Alice"),
        ({"name": "", "preferred_username": "al"}, "al"),
        ({"name": 7, "email": "a@b"}, "a@b"),
        ({}, "the-sub"),
    ],
)
def test_there_is_always_a_name_to_greet_with(claims, display_name):
    """A page that greets the user never shows an empty name."""
    assert User("the-sub", "https://id.example.com", claims).display_name == display_name


@pytest.mark.parametrize("path", ["/", "/page"])
async def test_scope_entries_under_our_names_are_replaced(site, path):
    """A server or another middleware must not be able to set the user."""
    forged = {"user": "admin", "auth": "all", "oidc": "any"}
    headers = {"accept": "*/*"}

    anonymous = await site.call("/", headers=headers, **forged)
    closed = await site.call("/page", headers=headers, **forged)

    assert (anonymous.status, closed.status) == (200, 401)
    assert site.app.scope["user"].is_authenticated is False
    assert site.app.scope["auth"].scopes == []
    assert site.app.scope["oidc"].id_token is None


async def test_the_scope_of_the_server_is_not_touched(site):
    """The server may use its scope again, so the app gets a copy; all other entries are the same."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {"db": 1}, "user": "x"}
    exchange = Exchange()

    await site.middleware(scope, exchange.receive, exchange.send)

    assert scope["user"] == "x"
    assert "oidc" not in scope
    assert site.app.scope["state"] is scope["state"]


async def test_changing_the_scopes_of_one_request_does_not_affect_another(site, browser):
    """An app that adds a scope to its list must not grant it to other requests."""
    for _ in range(2):
        await browser.get("/")
        assert site.app.scope["auth"].scopes == []
        site.app.scope["auth"].scopes.append("admin")

    assert (await site.browser().get("/")).json()["scopes"] == []


async def test_the_granted_scopes_are_those_that_the_provider_granted():
    """They follow `authenticated`, which Starlette expects first."""
    site = Site(scope="openid api:read")

    await site.signed_in()

    assert site.app.scope["auth"].scopes == ["authenticated", "openid", "api:read"]


@pytest.mark.parametrize(("scope", "status"), [("authenticated", 200), ("email", 200), ("admin", 403)])
async def test_requires_of_starlette_works(scope, status):
    """Starlette's own decorator checks the granted scopes."""

    @requires(scope)
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.user.display_name)

    site = Site(inner=Starlette(routes=[Route("/page", page), Route("/", page)]))
    browser = site.browser()

    assert (await browser.sign_in("alice", "/page")).status_code == status
    assert (await site.browser().get("/")).status_code == 403


async def test_the_access_token_is_the_providers_while_it_lives(site):
    """Once it has expired, and there is no refresh token, the error says what to do."""
    site.provider.access_token_lifetime = 60
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]
    token = await oidc.access_token()

    site.clock.advance(59)
    assert await oidc.access_token() == token
    site.clock.advance(1)
    with pytest.raises(AccessTokenExpired) as caught:
        await oidc.access_token()

    assert token.startswith("at-")
    assert caught.value.code == "access_token_expired"
    assert (await browser.get("/page")).status_code == 200  # the session goes on


async def test_the_anonymous_user_has_no_tokens(site, browser):
    """Asking for one is a mistake of the developer, and the error says so."""
    await browser.get("/")
    oidc = site.app.scope["oidc"]

    with pytest.raises(NotSignedIn) as caught:
        await oidc.access_token()

    assert (caught.value.code, oidc.id_token, oidc.expires_at) == ("not_signed_in", None, None)


async def test_the_session_says_its_id_token_and_its_end(site):
    """The ID Token is exactly as issued, and the end is in seconds since the epoch."""
    await site.signed_in()
    oidc = site.app.scope["oidc"]

    assert oidc.id_token.count(".") == 2
    assert oidc.expires_at == site.clock.now + 3600


async def test_urls_for_pages_are_absolute_and_on_our_origin(site, browser):
    """They are built from `base_url`, not from headers of the request."""
    await browser.get("/")
    oidc = site.app.scope["oidc"]

    assert oidc.login_url() == ORIGIN + "/auth/login"
    assert oidc.login_url("/a?b=c&d") == ORIGIN + "/auth/login?return_to=%2Fa%3Fb%3Dc%26d"
    assert oidc.logout_url() == ORIGIN + "/auth/logout"


async def test_no_repr_shows_the_user_or_the_tokens(site):
    """Reprs appear in tracebacks and logs."""
    await site.signed_in()
    scope = site.app.scope
    text = f"{scope['user']!r} {scope['auth']!r} {scope['oidc']!r} {site.middleware!r}"

    assert not any(word in text for word in ("alice", "Alice", scope["oidc"].id_token, "at-"))


async def test_serialisers_do_not_see_secrets_in_what_the_app_gets(site):
    """Serialisers write out the fields of dataclasses and structs."""
    browser = await site.signed_in()
    given = [site.app.scope[name] for name in ("user", "auth", "oidc")]

    texts = [msgspec.json.encode(each, enc_hook=repr).decode() for each in given]

    assert hidden(texts, given[2].id_token, cookie_header(browser))


OUR_FRAMES = (middleware.__file__, http_requests.__file__)  # those that stand around the app


async def test_consoles_do_not_print_secrets_that_we_hold(site):
    """They print the local variables of every frame of a traceback, with the fields of dataclasses and structs."""

    async def fail(scope: Any) -> None:
        raise LookupError

    browser = await site.signed_in()
    id_token = site.app.scope["oidc"].id_token
    site.app.at_work = fail
    with pytest.raises(LookupError) as caught:
        await browser.get("/page")
    frames = [frame.frame for frame in caught.traceback if frame.frame.code.raw.co_filename in OUR_FRAMES]
    held = [value for frame in frames for name, value in frame.f_locals.items() if name != "scope"]  # the server's own

    assert {"Request", "AppResponse", "ActiveSession"} <= {type(each).__name__ for each in held}
    assert hidden(
        [pretty_repr(each) for each in [*held, site.app.scope["user"], site.app.scope["oidc"]]],
        id_token,
        cookie_header(browser),
    )


def hidden(texts: list[str], *words: str) -> bool:
    """Assert that none of the texts contains personal data of alice."""
    return not [word for word in ("alice", "Alice", "at-", SECRET, CLIENT_SECRET, *words) if word in " ".join(texts)]


async def test_an_app_may_change_its_list_of_headers(site):
    """Some apps remove headers or add others; our response must go to the client that sent the request all the same."""
    site = Site(rules=[Rule("/page", origins=["https://spa.example.com"])])

    async def spoil(scope: Any) -> None:
        scope["headers"].clear()
        scope["headers"].append((b"origin", b"https://elsewhere.example.com"))
        if scope["path"] == "/":
            raise NotSignedIn

    browser = await site.signed_in()
    site.app.at_work = spoil

    shared = await browser.fetch("/page", initiator="https://spa.example.com/x")
    away = await site.browser().get("/", follow=False)

    assert shared.headers["access-control-allow-origin"] == "https://spa.example.com"
    assert (away.status_code, away.location.startswith(site.provider.issuer)) == (303, True)


async def test_the_app_gets_a_coroutine_function_as_send(site):
    """Adapters for synchronous code check that."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send)
        await site.app(scope, receive, send)

    await Site(inner=app).call("/")

    assert inspect.iscoroutinefunction(seen[0])


async def test_claims_that_an_app_changed_stay_so_for_its_request(site):
    """One middleware of the app may add a claim that another one reads."""
    await site.signed_in()
    claims = site.app.scope["user"].claims

    claims["team"] = "blue"

    assert site.app.scope["user"].claims is claims


async def test_an_access_token_without_end_is_given_while_the_session_lives():
    """`expires_in` is only RECOMMENDED (RFC 6749 §5.1)."""
    site = Site()
    with site.provider.fault("token_expires_in_text"):
        await site.signed_in()

    site.clock.advance(3599)
    assert await site.app.scope["oidc"].access_token()
