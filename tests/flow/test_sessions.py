"""The session of a browser: new at every login, dead after the sign-out, of any size that fits."""

from typing import Any

import pytest

from asgi_oidc.testing import FakeProvider, Persona
from tests.flow.site import (
    NOW,
    OTHER_SECRET,
    PROGRAM,
    SECRET,
    Site,
    cookie_header,
    login_cookies,
    session_cookies,
    who_am_i,
)

GRACE = 30  # seconds


def crowded(size: int, sub: str = "alice", **settings: Any) -> Site:
    """A site whose user has a claim of that many characters."""
    provider = FakeProvider(alg="ES256", personas=[Persona(sub, "A", "a@b", {"groups": "g" * size})])
    return Site(provider=provider, **settings)


async def test_the_session_endpoint_says_who_it_is(site):
    """For a single-page app."""
    browser = await site.signed_in()

    response = await browser.fetch("/auth/session")

    told = response.json()
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert (told["sub"], told["issuer"], told["name"], told["email"]) == (
        "alice",
        site.provider.issuer,
        "Alice Adams",
        "alice@example.com",
    )
    assert told["claims"]["roles"] == ["admin"]
    assert (told["scopes"], told["expires_at"]) == (["openid", "profile", "email"], NOW + 3600)
    assert "at-" not in response.text


async def test_the_session_endpoint_says_that_it_is_nobody(browser):
    """401 and where to sign in; no redirect, no cookie."""
    response = await browser.fetch("/auth/session")

    assert (response.status_code, response.json()["error"], response.set_cookies) == (401, "login_required", [])
    assert response.json()["login_url"].endswith("/auth/login")


async def test_the_session_endpoint_knows_head(site):
    """Without a body."""
    browser = await site.signed_in()

    response = await browser.fetch("/auth/session", method="HEAD")

    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 0


async def test_the_session_is_one_cookie_of_the_strictest_kind(site):
    """RFC 6265bis: a __Host- cookie."""
    browser = await site.signed_in()

    (name,) = session_cookies(browser)
    cookie = browser.jar[name]
    assert (cookie.secure, cookie.http_only, cookie.same_site, cookie.path, cookie.host_only) == (
        True,
        True,
        "Lax",
        "/",
        True,
    )
    assert browser.refused_cookies == []


async def test_on_loopback_the_cookie_is_plain():
    """Browsers take no Secure cookie from http."""
    site = Site(base_url="http://localhost:8000")
    browser = site.browser(origin="http://localhost:8000")

    assert (await browser.sign_in("alice", "/page")).json()["sub"] == "alice"
    cookies = browser.jar.starting_with("oidc-")
    assert [(cookie.secure, cookie.http_only) for cookie in cookies] == [(False, True)]


async def test_a_session_is_new_at_every_login(site):
    """A value that somebody planted before the login is worth nothing after it."""
    browser = await site.signed_in()
    before = cookie_header(browser)

    await browser.get("/auth/login?return_to=/page")

    assert cookie_header(browser) != before
    assert (await who_am_i(browser)) == "alice"


async def signs_in_again(site: Site, browser: Any, sub: str) -> None:
    site.provider.sign_in_as(sub)
    page = await browser.get("/auth/login?return_to=/page")
    assert page.json()["sub"] == sub


async def test_another_users_login_ends_the_session_before_at_once(site):
    """A shared machine: nothing of the first is left."""
    browser = await site.signed_in("alice")
    copied = site.browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "bob")

    assert (await who_am_i(browser), await who_am_i(copied)) == ("bob", None)


async def test_the_same_users_login_leaves_the_session_before_a_short_grace(site):
    """Or a second tab would be thrown out by the login of the first."""
    browser = await site.signed_in("alice")
    copied = site.browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "alice")
    during = await who_am_i(copied)
    site.clock.advance(GRACE)

    assert (during, await who_am_i(copied), await who_am_i(browser)) == ("alice", None, "alice")


async def test_a_session_in_its_grace_is_not_written_down_again(site):
    """Its answer would overwrite the new one's cookie."""
    browser = await site.signed_in("alice")
    site.clock.advance(120)
    copied = site.browser(jar=browser.jar.copy())
    await signs_in_again(site, browser, "alice")

    assert (await copied.fetch("/page")).set_cookies == []


