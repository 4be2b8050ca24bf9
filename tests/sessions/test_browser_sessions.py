"""The session of a browser: new at every login, dead after the sign-out, of any size that fits."""

import re
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest

from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.testing import FakeProvider, Persona
from tests.protected_site import (
    NOW,
    OTHER_SECRET,
    PROGRAM,
    SECRET,
    Site,
    cookie_header,
    login_cookie,
    login_cookies,
    session_cookies,
    token_cookies,
    who_am_i,
)
from tests.scripted_store import ScriptedStore

GRACE = 30  # seconds


def crowded(size: int, sub: str = "alice", **settings: Any) -> Site:
    """A site whose user has a claim of that many random letters and digits, which compress badly."""
    groups = "".join(Random(1).choices(ascii_letters + digits, k=size))
    provider = FakeProvider(alg="ES256", personas=[Persona(sub, "A", "a@b", {"groups": groups})])
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


async def test_the_session_endpoint_says_when_the_user_is_anonymous(browser):
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


async def test_the_cookies_of_a_session_are_of_the_strictest_kind(site):
    """RFC 6265bis: __Host- cookies, one for the login and one for its tokens."""
    browser = await site.signed_in()
    assert len(session_cookies(browser)) == 2
    site.clock.advance(60)
    await browser.fetch("/page")

    cookies = [browser.jar[name] for name in session_cookies(browser)]

    assert [
        (cookie.secure, cookie.http_only, cookie.same_site, cookie.path, cookie.host_only) for cookie in cookies
    ] == [(True, True, "Lax", "/", True)] * 3
    assert browser.refused_cookies == []


async def test_on_loopback_the_cookies_are_plain():
    """Browsers take no Secure cookie from http."""
    site = Site(base_url="http://localhost:8000")
    browser = site.browser(origin="http://localhost:8000")

    assert (await browser.sign_in("alice", "/page")).json()["sub"] == "alice"
    cookies = browser.jar.starting_with("oidc-")
    assert [(cookie.secure, cookie.http_only) for cookie in cookies] == [(False, True)] * 2


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


async def test_a_login_of_another_user_ends_the_old_session_at_once(site):
    """A shared machine: nothing of the first is left."""
    browser = await site.signed_in("alice")
    copied = site.browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "bob")

    assert (await who_am_i(browser), await who_am_i(copied)) == ("bob", None)


async def test_a_new_login_of_the_same_user_leaves_the_old_session_a_short_grace(site):
    """Or a second tab would be thrown out by the login of the first."""
    browser = await site.signed_in("alice")
    copied = site.browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "alice")
    during = await who_am_i(copied)
    site.clock.advance(GRACE)

    assert (during, await who_am_i(copied), await who_am_i(browser)) == ("alice", None, "alice")


async def test_a_session_in_its_grace_is_not_saved_again(site):
    """Its answer would overwrite the new one's cookie."""
    browser = await site.signed_in("alice")
    site.clock.advance(120)
    copied = site.browser(jar=browser.jar.copy())
    await signs_in_again(site, browser, "alice")

    assert (await copied.fetch("/page")).set_cookies == []


async def test_a_sign_out_ends_the_sessions_that_this_one_replaced(site):
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
async def test_a_session_of_another_client_or_site_is_not_accepted(site, changes):
    """Also with the same secret."""
    browser = await site.signed_in()
    other = site.restarted(**changes)

    exchange = await other.call("/page", headers={"cookie": cookie_header(browser), "accept": "*/*"})

    assert exchange.status == 401


@pytest.mark.parametrize(("size", "cookies"), [(0, 1), (3500, 2)])
async def test_a_big_session_is_split_over_cookies(size, cookies):
    """A browser keeps 4 kB in each."""
    site = crowded(size)
    browser = await site.signed_in()

    assert len(token_cookies(browser)) == cookies
    assert len(session_cookies(browser)) == cookies + 1
    assert browser.refused_cookies == []
    assert (await browser.get("/page")).status_code == 200
    assert len(site.app.scope["user"].claims["groups"]) == size


