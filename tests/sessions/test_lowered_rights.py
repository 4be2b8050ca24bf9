"""Rights that a refresh removed stay removed: with older cookies too, in every process."""

from collections.abc import Mapping
from typing import Any

import pytest

from asgi_oidc import OIDCError, Rule
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.revocation_feed import GAP, STALE
from asgi_oidc.testing import Browser
from tests.logout_site import LogoutSite
from tests.protected_site import PROGRAM, Clock, cookie_header, nothing, session_cookies, who_am_i
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, SCOPE
from tests.tokens.test_refresh import OtherAnswers

SHARED = ["cookies of many processes", "a store"]
ADMIN = Rule("/admin/*", claims={"roles": "admin"})
MAIL = Rule("/mail/*", scopes=["email"])
STAFF = Rule("/staff/*", email_domains=["example.com"])


class Fleet(LogoutSite):
    """One process of a site whose provider renews tokens; `other` starts another one."""

    def __init__(self, form: str, **settings: Any) -> None:
        super().__init__(form, **{"scope": SCOPE, "rules": [ADMIN, MAIL, STAFF], **settings})
        self.provider.access_token_lifetime = LIFETIME

    def other(self, *, clock: Clock | None = None) -> "Fleet":
        """Start another process of the same site; time is one, unless its machine has another clock."""
        return Fleet("cookies", **{**self.settings, "provider": self.provider, "clock": clock or self.clock})

    @property
    def shared(self) -> ScriptedStore:
        """What the processes share."""
        store: ScriptedStore = self.settings.get("store") or self.settings["logout_store"]
        return store

    async def refresh(self, browser: Browser) -> int:
        """Open a page that asks for the token of the session after it has run out."""
        self.clock.advance(LIFETIME + 1)
        self.app.at_work = ask_for_the_token
        status = (await browser.fetch("/page")).status_code
        self.app.at_work = nothing
        return status


async def ask_for_the_token(scope: Any) -> None:
    await scope["oidc"].access_token()


def copy_of(browser: Browser, site: Fleet) -> Browser:
    """The same cookies, in another process; what happens to the ones does not happen to the others."""
    return site.browser(jar=browser.jar.copy())


async def statuses(browser: Browser, *paths: str) -> list[int]:
    """Ask for pages, as a program."""
    return [(await browser.fetch(path, headers=PROGRAM)).status_code for path in paths]


LOST: Mapping[str, tuple[str, dict[str, Any]]] = {
    "the claim": ("/admin/users", {"roles": ...}),
    "the role": ("/admin/users", {"roles": ["reader"]}),
    "the address": ("/staff/page", {"email": "alice@example.net"}),
    "its verification": ("/staff/page", {"email_verified": False}),
}


@pytest.mark.parametrize("form", SHARED)
@pytest.mark.parametrize(("path", "then"), LOST.values(), ids=LOST)
async def test_older_cookies_give_no_rights_back_elsewhere(form, path, then):
    """They were good until the refresh, and are still in a tab, a backup or somebody's hands."""
    site = Fleet(form)
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    assert await statuses(older, path) == [200]
    site.provider.id_token_overrides = then

    await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(browser, path, "/page") == [403, 200]
    assert await statuses(other.browser_of(browser), path, "/page") == [403, 200]
    assert await statuses(older, path, "/page") == ([401, 401] if form == SHARED[0] else [403, 200])


async def test_older_cookies_give_no_scope_back_elsewhere():
    """The provider granted less (RFC 6749 §6)."""
    site = Fleet(SHARED[0])
    site.provider.always_refresh_tokens = True
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    assert await statuses(older, "/mail/inbox") == [200]
    answers = OtherAnswers(site.provider, {"scope": "openid profile"})
    narrowed = Fleet("cookies", **{**site.settings, "http_client": answers.client(), "clock": site.clock})

    await narrowed.refresh(narrowed.browser_of(browser))
    site.clock.advance(STALE + 1)

    assert await statuses(other.browser_of(browser), "/mail/inbox", "/page") == [403, 200]
    assert await statuses(older, "/mail/inbox", "/page") == [401, 401]


async def test_older_cookies_give_no_details_back_elsewhere():
    """What was granted in detail (RFC 9396) is a right like a scope."""
    details = [{"type": "payment"}]
    rules = [Rule("/payments/*", authorization_details=details)]
    site = Fleet(SHARED[0], rules=rules, authorization_details=details)
    site.provider.authorization_details_types = ["payment"]
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    assert await statuses(older, "/payments/1") == [200]

    with site.provider.fault("authorization_details_empty"):
        await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(other.browser_of(browser), "/payments/1", "/page") == [403, 200]
    assert await statuses(older, "/payments/1", "/page") == [401, 401]


