"""What a person sees is a page, also where no window asks for it: service workers, frames, htmx, Turbo."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Response
from tests.protected_site import ORIGIN, Site, login_cookies

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
SERVICE_WORKER = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "empty", "accept": HTML}
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": HTML}
HTMX = {"hx-request": "true", "hx-current-url": f"{ORIGIN}/board?tab=2", "accept": "*/*"}
TURBO = {"accept": "text/html, application/xhtml+xml"}
TURBO_FRAME = {**TURBO, "turbo-frame": "cart"}
TURBO_STREAM = {"accept": "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}
SHOWN = {"frame": FRAME, "htmx": HTMX, "turbo": TURBO, "turbo frame": TURBO_FRAME, "turbo stream": TURBO_STREAM}
ALL_SHOWN = pytest.mark.parametrize("headers", SHOWN.values(), ids=SHOWN)
LOGIN_TO_BOARD = f"{ORIGIN}/auth/login?return_to=%2Fboard%3Ftab%3D2"


async def fetch(site: Site, headers: dict[str, str], path: str = "/page", **options: Any) -> Response:
    """Ask for a part of the page /board, as somebody who is not signed in."""
    return await site.browser().fetch(path, headers=headers, initiator=f"{ORIGIN}/board?tab=2", **options)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_navigation_by_a_service_worker_leads_to_the_login(site, browser, method):
    """It passes on what a person opens, and the browser follows the redirect by itself."""
    response = await browser.fetch("/page", method=method, headers=SERVICE_WORKER)

    assert response.location.startswith(site.provider.issuer + "/authorize?")
    assert (response.status_code, len(login_cookies(browser))) == (303, 1)


async def test_a_callback_by_a_service_worker_signs_in(site):
    """And a failure there is a page."""
    browser, url = await site.at_callback()

    final = await browser.fetch(url, headers=SERVICE_WORKER)
    again = await browser.fetch("/auth/callback?state=x.2", headers={**SERVICE_WORKER, "cookie": ""})

    assert (final.status_code, final.location) == (303, ORIGIN + "/page")
    assert (again.status_code, again.headers["content-type"]) == (400, "text/html; charset=utf-8")


@ALL_SHOWN
async def test_a_request_for_html_gets_a_sign_in_page_and_no_redirect(site, headers):
    """Providers cannot be framed or fetched; the login starts in the window, and comes back to its page."""
    response = await fetch(site, headers)

    assert (response.status_code, response.location, response.set_cookies) == (401, "", [])
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["www-authenticate"].startswith("Cookie ")
    assert f'target=_top href="{LOGIN_TO_BOARD}">Sign in</a>' in response.text
    assert site.app.scopes == []


@ALL_SHOWN
async def test_a_failure_is_shown_as_html_too(site, headers):
    """With the reference that is in the log."""
    response = await fetch(site, headers, "/auth/callback?error=access_denied")

    assert (response.status_code, response.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "Reference: " in response.text


@ALL_SHOWN
async def test_a_refusal_is_shown_as_html_too(headers):
    """With the account that may not."""
    site = Site(rules=[Rule("/admin", claims={"roles": "nobody-has-it"})])
    browser = await site.signed_in()

    response = await browser.fetch("/admin", headers=headers, initiator=f"{ORIGIN}/board?tab=2")

    assert (response.status_code, response.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "Use another account" in response.text


async def test_a_frame_of_this_site_can_show_the_answer(site):
    """One of another site cannot: there is no session in it."""
    ours = await fetch(site, FRAME)
    theirs = await site.browser().fetch("/page", headers=FRAME, initiator="https://evil.example/")

    assert "frame-ancestors 'self'" in ours.headers["content-security-policy"]
    assert "x-frame-options" not in ours.headers
    assert "frame-ancestors 'none'" in theirs.headers["content-security-policy"]
    assert theirs.headers["x-frame-options"] == "DENY"


async def test_a_form_in_a_frame_that_is_stopped_shows_a_page(site):
    """Its page says so."""
    response = await fetch(site, FRAME, method="POST", data={"a": "1"})

    assert (response.status_code, "Your form was not sent" in response.text) == (401, True)
    assert response.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_form_that_turbo_sends_is_told_and_not_kept():
    """Turbo would send the form that keeps it by a fetch, which no login can follow."""
    response = await fetch(Site(keep_forms=True), TURBO_STREAM, method="POST", data={"a": "1"})

    assert (response.status_code, "Your form was not sent</h1>" in response.text) == (401, True)
    assert "<form" not in response.text


async def test_htmx_is_led_to_the_login_that_comes_back_to_its_page(site):
    """By the header that it acts on; what it may put into the page is no whole document."""
    response = await fetch(site, HTMX)

    assert response.headers["hx-redirect"] == LOGIN_TO_BOARD
    assert "<html" not in response.text


@pytest.mark.parametrize("url", ["https://evil.example/x", f"{ORIGIN}.evil.example/x", f"{ORIGIN}//evil.example", "x"])
async def test_htmx_leads_to_no_other_site(site, url):
    """The page names its URL, and a name proves nothing."""
    response = await site.browser().fetch("/page", headers={**HTMX, "hx-current-url": url})

    assert response.headers["hx-redirect"] == f"{ORIGIN}/auth/login"


async def test_htmx_is_led_to_a_stronger_login_where_that_is_needed():
    """A rule asks for a fresh one."""
    site = Site(rules=[Rule("/vault", max_age=60)])
    browser = await site.signed_in()
    site.clock.advance(120)

    response = await browser.fetch("/vault", headers=HTMX)

    assert (response.status_code, "?ask=" in response.headers["hx-redirect"]) == (401, True)
    assert 'error="insufficient_user_authentication"' in response.headers["www-authenticate"]
    assert "sign in again" in response.text


async def test_htmx_that_asks_for_json_gets_it(site):
    """A template on the client makes HTML of it."""
    response = await fetch(site, {**HTMX, "accept": "application/json"})

    assert (response.status_code, response.json()["login_url"]) == (401, LOGIN_TO_BOARD)


async def test_turbo_finds_the_frame_that_it_asked_for(site):
    """It shows nothing else; the name is escaped."""
    response = await fetch(site, {**TURBO, "turbo-frame": '"><script>'})
    named = await fetch(site, TURBO_FRAME)

    assert named.text.startswith('<turbo-frame id="cart"><h1>Sign in to continue</h1>')
    assert "<script" not in response.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html"])
async def test_a_script_that_asks_for_anything_else_gets_json(site, accept):
    """With the URL that starts a login."""
    response = await fetch(site, {"accept": accept})

    assert (response.status_code, response.json()["login_url"]) == (401, LOGIN_TO_BOARD)


async def test_a_path_without_logins_answers_programs_only():
    """`login=False` says that no person opens it."""
    response = await fetch(Site(rules=[Rule("/api/*", login=False)]), FRAME, "/api/x")

    assert (response.status_code, response.json()["error"]) == (401, "login_required")


@pytest.mark.parametrize("headers", [FRAME, TURBO], ids=["frame", "turbo"])
async def test_a_login_link_in_a_frame_opens_the_whole_window(site, headers):
    """The provider cannot be framed; the link keeps what the login was asked for."""
    response = await fetch(site, headers, "/auth/login?return_to=/board%3Ftab%3D2")

    assert (response.status_code, response.set_cookies) == (400, [])
    assert "Sign in to continue</h1>" in response.text
    (link,) = [href for href, text in response.page.links if text == "Sign in"]
    assert (await site.browser().sign_in("alice", link)).path == "/board?tab=2"


async def test_a_person_who_opens_a_url_that_is_for_programs_gets_a_page(site):
    """Out of a log, or out of the provider's settings; a program gets problem details."""
    page = await site.browser().get("/auth/backchannel-logout")
    told = await site.browser().fetch("/auth/backchannel-logout")

    assert (page.status_code, page.headers["allow"], "This link does not work" in page.text) == (405, "POST", True)
    assert (told.status_code, told.headers["allow"], told.json()["error"]) == (405, "POST", "method_not_allowed")
