"""What a real browser makes of rules: windows of a single-page app, step-up, forms, fragments, other sites, loops."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect

from asgi_oidc import Rule
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import FakeProvider, serve
from tests.real.processes import free_port
from tests.real.rules_site import (
    ELSEWHERE,
    OVER,
    TEXT,
    TITLE,
    Site,
    fill_in,
    has_another_clock,
    has_another_secret,
    is_as_it_should_be,
    loses_all_cookies,
    loses_session,
    other_pages,
    pick,
    press,
    signed_in,
    site,
    watched,
)
from tests.real.servers import server

pytestmark = pytest.mark.real

GUIDE = (Path(__file__).parents[2] / "examples" / "spa" / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser without a past; what its console says about our pages fails the test: a blocked style, script, form."""
    with watched(chromium) as context:
        yield context


# A single-page app: examples/spa


@pytest.fixture(scope="module")
def spa() -> Iterator[str]:
    """The example, as its guide starts it: its origin."""
    origin = f"http://localhost:{free_port()}"
    provider = FakeProvider(clients=[EXAMPLE])
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": EXAMPLE.client_id,
            "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
            "OIDC_BASE_URL": origin,
            "OIDC_SECRET": secrets.token_urlsafe(32),
        }
        port = int(origin.rpartition(":")[2])
        with server("uvicorn-h11", "examples.spa.app:app", port=port, environ=environ) as process:
            yield origin
            assert "Traceback" not in process.said, process.said


def sign_out_elsewhere(page: Page) -> None:
    """End the session of a page of the example, and that at the provider, in another tab."""
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Sign out").click()
    expect(opened.value.locator("h1")).to_have_text("You are signed out")
    opened.value.close()


def window_of(page: Page) -> Page:
    """Press "Sign in" where the page asks, and give the window that opens."""
    with page.context.expect_page() as opened:
        press(page, "Sign in")
    return opened.value


def test_a_page_goes_on_where_it_was_after_a_login_in_a_window(context, spa):
    """Its session is over; what was typed and counted is still there, and the call is made again."""
    page = signed_in(context, spa, "Bob")
    page.locator("#note").fill("as it was")
    press(page, "Save")
    expect(page.locator("#count")).to_have_text("1")
    sign_out_elsewhere(page)
    page.locator("#note").fill("not to be lost")
    press(page, "Save")
    expect(page.locator("#why")).to_have_text("Please sign in")
    window = window_of(page)
    expect(window.locator("h1")).to_have_text("Sign in")
    opener = window.evaluate("window.opener")
    with window.expect_event("close"):
        pick(window, "Bob")
    expect(page.locator("#said")).to_have_text("Saved 14 characters for Bob Brown.")

    assert (opener, page.locator("#note").input_value()) == (None, "not to be lost")
    assert (page.locator("#count").text_content(), page.url) == ("2", f"{spa}/")


def test_a_call_that_needs_a_stronger_login_gets_it_in_a_window(context, spa):
    """The provider knows the person and asks nothing: the window is gone in a moment."""
    page = signed_in(context, spa, "Bob")
    page.locator("#note").fill("for everybody")
    press(page, "Publish")
    expect(page.locator("#why")).to_contain_text("stronger or fresher login")
    window = window_of(page)
    expect(page.locator("#said")).to_have_text("Published by Bob Brown.")
    press(page, "Publish")
    expect(page.locator("#count")).to_have_text("2")

    assert (window.is_closed(), page.locator("#note").input_value()) == (True, "for everybody")


@pytest.mark.parametrize(
    ("name", "said"), [("Alice", "Deleted the notes of everybody."), ("Bob", "is not allowed to do that")]
)
def test_a_missing_right_is_told_and_nobody_is_asked_to_sign_in(context, spa, name, said):
    """403: to sign in again would change nothing."""
    page = signed_in(context, spa, name)
    press(page, "Delete all notes")
    expect(page.locator("#said")).to_contain_text(said)

    assert page.locator("dialog[open]").count() == 0


def test_calls_that_fail_together_open_one_login_window(context, spa):
    """And every tab that waits goes on."""
    page, other = signed_in(context, spa, "Bob"), context.new_page()
    other.goto(spa)
    expect(other.locator("#who")).to_have_text("Bob Brown")
    sign_out_elsewhere(page)
    press(other, "Save")
    expect(other.locator("#why")).to_have_text("Please sign in")
    page.get_by_role("button", name="Save").evaluate("button => { button.click(); button.click() }")
    window = window_of(page)
    with window.expect_event("close"):
        pick(window, "Bob")
    expect(page.locator("#count")).to_have_text("2")
    expect(other.locator("#count")).to_have_text("1")


