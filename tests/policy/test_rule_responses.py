"""What a request gets if rules require more than a signed-in user."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from asgi_oidc import AccessTokenExpired, RefreshFailed, Rule, SessionEnded, StoreUnavailable
from asgi_oidc.testing import Persona
from tests.asgi.test_websockets import DENIAL, connect
from tests.protected_site import ORIGIN, PROGRAM, Clock, Site, cookie_header, login_cookies, session_cookies

ADMINS = Rule("/admin/*", claims={"realm_access.roles": "admin"})
NAVIGATE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def site_with(*rules: Rule, **settings: Any) -> Site:
    site = Site(rules=rules, **settings)
    site.provider.personas["root"] = Persona(
        "root", "Ruth Root", "root@example.com", claims={"realm_access": {"roles": ["admin"]}}
    )
    return site


async def test_a_user_who_meets_all_rules_reaches_the_app():
    """For any other user, the app does not run."""
    site = site_with(ADMINS)
    root, alice = await site.signed_in("root", "/admin/users"), await site.signed_in("alice")
    before = len(site.app.scopes)

    assert (await root.get("/admin/users")).json()["sub"] == "root"
    refused = [
        await alice.get(ORIGIN + path) for path in ("/admin", "/admin/users", "/ADMIN/", "//admin", "/x/..;/admin")
    ]

    assert [page.status_code for page in refused] == [403] * 5
    assert len(site.app.scopes) == before + 1


async def test_the_log_says_which_claim_a_session_lacks(caplog):
    """A provider may leave roles out of the ID Token. The page does not show that, but operators need to know."""
    site = site_with(ADMINS)
    alice, root = await site.signed_in("alice"), await site.signed_in("root")
    site.provider.personas["root"] = Persona("root", "R", "r@example.com", claims={"realm_access": {"roles": ["x"]}})
    reader = await site.signed_in("root")

    pages = [await browser.fetch("/admin/users") for browser in (alice, root, reader)]

    lines = [record.getMessage() for record in caplog.records if "/admin/* needs" in record.getMessage()]
    assert [page.status_code for page in pages] == [403, 200, 403]
    assert ["hint='this session has no claim realm_access'" in line for line in lines] == [True, False]
    assert "realm_access" not in pages[0].text


async def test_the_page_of_a_403_names_the_user_and_offers_another_account():
    """It is never a redirect; the link leads to the provider and back to the same page."""
    site = site_with(ADMINS)
    browser = await site.signed_in("alice")

    page = await browser.get("/admin/users?page=2")
    there = await browser.click("Use another account")
    back = await browser.submit(there, "root")

    assert (page.status_code, page.history, page.headers["cache-control"]) == (403, (), "no-store")
    assert "Alice Adams (alice@example.com)" in page.text
    assert (back.status_code, back.json()["sub"], back.path) == (200, "root", "/admin/users?page=2")


async def test_another_account_may_be_refused_as_well(browser):
    """So may the same account: the page appears again, without a login loop."""
    site = site_with(ADMINS)
    browser = await site.signed_in("alice")

    for _ in range(5):
        await browser.get("/admin")
        await browser.click("Use another account")
        page = await browser.submit(button="bob")
        assert (page.status_code, "Bob" in page.text) == (403, True)


async def test_a_name_on_the_page_is_text():
    """Users choose their names, which may contain HTML."""
    site = site_with(ADMINS)
    name = "<b>\u202eevil\x00" + "x" * 200
    site.provider.personas["mallory"] = Persona("mallory", name, 'a"b@example.com')
    browser = await site.signed_in("mallory")

    page = await browser.get("/admin")

    assert "&lt;b&gt;evil" + "x" * 73 + "\u2026" in page.text
    assert "(a&quot;b@example.com)" in page.text


@pytest.mark.parametrize(
    ("method", "headers"), [("GET", PROGRAM), ("POST", PROGRAM), ("GET", {"sec-purpose": "prefetch"}), ("GET", {})]
)
async def test_a_program_without_the_right_gets_403_as_json(method, headers):
    """It has the reference from the log, and the URL to use another account."""
    site = site_with(ADMINS)
    browser = await site.signed_in("alice")

    response = await browser.fetch("/admin", method=method, headers=headers)

    assert (response.status_code, response.json()["error"]) == (403, "forbidden")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["login_url"].startswith(f"{ORIGIN}/auth/login?ask=")
    assert response.headers["www-authenticate"].endswith('error="forbidden"')
    assert (response.set_cookies, response.location) == ([], "")


async def test_a_missing_scope_is_named():
    """A client may then request it (RFC 6750 §3.1)."""
    site = site_with(Rule("/api/*", scopes=["email", "read:orders"]))
    browser = await site.signed_in("alice")

    response = await browser.fetch("/api/orders")

    assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")
    assert response.json()["scope"] == "email read:orders"
    assert 'error="insufficient_scope", scope="email read:orders"' in response.headers["www-authenticate"]


async def test_the_log_says_which_requirement_was_not_met(caplog):
    """It does not show the user's own values."""
    caplog.set_level("INFO")
    site = site_with(ADMINS)
    browser = await site.signed_in("alice")

    page = await browser.get("/admin")

    (line,) = (record.message for record in caplog.records if "status=403" in record.message)
    assert "why='/admin/* needs claims realm_access.roles'" in line
    assert line.partition("reference=")[2] in page.text


