"""Pages that need a stronger or fresher login: a provider without OpenID Connect cannot say, so it is 403, no loop."""

from typing import Any

import pytest

from asgi_oidc import Rule, StepUpRequired
from asgi_oidc.testing import Browser
from tests.protected_site import NOW, ORIGIN, PROGRAM, Exchange, cookie_header
from tests.providers.oauth2_site import OAuth2Site

RULES = [Rule("/fresh/*", max_age=300), Rule("/strong/*", acr_values=["urn:example:mfa"])]
PATHS = ["/fresh/page", "/strong/page"]


async def connect(site: OAuth2Site, path: str, browser: Browser) -> Exchange:
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    exchange = Exchange({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b""}
    await site.middleware(scope, exchange.receive, exchange.send)
    return exchange


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_refuses_the_user_and_offers_another_account(path, caplog):
    """Another login at that provider would not help; the log has the reason."""
    site = OAuth2Site(rules=RULES)
    browser = await site.signed_in()

    response = await browser.get(path)

    assert (response.status_code, response.history) == (403, ())
    assert "which only OpenID providers report" in caplog.text


@pytest.mark.parametrize("path", PATHS)
async def test_the_way_on_leads_to_a_provider_that_can(path):
    """`Use another account` offers only those, here one, and comes back to the page."""
    site = OAuth2Site(rules=RULES)
    browser = await site.signed_in()

    await browser.get(path)
    await browser.click("Use another account")
    response = await browser.submit(button="alice")

    assert (response.status_code, response.path) == (200, path)
    assert site.user.provider == "work"


@pytest.mark.parametrize("path", PATHS)
async def test_a_program_gets_403(path):
    """A challenge would make it send the user to a login that changes nothing."""
    site = OAuth2Site(rules=RULES)
    browser = await site.signed_in()

    response = await browser.get(path, headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (403, "forbidden")


async def test_a_websocket_is_refused_for_good():
    """4403, not 4401, which means that a login helps."""
    site = OAuth2Site(rules=RULES)
    browser = await site.signed_in()

    assert (await connect(site, "/fresh/ws", browser)).sent == [{"type": "websocket.close", "code": 4403}]


@pytest.mark.parametrize("needed", [{"max_age": 60}, {"acr_values": ["urn:example:mfa"]}])
async def test_an_app_that_asks_for_it_gets_403_too(needed):
    """`raise StepUpRequired(...)`."""
    site = OAuth2Site()
    browser = await site.signed_in()

    async def ask(scope: Any) -> None:
        raise StepUpRequired(**needed)

    site.app.at_work = ask
    refused = await browser.get("/private")
    link = await browser.click("Use another account", follow=False)

    assert (refused.status_code, refused.history) == (403, ())
    assert link.location.startswith("https://work.id.example.net/authorize")
    assert (await browser.get("/private", headers=PROGRAM)).status_code == 403


async def test_an_app_that_asks_for_it_in_a_websocket_closes_with_4403():
    """The same decision."""

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        raise StepUpRequired(max_age=60)

    site = OAuth2Site()
    browser = await site.signed_in()
    site.middleware.app = refuse

    assert (await connect(site, "/ws", browser)).sent == [{"type": "websocket.close", "code": 4403}]


async def test_an_anonymous_user_is_sent_to_a_provider_that_can():
    """Nobody is sent to a login that cannot open the page."""
    site = OAuth2Site(rules=RULES)

    response = await site.browser().get("/fresh/page", follow=False)

    assert response.location.startswith("https://work.id.example.net/authorize")


async def test_a_link_to_such_a_provider_leads_to_a_page():
    """A link with the name of the provider."""
    site = OAuth2Site(rules=[*RULES])
    browser = site.browser()
    listed = (await browser.get("/fresh/page", headers=PROGRAM)).json()["providers"]

    response = await browser.get(listed[0]["login_url"].replace("provider=work", "provider=hub"), follow=False)

    assert [entry["name"] for entry in listed] == ["work"]
    assert (response.status_code, "This page needs another kind of sign-in" in response.text) == (403, True)


async def test_login_url_leads_to_a_provider_that_can():
    """Also for a user who is signed in at the other one."""
    site = OAuth2Site()
    browser = await site.signed_in()

    url = site.oidc.login_url("/private", max_age=60)
    response = await browser.get(url, follow=False)

    assert response.location.startswith("https://work.id.example.net/authorize")
    assert site.oidc.meets(max_age=60) is False
    assert site.clock() == NOW
