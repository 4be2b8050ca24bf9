"""Whole logins at a certified provider: oidc-provider from npm, over real sockets."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import Browser, serve
from tests.real.app import protected_app
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client

pytestmark = pytest.mark.real

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
Changes = Mapping[str, Any]

# name: (what is registered otherwise, what is set otherwise)
LOGINS: Mapping[str, tuple[Changes, Changes]] = {
    "client_secret_basic": ({}, {}),
    "client_secret_post": (
        {"token_endpoint_auth_method": "client_secret_post"},
        {"client_auth": "client_secret_post"},
    ),
    "public client": (
        {"token_endpoint_auth_method": "none", "client_secret": None},
        {"client_secret": None},
    ),
    "form_post": ({}, {"authorization_params": {"response_mode": "form_post"}}),
}


@contextlib.asynccontextmanager
async def served(
    provider: RealProvider,
    *,
    registered: Changes | None = None,
    claims_in_id_token: bool = False,
    **settings: Any,
) -> AsyncIterator[Browser]:
    """Serve the app, registered at the provider, and give a browser that can reach both."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    changes = {name: _written(value, origin) for name, value in (registered or {}).items()}
    provider.register(client(origin, **changes), claims_in_id_token=claims_in_id_token)
    ours = {"client_id": "web", "client_secret": CLIENT_SECRET, "base_url": f"{origin}/", "secret": SECRET}
    app = protected_app(**(ours | {"issuer": provider.issuer} | settings))
    async with httpx.AsyncHTTPTransport() as transport:
        with serve(app, port=port):
            yield Browser(transport, origin, {provider.issuer: transport})


def _written(value: Any, origin: str) -> Any:
    return value.replace("{origin}", origin) if isinstance(value, str) else value


@pytest.mark.parametrize(("registered", "settings"), LOGINS.values(), ids=LOGINS)
async def test_login_ends_on_the_page_that_was_asked_for(provider, registered, settings):
    """Somebody who follows a deep link signs in once and is where they wanted to be."""
    async with served(provider, registered=registered, **settings) as browser:
        page = await browser.sign_in("alice", "/deep/link?page=2&q=a%20b")

    assert (page.status_code, page.path) == (200, "/deep/link?page=2&q=a%20b")
    assert "Alice Adams" in page.text
    assert browser.refused_cookies == []


async def test_login_makes_two_calls_where_userinfo_has_the_claims(provider):
    """This provider keeps name and email out of the ID Token, as the specification says, so they are fetched."""
    async with served(provider) as browser:
        await browser.sign_in("alice", "/claims")
        claims = (await browser.fetch("/claims")).json()

    assert (claims["sub"], claims["name"], claims["email"]) == ("alice", "Alice Adams", "alice@example.com")
    assert calls_of_the_app(provider) == ["POST /token", "GET /me"]


async def test_login_makes_one_call_where_the_id_token_has_the_claims(provider):
    """Nothing is fetched that is there already."""
    async with served(provider, claims_in_id_token=True) as browser:
        await browser.sign_in("bob", "/claims")
        claims = (await browser.fetch("/claims")).json()

    assert (claims["sub"], claims["name"]) == ("bob", "Bob Brown")
    assert calls_of_the_app(provider) == ["POST /token"]


async def test_userinfo_never_leaves_the_claims_of_the_id_token(provider):
    """An app that needs the subject only saves the call."""
    async with served(provider, userinfo="never") as browser:
        await browser.sign_in("alice", "/claims")
        claims = (await browser.fetch("/claims")).json()

    assert claims["sub"] == "alice"
    assert "email" not in claims
    assert calls_of_the_app(provider) == ["POST /token"]


async def test_access_token_reaches_the_app(provider):
    """The app can call other APIs for the user."""
    async with served(provider) as browser:
        await browser.sign_in("alice", "/private")
        answer = await browser.fetch("/access-token")

    assert answer.json() == {"has_access_token": True}


async def test_sign_out_ends_the_session_here_and_at_the_provider(provider):
    """After signing out, the next login asks who one is again."""
    async with served(provider) as browser:
        page = await browser.sign_in("alice", "/private")
        asked = await browser.submit(page, "Sign out")
        home = await browser.submit(asked, "yes")
        again = await browser.get("/private")

    assert asked.url.startswith(f"{provider.issuer}/session/end?")
    assert (home.status_code, home.url.partition("?")[0]) == (200, f"{browser.origin}/")
    assert "nobody" in home.text
    assert again.url.startswith(f"{provider.issuer}/interaction/")


async def test_second_login_at_the_provider_needs_no_password(provider):
    """Single sign-on: who is signed in at the provider passes through it without a page."""
    async with served(provider) as browser:
        await browser.sign_in("alice", "/private")
        page = await browser.get("/auth/login?return_to=/other")

    assert (page.status_code, page.path) == (200, "/other")


async def test_login_goes_on_after_the_provider_has_changed_its_keys(provider):
    """A key that we have not seen is fetched when a token names it, without a restart."""
    async with served(provider) as browser:
        before = await browser.sign_in("alice", "/before")
        provider.rotate_keys()
        after = await browser.sign_in("alice", "/auth/login?return_to=/after")

    assert (before.status_code, before.path) == (200, "/before")
    assert (after.status_code, after.path) == (200, "/after")
    assert provider.calls.count("GET /jwks") == 1


async def test_wrong_client_secret_is_a_page_that_tells_nothing(provider, caplog):
    """The user gets a next step and a reference; the reason is in the log, for those who can fix it."""
    async with served(provider, client_secret="not the registered one") as browser:
        page = await browser.sign_in("alice", "/private")
        answer = await browser.fetch("/private")

    assert (page.status_code, answer.status_code) == (502, 401)
    assert "invalid_client" in caplog.text
    assert "invalid_client" not in page.text
    assert "not the registered one" not in caplog.text + page.text


async def test_refusal_of_the_provider_is_a_page_and_no_loop(provider):
    """With `prompt=none` and nobody signed in, the provider sends `login_required` back."""
    async with served(provider, authorization_params={"prompt": "none"}) as browser:
        page = await browser.get("/private")

    assert page.status_code == 403
    assert "/auth/login" in page.text


def calls_of_the_app(provider: RealProvider) -> list[str]:
    """Say which calls one login made, once metadata and keys are known."""
    ours = ("POST /token", "GET /me")
    return [call for call in provider.calls if call in ours]
