"""The tests of the page in a real browser: `pytest`, in this folder."""

from collections.abc import Iterator

import pytest
from main import app
from playwright.sync_api import Page, expect

from asgi_oidc.pytest_plugin import OIDCTester
from asgi_oidc.testing import Persona


@pytest.fixture
def url(oidc: OIDCTester) -> Iterator[str]:
    with oidc.serve(app) as url:
        yield url


def test_a_visitor_signs_in_on_the_login_page(url: str, page: Page, oidc: OIDCTester) -> None:
    oidc.provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@example.com")

    page.goto(url)
    page.get_by_role("button", name="Dana Doe").click()

    expect(page.locator("h1")).to_have_text("Hello, Dana Doe")


def test_alice_is_signed_in_already(url: str, page: Page, oidc: OIDCTester) -> None:
    oidc.sign_in(page, "alice", app=app)

    page.goto(url)

    expect(page.locator("h1")).to_have_text("Hello, Alice")


def test_only_admins_read_the_reports(url: str, page: Page, oidc: OIDCTester) -> None:
    oidc.sign_in(page, "alice", app=app, claims={"roles": ["admin"]})
    page.goto(f"{url}/reports")
    expect(page.locator("h1")).to_have_text("The reports")

    oidc.sign_in(page, "bob", app=app)
    assert (page.goto(f"{url}/reports") or page).status == 403  # type: ignore[union-attr]  # a Page has no status