async def test_a_session_that_is_larger_than_proxies_accept_does_not_fit(caplog):
    """Four cookies would hold it, and a proxy would refuse them."""
    browser, url = await crowded(9000).at_callback()

    response = await browser.get(url, headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (500, "session_too_large")
    assert "at most 7270 fit" in caplog.text
    assert session_cookies(browser) == []


async def test_a_session_that_shrinks_deletes_the_cookies_that_it_leaves():
    """Stale pieces would be sent for ever."""
    site = crowded(3500)
    browser = await site.signed_in()
    many = len(session_cookies(browser))
    site.provider.personas["alice"] = Persona("alice", "A", "a@b")

    await signs_in_again(site, browser, "alice")

    assert many > len(session_cookies(browser)) == 2
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
    assert "claim groups (" in caplog.text
    assert session_cookies(browser) == []


async def test_invalid_cookies_mean_an_anonymous_user(site):
    """Never an error."""
    browser = await site.signed_in()
    site.clock.advance(60)
    await browser.fetch("/page")
    names = session_cookies(browser)
    values = {name: browser.jar[name].value for name in names}
    assert (await status_with(site, values), len(names)) == (200, 3)

    for name in names:
        others = [values[other] for other in names if other != name]
        for value in ("", "x", "1.x", "9.x", "1." + "A" * 4000, values[name] + "A", "1." + values[name], *others):
            assert await status_with(site, {**values, name: value}) == 401


async def test_the_login_and_its_tokens_open_nothing_by_themselves(site):
    """What is left after a sign-out, or comes late, signs nobody in."""
    browser = await site.signed_in()
    site.clock.advance(60)
    await browser.fetch("/page")
    values = {name: browser.jar[name].value for name in session_cookies(browser)}
    login, (tokens,) = login_cookie(browser), token_cookies(browser)

    assert await status_with(site, {name: values[name] for name in values if name != login}) == 401
    assert await status_with(site, {name: values[name] for name in values if name != tokens}) == 401
    assert await status_with(site, {login: values[login], tokens: values[tokens]}) == 200


async def test_tokens_of_another_session_of_the_same_user_do_not_fit(site):
    """Each session has its own."""
    one, two = await site.signed_in(), await site.signed_in()
    login, (tokens,), (others,) = login_cookie(one), token_cookies(one), token_cookies(two)
    mine = {login: one.jar[login].value, tokens: one.jar[tokens].value}
    assert await status_with(site, mine) == 200

    assert others != tokens
    for theirs in ({tokens: two.jar[others].value}, {login: two.jar[login].value}):
        assert await status_with(site, {**mine, **theirs}) == 401
    assert await status_with(site, {login: mine[login], others: two.jar[others].value}) == 401


async def status_with(site: Site, cookies: dict[str, str]) -> int:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return (await site.call("/page", headers={"cookie": header, "accept": "*/*"})).status


async def test_a_duplicate_session_cookie_means_an_anonymous_user(site):
    """Somebody planted one of the two."""
    browser = await site.signed_in()
    pairs = [f"{name}={browser.jar[name].value}" for name in session_cookies(browser)]

    for pair in pairs:
        doubled = "; ".join([*pairs, pair])
        assert (await site.call("/page", headers={"cookie": doubled, "accept": "*/*"})).status == 401


# --- in a store


def stored_site(**settings: Any) -> tuple[Site, ScriptedStore]:
    """A site whose sessions are in a store that goes by its clock and writes down what it is asked."""
    store = ScriptedStore()
    site = Site(store=store, **settings)
    store.memory = MemoryStore(clock=site.clock)
    return site, store


async def test_a_stored_session_is_one_cookie_with_an_id():
    """Nothing of the user is in the browser; 256 bits cannot be guessed."""
    site, _ = stored_site()
    browser = await site.signed_in()

    (name,) = session_cookies(browser)

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", browser.jar[name].value)
    assert (browser.jar[name].secure, browser.jar[name].http_only, browser.jar[name].same_site) == (True, True, "Lax")
    assert await who_am_i(browser) == "alice"


async def test_a_request_with_a_stored_session_is_one_round_trip():
    """And writes nothing, neither in the store nor in the browser."""
    site, store = stored_site()
    browser = await site.signed_in()
    store.forget_calls()

    answers = [await browser.fetch("/page") for _ in range(3)]

    assert store.calls == ["get"] * 3
    assert [answer.set_cookies for answer in answers] == [[]] * 3


async def test_a_visitor_costs_the_store_nothing():
    """Anyone can send requests without a cookie, or with one that is made up."""
    site, store = stored_site()
    name = session_cookies(await site.signed_in())[0]
    store.forget_calls()

    assert (await site.browser().fetch("/page")).status_code == 401
    assert await status_with(site, {name: "made up"}) == 401
    assert store.calls == []


async def test_every_character_of_a_stored_sessions_id_counts():
    """Another id is another session, or none."""
    site, _ = stored_site()
    browser = await site.signed_in()
    (name,) = session_cookies(browser)
    value = browser.jar[name].value

    spoilt = [value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :] for at in range(len(value))]
    spoilt += [value[:-1], value + "A", "", "1." + value]

    assert {await status_with(site, {name: text}) for text in spoilt} == {401}
    assert await status_with(site, {name: value}) == 200


async def test_a_sealed_session_is_none_where_sessions_are_in_a_store():
    """Nor an id where they are in cookies: a change of the setting signs everybody out, and breaks nothing."""
    sealed = Site()
    stored = sealed.restarted(store=MemoryStore())
    browser = await sealed.signed_in()
    many = len(session_cookies(browser))

    moved = stored.browser_of(browser)
    assert await who_am_i(moved) is None
    assert (await moved.sign_in("alice", "/page")).json()["sub"] == "alice"
    assert (many, len(session_cookies(moved))) == (2, 1)
    assert await who_am_i(sealed.browser_of(moved)) is None


