"""`oidc.follow_login`: the whole way of a login, each request of it by the client."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.pytest_plugin import EndlessRedirects, OIDCTester, WrongClient
from tests.pytest_plugin.apps import SETTINGS, on_asyncio, shop, with_added_middleware
from tests.pytest_plugin.django_site import django_site
from tests.pytest_plugin.test_clients import AsyncContext, quart_app

ADMIN: dict[str, Any] = {"claims": {"roles": ["admin"]}}


@pytest.fixture
def django(request: pytest.FixtureRequest) -> Iterator[OIDCTester]:
    with django_site():
        yield request.getfixturevalue("oidc")


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
def test_the_client_ends_at_the_page_that_it_asked_for(oidc: OIDCTester, response_mode: str):
    """By redirects, or by the form that a provider posts from its own site."""
    client = TestClient(with_added_middleware(authorization_params={"response_mode": response_mode}))

    page = oidc.follow_login(client, "/reports?month=5", "alice", **ADMIN)

    assert (page.status_code, page.json()["sub"], str(page.url)) == (200, "alice", "http://testserver/reports?month=5")
    assert client.get("/me").json()["sub"] == "alice"
    assert oidc.provider.count("/authorize") == 1
    oidc.sign_out_at_provider(client)
    assert client.get("/me").status_code == 401


def test_a_user_who_is_not_let_in_sees_the_page_of_the_refusal(oidc: OIDCTester):
    """The response is what it is: the login has succeeded."""
    page = oidc.follow_login(TestClient(shop()), "/reports", "bob")

    assert page.status_code == 403


def test_a_failed_login_ends_at_its_page(oidc: OIDCTester):
    """What a user would see."""
    client = TestClient(shop())

    with oidc.provider_of(client).fault("token_500"):
        page = oidc.follow_login(client, "/me")

    assert (page.status_code, "Reference" in page.text) == (503, True)


def test_follow_login_signs_in_at_the_provider_that_the_page_names(oidc: OIDCTester):
    """The page to choose from is left out, as by its link."""
    providers = {
        name: Provider(issuer=f"https://{name}.acme.com", client_id="shop", client_secret="x") for name in ("a", "b")
    }
    client = TestClient(shop(providers=providers, issuer=None, client_id=None, client_secret=None))

    page = oidc.follow_login(client, "/auth/login?provider=b&return_to=/me", provider="b")

    assert page.json()["claims"]["iss"] == "https://b.acme.com"


async def test_an_async_client_is_awaited(oidc: OIDCTester):
    """On the loop of the test."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop()), base_url="http://test") as client:
        with pytest.raises(WrongClient, match=r"await oidc\.afollow_login"):
            oidc.follow_login(client, "/me")
        page = await oidc.afollow_login(client, "/me", "bob")

        assert page.json()["sub"] == "bob"


@on_asyncio
async def test_follow_login_walks_through_a_quart_app(oidc: OIDCTester):
    """With its own client."""
    page = await oidc.afollow_login(quart_app().test_client(), "/me", "bob")

    assert (await page.get_json())["sub"] == "bob"


@on_asyncio
async def test_follow_login_walks_through_a_django_project(django: OIDCTester):
    """With its own client, through the middleware."""
    from django.test import AsyncClient

    page = await django.afollow_login(AsyncClient(), "/me", "bob")

    assert page.json()["sub"] == "bob"


def test_a_browser_follows_by_itself(oidc: OIDCTester):
    """The error names the way."""
    with pytest.raises(WrongClient, match=r"use oidc\.serve\(app\), and page\.goto"):
        oidc.follow_login(AsyncContext(), "/me", app=shop())


def test_an_app_that_redirects_for_ever_fails_its_test(oidc: OIDCTester):
    """Instead of hanging."""

    async def again(request: Any) -> RedirectResponse:
        return RedirectResponse("/again?secret=1")

    client = TestClient(OIDCMiddleware(Starlette(routes=[Route("/again", again)]), **SETTINGS))

    with pytest.raises(EndlessRedirects, match=r"no page after 12 redirects; the last one led to /again$"):
        oidc.follow_login(client, "/again")


def test_a_page_elsewhere_is_where_it_ends(oidc: OIDCTester):
    """The app may send its users on."""

    async def away(request: Any) -> RedirectResponse:
        return RedirectResponse("https://elsewhere.example/")

    client = TestClient(OIDCMiddleware(Starlette(routes=[Route("/away", away)]), **SETTINGS))

    assert oidc.follow_login(client, "/away").headers["location"] == "https://elsewhere.example/"
