"""Pages of other sites may link to ours, and can do nothing else with a user's session unless a rule allows it."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser
from asgi_oidc.testing.in_process import http_scope
from tests.asgi.test_websockets import DENIAL, connect
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header

SPA = "https://spa.example.com"  # of the same site as the app, so that its calls bring the session cookie
EVIL = "https://evil.example"
RULE = Rule("/api/*", origins=[SPA])
PREFLIGHT = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type, x-csrf"}
CREDENTIALS = {"access-control-allow-origin": SPA, "access-control-allow-credentials": "true"}


@pytest.fixture
def site() -> Site:
    return Site(rules=[RULE])


async def post(
    site: Site, browser: Browser, path: str = "/page", *, method: str = "POST", **headers: str | None
) -> int:
    """Send an unsafe request with the session cookie, whatever a browser would do."""
    made = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    exchange = await site.call(path, method=method, headers={"cookie": cookie_header(browser), **made})
    return exchange.status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW", "post", "get"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "origin": ORIGIN},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "nonsense"},
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "null", "sec_fetch_site": "same-site"},
        {"origin": SPA, "sec_fetch_site": "same-site"},
        {"origin": ORIGIN + ".evil.example"},
        {"origin": ORIGIN.upper()},
        {"origin": ORIGIN.replace("https", "http")},
        {"origin": EVIL, "sec_fetch_site": "same-origin"},
    ],
)
async def test_an_unsafe_request_of_another_site_is_refused(site, method, headers):
    """Its cookie would make it a request of the user, so the app does not run, even on a public path."""
    browser = await site.signed_in()
    before = len(site.app.scopes)

    assert await post(site, browser, method=method, **headers) == 403
    assert await post(site, browser, "/public/x", method=method, **headers) == 403
    assert len(site.app.scopes) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ORIGIN},
        {"origin": ORIGIN, "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "null", "sec_fetch_site": "same-origin"},
    ],
)
async def test_our_own_pages_and_programs_may(site, headers):
    """A request without Origin and Fetch Metadata is not from a browser."""
    browser = await site.signed_in()

    assert await post(site, browser, **headers) == 200


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site"])
async def test_a_duplicate_origin_header_counts_as_cross_site(site, name):
    """One of the two values must be false."""
    browser = await site.signed_in()
    good = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}[name].encode()
    exchange = Exchange()
    scope = http_scope("POST", ORIGIN + "/page", {"cookie": cookie_header(browser)})
    scope["headers"] = [*scope["headers"], (name.encode(), good), (name.encode(), good)]

    await site.middleware(scope, exchange.receive, exchange.send)

    assert exchange.status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_safe_request_of_another_site_is_the_apps(site, method):
    """Links from other sites have to work."""
    browser = await site.signed_in()

    assert await post(site, browser, method=method, origin=EVIL, sec_fetch_site="cross-site") == 200


@pytest.mark.parametrize("name", ["x-http-method-override", "X_HTTP_Method", "x-method_override"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_safe_request_that_may_be_taken_for_an_unsafe_one_is_refused(method, name):
    """Some apps obey a method override header, so a GET of another site could delete something."""
    site = Site(rules=[Rule("/api/*", methods=["GET", "OPTIONS"], origins=[SPA])])
    browser = await site.signed_in()
    before = len(site.app.scopes)

    refused = [
        await post(site, browser, "/api/x", method=method, origin=each, **{name: "DELETE"}) for each in (SPA, EVIL)
    ]

    assert (refused, len(site.app.scopes)) == ([403, 403], before)
    assert await post(site, browser, "/api/x", method=method, origin=SPA) == 200
    assert await post(site, browser, "/api/x", method=method, origin=ORIGIN, **{name: "DELETE"}) == 200


async def test_without_a_session_there_is_nothing_to_misuse(site):
    """A public path accepts such requests from any site: web hooks, forms of a payment provider."""
    exchange = await site.call("/public/hook", method="POST", headers={"origin": EVIL, "sec-fetch-site": "cross-site"})

    assert (exchange.status, site.app.scope["user"].is_authenticated) == (200, False)


async def test_a_person_is_told_on_a_page(site):
    """A browser shows the response to a form."""
    browser = await site.signed_in()

    page = await browser.post("/page", {"a": "b"}, initiator=SPA + "/form")

    assert (page.status_code, "This request came from another site" in page.text) == (403, True)
    assert (await browser.click("Go to the start page")).path == "/"


async def test_a_script_is_told_in_json(site):
    """It can read the code of the error."""
    browser = await site.signed_in()

    response = await browser.fetch("/page", method="DELETE", initiator=SPA + "/x")

    assert (response.status_code, response.json()["error"]) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in response.headers
    assert response.json()["login_url"] == f"{ORIGIN}/auth/login"  # it leads to no page of the other site's choice


async def test_a_site_that_a_rule_names_may(site):
    """The permission is for that path alone, in its plain spelling."""
    browser = await site.signed_in()

    named = await browser.fetch("/api/x", method="POST", initiator=SPA + "/x")
    elsewhere = [await browser.fetch(path, method="POST", initiator=SPA) for path in ("/page", "/API/x", "/api/%78")]

    assert (named.status_code, named.json()["sub"]) == (200, "alice")
    assert {name: named.headers[name] for name in CREDENTIALS} == CREDENTIALS
    assert "Origin" in named.headers.get_list("vary")
    assert [response.status_code for response in elsewhere] == [403] * 3


async def test_a_site_that_a_rule_names_can_read_why_it_was_refused(site):
    """Otherwise its script could not send the user to the login."""
    response = await site.browser().fetch("/api/x", initiator=SPA + "/x")

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, SPA)
    assert "www-authenticate" in response.headers["access-control-expose-headers"]
    assert (await site.browser().fetch("/api/x", initiator=EVIL)).headers.get("access-control-allow-origin") is None


@pytest.mark.parametrize("initiator", [SPA, EVIL, ""])
async def test_no_cache_may_give_one_site_what_was_for_another(site, initiator):
    """The response depends on `Origin`, so it varies by it even if the request has none."""
    public = Site(rules=[Rule("/public/*", origins=[SPA])])

    answers = [
        await one.browser().fetch(path, initiator=initiator) for one, path in ((site, "/api/x"), (public, "/public/x"))
    ]

    assert [response.headers.get_list("vary") for response in answers] == [["Origin"], ["Origin"]]


async def test_an_app_that_speaks_for_itself_is_left_alone(site):
    """Browsers reject a response with two CORS answers."""
    site.app.headers = [(b"Access-Control-Allow-Origin", b"*")]
    browser = await site.signed_in()

    response = await browser.fetch("/api/x", initiator=SPA + "/x")

    assert response.headers.get_list("access-control-allow-origin") == ["*"]


async def test_a_preflight_is_answered_where_a_rule_says_so(site):
    """Browsers send no cookies with a preflight, so neither the app nor a user is needed."""
    answer = await site.browser().fetch("/api/x", method="OPTIONS", initiator=SPA, headers={"origin": SPA, **PREFLIGHT})

    assert (answer.status_code, answer.content, site.app.scopes) == (204, b"", [])
    assert {name: answer.headers[name] for name in CREDENTIALS} == CREDENTIALS
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-csrf"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/x", {"origin": EVIL, **PREFLIGHT}),
        ("/api/x", {"origin": "null", **PREFLIGHT}),
        ("/page", {"origin": SPA, **PREFLIGHT}),
        ("/api//x", {"origin": SPA, **PREFLIGHT}),
        ("/api/x", {"origin": SPA}),
        ("/api/x", {**PREFLIGHT}),
        ("/api/x", {"origin": SPA, "access-control-request-method": "EVIL\r\nx: y"}),
    ],
)
async def test_any_other_preflight_is_a_request_without_a_session(site, path, headers):
    """It does not reach the app on a protected path."""
    exchange = await site.call(path, method="OPTIONS", headers=headers)

    assert (exchange.status, site.app.scopes) == (401, [])
    assert exchange.header(b"access-control-allow-methods") is None


@pytest.mark.parametrize("wanted", ["", "a" * 2000, "x\r\ny", "a;b"])
async def test_headers_that_are_none_are_not_repeated(site, wanted):
    """Only valid header names are copied into the response."""
    headers = {"origin": SPA, "access-control-request-method": "PUT", "access-control-request-headers": wanted}
    exchange = await site.call("/api/x", method="OPTIONS", headers=headers)

    assert (exchange.status, exchange.header(b"access-control-allow-headers")) == (204, None)


async def test_a_preflight_is_decided_by_its_requested_method():
    """A rule may be for one method only."""
    site = Site(rules=[Rule("/api/*", methods=["GET"], origins=[SPA])])

    asked = [
        await site.call("/api", method="OPTIONS", headers={"origin": SPA, "access-control-request-method": method})
        for method in ("GET", "HEAD", "PUT")
    ]

    assert [exchange.status for exchange in asked] == [204, 204, 401]


async def test_a_preflight_of_a_public_path_is_the_apps():
    """The app may have a CORS middleware of its own."""
    site = Site()

    exchange = await site.call("/public/x", method="OPTIONS", headers={"origin": SPA, **PREFLIGHT})

    assert (exchange.status, len(site.app.scopes)) == (200, 1)


@pytest.mark.parametrize(("path", "is_ours"), [("/api/ws", True), ("/ws", False)])
async def test_a_websocket_of_a_site_that_a_rule_names_is_the_apps(site, path, is_ours):
    """Other sites are refused."""
    browser = await site.signed_in()

    exchange = await connect(site, path, origin=SPA, browser=browser, **DENIAL)

    assert exchange.sent[0]["type"] == ("websocket.accept" if is_ours else "websocket.http.response.start")
    assert is_ours or exchange.status == 403


async def test_a_public_websocket_knows_the_user_of_a_named_site():
    """For pages of other sites, the user is anonymous."""
    site = Site(rules=[Rule("/public/*", origins=[SPA])])
    browser = await site.signed_in()
    seen: list[Any] = []

    for origin in (SPA, EVIL):
        await connect(site, "/public/ws", origin=origin, browser=browser)
        seen.append(site.app.scope["user"].sub)

    assert seen == ["alice", None]