async def test_older_cookies_live_no_longer_than_the_newer_ones():
    """`session_expiry` lowered the end."""
    site = Fleet(SHARED[0])
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    site.provider.id_token_overrides = {"session_expiry": int(site.clock.now) + LIFETIME + 30}

    await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(older, "/page") == [401]
    assert await statuses(other.browser_of(browser), "/page") == [200]


async def test_older_cookies_stay_good_when_a_refresh_takes_nothing_away():
    """Requests that are under way, to whatever process, must not be thrown out by each refresh."""
    site = Fleet(SHARED[0])
    site.provider.id_token_overrides = {"groups": ["a", "b"], "uti": "one", "realm_access": {"roles": ["x", "y"]}}
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    writes = site.shared.calls.count("link")
    site.provider.id_token_overrides = {"groups": ["b", "a"], "uti": "two", "realm_access": {"roles": ["y", "x"]}}

    for _ in range(3):
        await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(older, "/admin/users") == [200]
    assert site.shared.calls.count("link") == writes


@pytest.mark.parametrize("changed", [{"locked": True}, {"roles": ["admin", "locked"]}, {"level": True}])
async def test_whatever_a_refresh_says_anew_counts_everywhere(changed):
    """A claim may take something away as well: only the app knows."""
    site = Fleet(SHARED[0])
    site.provider.id_token_overrides = {"level": 1}
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    site.provider.id_token_overrides = {"level": 1, **changed}

    await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(older, "/page") == [401]


async def test_a_process_that_starts_later_hears_of_it():
    """It reads all that has ended as long as a session may live."""
    site = Fleet(SHARED[0])
    browser = await site.signed_in()
    older = browser.jar.copy()
    site.provider.id_token_overrides = {"roles": []}

    await site.refresh(browser)
    site.clock.advance(10 * GAP)

    assert await statuses(site.other().browser(jar=older), "/admin/users") == [401]


async def test_the_process_that_refreshed_gives_older_cookies_the_remaining_rights():
    """It has the newer tokens: a request that comes late goes on with those, and brings them to the browser."""
    site = Fleet("cookies")
    browser = await site.signed_in()
    older = copy_of(browser, site)
    site.provider.id_token_overrides = {"roles": []}

    await site.refresh(browser)

    assert await statuses(older, "/admin/users", "/page") == [403, 200]
    assert await statuses(site.other().browser_of(older), "/admin/users", "/page") == [403, 200]


async def test_tokens_refreshed_earlier_by_another_process_are_older():
    """Two processes that know nothing of each other renew one session; the one that the provider told last counts."""
    site = Fleet(SHARED[0])
    site.provider.rotates_refresh_tokens = False
    other, browser = site.other(), await site.signed_in()
    elsewhere = copy_of(browser, other)
    site.clock.advance(LIFETIME + 1)
    other.app.at_work = ask_for_the_token
    await elsewhere.fetch("/page")
    other.app.at_work = nothing
    older = elsewhere.jar.copy()
    site.provider.id_token_overrides = {"roles": []}

    site.clock.advance(-LIFETIME)
    await site.refresh(browser)
    site.clock.advance(STALE + 1)

    assert await statuses(site.other().browser(jar=older), "/admin/users") == [401]
    assert await statuses(site.other().browser_of(browser), "/admin/users", "/page") == [403, 200]


@pytest.mark.parametrize("ahead", [3, 10, MAX_SKEW, -10])
async def test_tokens_refreshed_earlier_by_another_process_are_older_whatever_its_clock(ahead):
    """Two machines agree on the time within some minutes at best."""
    site = Fleet(SHARED[0])
    site.provider.rotates_refresh_tokens = False
    skewed = Clock()
    skewed.now = site.clock.now + ahead
    other = site.other(clock=skewed)
    site.provider.clock, site.provider.id_token_lifetime = site.clock, 3600
    browser = await site.signed_in()
    elsewhere = copy_of(browser, other)
    assert await other.refresh(elsewhere) == 200
    site.clock.advance(3)
    assert await statuses(elsewhere, "/admin/users") == [200]
    site.provider.id_token_overrides = {"roles": []}

    assert await site.refresh(browser) == 200
    skewed.advance(STALE + 1)

    assert await statuses(elsewhere, "/admin/users") == [401]
    assert await statuses(browser, "/admin/users", "/page") == [403, 200]


