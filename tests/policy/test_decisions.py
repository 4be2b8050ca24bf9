"""What each kind of request gets, with a session and without."""

from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import UnsupportedScope
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site, login_cookies

CORS = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "accept": "*/*"}
PREFETCH = {"sec-purpose": "prefetch;prerender"}


async def test_a_page_leads_to_the_provider_and_back_to_that_very_url(site, browser):
    """The query is part of the URL."""
    page = await browser.sign_in("alice", "/deep/page?a=1&b=%2F")

    assert (page.status_code, page.path) == (200, "/deep/page?a=1&b=%2F")
    assert page.json() == {
        "path": "/deep/page",
        "sub": "alice",
        "scopes": ["authenticated", "openid", "profile", "email"],
    }


async def test_a_login_makes_one_call_once_warm(site):
    """Only the token call is left: metadata and keys are cached."""
    await site.signed_in("alice")
    before = len(site.provider.calls)

    await site.signed_in("bob")

    paths = [call.path for call in site.provider.calls[before:]]
    assert paths == ["/authorize", "/authorize", "/token"]  # the first two are the browser's


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_navigation_without_session_is_sent_to_the_provider(site, browser, method):
    """One cookie keeps the login in progress."""
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    response = await browser.fetch("/page", method=method, headers=headers)

    assert (response.status_code, response.headers["cache-control"]) == (303, "no-store")
    assert response.location.startswith(site.provider.issuer + "/authorize?")
    assert len(login_cookies(browser)) == 1
    assert site.app.scopes == []


async def test_an_old_browser_is_told_by_its_accept(site):
    """It sends no Fetch Metadata, so its Accept header shows that it is a page navigation."""
    browser = site.browser(fetch_metadata=False)

    assert (await browser.sign_in("alice", "/page")).json()["sub"] == "alice"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", CORS),
        ("POST", {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
        ("GET", {**PROGRAM}),
        ("DELETE", PROGRAM),
        ("GET", {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", **PREFETCH}),
        ("GET", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}),
    ],
)
async def test_anything_else_gets_401_and_no_cookie(site, browser, method, headers):
    """A script cannot follow a login, and a prefetch must not start one."""
    response = await browser.fetch("/api", method=method, headers=headers)

    assert (response.status_code, response.json()["error"]) == (401, "login_required")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Cookie ")
    assert (response.set_cookies, response.location, site.app.scopes) == ([], "", [])


async def test_the_login_url_leads_back_to_the_page_that_the_script_runs_on(site, browser):
    """The URL that the script called is no page to return to."""
    response = await browser.fetch("/api", initiator=ORIGIN + "/dashboard?tab=2")

    assert response.json()["login_url"] == ORIGIN + "/auth/login?return_to=%2Fdashboard%3Ftab%3D2"
    assert (await browser.sign_in("alice", response.json()["login_url"])).path == "/dashboard?tab=2"


async def test_the_login_url_names_no_page_of_another_site(site, browser):
    """The Referer header can be any URL."""
    response = await browser.fetch("/api", headers={"referer": "https://evil.example/x"})

    assert response.json()["login_url"] == ORIGIN + "/auth/login"


@pytest.mark.parametrize("path", ["/", "/public", "/public/x", "/public/x/y?z"])
async def test_a_public_path_is_open_to_anonymous_users(site, browser, path):
    """The response has no headers or cookies of ours."""
    response = await browser.get(path)

    assert (response.status_code, response.json()["sub"], response.json()["scopes"]) == (200, None, [])
    assert response.set_cookies == []


async def test_a_public_path_knows_the_user_who_is_signed_in(site):
    """A home page may greet the user by name."""
    browser = await site.signed_in()

    assert (await browser.get("/")).json()["sub"] == "alice"


@pytest.mark.parametrize("path", ["/publicx", "/PUBLIC", "/x", "/public/../x", "/public//x", "/public/.;/x"])
async def test_every_path_that_is_not_public_is_closed(site, path):
    """Paths are closed by default, and only the canonical spelling of a public path is open."""
    assert (await site.call(path, headers={"accept": "*/*"})).status == 401
    assert site.app.scopes == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_a_signed_in_user_reaches_the_app_with_any_request(site, method):
    """The app does its own routing, so methods and paths are not restricted."""
    browser = await site.signed_in()

    assert (await browser.fetch("/api", method=method)).status_code == 200
    assert site.app.scope["method"] == method


@pytest.mark.parametrize("scope", [{"type": "http3"}, {"type": "ftp"}, {"type": ""}, {"type": "HTTP"}])
async def test_any_other_kind_of_connection_is_refused(site, scope):
    """The policy does not cover other scope types."""
    exchange = Exchange()

    with pytest.raises(UnsupportedScope) as caught:
        await site.middleware(scope, exchange.receive, exchange.send)

    assert (caught.value.code, site.app.scopes) == ("unsupported_scope", [])


@pytest.mark.parametrize("fault", ["discovery_down", "discovery_html"])
async def test_with_the_provider_down_a_login_says_so_and_the_rest_goes_on(site, fault):
    """The app starts, and signed-in users stay signed in."""
    with site.provider.fault(fault):
        browser = site.browser()
        assert (await browser.get("/")).status_code == 200
        page = await browser.get("/page")

    assert page.status_code == (503 if fault == "discovery_down" else 502)
    assert "Reference:" in page.text
    assert site.app.scopes[1:] == []


async def test_a_503_says_when_to_come_back(site, browser):
    """The provider's Retry-After is passed on; otherwise it is five seconds."""
    with site.provider.fault("discovery_down"):
        page = await browser.get("/page?x=1")

    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert ("/auth/login?return_to=%2Fpage%3Fx%3D1" in page.text, login_cookies(browser)) == (True, [])


async def test_sessions_go_on_while_the_provider_is_down():
    """An outage of the provider signs no user out."""
    site = Site()
    browser = await site.signed_in()

    with site.provider.fault("discovery_down", "jwks_down", "token_500"):
        site.clock.advance(3000)
        assert (await browser.get("/page")).json()["sub"] == "alice"


async def test_the_authorization_request_has_what_it_must(site, browser):
    """State, nonce and PKCE challenge are new for each login."""
    asked = [parse_qs(urlsplit((await browser.get("/page", follow=False)).location).query) for _ in range(2)]

    assert {name: values for name, values in asked[0].items() if values == asked[1][name]} == {
        "response_type": ["code"],
        "client_id": ["web"],
        "redirect_uri": [ORIGIN + "/auth/callback"],
        "scope": ["openid profile email"],
        "code_challenge_method": ["S256"],
    }
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name][0]) >= 43


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/auth/login", "GET, POST"),
        ("HEAD", "/auth/login", "GET, POST"),
        ("PUT", "/auth/callback", "GET, POST"),
        ("HEAD", "/auth/callback", "GET, POST"),
        ("DELETE", "/auth/logout", "GET, POST"),
        ("POST", "/auth/session", "GET, HEAD"),
    ],
)
async def test_our_own_urls_know_their_methods(site, browser, method, path, allow):
    """A 405 names the allowed methods (RFC 9110 §15.5.6)."""
    response = await browser.fetch(path, method=method)

    assert (response.status_code, response.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/auth/other", "/auth", "/auth/"])
async def test_a_path_below_ours_that_is_none_is_the_apps(site, path):
    """It is protected like any other path."""
    browser = site.browser()

    assert (await browser.fetch(path)).status_code == 401
    assert (await browser.sign_in("alice", path)).path == "/"
