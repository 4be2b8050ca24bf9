"""The pages of an app with very many providers: one that asks for a name, and one that lists 300."""

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, PROGRAM, SECRET, App
from tests.providers.tenants import TenantSite, tenant_at


async def test_a_user_names_the_tenant_on_the_page():
    """Nobody can list the tenants, and nobody should."""
    site = TenantSite("acme", "globex")
    browser = site.browser()

    page = await browser.get("/private?a=1")
    await browser.submit(data={"provider": "globex"})
    response = await browser.submit(button="alice")

    assert (page.status_code, "acme" in page.text, page.page.links) == (200, False, [])
    assert (response.status_code, response.path) == (200, "/private?a=1")
    assert site.app.scope["user"].provider == "globex"


@pytest.mark.parametrize("name", ["made-up", "Made Up", "x" * 10_000, "<b>"])
async def test_an_unknown_name_is_asked_for_again(name: str):
    """With a notice, and without showing what was typed; the way back is not lost."""
    site = TenantSite("acme")
    browser = site.browser()
    await browser.get("/private?a=1")

    again = await browser.submit(data={"provider": name})
    await browser.submit(data={"provider": "acme"})
    response = await browser.submit(button="alice")

    assert (again.status_code, "role=alert" in again.text, name in again.text) == (404, True, False)
    assert (response.status_code, response.path) == (200, "/private?a=1")


async def test_a_program_gets_no_list():
    """Only the URL of the page."""
    response = await TenantSite("acme").browser().get("/private", headers=PROGRAM)

    assert response.status_code == 401
    assert "providers" not in response.json()
    assert response.json()["login_url"].startswith(f"{ORIGIN}/auth/login")


async def test_300_providers_can_be_listed():
    """The page groups all of them; a program gets the first ones, and the number of the others."""
    providers = {f"p{number}": tenant_at(f"https://p{number}.example.net") for number in range(300)}
    middleware = OIDCMiddleware(App(), providers=providers, base_url=ORIGIN, secret=SECRET)
    browser = Browser(middleware, ORIGIN)

    page = await browser.get("/auth/login")
    refused = await browser.get("/private", headers=PROGRAM)

    assert sum("provider=p" in href for href, _ in page.page.links) == 300
    assert (len(refused.json()["providers"]), refused.json()["providers_left_out"]) == (50, 250)
    assert len(page.text) < 150_000