async def test_a_rule_with_login_false_gives_401_instead_of_a_redirect():
    """An API has no pages, whichever client calls it."""
    site = site_with(Rule("/api/*", claims={"a": "b"}, login=False))
    browser = site.browser()

    page = await browser.get("/api/orders")
    signed_in = await (await site.signed_in("alice")).get("/api/orders")

    assert (page.status_code, page.json()["error"], login_cookies(browser)) == (401, "login_required", [])
    assert (signed_in.status_code, signed_in.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize("alters", [False, True])
async def test_rules_look_at_the_claims_that_the_app_sees(alters):
    """`on_login` may have added or changed them."""

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        if alters:
            claims["realm_access"] = {"roles": ["admin"]}

    site = site_with(ADMINS, on_login=on_login)
    browser = await site.signed_in("alice")

    assert (await browser.get("/admin")).status_code == (200 if alters else 403)


async def test_a_check_of_the_app_decides_as_well():
    """It gets the user and a copy of the scope, as the app will see it."""
    seen = []

    async def is_own(user: Any, scope: Any) -> bool:
        seen.append((scope["path"], scope["user"].sub, scope["oidc"].id_token is not None))
        scope["path"] = "/elsewhere"
        return bool(seen[-1][0] == f"/home/{user.sub}")

    site = site_with(Rule("/home/*", check=is_own))
    browser = await site.signed_in("alice")

    assert (await browser.get("/home/alice")).json()["path"] == "/home/alice"
    assert (await browser.get("/home/bob")).status_code == 403
    assert seen == [("/home/alice", "alice", True), ("/home/bob", "alice", True)]


async def test_a_check_that_breaks_lets_nobody_in(caplog):
    """Checks fail closed. The log says where, but not the text of the exception, which may contain secrets."""

    def broken(user: Any) -> bool:
        raise RuntimeError("s3cret")

    site = site_with(Rule("/x", check=broken))
    browser = await site.signed_in("alice")
    before = len(site.app.scopes)

    page, program = await browser.get("/x"), await browser.fetch("/x")

    assert (page.status_code, program.status_code, program.json()["error"]) == (500, 500, "check_failed")
    assert "could not check whether you may" in page.text
    assert ("code=check_failed" in caplog.text, "test_rule_responses.py" in caplog.text, "s3cret" in caplog.text) == (
        True,
        True,
        False,
    )
    assert len(site.app.scopes) == before


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (RefreshFailed(), 503, "refresh_failed"),
        (StoreUnavailable(), 503, "store_unavailable"),
        (AccessTokenExpired(), 401, "login_required"),
        (SessionEnded(), 401, "login_required"),
    ],
)
async def test_an_error_of_ours_from_a_check_is_handled_like_one_of_the_app(error, status, name):
    """A check may need a token to look the user up elsewhere."""

    def check(user: Any) -> bool:
        raise error

    site = site_with(Rule("/x", check=check))
    browser = await site.signed_in("alice")
    before = len(site.app.scopes)

    response = await browser.fetch("/x")

    assert (response.status_code, response.json()["error"], len(site.app.scopes)) == (status, name, before)


