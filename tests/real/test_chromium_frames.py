"""An app in a frame of another site, in a real browser: the login in a window, the cookies, what others cannot do."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import FrameLocator, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc.testing import Client, FakeProvider, serve
from tests.protected_site import SECRET
from tests.real import programs
from tests.real.app import protected_app
from tests.real.certificates import Certificate
from tests.real.processes import free_port

pytestmark = pytest.mark.real

PATIENCE = 10_000  # milliseconds


@dataclass(frozen=True)
class Houses:
    """The app, the site that shows it, and a site that must not."""

    app: str
    portal: str
    stranger: str


@pytest.fixture(scope="module")
def chromium(certificate: Certificate) -> Iterator[Chromium]:
    """A browser for which three names are this machine, and which blocks cookies of frames that are not partitioned."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=programs.chromium(),
            args=[
                "--no-sandbox",
                f"--ignore-certificate-errors-spki-list={certificate.spki}",
                "--host-resolver-rules=MAP *.test 127.0.0.1",
                "--test-third-party-cookie-phaseout",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def houses(certificate: Certificate) -> Iterator[Houses]:
    """Serve all three, and the provider."""
    ports = [free_port() for _ in range(3)]
    names = ("app", "portal", "stranger")
    found = Houses(*(f"https://{name}.test:{port}" for name, port in zip(names, ports, strict=True)))
    client = Client("web", "web-secret")
    provider = FakeProvider(clients=[client])
    with contextlib.ExitStack() as running:
        provider.issuer = running.enter_context(serve(provider)).url
        app = protected_app(
            issuer=provider.issuer,
            client_id=client.client_id,
            client_secret=client.client_secret,
            base_url=found.app,
            secret=SECRET,
            embedded_in=[found.portal],
        )
        files: dict[str, Any] = {"certfile": certificate.chain, "keyfile": certificate.key}
        for served, port in ((app, ports[0]), (house(found), ports[1]), (house(found), ports[2])):
            running.enter_context(serve(served, port=port, **files))
        yield found


def house(houses: Houses) -> Starlette:
    """Make a site that shows the app in a frame."""

    async def page(request: Request) -> HTMLResponse:
        frame = f'<iframe name=app src="{houses.app}/private" style="width:100%;height:30rem"></iframe>'
        return HTMLResponse(f"<!doctype html><title>house</title>{frame}")

    return Starlette(routes=[Route("/", page)])


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A page of a browser without a past."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def sign_in(page: Page) -> FrameLocator:
    """Sign in within the frame of the page."""
    frame = page.frame_locator("iframe")
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Sign in").click()
    with opened.value.expect_event("close"):
        opened.value.get_by_role("button", name="Alice").click()
    expect(frame.locator("#who")).to_have_text("Alice Adams")
    return frame


def test_a_user_signs_in_and_out_in_a_frame_of_the_portal(houses, page):
    """In a window, because providers do not let others frame them; the window closes, and the frame goes on."""
    page.goto(houses.portal)
    frame = sign_in(page)

    page.reload()
    expect(frame.locator("#who")).to_have_text("Alice Adams")
    frame.get_by_role("button", name="Sign out").click()
    expect(frame.locator("#who")).to_have_text("nobody")
    page.reload()
    expect(frame.get_by_role("link", name="Sign in")).to_be_visible()


def test_all_cookies_belong_to_the_pair_of_sites(houses, page):
    """The browser keeps them apart from those of the app in a window of its own, and of the app elsewhere."""
    page.goto(houses.portal)
    sign_in(page)

    cookies = [each for each in page.context.cookies() if each["domain"] == "app.test"]
    assert {(each["sameSite"], each["secure"], each["httpOnly"]) for each in cookies} == {("None", True, True)}
    assert {each["partitionKey"] for each in cookies} == {"https://portal.test"}
    assert all(each["name"].startswith("__Host-oidc-") for each in cookies)


def test_the_app_in_a_window_of_its_own_has_a_session_of_its_own(houses, page):
    """And it signs in as ever, without a window."""
    page.goto(houses.portal)
    sign_in(page)

    page.goto(f"{houses.app}/auth/session")
    assert page.evaluate("() => document.body.innerText").count("login_required") == 1
    page.goto(f"{houses.app}/private")  # the provider remembers her

    expect(page.locator("#who")).to_have_text("Alice Adams")


def test_another_site_cannot_show_the_app(houses, page):
    """Neither our pages nor those of the app, which says nothing about frames itself."""
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    for path in ("/private", "/"):
        page.goto(houses.stranger)
        page.evaluate("url => { document.querySelector('iframe').src = url }", houses.app + path)
        expect(page.frame_locator("iframe").locator("#sub-frame-error-details")).to_be_visible()

    assert any("frame-ancestors" in message for message in messages)


def test_a_window_that_a_stranger_has_opened_hands_nothing_over(houses, page):
    """The response of the provider goes to a page of the app, or to nobody."""
    page.goto(houses.stranger)
    page.evaluate("() => { window.heard = []; addEventListener('message', event => heard.push(event.data)) }")
    with page.expect_popup() as opened:
        page.evaluate("url => { window.open(url) }", f"{houses.app}/auth/callback?code=secret&state=x.w")

    expect(opened.value.get_by_role("heading")).to_have_text("Your sign-in continues in the other window")
    assert page.evaluate("() => heard") == []


def test_the_response_of_a_login_of_somebody_else_signs_nobody_in(houses, page):
    """A code planted in the window reaches the frame, where no login has its state."""
    page.goto(houses.portal)
    frame = page.frame_locator("iframe")
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Sign in").click()

    with opened.value.expect_event("close"):
        planted = f"{houses.app}/auth/callback?code=planted&state=planted.w"
        opened.value.evaluate("url => { location.href = url }", planted)

    expect(frame.get_by_role("link", name="Sign in")).to_be_visible()
    expect(frame.locator("#who")).to_have_count(0)