async def test_a_sign_out_ends_the_sessions_that_this_one_took_over_from(site):
    """Their grace too."""
    browser = await site.signed_in("alice")
    copies = [site.browser(jar=browser.jar.copy())]
    for _ in range(2):
        await signs_in_again(site, browser, "alice")
        copies.append(site.browser(jar=browser.jar.copy()))

    await browser.fetch("/auth/logout", method="POST")

    assert [await who_am_i(copy) for copy in copies] == [None, None, None]


async def test_secrets_rotate_without_a_sign_out(site):
    """The first seals, all open."""
    browser = await site.signed_in()

    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    same = both.browser_of(browser)
    assert await who_am_i(same) == "alice"
    renewed = await both.signed_in()
    only_new = both.restarted(secret=OTHER_SECRET)
    only_old = both.restarted(secret=SECRET)

    assert await who_am_i(only_new.browser_of(renewed)) == "alice"
    assert await who_am_i(only_old.browser_of(renewed)) is None


async def test_a_login_in_progress_survives_a_rotation(site):
    """A deploy in the middle of it."""
    browser, url = await site.at_callback()

    both = site.restarted(secret=[OTHER_SECRET, SECRET])

    assert (await both.browser_of(browser).get(url)).json()["sub"] == "alice"


@pytest.mark.parametrize(
    "changes", [{"client_id": "spa", "client_secret": ...}, {"base_url": "https://other.example.com"}]
)
async def test_a_session_of_another_client_or_site_is_none(site, changes):
    """Also with the same secret."""
    browser = await site.signed_in()
    other = site.restarted(**changes)

    exchange = await other.call("/page", headers={"cookie": cookie_header(browser), "accept": "*/*"})

    assert exchange.status == 401


@pytest.mark.parametrize(("size", "cookies"), [(0, 1), (1200, 2), (3500, 4)])
async def test_a_big_session_is_split_over_cookies(size, cookies):
    """A browser keeps 4 kB in each."""
    site = crowded(size)
    browser = await site.signed_in()

    assert len(session_cookies(browser)) == cookies
    assert browser.refused_cookies == []
    assert (await browser.get("/page")).status_code == 200
    assert len(site.app.scope["user"].claims["groups"]) == size


async def test_a_session_that_shrinks_deletes_the_cookies_that_it_leaves():
    """Stale pieces would be sent for ever."""
    site = crowded(3500)
    browser = await site.signed_in()
    many = len(session_cookies(browser))
    site.provider.personas["alice"] = Persona("alice", "A", "a@b")

    await signs_in_again(site, browser, "alice")

    assert many > len(session_cookies(browser)) == 1
    assert await who_am_i(browser) == "alice"


async def test_a_sign_out_deletes_every_cookie_of_a_big_session():
    """Nothing is left behind."""
    site = crowded(3500)
    browser = await site.signed_in()

    await browser.fetch("/auth/logout", method="POST")

    assert (session_cookies(browser), login_cookies(browser)) == ([], [])


async def test_a_session_that_is_too_large_names_its_claims_in_the_log(caplog):
    """The person gets a page, the developer the sizes."""
    site = crowded(30_000)
    browser, url = await site.at_callback()

    response = await browser.get(url, headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (500, "session_too_large")
    assert "groups" not in response.text
    assert "claim groups (30000)" in caplog.text
    assert session_cookies(browser) == []


async def test_whatever_else_the_cookie_holds_is_nobody(site):
    """Never an error."""
    browser = await site.signed_in()
    (name,) = session_cookies(browser)

    for value in ("", "x", "1.x", "9.x", "1." + "A" * 4000, browser.jar[name].value + "A"):
        exchange = await site.call("/page", headers={"cookie": f"{name}={value}", "accept": "*/*"})
        assert exchange.status == 401


async def test_a_second_cookie_of_the_same_name_makes_it_nobody(site):
    """Somebody planted one of the two."""
    browser = await site.signed_in()
    (name,) = session_cookies(browser)
    pair = f"{name}={browser.jar[name].value}"

    assert (await site.call("/page", headers={"cookie": f"{pair}; {pair}", "accept": "*/*"})).status == 401