def test_whoever_does_not_want_to_sign_in_keeps_the_page(context, spa):
    """And is asked anew by the next call."""
    page = signed_in(context, spa, "Bob")
    sign_out_elsewhere(page)
    page.locator("#note").fill("still here")
    press(page, "Save")
    press(page, "Not now")
    expect(page.locator("#said")).to_have_text("Not signed in.")
    press(page, "Save")
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#said")).to_have_text("Not signed in.")

    assert page.locator("#note").input_value() == "still here"


def test_somebody_else_gets_a_page_of_their_own(context, spa):
    """What Bob wrote is not sent in the name of Alice."""
    page = signed_in(context, spa, "Bob")
    sign_out_elsewhere(page)
    page.locator("#note").fill("of Bob")
    press(page, "Save")
    window = window_of(page)
    with window.expect_event("close"):
        pick(window, "Alice")
    expect(page.locator("#who")).to_have_text("Alice Adams")

    assert (page.locator("#count").text_content(), page.locator("#note").input_value()) == ("0", "")


# Pages: step-up, and what a user may not


def test_a_page_that_needs_a_fresher_login_gets_it_and_is_shown(context):
    """The provider asks the person again; the browser ends at that very address."""
    with site(rules=[Rule("/billing/*", max_age=300)]) as shop:
        page = signed_in(context, f"{shop.origin}/billing/invoices?year=1", "Alice")
        shop.clock.advance(400)
        page.goto(f"{shop.origin}/billing/invoices?year=2")
        expect(page.locator("h1")).to_have_text("Sign in")
        asked = parse_qs(urlsplit(page.url).query)["max_age"]
        pick(page, "Alice")
        expect(page.locator("#who")).to_have_text("Alice Adams")

        assert (asked, page.url) == (["300"], f"{shop.origin}/billing/invoices?year=2")


def test_a_page_that_needs_a_stronger_login_gets_it_and_is_shown(context):
    """Here without a question: the provider knows the person."""
    with site(rules=[Rule("/vault", acr_values=["urn:example:mfa"])]) as bank:
        page = signed_in(context, f"{bank.origin}/page", "Alice")
        before = page.locator("#acr").text_content()
        page.goto(f"{bank.origin}/vault")
        expect(page.locator("#acr")).to_have_text("urn:example:mfa")

        assert (before, page.url) == ("None", f"{bank.origin}/vault")


def test_a_provider_that_gives_no_stronger_login_ends_on_a_page(context):
    """There is no login loop; once the provider complies, "Try again" leads to the page."""
    with site(rules=[Rule("/vault", acr_values=["urn:example:mfa"])]) as bank:
        page = signed_in(context, f"{bank.origin}/page", "Alice")
        with bank.provider.fault("id_token_wrong_acr"):
            page.goto(f"{bank.origin}/vault")
            expect(page.locator("h1")).to_have_text("This page needs another kind of sign-in")
        page.get_by_role("link", name="Try again").click()
        expect(page.locator("#acr")).to_have_text("urn:example:mfa")

        assert page.url == f"{bank.origin}/vault"


def test_a_user_without_the_right_can_come_back_as_another(context):
    """The page names who they are; another account leads to that very page."""
    with site(rules=[Rule("/admin/*", claims={"roles": "admin"})]) as office:
        page = context.new_page()
        page.goto(f"{office.origin}/admin/users?page=2")
        pick(page, "Bob")
        expect(page.locator("h1")).to_have_text("You do not have access to this page")
        expect(page.locator("main")).to_contain_text("Bob Brown (bob@example.com)")
        page.get_by_role("link", name="Use another account").click()
        expect(page.locator("h1")).to_have_text("Sign in")  # not Bob again without a word
        pick(page, "Alice")
        expect(page.locator("#who")).to_have_text("Alice Adams")

        assert page.url == f"{office.origin}/admin/users?page=2"


# Forms and fragments


def test_a_form_that_comes_too_late_is_told_so_before_and_after_the_login(context):
    """Nothing is sent; the way leads back to the form, and one step back it is still filled in."""
    with site() as desk:
        page = signed_in(context, f"{desk.origin}/edit?id=7", "Alice")
        fill_in(page)
        desk.clock.advance(OVER)
        press(page, "Save")
        expect(page.locator("h1")).to_have_text("Your form was not sent")
        page.go_back()
        kept = page.locator("[name=text]").input_value()
        press(page, "Save")
        page.get_by_role("link", name="Sign in").click()
        expect(page.locator("h1")).to_have_text("Your form was not sent")
        page.get_by_role("link", name="Go back").click()
        expect(page.locator("#who")).to_have_text("Alice Adams")

        assert (page.url, kept, desk.app.posted) == (f"{desk.origin}/edit?id=7", TEXT, [])


