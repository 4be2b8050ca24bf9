"""The app's responses to a signed-in user stay out of shared caches; nothing else in them is changed."""

from typing import Any

import pytest

from tests.protected_site import Site, cookie_header


async def test_a_response_to_a_signed_in_user_is_private(site):
    """A shared cache must not serve one user's page to another; `Vary: Cookie` keeps them apart."""
    site.app.headers = [(b"cache-control", b"public, max-age=60"), (b"cdn-cache-control", b"max-age=60")]
    browser = await site.signed_in()

    response = await browser.fetch("/page")

    assert response.headers["cache-control"] == "private, max-age=60"
    assert response.headers["vary"].lower() == "cookie"
    assert "cdn-cache-control" not in response.headers


async def test_a_public_path_is_private_for_a_signed_in_user(site):
    """A home page may greet the user by name."""
    site.app.headers = [(b"cache-control", b"public, max-age=60")]
    browser = await site.signed_in()

    assert (await browser.get("/")).headers["cache-control"] == "private, max-age=60"


async def test_caching_of_a_public_path_for_an_anonymous_user_is_left_to_the_app(site, browser):
    """Without a user there is nothing personal in it, so a home page may be cached."""
    site.app.headers = [(b"cache-control", b"public, max-age=60")]

    assert (await browser.get("/")).headers["cache-control"] == "public, max-age=60"


async def test_a_response_that_sets_our_cookie_is_no_store(site):
    """A cached Set-Cookie line would sign other visitors in."""
    site.app.headers = [(b"cache-control", b"max-age=60"), (b"set-cookie", b"app=1; Path=/")]
    browser = await site.signed_in()
    site.clock.advance(60)

    response = await browser.fetch("/page")

    assert response.headers["cache-control"] == "no-store"
    assert len(response.set_cookies) == 2


async def test_only_the_start_of_a_response_is_changed():
    """Early hints, trailers and files sent by path pass unchanged: servers may support messages that we do not know."""
    messages: list[dict[str, Any]] = [
        {"type": "http.response.early_hint", "links": [b"x"]},
        {"type": "http.response.start", "status": 200, "trailers": True},
        {"type": "http.response.pathsend", "path": "/x"},
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.trailers", "headers": []},
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    signed_in = Site()
    browser = await signed_in.signed_in()
    site = signed_in.restarted(inner=app)
    exchange = await site.call("/page", headers={"cookie": cookie_header(browser)})

    assert [message["type"] for message in exchange.sent] == [message["type"] for message in messages]
    assert [sent for sent in exchange.sent if "start" not in sent["type"]] == [
        message for message in messages if "start" not in str(message["type"])
    ]
    assert exchange.sent[1]["trailers"] is True
    assert messages[1] == {"type": "http.response.start", "status": 200, "trailers": True}


async def test_exceptions_of_the_app_propagate(site):
    """Servers and outer middleware report the app's exceptions."""
    browser = await site.signed_in()

    async def fail(scope: Any) -> None:
        raise ZeroDivisionError

    site.app.at_work = fail
    with pytest.raises(ZeroDivisionError):
        await browser.fetch("/page")


async def test_our_response_to_a_head_request_has_no_body(site, browser):
    """RFC 9110 §9.3.2 forbids a body."""
    with site.provider.fault("discovery_down"):
        headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        response = await browser.fetch("/page", method="HEAD", headers=headers)

    assert (response.status_code, response.content) == (503, b"")
