"""A form sent without a session is never lost silently, and with `keep_forms` it is not lost at all."""

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from asgi_oidc import Rule, StepUpRequired
from asgi_oidc.testing import Browser, FakeProvider, Response
from tests.login.test_login_loops import forget
from tests.protected_site import ORIGIN, Site, login_cookies

PAGE = ORIGIN + "/edit?id=7"
FIELDS = {"title": 'A "title" & <more>', "text": "one\r\ntwo\r\n", "empty": "", "\u00e9": "\U0001f600"}


class Bodies:
    """An app that keeps what is posted to it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, list[str]]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"").decode()
        if scope["method"] == "POST":
            self.seen.append((scope["path"], parse_qs(body, keep_blank_values=True)))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<p>the app</p>"})


@pytest.fixture
def app() -> Bodies:
    return Bodies()


def site_with(app: Bodies, **settings: Any) -> Site:
    return Site(inner=app, **settings)


async def signed_out(site: Site) -> Browser:
    """Give a browser whose session has just run out, with a form open."""
    browser = site.browser()
    await browser.sign_in("alice", "/edit?id=7")
    site.clock.advance(3600)
    return browser


async def send(browser: Browser, fields: dict[str, str] | None = None, **options: Any) -> Response:
    return await browser.post("/save?now=1", FIELDS if fields is None else fields, initiator=PAGE, **options)


async def test_a_user_is_told_of_an_interrupted_form_before_and_after_the_login(app):
    """401 without a redirect and without a login, and then a page that leads back to the form."""
    site = site_with(app)
    browser = await signed_out(site)

    stopped = await send(browser)
    told = await browser.click("Sign in")
    back = await browser.click("Go back")

    assert (stopped.status_code, stopped.history) == (401, ())
    assert all("Max-Age=0" in line for line in stopped.set_cookies)  # the session that is over, and no login
    assert "Your form was not sent" in stopped.text
    assert stopped.headers["www-authenticate"].startswith("Cookie ")
    assert (told.status_code, urlsplit(told.url).path) == (200, "/auth/form")
    assert "Your form was not sent" in told.text
    assert (back.status_code, back.url) == (200, PAGE)
    assert app.seen == []


async def test_a_kept_form_is_sent_when_the_person_agrees(app):
    """Every field as it was, to where it was going, once."""
    site = site_with(app, keep_forms=True)
    browser = await signed_out(site)

    stopped = await send(browser)
    asked = await browser.submit(button="Sign in")
    before = list(app.seen)
    sent = await browser.submit(button="Send it")

    assert stopped.status_code == 401
    assert all("Max-Age=0" in line for line in stopped.set_cookies)  # the session that is over, and no form
    assert (asked.status_code, "Send your form now?" in asked.text, before) == (200, True, [])
    assert (sent.status_code, sent.path) == (200, "/save?now=1")
    assert app.seen == [("/save", {name: [value] for name, value in FIELDS.items()})]


async def test_a_kept_form_is_not_sent_when_the_person_does_not_want_it(app):
    """And is forgotten."""
    browser = await signed_out(site_with(app, keep_forms=True))

    await send(browser)
    await browser.submit(button="Sign in")
    back = await browser.submit(button="Discard it")
    again = await browser.get("/auth/form")

    assert (back.url, app.seen) == (PAGE, [])
    assert "There is no form to send" in again.text


async def test_a_kept_form_survives_a_reload_of_the_page_that_asks(app):
    """Phones reload what lies in the background; ten minutes were promised."""
    browser = await signed_out(site_with(app, keep_forms=True))
    await send(browser)
    asked = await browser.submit(button="Sign in")

    again = await browser.get(asked.url)

    assert "Send your form now?" in again.text


async def test_a_kept_form_is_forgotten_once_it_is_sent(app):
    """Going back offers it no second time, and does not say that it was lost."""
    browser = await signed_out(site_with(app, keep_forms=True))
    await send(browser)
    asked = await browser.submit(button="Sign in")
    await browser.post("/other", {"a": "b"}, initiator=ORIGIN + "/x")
    kept = await browser.get(asked.url)

    await browser.submit(kept, "Send it")
    back = await browser.get(asked.url)

    assert ("Send your form now?" in kept.text, "There is no form to send" in back.text) == (True, True)
    assert [path for path, _ in app.seen] == ["/other", "/save"]


async def test_a_kept_form_is_for_its_user_alone(app):
    """Somebody else at the same computer sees nothing of it."""
    browser = await signed_out(site_with(app, keep_forms=True))

    stopped = await send(browser)
    form = stopped.page.forms[0]
    login = await browser.post(form.action, dict(form.data(None, {})), initiator=PAGE, follow=False)
    there = login.location + "&prompt=login"
    told = await browser.submit(await browser.get(there), "bob")

    assert (told.status_code, "filled in by somebody else" in told.text, "Bob" in told.text) == (200, True, True)
    assert "A &quot;title" not in told.text


async def test_the_form_of_an_anonymous_user_is_kept_as_well(app):
    """Written on a public page, sent to one that needs a user."""
    site = site_with(app, keep_forms=True)
    browser = site.browser()

    await send(browser)
    await browser.submit(await browser.submit(button="Sign in"), "alice")
    await browser.submit(button="Send it")

    assert app.seen == [("/save", {name: [value] for name, value in FIELDS.items()})]


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_the_form_of_an_anonymous_user_is_offered_after_its_own_login_only(app, mode):
    """Its person has left, and somebody else signs in at the same computer."""
    provider = FakeProvider("https://id.example.net", alg="ES256")
    params = {"response_mode": mode}
    browser = site_with(app, keep_forms=True, provider=provider, authorization_params=params).browser()
    await send(browser)
    left = await browser.submit(button="Sign in")

    await browser.tab().sign_in("bob", "/page")
    told = await browser.get("/auth/form")

    assert ("There is no form to send" in told.text, "A &quot;title" in told.text) == (True, False)
    assert not [cookie for cookie in browser.jar if cookie.name.endswith("-form")]
    assert "There is no form to send" in (await browser.submit(left, "alice")).text


async def test_a_login_that_was_made_before_the_form_was_stopped_gets_nothing_of_it(app):
    """The cookie of the form came while its response was under way."""
    site = site_with(app, keep_forms=True)
    browser, other = site.browser(), site.browser()
    back = await other.submit(await other.get("/page"), "bob", follow=False)
    await send(browser)
    await browser.submit(button="Sign in", follow=False)
    answer = await other.get(back.location, follow=False)
    for line in answer.set_cookies:
        browser.jar.receive(line, ORIGIN + "/auth/callback")

    told = await browser.get("/auth/form")

    assert "There is no form to send" in told.text


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_the_address_that_offers_a_form_is_good_for_its_session_alone(app, mode):
    """Not for the next one, of whomever."""
    provider = FakeProvider("https://id.example.net", alg="ES256")
    params = {"response_mode": mode}
    browser = site_with(app, keep_forms=True, provider=provider, authorization_params=params).browser()
    await send(browser)
    asked = await browser.submit(await browser.submit(button="Sign in"), "alice")

    await browser.tab().get("/auth/login?return_to=/page", initiator=ORIGIN + "/")
    again = await browser.get(asked.url)

    assert "Send your form now?" in asked.text
    assert "There is no form to send" in again.text


async def test_the_address_that_offers_a_form_is_good_for_that_form_alone(app):
    """Two tabs, each with a form that nobody owned; of the second the login has not ended."""
    browser = site_with(app, keep_forms=True).browser()
    other = browser.tab()
    stopped = await send(other, {"text": "of the other tab"})
    await send(browser)
    asked = await browser.submit(await browser.submit(button="Sign in"), "alice")
    await other.submit(stopped, "Sign in", follow=False)

    again = await browser.get(asked.url)

    assert ("Send your form now?" in asked.text, "of the other tab" in again.text) == (True, False)


async def test_the_login_of_another_user_deletes_the_form_of_an_anonymous_user(app):
    """At once, whether anybody looks for it or not."""
    browser = site_with(app, keep_forms=True).browser()
    await send(browser)
    await browser.submit(button="Sign in", follow=False)
    before = [cookie for cookie in browser.jar if cookie.name.endswith("-form")]

    await browser.tab().sign_in("bob", "/page")

    assert (len(before), [cookie for cookie in browser.jar if cookie.name.endswith("-form")]) == (1, [])


async def test_the_form_of_an_anonymous_user_survives_an_expired_login_page(app):
    """The login is started once more, and it is still its own."""
    site = site_with(app, keep_forms=True)
    browser = site.browser()
    await send(browser)
    left = await browser.submit(button="Sign in")
    state = parse_qs(urlsplit(left.url).query)["state"][0]
    params = {"error": "temporarily_unavailable", "error_description": "authentication_expired", "state": state}

    fresh = await browser.get(f"/auth/callback?{urlencode({**params, 'iss': site.provider.issuer})}")
    asked = await browser.submit(fresh, "alice")

    assert "Send your form now?" in asked.text


SECRETS = {"password": "hunter2", "new_pwd": "hunter3", "csrf_token": "t0k3n", "otp": "123456", "apiSecret": "s3"}


async def test_the_person_sees_what_is_sent_and_where(app):
    """Before anything is; secrets are not for those who look over a shoulder, and still go along."""
    browser = await signed_out(site_with(app, keep_forms=True))
    await send(browser, {**SECRETS, "note": "<b>\u202eone\ntwo", "long": "l" * 500, "empty": "", "shipping": "Oslo"})

    asked = await browser.submit(button="Sign in")
    shown = asked.text.partition("<dl")[2].partition("</dl>")[0]
    await browser.submit(button="Send it")

    assert "<dt>To be sent to</dt><dd><bdi>/save?now=1</bdi></dd>" in shown
    for name, value in SECRETS.items():
        assert f"<dt><bdi>{name}</bdi></dt><dd>(hidden)</dd>" in shown
        assert value not in shown
    assert "<dt><bdi>note</bdi></dt><dd><bdi>&lt;b&gt;one\ntwo</bdi></dd>" in shown
    assert f"<dd><bdi>{'l' * 200}\u2026</bdi></dd>" in shown
    assert "<dt><bdi>empty</bdi></dt><dd>(empty)</dd>" in shown
    assert "<dt><bdi>shipping</bdi></dt><dd><bdi>Oslo</bdi></dd>" in shown
    assert app.seen[0][1]["password"] == ["hunter2"]


async def test_an_old_login_url_leads_to_a_plain_login_and_the_rule_asks_again(app):
    """Found in a history: it asks the provider for nothing, and opens nothing."""
    site = site_with(app, rules=[Rule("/save", methods=["GET"], max_age=60)])
    browser = site.browser()
    refused = await browser.fetch("/save", headers={"accept": "application/json"})
    url = refused.json()["login_url"]
    fresh = await browser.get(url, follow=False)

    site.clock.advance(43_200)
    old = await browser.get(url, follow=False)
    page = await browser.get("/save", follow=False)

    assert ["max_age" in answer.location for answer in (fresh, old, page)] == [True, False, True]


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"text": "x" * 2049}, {}),
        (FIELDS, {"content-type": "multipart/form-data; boundary=x"}),
        (FIELDS, {"content-type": "text/plain"}),
        ({str(number): "" for number in range(65)}, {}),
        ({"text": "a\0b"}, {}),
    ],
)
async def test_the_page_says_when_a_form_cannot_be_kept(app, fields, headers):
    """Too large, too many fields, with files, or with what a page cannot hold: nothing is half kept."""
    browser = await signed_out(site_with(app, keep_forms=True))

    stopped = await send(browser, fields, headers=headers)

    assert (stopped.status_code, "Your form was not sent" in stopped.text) == (401, True)
    assert "not been sent yet" not in stopped.text


async def test_the_largest_form_fits_into_its_cookie(app):
    """A browser drops what is longer than 4096 bytes."""
    browser = await signed_out(site_with(app, keep_forms=True))

    await send(browser, {"t": "x" * 2046})
    await browser.submit(button="Sign in")
    await browser.submit(button="Send it")

    assert browser.refused_cookies == []
    assert app.seen[0][1] == {"t": ["x" * 2046]}


@pytest.mark.parametrize("initiator", ["https://evil.example/", "https://spa.example.com/", None])
async def test_a_form_of_another_site_is_not_kept(app, initiator):
    """Its person is told all the same."""
    browser = await signed_out(site_with(app, keep_forms=True))

    page = await browser.post("/save", FIELDS, initiator=initiator)

    assert (page.status_code, "Your form was not sent</h1>" in page.text, page.page.forms) == (401, True, [])


async def test_only_pages_of_ours_can_keep_a_form(app):
    """Else another site could put one into the browser."""
    browser = await signed_out(site_with(app, keep_forms=True))
    form = (await send(browser)).page.forms[0]

    response = await browser.post(form.action, dict(form.data(None, {})), initiator="https://evil.example/")

    assert (response.status_code, login_cookies(browser)) == (403, [])


async def test_a_script_cannot_start_a_login_with_a_form(app):
    """Whatever it sent would come back from the provider, which no script can read."""
    browser = await signed_out(site_with(app, keep_forms=True))
    form = (await send(browser)).page.forms[0]

    response = await browser.fetch(form.action, method="POST", data=dict(form.data(None, {})), initiator=PAGE)

    assert (response.status_code, login_cookies(browser)) == (403, [])


async def test_a_form_that_is_forged_or_old_is_none(app):
    """Sealed, and for ten minutes."""
    site = site_with(app, keep_forms=True)
    browser = await signed_out(site)
    await send(browser)

    site.clock.advance(601)
    told = await browser.submit(button="Sign in")
    forged = await browser.post("/auth/form", {"form": "x" * 60})

    assert "There is no form to send" in told.text
    assert (forged.status_code, "There is no form to send" in forged.text) == (200, True)
    assert not [cookie for cookie in browser.jar if cookie.name.endswith("-form")]


async def test_a_sign_out_forgets_a_kept_form(app):
    """Nothing of the user stays."""
    site = site_with(app, keep_forms=True)
    browser = await signed_out(site)
    form = (await send(browser)).page.forms[0]
    await browser.post(form.action, dict(form.data(None, {})), follow=False)
    kept = [cookie for cookie in browser.jar if cookie.name.endswith("-form")]

    await browser.fetch("/auth/logout", method="POST")

    assert (len(kept), [cookie for cookie in browser.jar if cookie.name.endswith("-form")]) == (1, [])


async def test_a_form_that_needs_a_fresher_login_is_treated_alike(app):
    """With the login that its path needs."""
    site = site_with(app, keep_forms=True, rules=[Rule("/save", max_age=300)])
    browser = site.browser()
    await browser.sign_in("alice", "/edit?id=7")
    site.clock.advance(400)

    stopped = await send(browser)
    login = await browser.submit(button="Sign in")
    await browser.submit(login, "alice")
    await browser.submit(button="Send it")

    assert ("requires a more recent or stronger sign-in" in stopped.text, "max_age=300" in login.url) == (True, True)
    assert len(app.seen) == 1


async def test_a_form_whose_app_asks_for_a_fresher_login_is_told_so(app):
    """The app has read it by then, so it cannot be kept; nobody waits for it a second time."""

    async def strict(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            await receive()
            raise StepUpRequired(max_age=60)
        await app(scope, receive, send)

    site = Site(inner=strict, keep_forms=True)
    browser = site.browser()
    await browser.sign_in("alice", "/edit?id=7")

    stopped = await send(browser)
    told = await browser.click("Sign in")

    assert (stopped.status_code, "Your form was not sent" in stopped.text) == (401, True)
    assert "not been sent yet" not in stopped.text
    assert urlsplit(told.url).path == "/auth/form"


async def test_the_page_that_asks_is_for_navigations_alone(app):
    """A look ahead would take the form away."""
    site = site_with(app, keep_forms=True)
    browser = await signed_out(site)

    response = await browser.fetch("/auth/form")

    assert (response.status_code, response.json()["error"]) == (400, "not_a_navigation")


async def test_without_a_user_the_page_leads_to_where_one_is_needed(app):
    """A bookmark of it, for one."""
    site = site_with(app)
    browser = site.browser()

    page = await browser.get("/auth/form", follow=False)

    assert (page.status_code, page.location) == (303, ORIGIN + "/")


@pytest.mark.parametrize("query", ["", "?form=forged", "?return_to=//evil.example", "?return_to=/transfer"])
async def test_no_link_can_make_us_say_that_a_form_was_lost(app, query):
    """The return path is sealed as well."""
    browser = site_with(app).browser()

    told = await browser.sign_in("alice", "/auth/login?return_to=" + quote("/auth/form" + query))

    assert "was not sent" not in told.text
    assert "There is no form to send" in told.text or told.path == "/"


async def test_a_form_that_may_be_another_users_names_the_signed_in_user(app):
    """The session is gone altogether, so nobody knows whose it was."""
    browser = await signed_out(site_with(app, keep_forms=True))
    forget(browser)
    form = (await send(browser)).page.forms[0]

    login = await browser.post(form.action, dict(form.data(None, {})), initiator=PAGE, follow=False)
    asked = await browser.submit(await browser.get(login.location + "&prompt=login"), "bob")

    assert ("signed in as <strong><bdi>Bob" in asked.text, "Send it only if it is yours" in asked.text) == (True, True)


async def test_a_kept_form_can_be_sent_after_cookies_were_deleted(app):
    """The user is then known by nothing but the new login."""
    browser = await signed_out(site_with(app, keep_forms=True))
    forget(browser)

    await send(browser)
    await browser.submit(button="Sign in")
    await browser.submit(button="Send it")

    assert len(app.seen) == 1


@pytest.mark.parametrize("length", [1000, 1100, 2048, 3000])
@pytest.mark.parametrize("keeps", [False, True])
async def test_an_interrupted_form_on_a_page_with_a_long_url_is_reported_too(app, keeps, length):
    """The return path may not fit if the login carries a lot; the rest does."""
    strong = Rule("/save", acr_values=["urn:example:" + "x" * 400])
    browser = await signed_out(site_with(app, keep_forms=keeps, rules=[strong]))

    await browser.post("/save", {"a": "b"}, initiator=ORIGIN + "/search?q=".ljust(length, "x"))
    told = await (browser.submit(button="Sign in") if keeps else browser.click("Sign in"))

    assert (told.status_code, urlsplit(told.url).path, browser.refused_cookies) == (200, "/auth/form", [])


async def test_a_form_that_fits_only_without_its_addresses_is_not_kept(app):
    """The cookie would be larger than browsers take."""
    browser = await signed_out(site_with(app, keep_forms=True))
    page, target = ORIGIN + "/edit?x=".ljust(900, "x"), "/save?x=".ljust(900, "x")

    stopped = await browser.post(target, {"t": "x" * 2000}, initiator=page)

    assert ("Your form was not sent</h1>" in stopped.text, stopped.page.forms) == (True, [])
    assert (await browser.click("Go back", await browser.click("Sign in", stopped))).url == page