async def test_what_a_check_finds_out_about_the_user_counts():
    """The check asked for a token, and with the refresh the provider removed a role."""

    async def check(user: Any, scope: Any) -> bool:
        return bool(await scope["oidc"].access_token())

    site = site_with(ADMINS, Rule("/admin/*", check=check), scope="openid profile email offline_access")
    browser = await site.signed_in("root", "/admin")
    site.provider.personas["root"] = Persona("root", "Ruth Root", "root@example.com")
    site.clock.advance(3595)

    assert (await browser.get("/admin")).status_code == 403


async def test_what_a_check_does_to_its_scope_is_its_own():
    """It works on a copy, headers included."""

    def check(user: Any, scope: Any) -> bool:
        scope["headers"].append((b"x-role", b"admin"))
        user.claims["made-up"] = True
        return True

    site = site_with(Rule("/x", check=check))
    browser = await site.signed_in("alice")
    await browser.get("/x")

    assert (b"x-role", b"admin") not in site.app.scope["headers"]
    assert "made-up" not in site.app.scope["user"].claims


async def test_checks_are_not_called_for_anonymous_or_already_refused_users():
    """A check only sees users who meet all other requirements."""
    asked = []

    def note(user: Any) -> bool:
        asked.append(user.sub)
        return True

    site = site_with(ADMINS, Rule("/admin/*", check=note))

    await site.browser().get("/admin", follow=False)
    await (await site.signed_in("alice")).get("/admin")
    await (await site.signed_in("root")).get("/admin")

    assert asked == ["root"]


async def test_a_websocket_is_held_to_the_same_rules():
    """It is refused before it is accepted."""
    site = site_with(ADMINS, Rule("/ws", methods=["WEBSOCKET"], check=lambda user: user.sub == "root"))
    root, alice = await site.signed_in("root"), await site.signed_in("alice")
    before = len(site.app.scopes)

    for path in ("/admin/ws", "/ws", "//admin/ws", "/ADMIN/ws"):
        assert (await connect(site, path, browser=alice, **DENIAL)).status == 403
        assert (await connect(site, path, browser=alice)).sent == [{"type": "websocket.close", "code": 4403}]
    assert len(site.app.scopes) == before
    for path in ("/admin/ws", "/ws"):
        assert (await connect(site, path, browser=root)).sent[0]["type"] == "websocket.accept"


async def test_a_websocket_whose_check_breaks_is_refused():
    """The close code is 1011; servers that can send a response send 500."""

    def broken(user: Any) -> bool:
        raise RuntimeError

    site = site_with(Rule("/ws", check=broken))
    browser = await site.signed_in("alice")

    assert (await connect(site, browser=browser, **DENIAL)).status == 500
    assert (await connect(site, browser=browser)).sent == [{"type": "websocket.close", "code": 1011}]


async def test_a_public_path_with_rules_sees_the_user():
    """With `everything-but-rules`, every path without a rule is public."""
    site = site_with(ADMINS, public="everything-but-rules")

    assert (await site.browser().get("/any/page")).json()["sub"] is None
    assert (await site.browser().get("/admin", follow=False)).status_code == 303
    assert (await (await site.signed_in("root", "/admin")).get("/any/page")).json()["sub"] == "root"