def test_a_kept_form_arrives_exactly_as_it_was(context):
    """Byte for byte what the browser sends while the session lives; and only after a press of the button."""
    with site(keep_forms=True) as desk:
        page = signed_in(context, f"{desk.origin}/edit?id=7", "Alice")
        fill_in(page)
        press(page, "Save")
        expect(page).to_have_url(f"{desk.origin}/save?now=1")
        page.goto(f"{desk.origin}/edit?id=7")
        fill_in(page)
        desk.clock.advance(OVER)
        press(page, "Save")
        expect(page.locator("h1")).to_have_text("Your form has not been sent yet")
        press(page, "Sign in")
        expect(page.locator("h1")).to_have_text("Send your form now?")
        before = len(desk.app.posted)
        press(page, "Send it")
        expect(page).to_have_url(f"{desk.origin}/save?now=1")
        sent = parse_qsl(desk.app.posted[0][1].decode(), keep_blank_values=True)

        assert before == 1
        assert desk.app.posted[1] == desk.app.posted[0]
        assert sent[:2] == [("title", TITLE), ("text", TEXT.replace("\n", "\r\n"))]
        assert sent[2:] == [("tag", "b"), ("tag", "a"), ("\u00e9", "on"), ("do", "save")]


def at_kept_form(context: BrowserContext, desk: Site) -> Page:
    """Send a form too late, sign in, and give the page that asks whether it shall be sent."""
    page = signed_in(context, f"{desk.origin}/edit?id=7", "Alice")
    fill_in(page)
    desk.clock.advance(OVER)
    press(page, "Save")
    press(page, "Sign in")
    expect(page.locator("h1")).to_have_text("Send your form now?")
    return page


def test_a_kept_form_survives_a_reload_of_the_page_that_asks(context):
    """Phones reload a tab that was in the background; ten minutes were promised."""
    with site(keep_forms=True) as desk:
        page = at_kept_form(context, desk)
        page.reload()

        assert page.locator("h1").text_content() == "Send your form now?"


def test_a_form_that_was_sent_is_not_told_to_be_lost(context):
    """Who goes back one step would fill it in again, and send it twice."""
    with site(keep_forms=True) as desk:
        page = at_kept_form(context, desk)
        press(page, "Send it")
        expect(page).to_have_url(f"{desk.origin}/save?now=1")
        page.go_back()

        assert len(desk.app.posted) == 1
        assert "nothing of it has been saved" not in str(page.locator("main").text_content())


def test_a_kept_form_is_shown_to_nobody_else(context):
    """Another person at the same computer."""
    with site(keep_forms=True) as desk:
        page = signed_in(context, f"{desk.origin}/edit", "Alice")
        fill_in(page)
        desk.clock.advance(OVER)
        context.clear_cookies(domain="127.0.0.1")  # the provider has forgotten her as well
        press(page, "Save")
        press(page, "Sign in")
        pick(page, "Bob")
        expect(page.locator("main")).to_contain_text("filled in by somebody else")

        assert ("after two" in page.content(), desk.app.posted) == (False, [])


def test_a_fragment_survives_an_interactive_login(context):
    """It never reaches a server: a script of ours hands it over. Who goes back later meets no error."""
    with site(keep_fragment=True) as inbox:
        page = context.new_page()
        page.goto(f"{inbox.origin}/inbox?folder=2#/mail/7?x=\u00e9&y=#z")
        expect(page.locator("h1")).to_have_text("Sign in")
        pick(page, "Alice")
        expect(page.locator("#who")).to_have_text("Alice Adams")

        assert page.url == f"{inbox.origin}/inbox?folder=2#/mail/7?x=%C3%A9&y=#z"
        page.goto(f"{inbox.origin}/inbox#second")
        expect(page.locator("#who")).to_have_text("Alice Adams")
        assert page.url == f"{inbox.origin}/inbox#second"


def test_without_scripts_there_is_a_link_instead(chromium):
    """The fragment is lost, and nothing else."""
    with watched(chromium, java_script_enabled=False) as context, site(keep_fragment=True) as inbox:
        page = context.new_page()
        page.goto(f"{inbox.origin}/inbox?folder=2#section")
        page.get_by_role("link", name="Sign in").click()
        pick(page, "Alice")
        expect(page.locator("#who")).to_have_text("Alice Adams")

        assert page.url.partition("#")[0] == f"{inbox.origin}/inbox?folder=2"


