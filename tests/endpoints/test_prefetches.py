"""A prefetch or prerendering of our URLs changes nothing: the user's next step works as if it had not happened."""

import pytest

from tests.protected_site import ORIGIN, Site, cookie_header, login_cookies, who_am_i

PREFETCHES = [
    {"sec-purpose": "prefetch"},
    {"sec-purpose": "prefetch;prerender"},
    {"sec-purpose": "prefetch;anonymous-client-ip"},
    {"purpose": "prefetch"},
    {"x-purpose": "preview"},
    {"x-moz": "prefetch"},
]
ALL_PREFETCHES = pytest.mark.parametrize("headers", PREFETCHES, ids=str)


@ALL_PREFETCHES
async def test_a_prefetched_callback_uses_nothing_up(headers):
    """Browsers and virus scanners fetch links in advance; the user who follows the link later still signs in."""
    site = Site()
    browser, url = await site.at_callback()
    cookies, calls = cookie_header(browser), len(site.provider.calls)

    ahead = await browser.get(url, headers=headers, follow=False)

    assert (ahead.status_code, ahead.headers["cache-control"], ahead.set_cookies) == (400, "no-store", [])
    assert (cookie_header(browser), len(site.provider.calls)) == (cookies, calls)
    assert (await browser.get(url)).json()["sub"] == "alice"


@ALL_PREFETCHES
@pytest.mark.parametrize(
    "path", ["/auth/login?return_to=/page", "/auth/callback?code=x&state=y", "/auth/form", "/page"]
)
async def test_a_prefetch_starts_no_login(path, headers):
    """Eight of them would drop a login that the user has in progress in another tab."""
    site = Site()
    browser = site.browser()

    ahead = await browser.get(path, headers=headers, follow=False)

    assert ahead.status_code in (400, 401)
    assert (ahead.headers["cache-control"], ahead.set_cookies, login_cookies(browser)) == ("no-store", [], [])


@ALL_PREFETCHES
async def test_a_prefetch_signs_nobody_out(headers):
    """Many pages have a link to sign out."""
    site = Site()
    browser = await site.signed_in()

    ahead = await browser.get("/auth/logout", headers=headers, initiator=f"{ORIGIN}/page", follow=False)

    assert (ahead.status_code, ahead.headers["cache-control"], ahead.set_cookies) == (400, "no-store", [])
    assert await who_am_i(browser) == "alice"
