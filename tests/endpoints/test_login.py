"""A login starts with a page navigation, requests what the settings say, and does not disturb other logins."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.in_process import http_scope
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site, login_cookies, who_am_i


async def authorization_query(browser: Browser, path: str = "/page") -> dict[str, list[str]]:
    response = await browser.get(path, follow=False)
    assert response.status_code == 303
    return parse_qs(urlsplit(response.location).query)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "/"),
        ("?return_to=/page%3Fa%3D1", "/page?a=1"),
        ("?return_to=https://app.example.com/page", "/page"),
        ("?return_to=https://evil.example/", "/"),
        ("?return_to=//evil.example/", "/"),
        ("?return_to=/auth/logout", "/"),
        ("?return_to=/a&return_to=/b", "/"),
        ("?return_to=", "/"),
        ("?other=/page", "/"),
    ],
)
async def test_the_login_url_returns_only_to_our_own_pages(site, browser, query, path):
    """Any other target becomes the start page."""
    assert (await browser.sign_in("alice", "/auth/login" + query)).path == path


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "accept": "*/*"}, {"sec-purpose": "prefetch"}]
)
async def test_the_login_url_is_for_a_person_only(browser, headers):
    """A script or a prefetch gets no login cookie."""
    response = await browser.get("/auth/login", headers=headers, follow=False)

    assert (response.status_code, response.json()["error"], response.set_cookies) == (400, "not_a_navigation", [])


async def test_the_login_url_works_without_fetch_metadata(site, browser):
    """Old browsers and curl send none."""
    assert (await browser.get("/auth/login", headers={**PROGRAM, "accept": "*/*"}, follow=False)).status_code == 303


async def test_a_program_that_wants_json_starts_no_login(browser):
    """Only a page navigation gets a login cookie."""
    response = await browser.get("/auth/login", headers=PROGRAM, follow=False)

    assert (response.status_code, response.json()["error"], response.set_cookies) == (400, "not_a_navigation", [])


async def test_too_many_parameters_are_refused(browser):
    """All input is bounded."""
    response = await browser.get("/auth/login?" + "a=1&" * 100, headers={**PROGRAM, "accept": "*/*"}, follow=False)

    assert (response.status_code, response.json()["error"]) == (400, "parameters_malformed")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"prompt": "login"}, {"prompt": ["login"]}),
        ({"acr_values": ["a", "b"]}, {"acr_values": ["a b"]}),
        ({"max_age": 300}, {"max_age": ["300"]}),
        ({"resource": ["https://a", "https://b"]}, {"resource": ["https://a", "https://b"]}),
        ({"ui_locales": "de fr", "login_hint": "a@b"}, {"ui_locales": ["de fr"], "login_hint": ["a@b"]}),
    ],
)
async def test_further_parameters_go_along(given, sent):
    """`authorization_params` adds them."""
    params = await authorization_query(Site(authorization_params=given).browser())

    assert {name: params[name] for name in given} == sent


async def test_the_scopes_are_those_of_the_setting():
    """The setting is text or a list."""
    assert (await authorization_query(Site(scope=["openid", "api"]).browser()))["scope"] == ["openid api"]


async def test_prompt_none_without_a_session_there_is_a_cancelled_login():
    """The provider may not ask the user, so it answers with an error."""
    site = Site(authorization_params={"prompt": "none"})

    page = await site.browser().get("/page")

    assert (page.status_code, "You are not signed in" in page.text) == (403, True)


@pytest.mark.parametrize(("max_age", "status"), [(60, 200), (0, 200)])
async def test_max_age_is_asked_for_and_met(max_age, status):
    """The provider asks the user to sign in again."""
    site = Site(authorization_params={"max_age": max_age})

    assert (await site.browser().sign_in("alice", "/page")).status_code == status


@pytest.mark.parametrize(
    ("params", "fault", "code"),
    [
        ({"max_age": 60}, "id_token_old_auth_time", "claim_auth_time"),
        ({"max_age": 60}, "id_token_no_auth_time", "claim_auth_time"),
        ({"acr_values": "mfa"}, "id_token_wrong_acr", "claim_acr"),
    ],
)
async def test_what_was_asked_for_is_checked(params, fault, code):
    """A provider may ignore the parameter; that is an error instead of a login loop."""
    response = await Site(authorization_params=params).failed_login(fault)

    assert (response.status_code, response.json()["error"]) == (403, code)


@pytest.mark.parametrize("fault", ["id_token_old_auth_time", "id_token_no_auth_time", "id_token_wrong_acr"])
async def test_what_was_not_asked_for_is_not_checked(site, fault):
    """Not every provider sends these claims."""
    with site.provider.fault(fault):
        assert await site.signed_in()


async def test_acr_values_that_come_back_are_fine():
    """One of the requested values is enough."""
    site = Site(authorization_params={"acr_values": ["mfa", "pwd"]})

    assert await site.signed_in()
    assert site.app.scope["user"].claims["acr"] == "mfa"


# --- several tabs


async def test_two_tabs_sign_in_at_once(site):
    """Each returns to its own page."""
    first = site.browser()
    second = first.tab()
    await first.get("/first")
    await second.get("/second")

    pages = [await second.submit(button="alice"), await first.submit(button="alice")]

    assert [page.path for page in pages] == ["/second", "/first"]
    assert login_cookies(first) == []


async def test_a_browser_has_at_most_eight_logins_in_progress(site, browser):
    """The oldest one is dropped."""
    for number in range(12):
        await browser.get(f"/page{number}", follow=False)
        site.clock.advance(1)

    assert len(login_cookies(browser)) == 8


async def test_a_tab_that_was_left_too_long_starts_over(site):
    """It still returns to its own page."""
    browser, url = await site.at_callback(path="/page?x=1")
    browser.jar.clock = lambda: 0  # a browser that keeps cookies for ever
    site.clock.advance(600)

    page = await browser.get(url)

    assert (page.path, page.json()["sub"]) == ("/page?x=1", "alice")


async def test_a_tab_just_in_time_finishes(site):
    """The user has ten minutes; the code of the fake provider has one."""
    browser = site.browser()
    await browser.get("/page")
    site.clock.advance(599)

    assert (await browser.submit(button="alice")).json()["sub"] == "alice"


# --- form_post


class Posted:
    """The response to a hand-made POST to the callback."""

    def __init__(self, start: Any, body: Any) -> None:
        self.status = start["status"]
        self.error = json.loads(body["body"])["error"]


async def post(headers: dict[str, str], *messages: dict[str, Any]) -> Posted:
    exchange = Exchange(*messages)
    scope = http_scope("POST", ORIGIN + "/auth/callback", headers)
    await Site(**FORM_POST).middleware(scope, exchange.receive, exchange.send)
    return Posted(*exchange.sent)


FORM_POST: dict[str, Any] = {"authorization_params": {"response_mode": "form_post"}}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("origin", "issuer"),
    [
        (ORIGIN, "https://id.example.com"),
        (ORIGIN, "https://login.provider.test"),
        ("http://localhost:8000", "http://localhost:9000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000"),
    ],
)
async def test_the_response_may_come_as_a_form(origin, issuer):
    """It is posted from the same site or another, over https or on loopback."""
    site = Site(provider=FakeProvider(issuer, alg="ES256"), base_url=origin, **FORM_POST)
    browser = site.browser(origin=origin)

    page = await browser.sign_in("alice", "/page?x=1")

    assert (page.path, page.json()["sub"]) == ("/page?x=1", "alice")
    assert browser.refused_cookies == []


async def test_the_login_cookie_comes_along_with_a_form_from_elsewhere():
    """It is SameSite=None; the session cookie stays Lax."""
    site = Site(**FORM_POST)
    browser = site.browser()
    response = await browser.get("/page", follow=False)

    assert "SameSite=None; Secure" in response.set_cookies[0]
    await browser.sign_in("alice", "/page")
    assert {cookie.same_site for cookie in browser.jar.starting_with("__Host-oidc-")} <= {"Lax", "None"}
    assert await who_am_i(browser) == "alice"


async def test_a_response_must_use_the_requested_response_mode():
    """A query ends up in logs and histories, which form_post avoids."""
    site = Site(**FORM_POST)
    browser = site.browser()
    await browser.get("/page", follow=False)
    state = (await authorization_query(browser))["state"][0]

    response = await browser.get(f"/auth/callback?code=x&state={state}", headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (400, "response_mode")


async def test_an_error_in_another_response_mode_is_reported(caplog):
    """Providers that cannot send a form report errors by a redirect."""
    site = Site(**FORM_POST)
    browser = site.browser()
    await browser.get("/page", follow=False)
    state = (await authorization_query(browser))["state"][0]

    response = await browser.get(f"/auth/callback?error=unsupported_response_mode&state={state}", headers=PROGRAM)

    assert (response.json()["error"], "unsupported_response_mode" in caplog.text) == ("provider_refused", True)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"content-type": "application/json"}, b"{}", 415, "content_type"),
        ({}, b"code=x", 415, "content_type"),
        (FORM, b"x" * 20_000, 413, "body_too_large"),
        ({"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, b"a=%ff", 400, "parameters_malformed"),
        ({"content-type": "Application/X-WWW-Form-Urlencoded"}, b"code=x&code=y", 400, "parameter_repeated"),
        (FORM, b"code=x&state=y", 400, "transaction_missing"),
    ],
)
async def test_a_form_is_read_within_bounds(headers, body, status, code):
    """Anyone can send requests there."""
    first = {"type": "http.request", "body": body[:5000], "more_body": True}

    exchange = await post(headers, first, {"type": "http.request", "body": body[5000:]})

    assert (exchange.status, exchange.error) == (status, code)


async def test_a_browser_that_disconnects_while_it_posts_is_not_an_error():
    """No session is created, and no call is made."""
    first = {"type": "http.request", "body": b"code=x", "more_body": True}

    exchange = await post(FORM, first, {"type": "http.disconnect"})

    assert (exchange.status, exchange.error) == (400, "body_incomplete")


async def test_a_deep_link_that_is_too_long_keeps_its_path(site):
    """Losing the query is better than landing on the start page."""
    landed = await site.browser().sign_in("alice", "/reports/7?" + "q" * 5000)

    assert (landed.status_code, landed.path) == (200, "/reports/7")