async def test_a_refusal_is_a_use_of_the_session():
    """It sets the cookies that are due, and must not be stored by a shared cache."""
    site = site_with(ADMINS)
    browser = await site.signed_in("alice")
    site.clock.advance(61)

    page = await browser.get("/admin")

    assert (page.status_code, page.headers["cache-control"]) == (403, "no-store")
    assert [name for name in session_cookies(browser) if name.endswith("-seen")]


async def test_a_claim_that_is_taken_away_closes_the_path_with_the_next_refresh():
    """Rules use the newest claims of the provider."""
    site = site_with(ADMINS, scope="openid profile email offline_access")

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token()

    browser = await site.signed_in("root", "/admin")
    site.app.at_work = ask
    site.provider.personas["root"] = Persona("root", "Ruth Root", "root@example.com")
    site.clock.advance(3595)
    await browser.get("/public")

    assert (await browser.get("/admin")).status_code == 403


async def test_cookie_header_is_needed(browser):
    """Rules never grant access without a session."""
    site = site_with(ADMINS)
    other = await site.signed_in("root")

    assert (await site.call("/admin", headers={"x-forwarded-user": "root"})).status == 401
    assert (await site.call("/admin", headers={"cookie": cookie_header(other)})).status == 200


async def test_a_user_signed_out_during_a_slow_check_is_refused():
    """The app must not run for a session that is over."""
    is_asked, goes_on = anyio.Event(), anyio.Event()

    async def slow(user: Any) -> bool:
        is_asked.set()
        await goes_on.wait()
        return True

    site = site_with(Rule("/slow", check=slow))
    browser = await site.signed_in("alice")
    cookie, before = cookie_header(browser), len(site.app.scopes)
    statuses = []

    async def ask() -> None:
        statuses.append((await site.call("/slow", headers={"cookie": cookie})).status)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await is_asked.wait()
        await browser.fetch("/auth/logout", method="POST")
        goes_on.set()

    assert (statuses, len(site.app.scopes)) == ([401], before)


@pytest.mark.parametrize(
    ("always", "asked"), [({}, "login"), ({"prompt": "consent"}, "consent login"), ({"prompt": "none"}, "login")]
)
async def test_another_account_is_asked_for_besides_what_every_login_asks(always, asked):
    """The provider does not list its prompts, so `login` is used, which all providers support."""
    first = site_with(ADMINS)
    site = site_with(ADMINS, provider=first.provider, authorization_params=always)
    browser = site.browser(jar=(await first.signed_in("alice")).jar)
    await browser.get("/admin")

    there = await browser.click("Use another account", follow=False)

    assert parse_qs(urlsplit(there.location).query)["prompt"] == [asked]


async def test_another_account_is_chosen_where_the_provider_can():
    """`select_account` is used if the metadata lists it."""
    site = site_with(
        ADMINS, authorization_params={"prompt": "login"}, metadata={"prompt_values_supported": ["select_account"]}
    )
    browser = await site.signed_in("alice")
    await browser.get("/admin")

    there = await browser.click("Use another account", follow=False)

    assert parse_qs(urlsplit(there.location).query)["prompt"] == ["login select_account"]


async def test_another_account_is_asked_for_all_that_the_page_needs():
    """Users should not have to sign in twice in a row."""
    site = site_with(Rule("/admin", claims={"roles": "director"}, acr_values=["urn:example:mfa"], max_age=300))
    browser = await site.signed_in("alice")
    await browser.get("/admin")

    there = await browser.click("Use another account", follow=False)

    asked = parse_qs(urlsplit(there.location).query)
    assert (asked["prompt"], asked["acr_values"], asked["max_age"]) == (["login"], ["urn:example:mfa"], ["300"])


async def test_a_public_page_is_there_while_a_session_runs_out():
    """The session may expire between two readings of the clock."""

    class Running(Clock):
        def __call__(self) -> float:
            self.now += 1
            return self.now

    site = Site(clock=Running(), session_idle=60, session_lifetime=60, leeway=60)
    browser = await site.signed_in("alice")

    assert {(await browser.fetch("/public/x")).status_code for _ in range(40)} == {200}
    assert (await browser.fetch("/page")).status_code == 401
