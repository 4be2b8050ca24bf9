"""A login page of the provider that has expired starts one fresh login, and no more than one."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, PROGRAM, Site, login_cookies

EXPIRED = {"error": "temporarily_unavailable", "error_description": "authentication_expired"}


async def waiting(site: Site, path: str = "/page") -> tuple[Browser, str]:
    """Open a browser that is sent to the provider, and give the URL that it is sent to."""
    browser = site.browser()
    return browser, (await browser.get(path, follow=False)).location


def refused(site: Site, authorization_url: str, said: dict[str, str]) -> str:
    """Write the callback by which a provider refuses this login."""
    (state,) = parse_qs(urlsplit(authorization_url).query)["state"]
    return f"{ORIGIN}/auth/callback?{urlencode({**said, 'state': state, 'iss': site.provider.issuer})}"


async def test_an_expired_login_page_starts_one_fresh_login(site):
    """Keycloak asks for a new request so; the person need not even notice, and ends where they wanted to go."""
    browser, url = await waiting(site, "/page?x=1")

    page = await browser.get(refused(site, url, EXPIRED))

    assert page.page.forms
    assert len(login_cookies(browser)) == 1
    assert (await browser.submit(page, "alice")).url == f"{ORIGIN}/page?x=1"


async def test_a_login_page_that_expires_again_ends_on_a_page(site, caplog):
    """A provider that always says so must not cause a login loop."""
    browser, url = await waiting(site)
    again = await browser.get(refused(site, url, EXPIRED), follow=False)

    page = await browser.get(refused(site, again.location, EXPIRED))

    assert (page.status_code, login_cookies(browser)) == (503, [])
    assert "authentication_expired" in caplog.text


async def test_the_fresh_login_asks_for_what_the_first_one_asked(site):
    """It must not come back weaker."""
    site = Site(rules=[Rule("/page", acr_values=["urn:example:mfa"], max_age=300)])
    browser, url = await waiting(site)

    again = await browser.get(refused(site, url, EXPIRED), follow=False)

    asked = [parse_qs(urlsplit(each).query) for each in (url, again.location)]
    assert [(each["acr_values"], each["max_age"]) for each in asked] == [(["urn:example:mfa"], ["300"])] * 2


@pytest.mark.parametrize(
    "said",
    [
        {"error": "temporarily_unavailable"},
        {"error": "temporarily_unavailable", "error_description": "Authentication_expired"},
        {"error": "access_denied", "error_description": "authentication_expired"},
    ],
)
async def test_any_other_refusal_ends_on_a_page(site, said):
    """Only the pair by which a provider asks for a new request is one."""
    browser, url = await waiting(site)

    page = await browser.get(refused(site, url, said), follow=False)

    assert (page.status_code, page.location) == (503 if said["error"] == "temporarily_unavailable" else 403, "")


async def test_a_program_gets_no_fresh_login(site):
    """It shows nobody a login page."""
    browser, url = await waiting(site)

    answer = await browser.get(refused(site, url, EXPIRED), headers=PROGRAM)

    assert (answer.status_code, answer.json()["error"]) == (503, "provider_refused")


async def test_a_provider_that_is_down_meanwhile_ends_on_a_page(site):
    """The fresh login needs its metadata."""
    browser, url = await waiting(site)
    fresh = site.restarted()

    with site.provider.fault("discovery_down"):
        page = await fresh.browser_of(browser).get(refused(site, url, EXPIRED))

    assert page.status_code == 503