# Other sites


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The pages of somebody else: their port."""
    with other_pages() as port:
        yield port


POST = "url => fetch(url, {method: 'POST', body: 'a=b', credentials: 'include', mode: 'no-cors'}).then(a => a.type)"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 403),  # the same site for cookies, and still another origin
        ("127.0.0.1", 401),  # another site: its requests bring no session
    ],
)
def test_pages_of_others_make_the_user_do_nothing(context, elsewhere, host, status):
    """A form that a person is lured to send, and a script: the app does not run."""
    with site() as bank:
        signed_in(context, f"{bank.origin}/page", "Alice")
        page = context.new_page()
        page.goto(f"http://{host}:{elsewhere}{ELSEWHERE}?action={bank.origin}/transfer")
        with page.expect_response(f"{bank.origin}/transfer") as fetched:
            page.evaluate(POST, f"{bank.origin}/transfer")
        with page.expect_response(f"{bank.origin}/transfer") as sent:
            page.get_by_role("button", name="Win").click()

        assert (fetched.value.status, sent.value.status, bank.app.posted) == (status, status, [])
        if status == 403:
            expect(page.locator("h1")).to_have_text("This request came from another site")
        page.goto(f"{bank.origin}/page")
        expect(page.locator("#who")).to_have_text("Alice Adams")


CALL = """url => fetch(url, {method: 'PUT', body: '{}', credentials: 'include',
    headers: {'content-type': 'application/json'}})
    .then(async answer => [answer.status, answer.headers.get('www-authenticate'), await answer.text()])"""


def test_a_page_of_a_named_origin_signs_its_user_in_and_calls(context, elsewhere):
    """As the guide says: it may read a refusal, opens a window, hears of the login, and calls again."""
    theirs = f"http://localhost:{elsewhere}"
    with site(rules=[Rule("/api/*", origins=[theirs])]) as api:
        at_api, at_spa = (
            code.replace("https://spa.example.com", theirs).replace("https://api.example.com", api.origin)
            for code in re.findall(r"```js\n(.*?)```", GUIDE, re.DOTALL)
        )
        api.app.extra = f"<script>{at_api}</script>"
        page = context.new_page()
        page.goto(f"{theirs}{ELSEWHERE}?action=")
        page.evaluate(f"const goOn = () => document.title = 'signed in'; {at_spa}")
        status, challenge, text = page.evaluate(CALL, f"{api.origin}/api/order")
        with context.expect_page() as opened:
            page.evaluate("url => { window.open(url) }", f"{api.origin}/auth/login?return_to=/signed-in")
        with opened.value.expect_event("close"):
            pick(opened.value, "Alice")
        expect(page).to_have_title("signed in")
        after = page.evaluate(CALL, f"{api.origin}/api/order")

        assert (status, "login_required" in text) == (401, True)
        assert challenge.startswith('Cookie realm="sign-in"')
        assert (after[0], api.app.posted) == (200, [("/api/order", b"{}")])


# Loops


@pytest.mark.parametrize(
    ("around", "path", "title"),
    [
        (loses_session, "/page", "Your browser does not stay signed in"),
        (loses_all_cookies, "/page", "This sign-in could not be finished"),
        (has_another_clock, "/page", "This site does not keep you signed in"),
        (has_another_secret, "/page", "This site does not keep you signed in"),
        (is_as_it_should_be, "/never", "This page keeps asking you to sign in"),
    ],
)
def test_no_browser_enters_a_redirect_loop(context, around, path, title):
    """After a few logins a page of ours names the cause; Chromium's own would not (ERR_TOO_MANY_REDIRECTS)."""
    callbacks: list[str] = []
    with site(around, public=()) as looping:
        page = context.new_page()
        page.on("request", lambda request: callbacks.append(request.url) if "/auth/callback" in request.url else None)
        page.goto(looping.origin + path)
        pick(page, "Alice")
        expect(page.locator("h1")).not_to_have_text("Sign in")  # left the provider for good
        ended_at = page.locator("h1").text_content()

    assert (ended_at, len(callbacks) <= 6) == (title, True)


# Frames


def test_a_frame_leads_to_a_sign_in_in_the_whole_window(context):
    """Providers refuse to be framed, so the frame shows a link; the login ends on the page that has the frame."""
    with site(public=["/board"], app_name="Orders") as made:
        made.app.extra = '<iframe src="/part"></iframe>'
        page = context.new_page()
        page.goto(f"{made.origin}/board")
        frame = page.frame_locator("iframe")
        expect(frame.locator("h1")).to_have_text("Sign in to Orders")
        frame.get_by_role("link", name="Sign in").click()
        pick(page, "Alice")

        expect(page.locator("#who")).to_have_text("Alice Adams")
        expect(page.frame_locator("iframe").locator("#who")).to_have_text("Alice Adams")
        assert page.url == f"{made.origin}/board"


def test_the_back_button_of_a_stopped_form_leads_to_what_was_typed(context):
    """A link would load the page anew, and all would be lost."""
    with site() as made:
        page = signed_in(context, f"{made.origin}/edit", "Alice")
        page.locator("[name=title]").fill("typed for an hour")
        made.clock.advance(OVER)
        press(page, "Save")
        expect(page.locator("h1")).to_have_text("Your form was not sent")
        page.wait_for_load_state()  # the script of the link comes last
        page.get_by_role("link", name="Back").click()

        expect(page.locator("[name=title]")).to_have_value("typed for an hour")
