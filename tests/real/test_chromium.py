"""What a real browser thinks of our cookies and redirects: Debian's Chromium, over http and https."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Cookie, Page, expect

from asgi_oidc.testing import Client, FakeProvider, serve
from tests.real.certificates import Certificate
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client
from tests.real.servers import server

pytestmark = pytest.mark.real

APP = "tests.real.app:app"
SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
PATIENCE = 10_000  # milliseconds for a page, or for something on it
OPEN_WEBSOCKET = """() => new Promise(done => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/echo`);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = message => { window.said = message.data; done() };
    socket.onclose = event => { window.code = event.code; done() };
})"""
ADD_FRAME = "url => { const it = document.createElement('iframe'); it.src = url; document.body.append(it) }"
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


@dataclass(frozen=True)
class FrontChannel:
    """An app, and a provider whose pages load its front-channel logout."""

    origin: str
    provider: FakeProvider


@contextlib.contextmanager
def front_channel(host: str) -> Iterator[FrontChannel]:
    """Serve an app on localhost, and the fake provider on a host: ports do not count for what a site is."""
    origin = f"http://localhost:{free_port()}"
    registered = Client("web", "web-secret", frontchannel_logout_uri=f"{origin}/auth/frontchannel-logout")
    provider = FakeProvider(clients=[registered])
    with serve(provider) as running:
        provider.issuer = f"http://{host}:{running.port}"
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": "web",
            "OIDC_CLIENT_SECRET": "web-secret",
            "OIDC_BASE_URL": origin,
            "OIDC_SECRET": SECRET,
            "OIDC_FRONTCHANNEL_LOGOUT": "true",
        }
        with server("uvicorn-h11", APP, port=int(origin.rpartition(":")[2]), environ=environ):
            yield FrontChannel(origin, provider)


@pytest.fixture(scope="module")
def same_site() -> Iterator[FrontChannel]:
    """App and provider on one site."""
    with front_channel("localhost") as started:
        yield started


@pytest.fixture(scope="module")
def other_site() -> Iterator[FrontChannel]:
    """The provider on another site than the app."""
    with front_channel("127.0.0.1") as started:
        yield started


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
    final = page.url
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page.locator("#who")).to_have_text("nobody")

    assert final == f"{https_app}/deep/link?page=2"
    assert page.url == f"{https_app}/"
    assert ours(context, https_app) == []


def test_a_sign_out_in_one_tab_is_seen_in_the_other(context, https_app):
    """Its next request is nobody's, and an open websocket is closed with a code that a script can tell."""
    other = signed_in(context, f"{https_app}/private", "Alice")
    other.evaluate(OPEN_WEBSOCKET)
    said = other.evaluate("window.said")
    until = other.evaluate("fetch('/auth/session').then(answer => answer.json())")
    page = context.new_page()
    page.goto(f"{https_app}/private")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign out?")  # at the provider: it is over here before anybody answers
    status = other.evaluate("fetch('/auth/session').then(answer => answer.status)")
    other.wait_for_function("window.code !== undefined")

    assert (said, status, other.evaluate("window.code")) == ("hello", 401, 4401)
    assert 0 < until["expires_at"] - time.time() <= 3600 < until["ends_at"] - time.time() <= 12 * 3600


def test_a_frame_of_a_provider_on_the_same_site_signs_out(context, same_site):
    """Front-channel logout: the page of the provider loads it, nobody sees it."""
    page = signed_in(context, f"{same_site.origin}/private", "Alice")
    page.goto(same_site.provider.issuer + "/end_session")
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Sign-out")

    assert [one["name"] for one in ours(context, same_site.origin) if one["name"].startswith("oidc-")] == []
    page.goto(f"{same_site.origin}/public")
    expect(page.locator("#who")).to_have_text("nobody")


def test_a_frame_of_a_provider_on_another_site_brings_no_cookies(context, other_site):
    """`SameSite=Lax`: the guide says so, and back-channel logout is for that."""
    page = signed_in(context, f"{other_site.origin}/private", "Alice")
    page.goto(other_site.provider.issuer + "/end_session")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("Sign-out")
    page.goto(f"{other_site.origin}/public")

    expect(page.locator("#who")).to_have_text("Alice Adams")


def test_nobody_else_may_frame_it(context, same_site, http_app):
    """A page of a third party shows an empty frame."""
    page = context.new_page()
    page.goto(f"{http_app}/public")
    url = same_site.provider.frontchannel_logout_url("web", "any")
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.evaluate(ADD_FRAME, url)

    assert page.frame_locator("iframe").get_by_text("This site has been notified").count() == 0


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
    assert flags == [("Lax", True, True)] * 2 + [("None", True, True)]
    assert session[2]["name"].endswith("-held")  # what the next form from another site has to see


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
