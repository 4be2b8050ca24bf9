"""The demo in a real browser, from the first click to the sign-out; started as people start it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.real.demo import address_of, demo, demo_process, press_ctrl_c

pytestmark = pytest.mark.real

FAILED_ANSWER = "Failed to load resource"  # how Chromium notes a status of 400 and more, wanted or not


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The demo on free ports: the address that it prints."""
    with demo() as printed:
        yield printed


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A page of a browser without a past; a blocked style, script or form in its console fails the test."""
    context = chromium.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith(FAILED_ANSWER)] == []


def test_demo_from_first_click_to_sign_out(page, address):
    """What a newcomer does in the first minute."""
    page.goto(address)
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Alice Adams").click()
    expect(page.locator("h1")).to_have_text("Alice Adams")
    signed_in_at = page.url
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()

    assert signed_in_at == f"{address}/me"
    assert page.url.partition("?")[0].rstrip("/") == address
    left = [cookie["name"] for cookie in page.context.cookies(address) if "oidc" in cookie["name"]]
    assert [name.rpartition("-")[0] for name in left] == ["oidc-last"]  # the provider to offer first


def test_demo_leads_from_its_protected_page_through_sign_in_and_back(page, address):
    """Opening the protected page is enough; the claims are there afterwards."""
    page.goto(f"{address}/me")
    page.get_by_role("link", name="Continue with Code Hub").click()
    page.get_by_role("button", name="Bob Brown").click()

    expect(page.locator("h1")).to_have_text("Bob Brown")
    expect(page.locator("main")).to_contain_text("bob@example.com")
    assert page.url == f"{address}/me"


def test_demo_leads_from_the_staff_page_to_the_provider_that_may_open_it(page, address):
    """The 403 has a way on, and it ends at the page."""
    page.goto(f"{address}/me")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Bob Brown").click()
    page.goto(address)
    page.get_by_role("link", name="Open the staff page").click()
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("button", name="Emil Ek").click()

    expect(page.locator("h1")).to_have_text("Staff only")
    assert page.url == f"{address}/staff"


def test_demo_keeps_a_note_that_a_sign_out_interrupts(page, address):
    """The sign-out happens in another tab, as in real life."""
    page.goto(f"{address}/note")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Alice Adams").click()
    with page.context.expect_page() as other:
        page.get_by_role("button", name="Sign out in another tab").click()
    expect(other.value.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    page.get_by_label("Your note").fill("Buy <milk>")
    page.get_by_role("button", name="Send the note").click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Alice Adams").click()
    page.get_by_role("button", name="Send it").click()

    expect(page.locator("main")).to_contain_text("Buy <milk>")


def test_demo_shows_a_page_when_the_person_cancels(page, address):
    """Changing one's mind at the provider ends on a page with a way on."""
    page.goto(f"{address}/me")
    page.get_by_role("link", name="Continue with Work").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("link", name="Go to the start page").click()

    expect(page.locator("h1")).to_have_text(re.compile("Sign-in for any ASGI app"))


def test_ctrl_c_ends_the_demo_with_a_browser_still_there(page):
    """A browser keeps its connections open; the demo ends in time all the same, and without a traceback."""
    with demo_process() as process:
        page.goto(address_of(process))
        code = press_ctrl_c(process)

        assert code == 0
        assert "Traceback" not in process.said
