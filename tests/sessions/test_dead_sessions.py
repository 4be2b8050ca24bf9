"""An ended session has no effect: it ends nothing, revokes nothing and gives no ID Token away."""

from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.sessions.authentication import SIGN_OUT_GRACE
from asgi_oidc.testing import Browser, Response
from tests.endpoints.test_frontchannel_logout import frame, named
from tests.internals import revocations_of
from tests.logout_site import FORMS, LogoutSite, are_in, sid_of
from tests.protected_site import ORIGIN, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


IN_COOKIES = [form for form in FORMS if form.startswith("cookies")]
SCOPE = "openid profile email offline_access"
IDLE = 600


@pytest.fixture(params=FORMS)
def site(request) -> LogoutSite:
    return LogoutSite(request.param, scope=SCOPE, session_idle=IDLE, frontchannel_logout=True)


def hint(response: Response) -> list[str] | None:
    """The ID Token that a sign-out gives away."""
    return parse_qs(urlsplit(response.location).query).get("id_token_hint")


async def sign_out(browser: Browser) -> Response:
    return await browser.post("/auth/logout", follow=False)


async def signs_in_again(site: LogoutSite, browser: Browser) -> None:
    """In the same session at the provider."""
    page = await browser.get("/page")
    assert (page.status_code, page.json()["sub"]) == (200, "alice")


async def test_an_expired_cookie_ends_nothing_and_tells_nothing(site):
    """Whoever finds one in an old backup must not sign the user out, nor get the ID Token."""
    browser = await site.signed_in()
    old = site.browser(jar=browser.jar.copy())
    sid = await sid_of(browser)
    site.clock.advance(IDLE + SIGN_OUT_GRACE)
    await signs_in_again(site, browser)
    assert await sid_of(browser) == sid

    response = await sign_out(old)

    assert (response.status_code, response.headers["location"], session_cookies(old)) == (303, ORIGIN, [])
    assert (await are_in(browser), site.provider.count("/revoke")) == ([True], 0)


async def test_a_cookie_that_was_signed_out_ends_nothing_and_tells_nothing(site):
    """A copy of it, a moment later; the user may be in again by then."""
    browser = await site.signed_in()
    copy = site.browser(jar=browser.jar.copy())
    with site.provider.fault("discovery_down"):  # the session at the provider goes on
        await sign_out(browser)
    revoked = site.provider.count("/revoke")
    await signs_in_again(site, browser)
    site.clock.advance(SIGN_OUT_GRACE)

    response = await sign_out(copy)

    assert (response.headers["location"], session_cookies(copy)) == (ORIGIN, [])
    assert (await are_in(browser), site.provider.count("/revoke")) == ([True], revoked)


@pytest.mark.parametrize("form", IN_COOKIES)
@pytest.mark.parametrize("ended", ["by hand", "by itself"])
@pytest.mark.parametrize(("seconds", "is_told"), [(SIGN_OUT_GRACE - 1, True), (SIGN_OUT_GRACE, False)])
async def test_within_seconds_of_its_end_a_session_signs_out_whole(form, ended, seconds, is_told):
    """A double click cancels the answer to the first; the second has to lead to the provider as well."""
    site = LogoutSite(form, session_idle=IDLE)
    browser = await site.signed_in()
    copy = site.browser(jar=browser.jar.copy())
    if ended == "by hand":
        await sign_out(browser)
    else:
        site.clock.advance(IDLE)
    site.clock.advance(seconds)

    response = await sign_out(copy)

    assert (hint(response) is not None, session_cookies(copy)) == (is_told, [])


@pytest.mark.parametrize("form", IN_COOKIES)
async def test_a_session_ended_by_the_provider_is_not_logged_out_there_again(form):
    """Its own session is over, and of several such sign-outs only the last is remembered."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    await site.hear(site.provider.logout_token("alice"))

    response = await sign_out(browser)

    assert (response.headers["location"], session_cookies(browser)) == (ORIGIN, [])


@pytest.mark.parametrize("form", IN_COOKIES)
async def test_a_double_click_does_not_prolong_the_life_of_a_dead_cookie(form):
    """Else somebody who repeats it often enough could act for ever."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    copies = [site.browser(jar=browser.jar.copy()) for _ in range(3)]

    told = []
    for copy in copies:
        told.append(hint(await sign_out(copy)) is not None)
        site.clock.advance(SIGN_OUT_GRACE - 1)

    assert told == [True, True, False]


@pytest.mark.parametrize("form", IN_COOKIES)
async def test_a_double_click_does_not_end_a_session_that_began_in_between(form):
    """The second click is about the same session as the first."""
    site = LogoutSite(form)
    browser = await site.signed_in()
    copy = site.browser(jar=browser.jar.copy())
    with site.provider.fault("discovery_down"):
        await sign_out(browser)
    await signs_in_again(site, browser)

    await sign_out(copy)

    assert await are_in(browser) == [True]


@pytest.mark.parametrize("form", ["cookies of many processes", "a store"])
async def test_a_sign_out_that_failed_can_be_tried_again_at_any_time(form):
    """It is over in this process alone, so it has not come about."""
    site = LogoutSite(form, scope=SCOPE)
    store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
    browser = await site.signed_in()
    store.broken = {"link", "remove"}
    failed = await sign_out(browser)
    store.broken = set()
    site.clock.advance(60)

    response = await sign_out(browser)

    assert (failed.status_code, response.status_code, hint(response) is not None) == (503, 303, True)
    assert (site.provider.count("/revoke"), await who_am_i(browser)) == (1, None)


async def test_a_frontchannel_logout_with_a_dead_cookie_ends_no_session(site):
    """Nor does it write down that something ended."""
    browser = await site.signed_in()
    sid = await sid_of(browser)
    old = site.browser(jar=browser.jar.copy())
    site.clock.advance(IDLE + SIGN_OUT_GRACE)
    await signs_in_again(site, browser)

    answer = await frame(old, *named(site, sid))

    assert (answer.status_code, answer.set_cookies, await are_in(browser)) == (200, [], [True])


async def test_who_signs_in_after_an_expiry_replaces_nothing(site):
    """A session that is over needs no revocation."""
    browser = await site.signed_in()
    site.clock.advance(IDLE + SIGN_OUT_GRACE)
    site.provider.sign_in_as("bob")

    await browser.get("/auth/login")

    assert await who_am_i(browser) == "bob"
    assert not revocations_of(site.middleware)._entries  # a bound of memory, which nothing else shows


async def test_a_dead_cookie_gets_to_the_page_that_says_signed_out():
    """Where every page needs a user, and without a word of the provider."""
    site = LogoutSite(public=[], session_idle=IDLE)
    browser = await site.signed_in()
    site.clock.advance(IDLE + SIGN_OUT_GRACE)

    page = await browser.post("/auth/logout")

    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert site.provider.count("/end_session") == 0
