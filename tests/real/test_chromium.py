"""What a real browser thinks of our cookies and redirects: Debian's Chromium, over http and https."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Cookie, Page, expect

from tests.real.certificates import Certificate
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client
from tests.real.servers import server

pytestmark = pytest.mark.real

APP = "tests.real.app:app"
SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
PATIENCE = 10_000  # milliseconds for a page, or for something on it
FORM_POST = {"OIDC_AUTHORIZATION_PARAMS": '{"response_mode": "form_post"}'}


@contextlib.contextmanager
def app_over_https(provider: RealProvider, certificate: Certificate, settings: Mapping[str, str]) -> Iterator[str]:
    """Serve the app at https://localhost and give its origin; the provider is at 127.0.0.1, another site."""
    port = free_port()
    origin = f"https://localhost:{port}"
    environ = environ_of(provider, origin) | {"SSL_CERT_FILE": certificate.ca, **settings}
    with server("uvicorn-h11", APP, port=port, environ=environ, certificate=certificate):
        yield origin


@contextlib.contextmanager
def app_over_http(provider: RealProvider, settings: Mapping[str, str]) -> Iterator[str]:
    """Serve the app at http://localhost and give its origin."""
    port = free_port()
    origin = f"http://localhost:{port}"
    environ = environ_of(provider, origin) | dict(settings)
    with server("uvicorn-h11", APP, port=port, environ=environ):
        yield origin


def environ_of(provider: RealProvider, origin: str) -> dict[str, str]:
    """Register an app at the provider and say the settings that fit."""
    registered = client(origin, client_id=origin)
    provider.register(registered)
    return {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": registered["client_id"],
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_BASE_URL": f"{origin}/",
        "OIDC_SECRET": SECRET,
    }


@pytest.fixture(scope="module")
def https_app(https_provider: RealProvider, certificate: Certificate) -> Iterator[str]:
    """The app over https: its origin."""
    with app_over_https(https_provider, certificate, {}) as origin:
        yield origin


@pytest.fixture(scope="module")
def https_form_post_app(https_provider: RealProvider, certificate: Certificate) -> Iterator[str]:
    """The app over https with `response_mode=form_post`: its origin."""
    with app_over_https(https_provider, certificate, FORM_POST) as origin:
        yield origin


@pytest.fixture(scope="module")
def http_app(provider: RealProvider) -> Iterator[str]:
    """The app over http: its origin."""
    with app_over_http(provider, {}) as origin:
        yield origin


@pytest.fixture(scope="module")
def http_form_post_app(provider: RealProvider) -> Iterator[str]:
    """The app over http with `response_mode=form_post`: its origin."""
    with app_over_http(provider, FORM_POST) as origin:
        yield origin


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser without a past: no cookies, no history."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


def test_login_from_a_deep_link_to_sign_out_over_https(context, https_app):
    """The whole story: a deep link, the provider, that very page, and out again."""
    page = context.new_page()
    page.goto(f"{https_app}/deep/link?page=2")
    expect(page.locator("h1")).to_have_text("Sign in")
    pick(page, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")
    landed = page.url
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page.locator("#who")).to_have_text("nobody")

    assert landed == f"{https_app}/deep/link?page=2"
    assert page.url.partition("?")[0] == f"{https_app}/"
    assert ours(context, https_app) == []


