"""Front-channel logout: a frame in a page of the provider ends the session of that browser, and reveals nothing."""

from typing import Any
from urllib.parse import urlencode

import pytest

from asgi_oidc.testing import Browser, Response
from tests.attacked_provider import own_path
from tests.logout_site import FORMS, LogoutSite, are_in, sid_of
from tests.protected_site import Exchange, Site, session_cookies
from tests.scripted_store import ScriptedStore

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


# A provider on the same site: browsers send Lax cookies into its frames.
FRAME: dict[str, str | None] = {
    "sec-fetch-dest": "iframe",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-site",
    "accept": "text/html",
}


@pytest.fixture(params=FORMS)
def site(request) -> LogoutSite:
    return LogoutSite(request.param, frontchannel_logout=True)


async def frame(browser: Browser, *parameters: tuple[str, str], **headers: str) -> Response:
    """Load the frame in the browser of the person."""
    url = f"{own_path('frontchannel-logout')}?{urlencode(parameters)}"
    return await browser.fetch(url, headers={**FRAME, **headers})


def named(site: Site, sid: str) -> list[tuple[str, str]]:
    return [("iss", site.provider.issuer), ("sid", sid)]


async def test_the_frame_ends_the_session_of_its_browser(site):
    """Copies of its cookies are invalid too; the user's other browser stays signed in."""
    one, other = await site.signed_in(), await site.signed_in()
    copy = site.browser(jar=one.jar.copy())

    response = await frame(one, *named(site, await sid_of(one)))

    assert (response.status_code, session_cookies(one)) == (200, [])
    assert await are_in(one, copy, other) == [False, False, True]


async def test_the_answer_may_be_framed_by_the_provider_alone(site):
    """A page of any other site cannot show it."""
    response = await frame(site.browser(), *named(site, "any"))

    policy = response.headers["content-security-policy"]
    assert f"frame-ancestors {site.provider.origin}" in policy.split("; ")
    assert "x-frame-options" not in response.headers
    assert (response.headers["cache-control"], "default-src 'none'" in policy) == ("no-store", True)


WRONG: list[Any] = [
    lambda site, sid: [],
    lambda site, sid: [("sid", sid)],
    lambda site, sid: [("iss", site.provider.issuer)],
    lambda site, sid: [("iss", "https://other.example.com"), ("sid", sid)],
    lambda site, sid: [("iss", site.provider.issuer + "/"), ("sid", sid)],
    lambda site, sid: [("iss", ""), ("sid", sid)],
    lambda site, sid: [*named(site, sid), ("sid", sid)],
    lambda site, sid: [*named(site, sid), ("iss", site.provider.issuer)],
    lambda site, sid: [*named(site, sid), ("sid", "other")],
    lambda site, sid: named(site, ""),
    lambda site, sid: named(site, sid + "x"),
    lambda site, sid: named(site, "ünknown"),
    lambda site, sid: named(site, "x" * 10_000),
    lambda site, sid: [*named(site, sid), *[("x", "y")] * 100],
    lambda site, sid: [("ISS", site.provider.issuer), ("SID", sid)],
]


@pytest.mark.parametrize("wrong", range(len(WRONG)))
async def test_anything_else_gets_the_same_page_and_changes_nothing(wrong):
    """`iss` and `sid` must each be given once, and belong to this browser's session."""
    site = LogoutSite(frontchannel_logout=True)
    browser = await site.signed_in()

    response = await frame(browser, *WRONG[wrong](site, await sid_of(browser)))

    right = await frame(site.browser(), *named(site, "of-nobody"))
    assert (response.status_code, response.text, response.set_cookies) == (200, right.text, [])
    assert await are_in(browser) == [True]


async def test_a_stranger_cannot_tell_whether_a_session_exists(site):
    """A browser without a session gets the same bytes and headers."""
    browser = await site.signed_in()

    sids = (await sid_of(browser), "made-up")

    known, unknown = [await frame(site.browser(), *named(site, sid)) for sid in sids]

    assert (known.text, dict(known.headers)) == (unknown.text, dict(unknown.headers))
    assert await are_in(browser) == [True]


async def test_a_prefetch_of_the_frame_signs_nobody_out(site):
    """The user has not opened that page."""
    browser = await site.signed_in()

    await frame(browser, *named(site, await sid_of(browser)), **{"sec-purpose": "prefetch"})

    assert await are_in(browser) == [True]


async def test_it_is_off_unless_it_is_switched_on():
    """Any page can make this request, so the endpoint should not exist by accident."""
    site = LogoutSite()
    browser = await site.signed_in()

    response = await frame(browser, *named(site, await sid_of(browser)))

    assert (response.status_code, response.json()["error"]) == (404, "frontchannel_logout_off")
    assert await are_in(browser) == [True]


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_only_a_get_is_a_frame(method):
    """The specification allows only GET."""
    site = LogoutSite(frontchannel_logout=True)

    exchange: Exchange = await site.call(own_path("frontchannel-logout"), method=method)

    assert (exchange.status, exchange.header(b"allow")) == (405, b"GET")


async def test_refresh_tokens_stay_with_the_provider():
    """Any page can make a browser load the frame, which must not revoke tokens."""
    site = LogoutSite(frontchannel_logout=True, scope="openid offline_access")
    browser = await site.signed_in()

    await frame(browser, *named(site, await sid_of(browser)))

    assert (site.provider.count("/revoke"), await are_in(browser)) == (0, [False])


async def test_with_the_store_down_it_says_so():
    """A normal page would claim that the session has ended."""
    site = LogoutSite("a store", frontchannel_logout=True)
    store: ScriptedStore = site.settings["store"]
    browser = await site.signed_in()
    sid = await sid_of(browser)

    store.broken = {"get", "remove"}
    down = await frame(browser, *named(site, sid))
    store.broken = set()

    assert (down.status_code, await are_in(browser)) == (503, [True])
    assert (await frame(browser, *named(site, sid))).status_code == 200
    assert await are_in(browser) == [False]
