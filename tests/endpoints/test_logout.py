"""Signing out ends the session here at once, then at the provider; only pages of this site can start it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.protected_site import ORIGIN, PROGRAM, Site, cookie_header, session_cookies, who_am_i

LOGOUT = "/auth/logout"
OLD_BROWSER: dict[str, str | None] = dict.fromkeys(("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"))
EVIL = "https://evil.example/page"


async def test_a_sign_out_ends_the_session_here_and_at_the_provider(site):
    """RP-Initiated Logout; the browser comes back to the start page."""
    browser = await site.signed_in()
    id_token = site.app.scope["oidc"].id_token

    response = await browser.post(LOGOUT, follow=False)

    query = parse_qs(urlsplit(response.location).query)
    assert response.location.startswith(site.provider.issuer + "/end_session?")
    assert (query["id_token_hint"], query["client_id"]) == ([id_token], ["web"])
    assert query["post_logout_redirect_uri"] == [ORIGIN]
    assert len(query["state"][0]) > 16
    assert (response.status_code, response.headers["cache-control"]) == (303, "no-store")
    assert session_cookies(browser) == []


async def test_after_a_whole_sign_out_the_provider_asks_again(site):
    """Otherwise the next click would sign the same user in again."""
    browser = await site.signed_in()

    home = await browser.post(LOGOUT)
    page = await browser.get("/page")

    assert (urlsplit(home.url).path.rstrip("/"), home.json()["sub"]) == ("", None)
    assert page.page.forms


async def test_without_an_end_session_endpoint_the_sign_out_is_local(site):
    """Many providers have no such endpoint."""
    del site.provider.metadata["end_session_endpoint"]
    browser = await site.signed_in()

    response = await browser.post(LOGOUT, follow=False)

    assert (response.headers["location"], session_cookies(browser)) == (ORIGIN, [])


async def test_with_the_provider_down_the_sign_out_is_local():
    """An outage must not keep users signed in."""
    site = Site()
    browser = await site.signed_in()
    again = site.restarted().browser_of(browser)

    with site.provider.fault("discovery_down"):
        response = await again.post(LOGOUT, follow=False)

    assert (response.headers["location"], session_cookies(browser)) == (ORIGIN, [])


async def test_the_landing_page_after_logout_can_be_set():
    """It has to be registered at the provider, so the developer chooses it."""
    site = Site(post_logout_redirect_uri=ORIGIN + "/public/bye")
    browser = await site.signed_in()

    assert (await browser.post(LOGOUT)).path.startswith("/public/bye")


async def test_nobody_is_signed_out_without_a_call(site, browser):
    """The second click on the sign-out button finds no session, so the provider is not called."""
    response = await browser.post(LOGOUT, follow=False)

    assert (response.headers["location"], len(site.provider.calls)) == (ORIGIN, 0)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("GET", {}),
        ("GET", {**OLD_BROWSER, "accept": "text/html"}),  # by Referer
        ("POST", {"sec-fetch-site": None}),  # an old browser: Origin
    ],
)
async def test_our_own_pages_sign_out_with_a_form_or_a_link(site, method, headers):
    """Fetch Metadata shows the origin, otherwise Origin, otherwise Referer."""
    browser = await site.signed_in()

    response = await browser.fetch(LOGOUT, method=method, headers=headers)

    assert (response.status_code, await who_am_i(browser)) == (303, None)


async def test_a_program_signs_out_with_a_plain_post(site):
    """Every browser sends Origin with a POST, so this is not a browser."""
    browser = await site.signed_in()
    headers = {"cookie": cookie_header(browser)}

    assert (await site.call(LOGOUT, method="POST", headers=headers)).status == 303
    assert await who_am_i(browser) is None


@pytest.mark.parametrize("initiator", [None, EVIL])
async def test_a_link_from_elsewhere_asks_first(site, initiator):
    """The confirmation page has a form; until it is sent, the user stays signed in."""
    browser = await site.signed_in()

    page = await browser.get(LOGOUT, initiator=initiator)

    assert (page.status_code, "Sign out?" in page.text) == (200, True)
    assert await who_am_i(browser) == "alice"
    await browser.submit(page)
    assert await who_am_i(browser) is None


async def test_a_form_of_another_site_asks_first(site):
    """SameSite=Lax already keeps the session cookie back; this is the second line of defence."""
    browser = await site.signed_in()

    page = await browser.post(LOGOUT, initiator=EVIL)

    assert (page.status_code, await who_am_i(browser)) == (200, "alice")


async def test_a_script_of_another_site_is_refused(site):
    """It is refused even if it sends cookies."""
    browser = await site.signed_in()

    response = await browser.fetch(LOGOUT, method="POST", initiator=EVIL)

    assert (response.status_code, response.json()["error"]) == (403, "foreign_origin")
    assert await who_am_i(browser) == "alice"


async def test_a_picture_signs_nobody_out(site):
    """A user may post an image in one of our pages. Old browsers show only by Accept that a request is for an image."""
    browser = await site.signed_in()
    pictures: list[dict[str, str | None]] = [
        {"sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"},
        {**OLD_BROWSER, "accept": "image/webp,image/*,*/*;q=0.8"},
        {**OLD_BROWSER, "accept": "*/*"},
    ]

    statuses = [(await browser.fetch(LOGOUT, headers=headers)).status_code for headers in pictures]

    assert (statuses, await who_am_i(browser)) == ([400, 403, 403], "alice")


async def test_a_prefetch_signs_nobody_out(site):
    """Browsers prefetch links."""
    browser = await site.signed_in()

    response = await browser.fetch(LOGOUT, headers={"sec-purpose": "prefetch"})

    assert (response.status_code, await who_am_i(browser)) == (400, "alice")


async def test_a_copied_cookie_is_dead_after_the_sign_out(site):
    """Without a store, this is only promised for the same process."""
    browser = await site.signed_in()
    thief = site.browser(jar=browser.jar.copy())

    await browser.post(LOGOUT)

    assert await who_am_i(thief) is None
    assert (await thief.fetch("/page")).status_code == 401


async def test_a_concurrent_request_does_not_restore_a_signed_out_session(site):
    """Its response comes after the sign-out, and would write the session cookie again."""
    browser = await site.signed_in()
    other_tab = site.browser(jar=browser.jar.copy())
    site.clock.advance(120)

    async def sign_out_meanwhile(scope: Any) -> None:
        site.app.at_work = _at_rest
        await browser.post(LOGOUT)

    site.app.at_work = sign_out_meanwhile
    response = await other_tab.fetch("/page")

    assert (response.status_code, response.set_cookies) == (200, [])
    assert await who_am_i(other_tab) is None


async def _at_rest(scope: Any) -> None:
    """Do nothing."""


async def test_the_confirmation_page_needs_no_provider(site):
    """It only asks a question."""
    with site.provider.fault("discovery_down"):
        page = await site.browser().get(LOGOUT)

    assert page.status_code == 200


async def test_a_program_without_a_sign_of_where_it_is_from_cannot_get_it(site):
    """A GET without these headers may be an image; only a POST counts."""
    browser = await site.signed_in()

    response = await browser.get(LOGOUT, headers=PROGRAM, follow=False)

    assert (response.status_code, response.json()["error"]) == (403, "foreign_origin")