def test_cookies_over_https_carry_every_flag(context, https_app):
    """`__Host-`, `Secure`, `HttpOnly`, `Lax`, this host alone, and a time to end: as the browser keeps them."""
    page = context.new_page()
    page.goto(f"{https_app}/private")
    expect(page.locator("h1")).to_have_text("Sign in")
    (login,) = ours(context, https_app)
    pick(page, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")
    session = ours(context, https_app)

    flags = {"secure": True, "httpOnly": True, "sameSite": "Lax", "path": "/", "domain": "localhost"}
    assert login["name"].startswith("__Host-")
    assert "login" in login["name"]
    assert flags.items() <= login.items()
    assert 590 <= login["expires"] - time.time() <= 600
    assert ["-tokens-" in cookie["name"] for cookie in session] == [False, True]
    for cookie in session:
        assert cookie["name"].startswith("__Host-")
        assert "login" not in cookie["name"]
        assert flags.items() <= cookie.items()
        assert 0 < cookie["expires"] - time.time() <= 12 * 3600


def test_form_post_from_another_site_signs_in(context, https_form_post_app):
    """The response is a POST from another site: only `SameSite=None; Secure` brings the login cookie back."""
    page = context.new_page()
    page.goto(f"{https_form_post_app}/private")
    expect(page.locator("h1")).to_have_text("Sign in")
    (login,) = ours(context, https_form_post_app)
    pick(page, "Bob")
    expect(page.locator("#who")).to_have_text("Bob Brown")
    session = ours(context, https_form_post_app)

    assert (login["sameSite"], login["secure"], login["httpOnly"]) == ("None", True, True)
    flags = [(cookie["sameSite"], cookie["secure"], cookie["httpOnly"]) for cookie in session]
    assert flags == [("Lax", True, True)] * 2


def test_form_post_from_another_site_signs_in_over_http(context, http_form_post_app):
    """On loopback http there is no `SameSite=None`; a cookie without the attribute does while it is fresh."""
    page = context.new_page()
    page.goto(f"{http_form_post_app}/private")
    pick(page, "Bob")
    expect(page.locator("#who")).to_have_text("Bob Brown")


def test_cookies_over_http_carry_what_http_allows(context, http_app):
    """On loopback http: no prefix, no `Secure`, all the rest."""
    page = context.new_page()
    page.goto(f"{http_app}/private")
    expect(page.locator("h1")).to_have_text("Sign in")
    (login,) = ours(context, http_app)
    pick(page, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")
    session = ours(context, http_app)

    flags = {"secure": False, "httpOnly": True, "sameSite": "Lax", "path": "/", "domain": "localhost"}
    assert ["-tokens-" in cookie["name"] for cookie in (login, *session)] == [False, False, True]
    for cookie in (login, *session):
        assert not cookie["name"].startswith("__")
        assert flags.items() <= cookie.items()


def test_scripts_cannot_read_our_cookies(context, http_app):
    """`HttpOnly`, as a script of the app sees it."""
    page = signed_in(context, f"{http_app}/private", "Alice")
    readable = page.evaluate("document.cookie")

    assert readable == ""


def test_two_tabs_that_sign_in_at_once_both_arrive(context, https_app):
    """Each tab has a login of its own, and each ends where it began."""
    first, second = context.new_page(), context.new_page()
    first.goto(f"{https_app}/first")
    second.goto(f"{https_app}/second")
    in_progress = len(ours(context, https_app))
    pick(second, "Alice")
    expect(second.locator("#who")).to_have_text("Alice Adams")
    pick(first, "Alice")
    expect(first.locator("#who")).to_have_text("Alice Adams")

    assert in_progress == 2
    assert (first.url, second.url) == (f"{https_app}/first", f"{https_app}/second")
    assert ["-tokens-" in cookie["name"] for cookie in ours(context, https_app)] == [False, True]


def test_back_button_after_login_never_shows_an_error(context, https_app):
    """Whoever goes back step by step meets the login page or the app, and stays signed in."""
    page = context.new_page()
    page.goto(f"{https_app}/public")
    page.get_by_role("link", name="Sign in").click()
    pick(page, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))
    page.go_back()
    page.go_back()
    expect(page.locator("h1")).to_have_text("/public")
    page.goto(f"{https_app}/private")
    expect(page.locator("#who")).to_have_text("Alice Adams")

    assert [status for status in statuses if status >= 500] == []


def test_callback_url_opened_again_leads_home(context, https_app):
    """A reload or a bookmark of the callback is no error for somebody who is signed in."""
    page = context.new_page()
    callbacks: list[str] = []
    page.on("request", lambda request: note_callback(request.url, callbacks))
    page.goto(f"{https_app}/private")
    pick(page, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")
    page.goto(callbacks[0])
    expect(page.locator("#who")).to_have_text("Alice Adams")

    assert page.url == f"{https_app}/"


def test_fetch_without_a_session_is_told_and_not_redirected(context, http_app):
    """A script gets 401 and the address to sign in at; no redirect to another site, no cookie."""
    page = context.new_page()
    page.goto(f"{http_app}/public")
    status, error = page.evaluate(
        "fetch('/private').then(async answer => [answer.status, (await answer.json()).error])"
    )

    assert (status, error) == (401, "login_required")
    assert ours(context, http_app) == []


def pick(page: Page, name: str) -> None:
    """Sign in at the provider as this person."""
    page.get_by_role("button", name=re.compile(name)).click()


def signed_in(context: BrowserContext, url: str, name: str) -> Page:
    """Open a page of the app and sign in on the way."""
    page = context.new_page()
    page.goto(url)
    pick(page, name)
    expect(page.locator("#who")).to_contain_text(name)
    return page


def ours(context: BrowserContext, origin: str) -> list[Cookie]:
    """Give the cookies that the browser would send to the app."""
    return context.cookies(origin)


def note_callback(url: str, callbacks: list[str]) -> None:
    """Remember a URL when it is a callback."""
    if "/auth/callback" in url:
        callbacks.append(url)