async def test_a_sign_out_ends_a_stored_session_in_all_processes():
    """Also for saved copies of the cookie."""
    site, _ = stored_site()
    browser = await site.signed_in()
    other = site.restarted()
    copies = [each.browser(jar=browser.jar.copy()) for each in (site, other)]
    assert [await who_am_i(copy) for copy in copies] == ["alice", "alice"]

    await browser.fetch("/auth/logout", method="POST")

    assert [await who_am_i(copy) for copy in copies] == [None, None]
    assert session_cookies(browser) == []


async def test_a_login_of_another_user_ends_a_stored_session_in_all_processes():
    """A shared machine: nothing of the first is left."""
    site, _ = stored_site()
    browser = await site.signed_in("alice")
    copy = site.restarted().browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "bob")

    assert (await who_am_i(browser), await who_am_i(copy)) == ("bob", None)


async def test_a_new_login_of_the_same_user_leaves_a_stored_session_a_short_grace():
    """Or a second tab would be thrown out by the login of the first."""
    site, _ = stored_site()
    browser = await site.signed_in("alice")
    other = site.restarted()
    copy = other.browser(jar=browser.jar.copy())

    await signs_in_again(site, browser, "alice")
    during = await who_am_i(copy)
    for each in (site, other):
        each.clock.advance(GRACE)

    assert (during, await who_am_i(copy), await who_am_i(browser)) == ("alice", None, "alice")


async def test_a_stored_session_of_any_size_is_one_record():
    """Where cookies would not do."""
    provider = FakeProvider(alg="ES256", personas=[Persona("alice", "A", "a@b", {"groups": "g" * 30_000})])
    site, _ = stored_site(provider=provider)

    browser = await site.signed_in()
    await browser.get("/page")

    assert len(session_cookies(browser)) == 1
    assert len(site.app.scope["user"].claims["groups"]) == 30_000


async def test_secrets_rotate_without_a_sign_out_of_stored_sessions():
    """The first seals, all open."""
    site, _ = stored_site()
    browser = await site.signed_in()

    both = site.restarted(secret=[OTHER_SECRET, SECRET])
    assert await who_am_i(both.browser_of(browser)) == "alice"
    both.clock.advance(60)
    assert (await both.browser_of(browser).fetch("/page")).status_code == 200
    only_new = both.restarted(secret=OTHER_SECRET)

    assert await who_am_i(only_new.browser_of(browser)) == "alice"


@pytest.mark.parametrize(("trouble", "code"), [("raises", "store_failed"), ("garbage", "store_garbage")])
async def test_while_the_store_is_down_nobody_is_signed_out(trouble, code, caplog):
    """Protected paths answer 503, public ones go on, and then everything is as it was."""
    site, store = stored_site()
    browser = await site.signed_in()
    before = cookie_header(browser)
    store.broken = {"get"} if trouble == "raises" else set()
    store.answers = {"get": b"garbage"} if trouble == "garbage" else {}

    page = await browser.fetch("/page")
    public = await browser.fetch("/public/page")

    assert (page.status_code, page.headers["retry-after"], page.set_cookies) == (503, "5", [])
    assert (public.status_code, public.json()["sub"], public.set_cookies) == (200, None, [])
    assert f"code={code}" in caplog.text
    assert "s3cret" not in page.text + caplog.text
    store.broken, store.answers = set(), {}
    assert cookie_header(browser) == before
    assert await who_am_i(browser) == "alice"


async def test_a_store_that_is_full_keeps_those_who_are_signed_in():
    """It reads still; the last use is not written down, and nobody notices."""
    site, store = stored_site()
    browser = await site.signed_in()
    store.broken = {"add", "replace"}
    site.clock.advance(60)

    assert (await browser.fetch("/page")).status_code == 200
    assert (await browser.fetch("/page")).set_cookies == []


async def test_a_login_that_could_not_be_kept_can_be_finished_later():
    """The code is not used up for a session that the store does not take: reloading the page ends the login."""
    site, store = stored_site()
    browser, url = await site.at_callback()
    store.broken = {"add"}

    response = await browser.get(url, headers=PROGRAM, follow=False)

    assert (response.status_code, response.headers["retry-after"], session_cookies(browser)) == (503, "5", [])
    assert site.provider.count("/token") == 0
    store.broken = set()
    assert (await browser.get(url)).json()["sub"] == "alice"


async def test_an_acr_may_be_any_json():
    """OpenID Connect wants a string, but a number that no machine holds must not break the login."""
    site = Site(store=MemoryStore())
    site.provider.id_token_overrides = {"acr": [2**70, "silver"], "hd": 2**64}

    browser = await site.signed_in()

    assert (await browser.get("/page")).status_code == 200
