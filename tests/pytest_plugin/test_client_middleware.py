"""Which middleware is meant, and what the errors say if that is not clear."""

import gc
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from asgi_oidc.pytest_plugin import NoMiddleware, OIDCTester, WrongClient
from asgi_oidc.testing import Browser, FakeProvider, Network
from tests.pytest_plugin.apps import pages, shop, with_added_middleware

ADMIN = "https://shop.acme.com/admin"


def test_an_app_without_middleware_is_named(oidc: OIDCTester):
    """The most likely mistake: the client was made with the app inside."""
    with pytest.raises(NoMiddleware, match=r"the app of TestClient, Starlette, has no OIDCMiddleware: make the client"):
        oidc.sign_in(TestClient(pages()))


def test_the_app_or_the_middleware_can_be_passed(oidc: OIDCTester):
    """For a client over the network, and for wrappers that nobody can look into."""
    app = shop()
    with httpx.Client(base_url="http://127.0.0.1:1") as client:
        oidc.sign_in(client, "alice", app=app)

        assert len(client.cookies.jar) > 0


def test_of_two_middlewares_the_base_url_says_which(oidc: OIDCTester):
    """Both are listed if it is missing."""
    site = Starlette(routes=[Mount("/admin", app=shop(base_url=ADMIN)), Mount("/", app=shop())])
    client = TestClient(site)

    with pytest.raises(NoMiddleware, match=r"has 2 middlewares, at https://shop.acme.com, .*/admin: pass base_url"):
        oidc.sign_in(client)
    oidc.sign_in(client, base_url=ADMIN)

    assert (client.get("/admin/me").status_code, client.get("/me").status_code) == (200, 401)


def test_of_several_hosts_the_base_url_says_which(oidc: OIDCTester):
    """Each host has cookies of its own."""
    urls = ["https://a.acme.com", "https://b.acme.com"]
    client = TestClient(shop(base_url=urls), base_url="https://b.acme.com")

    oidc.sign_in(client)
    at_b = client.get("/me").status_code
    oidc.sign_in(client, base_url=urls[0])

    assert (at_b, client.get("/me").status_code) == (200, 401)


def test_an_unknown_base_url_is_named(oidc: OIDCTester):
    """It may be misspelt."""
    with pytest.raises(NoMiddleware, match=r"has no OIDCMiddleware with the base_url https://x.example"):
        oidc.sign_in(TestClient(shop()), base_url="https://x.example")


def test_the_stack_that_is_found_is_the_one_that_serves(oidc: OIDCTester):
    """Starlette builds it with the first request, and a second one would not know the session in its store."""
    app = with_added_middleware()
    client = TestClient(app)

    oidc.sign_in(client)
    stack = app.middleware_stack

    assert client.get("/me").status_code == 200
    assert app.middleware_stack is stack


@pytest.mark.parametrize("make", [lambda fake: fake.http_client(), lambda fake: Network(fake).http_client()])
async def test_an_app_with_a_fake_provider_of_its_own_keeps_it(oidc: OIDCTester, make: Any):
    """Tests with the Browser may stand beside those with the fixture, also if every test has it."""
    fake = FakeProvider()
    app = shop(issuer=fake.issuer, client_id="web", client_secret="web-secret-for-tests", http_client=make(fake))

    page = await Browser(app, "https://shop.acme.com", {fake.issuer: fake}).sign_in("alice", "/me")

    assert page.json()["claims"]["name"] == "Alice Adams"
    with pytest.raises(NoMiddleware, match="was made with a fake provider of its own: leave out http_client"):
        oidc.sign_in(TestClient(app))


@pytest.mark.parametrize(("client", "told"), [(object(), "object is not a client"), ("alice", "str is not a client")])
def test_something_else_than_a_client_is_named(oidc: OIDCTester, client: object, told: str):
    """With the clients that there are."""
    with pytest.raises(WrongClient, match=f"{told} that can be signed in: expected TestClient"):
        oidc.sign_in(client, app=shop())


def test_an_unknown_provider_is_named_with_those_there_are(oidc: OIDCTester):
    """For the one provider of the flat keywords there is no name."""
    with pytest.raises(ValueError, match="there is no provider 'google'; it has one provider, without a name"):
        oidc.sign_in(TestClient(shop()), provider="google")


def test_a_client_without_an_app_needs_one(oidc: OIDCTester):
    """Unless there is a single app in the process, which then must be the one."""
    gc.collect()
    kept = [shop(), shop(base_url="https://other.acme.com")]

    with httpx.Client() as client, pytest.raises(NoMiddleware, match=r"Client does not say which app it calls.*app="):
        oidc.sign_in(client)
    assert len(kept) == 2
