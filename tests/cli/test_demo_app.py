"""The demo app, page by page, as a person meets it."""

from datetime import datetime

import pytest

from asgi_oidc.cli.demo_app import demo_app
from tests.cli.conftest import NOW

HOUR = 3600


async def test_home_greets_a_stranger(browser):
    """It is public, and it has the way in."""
    home = await browser.get("/")

    assert (home.status_code, "Sign in" in home.text, "Sign out" in home.text) == (200, True, False)


async def test_the_sign_in_button_leads_to_the_claims(browser):
    """The shortest way to see the library at work."""
    await browser.get("/")
    await browser.click("Sign in")
    me = await browser.submit(button="alice")

    assert (me.path, "Alice Adams" in me.text) == ("/me", True)


async def test_me_shows_claims_scopes_and_the_end_of_the_session(browser):
    """All that the app knows of the person is on the page."""
    me = await browser.sign_in("alice", "/me")

    ends_at = datetime.fromtimestamp(NOW + HOUR).astimezone().isoformat()
    shown = [f'datetime="{ends_at}"', "<li><code>profile</code></li>", "alice@example.com", "[&quot;admin&quot;]"]
    assert [text for text in shown if text not in me.text] == []


async def test_home_knows_a_signed_in_person(browser):
    """A public page sees the user too."""
    await browser.sign_in("alice", "/me")
    home = await browser.get("/")

    assert "Hello, Alice Adams." in home.text
    assert "/me" in [href for href, _ in home.page.links]


@pytest.mark.parametrize("path", ["/", "/me"])
async def test_what_the_provider_says_is_never_markup(browser, path):
    """A name may hold anything, and so may a claim's name."""
    await browser.sign_in("mallory", "/me")
    page = await browser.get(path)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert [markup for markup in ("<script", "<img", "<b>", "<i>") if markup in page.text] == []


async def test_a_long_claim_is_folded(browser):
    """Two hundred groups would bury the rest."""
    me = await browser.sign_in("mallory", "/me")

    assert "<summary>9 values</summary>" in me.text


async def test_signing_out_comes_back_to_home(browser, provider):
    """Here and at the provider: the next visit to a protected page asks who it is."""
    await browser.sign_in("alice", "/me")
    home = await browser.submit(button="Sign out")
    again = await browser.get("/me")

    assert (home.url.partition("?")[0], "Sign in" in home.text) == ("http://127.0.0.1:8000/", True)
    assert (provider.count("/end_session"), again.url.startswith(provider.origin)) == (1, True)


async def test_an_unknown_page_is_404(browser):
    """For whoever is signed in; strangers are not told what exists."""
    await browser.sign_in("alice", "/me")
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
