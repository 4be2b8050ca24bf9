"""Pages that the app renders itself, in a real browser: its stylesheet and our scripts work, and nothing else does."""

from collections.abc import Iterator

import pytest
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, expect

from asgi_oidc.pages import Page as OurPage
from tests.examples.guides import EXAMPLES
from tests.real.rules_site import OVER, fill_in, pick, press, site, watched

pytestmark = pytest.mark.real

FOLDER = EXAMPLES / "pages"
TEMPLATES = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True)


def render(page: OurPage) -> str:
    """Write a page with the templates of the guide."""
    return TEMPLATES.get_template("sign_in_pages.html").render(page=page)


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser that has the stylesheet of the app."""
    with watched(chromium) as opened:
        opened.route("**/static/site.css", lambda route: route.fulfill(path=FOLDER / "static" / "site.css"))
        yield opened


def test_the_stylesheet_of_the_app_and_the_script_of_the_page_work(context):
    """The fragment of the address survives, as with our own page."""
    with site(keep_fragment=True, pages=render) as made:
        page = context.new_page()
        page.goto(f"{made.origin}/inbox#section")
        pick(page, "Alice")
        expect(page.locator("#who")).to_have_text("Alice Adams")
        assert page.url == f"{made.origin}/inbox#section"

        page.goto(f"{made.origin}/auth/logout")
        expect(page.locator("header")).to_have_text("Orders")
        assert page.locator("h1").evaluate("it => getComputedStyle(it).fontFamily").startswith("Georgia")


def test_a_form_that_was_kept_is_sent_from_the_page_of_the_app(context):
    """With all of its hidden fields, through the login and back."""
    with site(keep_forms=True, pages=render) as made:
        page = context.new_page()
        page.goto(f"{made.origin}/edit")
        pick(page, "Alice")
        fill_in(page)
        made.clock.advance(OVER)
        press(page, "Save")
        expect(page.locator("h1")).to_have_text("Your form has not been sent yet")
        press(page, "Sign in")
        expect(page.locator("h1")).to_have_text("Send your form now?")
        press(page, "Send it")

        expect(page.locator("header")).to_have_count(0)  # a page of the app itself again
        assert page.url.startswith(f"{made.origin}/save")


def test_no_other_script_style_or_image_of_the_html_works(chromium):
    """A template with a hole in it still cannot run what somebody put there."""
    html = (
        "<title>own</title><h1>Own</h1><script>document.title = 'run'</script>"
        "<img src=x onerror=\"document.title = 'run'\"><img src=https://elsewhere.example/x.png>"
        "<style>h1 { color: rgb(1, 2, 3) }</style><h1 style='color: red'>x</h1>"
    )
    context = chromium.new_context()
    blocked: list[str] = []
    context.on("console", lambda message: blocked.append(message.text))
    with site(pages=lambda page: html) as made:
        page = context.new_page()
        page.goto(f"{made.origin}/auth/logout")

        expect(page).to_have_title("own")
        assert page.locator("h1").first.evaluate("it => getComputedStyle(it).color") != "rgb(1, 2, 3)"
        assert sum("Content Security Policy" in text for text in blocked) >= 4
    context.close()
