"""The demo app, page by page, as a person meets it."""

from datetime import datetime

import pytest

from asgi_oidc.cli.demo_app import MAX_NOTE_LENGTH, demo_app
from asgi_oidc.testing import Browser, Response
from tests.cli.conftest import NOW

HOUR = 3600


async def sign_in(browser: Browser, user: str = "alice", path: str = "/me", *, at: str = "example") -> Response:
    """Open a page, choose a provider, and sign in there."""
    await browser.get(path)
    await choose(browser, at)
    return await browser.submit(button=user)


async def choose(browser: Browser, name: str) -> Response:
    """Choose a provider on the page for it."""
    page = browser.response
    assert page is not None
    return await browser.click(next(href for href, _ in page.page.links if f"provider={name}" in href))


async def test_home_greets_a_stranger(browser):
    """It is public, and it has the way in."""
    home = await browser.get("/")

    assert (home.status_code, "Sign in" in home.text, "Sign out" in home.text) == (200, True, False)


async def test_the_sign_in_button_leads_to_the_claims(browser):
    """The shortest way to see the library at work."""
    await browser.get("/")
    await browser.click("Sign in")
    await choose(browser, "example")
    me = await browser.submit(button="alice")

    assert (me.path, "Alice Adams" in me.text) == ("/me", True)
    assert "Try rules, a step-up and a form" in [text for _, text in me.page.links]


async def test_me_shows_claims_scopes_and_the_end_of_the_session(browser):
    """All that the app knows of the person is on the page."""
    me = await sign_in(browser)

    ends_at = datetime.fromtimestamp(NOW + HOUR).astimezone().isoformat()
    shown = [f'datetime="{ends_at}"', "<li><code>profile</code></li>", "alice@example.com", "[&quot;admin&quot;]"]
    assert [text for text in shown if text not in me.text] == []


async def test_home_knows_a_signed_in_person(browser):
    """A public page sees the user too."""
    await sign_in(browser)
    home = await browser.get("/")

    assert "Hello, Alice Adams." in home.text
    assert "/me" in [href for href, _ in home.page.links]


@pytest.mark.parametrize("path", ["/", "/me"])
async def test_what_the_provider_says_is_never_markup(browser, path):
    """A name may hold anything, and so may a claim's name."""
    await sign_in(browser, "mallory")
    page = await browser.get(path)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert [markup for markup in ("<script", "<img", "<b>", "<i>") if markup in page.text] == []


async def test_a_long_claim_is_folded(browser):
    """Two hundred groups would bury the rest."""
    me = await sign_in(browser, "mallory")

    assert "<summary>9 values</summary>" in me.text


@pytest.mark.parametrize(
    ("at", "user", "ended"), [("example", "alice", 1), ("work", "e-4711", 1), ("hub", "1000001", 0)]
)
async def test_signing_out_comes_back_to_home(browser, providers, at, user, ended):
    """Here and at a provider that has a sign-out; plain OAuth 2.0 has none."""
    await sign_in(browser, user, at=at)
    home = await browser.submit(button="Sign out")
    again = await browser.get("/me")

    assert (home.url.partition("?")[0], "Sign in" in home.text) == ("http://127.0.0.1:8000/", True)
    assert providers.example.count("/end_session") + providers.work.count("/end_session") == ended
    assert again.path.startswith("/auth/login")


@pytest.mark.parametrize(("name", "user"), [("example", "alice"), ("work", "e-4711"), ("hub", "1000001")])
async def test_each_of_the_three_providers_signs_in(browser, name, user):
    """Two by OpenID Connect, one by plain OAuth 2.0."""
    me = await sign_in(browser, user, at=name)

    assert (me.path, f"<code>{name}</code>" in me.text) == ("/me", True)


async def test_the_staff_page_leads_to_the_one_provider_that_may_open_it(browser):
    """From the 403 by one click to the sign-in at Work, and back to the page."""
    await sign_in(browser)
    refused = await browser.get("/staff")
    await browser.click("Use another account")
    staff = await browser.submit(button="e-4712")

    assert (refused.status_code, staff.path, "Staff only" in staff.text) == (403, "/staff", True)


async def test_the_billing_page_asks_for_a_stronger_login(browser):
    """Step-up: back to the same provider, with `acr_values`."""
    await sign_in(browser)
    billing = await browser.get("/billing")

    assert (billing.path, "<code>urn:example:mfa</code>" in billing.text) == ("/billing", True)


async def test_billing_refuses_users_of_a_provider_without_step_up(browser):
    """Sending them there again would change nothing."""
    await sign_in(browser, "1000001", at="hub")

    assert (await browser.get("/billing")).status_code == 403


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("bob", 403)])
async def test_the_admin_page_is_for_administrators(browser, user, status):
    """A role decides."""
    await sign_in(browser, user)

    assert (await browser.get("/admin")).status_code == status


@pytest.mark.parametrize(("at", "user", "again"), [("example", "alice", ["alice"]), ("hub", "1000001", [])])
async def test_a_note_survives_a_sign_out_in_another_tab(browser, at, user, again):
    """It is kept during the login, and sent after one more click; the sign-out did not reach Code Hub."""
    await sign_in(browser, user, "/note", at=at)
    other_tab = browser.tab()
    await other_tab.get("/note")
    await other_tab.submit(button="Sign out in another tab")
    interrupted = await browser.submit(button="Send the note", data={"note": "Buy <milk>"})
    await browser.submit()
    await choose(browser, at)
    for button in again:
        await browser.submit(button=button)
    sent = await browser.submit(button="Send it")

    assert (interrupted.status_code, "Buy &lt;milk&gt;" in sent.text) == (401, True)


async def test_a_note_that_is_too_long_is_cut_off(browser):
    """The demo reads no more than it shows."""
    await sign_in(browser, path="/note")
    sent = await browser.submit(button="Send the note", data={"note": "x" * 2 * MAX_NOTE_LENGTH})

    assert 0 < sent.text.count("x") < MAX_NOTE_LENGTH + 1000


async def test_an_unknown_page_is_404(browser):
    """For whoever is signed in; strangers are not told what exists."""
    await sign_in(browser)
    missing = await browser.get("/nowhere")

    assert (missing.status_code, "Nothing here" in missing.text) == (404, True)


@pytest.mark.parametrize(
    ("path", "media_type"), [("/static/demo.css", "text/css; charset=utf-8"), ("/static/mark.svg", "image/svg+xml")]
)
async def test_stylesheet_and_mark_are_public(browser, path, media_type):
    """The home page needs them before anyone is signed in."""
    file = await browser.fetch(path)

    assert (file.status_code, file.headers["content-type"]) == (200, media_type)


async def test_every_page_has_a_strict_policy(browser):
    """No script, nothing from elsewhere; forms stay free, for signing out leads on to the provider."""
    home = await browser.get("/")

    policy = home.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert [word for word in ("unsafe", "form-action", "script-src") if word in policy] == []
    assert "<script" not in home.text
    assert "style=" not in home.text


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("DELETE", 405)])
async def test_pages_are_for_reading(browser, method, status):
    """HEAD has no body, other methods are not allowed."""
    answer = await browser.fetch("/", method=method)

    assert (answer.status_code, answer.content) == (status, b"")


async def test_the_demo_app_refuses_what_it_does_not_speak():
    """A scope type of tomorrow is not taken for http."""

    async def never(*_):
        raise AssertionError("not reached")

    with pytest.raises(NotImplementedError, match="websocket"):
        await demo_app({"type": "websocket"}, never, never)
