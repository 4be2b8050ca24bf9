"""The `#fragment` of a page never reaches a server; where the site wants it, it survives the login all the same."""

import re

import pytest

from tests.protected_site import ORIGIN, PROGRAM, Site, login_cookies


async def test_a_page_of_ours_takes_it_along():
    """No redirect: a script adds it to the return path. Without scripts there is a link."""
    site = Site(keep_fragment=True)
    browser = site.browser()

    page = await browser.get("/inbox?folder=2")
    (link,) = [href for href, text in page.page.links if text == "Sign in"]
    back = await browser.sign_in("alice", link + "%23%2Fmail%2F7")

    assert (page.status_code, page.set_cookies, login_cookies(browser)) == (401, [], [])
    assert page.headers["www-authenticate"].startswith("Cookie ")
    assert link == f"{ORIGIN}/auth/login?return_to=%2Finbox%3Ffolder%3D2"
    assert back.history[-1].location == f"{ORIGIN}/inbox?folder=2#/mail/7"


async def test_the_script_is_the_only_one_that_may_run():
    """Named by its hash; the page still shows in no frame and loads nothing."""
    page = await Site(keep_fragment=True).browser().get("/inbox")

    policy = page.headers["content-security-policy"]

    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy)
    assert policy.startswith("default-src 'none'; ")
    assert ("frame-ancestors 'none'" in policy, policy.count("unsafe")) == (True, 0)


async def test_without_the_setting_a_page_leads_straight_to_the_provider(site, browser):
    """One step less."""
    assert (await browser.get("/inbox", follow=False)).status_code == 303


@pytest.mark.parametrize("path", ["/inbox", "//inbox"])
async def test_programs_get_what_they_always_get(path):
    """401 in JSON."""
    browser = Site(keep_fragment=True).browser()

    assert (await browser.fetch(ORIGIN + path, headers=PROGRAM)).json()["error"] == "login_required"


@pytest.mark.parametrize(("path", "status"), [("/inbox", 401), ("//inbox", 303), ("/in%zzbox", 303)])
async def test_an_odd_path_leads_straight_to_the_provider(path, status):
    """The login comes back home, where no fragment means anything; HEAD gets what GET gets."""
    site = Site(keep_fragment=True)

    got = [await site.call(path, method=method, headers={"accept": "text/html"}) for method in ("GET", "HEAD")]

    assert [answer.status for answer in got] == [status, status]


async def test_a_single_page_app_hands_it_over_by_itself(site):
    """`login_url("/#/mail/7")`, with no setting at all."""
    browser = site.browser()
    await browser.get("/")

    final = await browser.sign_in("alice", site.app.scope["oidc"].login_url("/page#/mail/7"))

    assert final.history[-1].location == f"{ORIGIN}/page#/mail/7"