async def test_tokens_refreshed_elsewhere_without_claims_restore_no_role():
    """That process was told nothing of the user; this one was, before."""
    site = Fleet("cookies")
    site.provider.rotates_refresh_tokens = False
    other, browser = site.other(), await site.signed_in()
    elsewhere = copy_of(browser, other)
    site.provider.id_token_overrides = {"roles": []}
    await site.refresh(browser)
    site.provider.id_token_on_refresh = False
    site.clock.advance(2 * MAX_SKEW)

    assert await other.refresh(elsewhere) == 200

    assert await statuses(site.browser_of(elsewhere), "/admin/users", "/page") == [403, 200]


async def test_a_refusal_of_older_cookies_deletes_none():
    """By the time that it arrives, the browser may have the newer ones."""
    site = Fleet(SHARED[0])
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    site.provider.id_token_overrides = {"roles": []}
    await site.refresh(browser)
    site.clock.advance(STALE + 1)
    had = session_cookies(older)

    page = await older.get("/admin/users", follow=False)
    answers = [await older.fetch(path) for path in ("/page", "/public/page", "/auth/session")]

    assert (page.status_code, page.location.startswith(site.provider.issuer)) == (303, True)
    assert [answer.status_code for answer in answers] == [401, 200, 401]
    assert session_cookies(older) == had


@pytest.mark.parametrize("form", ["cookies", *SHARED])
async def test_a_request_under_way_here_goes_on_with_what_is_left(form):
    """It began before; the token that it asks for is the newest."""
    site = Fleet(form)
    browser = await site.signed_in()
    got: list[str] = []

    async def ask_late(scope: Any) -> None:
        site.provider.id_token_overrides = {"roles": []}
        await site.refresh(copy_of(browser, site))
        got.append(await scope["oidc"].access_token())
        got.append(await scope["oidc"].exchange_token(audience="orders"))

    site.app.at_work = ask_late
    answer = await browser.fetch("/admin/slow")

    assert (answer.status_code, site.provider.count_grants("refresh_token")) == (200, 1)
    assert all(site.provider.token_info(token).active for token in got)
    assert await statuses(browser, "/admin/users", "/page") == [403, 200]


@pytest.mark.parametrize("asks_for", [{"resource": "https://orders.example.com"}, {}], ids=["other token", "token"])
async def test_a_request_under_way_elsewhere_gets_no_token_any_more(asks_for):
    """Its process cannot know what is left; and it takes nothing from the browser."""
    site = Fleet(SHARED[0])
    other, browser = site.other(), await site.signed_in()
    elsewhere = copy_of(browser, other)
    had = session_cookies(elsewhere)
    got: list[str] = []

    async def take_a_role_away(scope: Any) -> None:
        site.provider.id_token_overrides = {"roles": []}
        await scope["oidc"].access_token(**asks_for)

    async def ask_late(scope: Any) -> None:
        got.append(await scope["oidc"].exchange_token(audience="orders"))
        site.clock.advance(0 if asks_for else LIFETIME + 1)
        await browser.fetch("/page")
        site.clock.advance(STALE + 1)
        await other.call("/auth/session", headers={"cookie": cookie_header(elsewhere)})
        for ask in (scope["oidc"].access_token(), scope["oidc"].exchange_token(audience="orders")):
            try:
                got.append(await ask)
            except OIDCError as error:
                got.append(error.code)

    site.app.at_work, other.app.at_work = take_a_role_away, ask_late
    answer = await elsewhere.fetch("/admin/slow")

    assert (got[1:], answer.set_cookies, site.provider.count_grants("refresh_token")) == (["session_ended"] * 2, [], 1)
    assert session_cookies(elsewhere) == had


async def test_a_store_that_takes_nothing_for_a_while_is_told_later():
    """The rights are gone here at once; the others hear of it as soon as anything can be written."""
    site = Fleet(SHARED[0])
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    site.provider.id_token_overrides = {"roles": []}
    site.shared.broken = {"link"}
    assert await site.refresh(browser) == 200
    site.clock.advance(STALE + 1)
    assert await statuses(browser, "/admin/users", "/page") == [403, 200]
    assert await statuses(older, "/admin/users") == [200]

    site.shared.broken = set()
    site.clock.advance(STALE + 1)
    await statuses(browser, "/page")
    site.clock.advance(STALE + 1)

    assert await statuses(older, "/admin/users") == [401]


async def test_a_sign_out_with_older_cookies_still_signs_out():
    """The session is alive, and the person wants it to end."""
    site = Fleet(SHARED[0])
    other, browser = site.other(), await site.signed_in()
    older = copy_of(browser, other)
    site.provider.id_token_overrides = {"roles": []}
    await site.refresh(browser)
    site.clock.advance(STALE + 1)

    await older.post("/auth/logout", follow=False)
    site.clock.advance(STALE + 1)

    assert await who_am_i(browser) is None
