"""The fixture `oidc` with real browsers: cookies that Chromium keeps, and a login on the page of the fake provider."""

import pytest
from playwright.async_api import async_playwright
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from asgi_oidc.pytest_plugin import OIDCTester
from asgi_oidc.testing import Persona
from tests.pytest_plugin.apps import shop
from tests.real import programs

pytestmark = pytest.mark.real


async def test_a_context_of_the_async_api_is_signed_in_on_the_loop_of_the_test(oidc: OIDCTester):
    """It is changed on the loop of the test; the cookies of an https site have the prefix that Chromium checks."""
    app = shop()
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=programs.chromium(), args=["--no-sandbox"])
        context = await chromium.new_context()
        await oidc.asign_in(context, "alice", app=app)
        kept = await context.cookies("https://shop.acme.com/me")
        await oidc.asign_out(context, app=app)
        left = await context.cookies()
        await chromium.close()

    (session,) = [cookie for cookie in kept if cookie["name"].count("-") == 2]
    assert session["name"].startswith("__Host-oidc-")
    assert (session["secure"], session["httpOnly"], session["sameSite"]) == (True, True, "Lax")
    assert left == []


def test_people_sign_in_and_out_on_real_pages(chromium: Chromium, oidc: OIDCTester):
    """From the app to the login page, back, and out again; then somebody else is signed in without any page."""
    app, context = shop(), chromium.new_context()
    page = context.new_page()
    with oidc.serve(app) as url:
        oidc.provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@acme.com")
        page.goto(f"{url}/me")
        page.get_by_role("button", name="Dana Doe").click()
        expect(page.locator("body")).to_contain_text('"sub":"dana"')
        status = page.evaluate(
            "fetch('/auth/logout', {method: 'POST', redirect: 'manual'}).then(() => fetch('/me')).then(r => r.status)"
        )
        oidc.sign_in(page, "bob", app=app)
        page.goto(f"{url}/me")
        expect(page.locator("body")).to_contain_text('"sub":"bob"')
        oidc.expire(page)
        page.goto(f"{url}/me")
        expect(page.locator("body")).to_contain_text(
            '"sub":"dana"'
        )  # bob's session is over, and the provider knows her
        context.close()

    assert status == 401
