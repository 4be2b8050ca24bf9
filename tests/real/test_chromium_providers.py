"""The pages where a user chooses a provider, in a real browser: by link, by form, by keyboard, on a phone."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_oidc import Provider
from asgi_oidc.pages.languages import make_translations
from asgi_oidc.pages.pages import make_pages
from asgi_oidc.pages.providers import Choice
from asgi_oidc.pages.theme import read_app_colors
from asgi_oidc.testing import serve
from tests.pages.rendered import navigation
from tests.protected_site import SECRET
from tests.real.app import protected_app
from tests.real.certificates import Certificate
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, client
from tests.real.rules_site import pick, press, watched

pytestmark = pytest.mark.real

LOGIN = "/auth/login"
PHONE = {"width": 320, "height": 568}
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 3
TITLES = {"google": "Google", "work": "Contoso", "github": "GitHub"}
TENANTS = {f"t{number}": f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number % 26]} {number}" for number in range(300)}


@dataclass
class Site:
    """A site that shows the pages, and answers a choice with a redirect to another site, as a login does."""

    origin: str
    provider: str
    titles: Mapping[str, str] = field(default_factory=lambda: TITLES)
    texts: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[str, Any] | None = None
    last_used: str | None = None
    notice: str | None = None
    is_listed: bool = True
    chosen: list[Mapping[str, str]] = field(default_factory=list)

    async def login(self, request: Request) -> Response:
        """Show a page, or redirect to the provider, through another host on the way."""
        if "provider" in request.query_params:
            self.chosen.append(dict(request.query_params))
            return RedirectResponse(self.provider, status_code=303)
        colors = None if self.colors is None else read_app_colors(self.colors)
        translations = make_translations(self.texts)
        made = make_pages(translations, app_name="Orders", app_colors=colors, home=self.origin).providers
        url = self.origin + LOGIN
        if self.is_listed:
            choices = [Choice(name, title, f"{url}?provider={name}", name) for name, title in self.titles.items()]
            page = made.choose(navigation(LOGIN), choices, last_used=self.last_used, notice=self.notice)
        else:
            page = made.ask_name(navigation(LOGIN), action=url, fields={"return_to": "/a?b=c"}, notice=self.notice)
        response = Response(page.body, page.status)
        response.raw_headers = list(page.headers)
        return response


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """Serve what a login is redirected to, at two origins, one after the other; give the URL of the first."""

    async def end(request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>provider</title><h1>The provider</h1>")

    with serve(Starlette(routes=[Route("/end", end)])) as last:

        async def on_the_way(request: Request) -> Response:
            return RedirectResponse(f"{last.url}/end", status_code=302)

        with serve(Starlette(routes=[Route("/on/the/way", on_the_way)])) as first:
            yield f"{first.url}/on/the/way"


@contextlib.contextmanager
def choosing_site() -> Iterator[Site]:
    """Serve a site at localhost; its provider is at 127.0.0.1, another site."""
    port = free_port()
    with provider() as url:
        made = Site(f"http://localhost:{port}", url)
        with serve(Starlette(routes=[Route(LOGIN, made.login)]), port=port):
            yield made


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, for one test."""
    with choosing_site() as made:
        yield made


@contextlib.contextmanager
def opened(chromium: Chromium, site: Site, **options: object) -> Iterator[Page]:
    """Open the page of a site; what the browser complains about fails the test."""
    with watched(chromium, **options) as context:
        page = context.new_page()
        page.goto(site.origin + LOGIN)
        yield page


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_link_leads_to_the_provider(chromium, site, has_scripts):
    """Its name says all there is to know, and it works without scripts."""
    site.last_used = "github"
    with opened(chromium, site, java_script_enabled=has_scripts) as page:
        page.get_by_role("link", name="Continue with GitHub Last used", exact=True).click()
        expect(page.locator("h1")).to_have_text("The provider")

    assert site.chosen == [{"provider": "github"}]


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_name_leads_to_the_provider(chromium, site, has_scripts):
    """Our content security policy stops none of the redirects after the form."""
    site.is_listed = False
    with opened(chromium, site, java_script_enabled=has_scripts) as page:
        page.get_by_label("Name of your organization").fill("acme-1")
        press(page, "Continue")
        expect(page.locator("h1")).to_have_text("The provider")

    assert site.chosen == [{"return_to": "/a?b=c", "provider": "acme-1"}]


@pytest.mark.parametrize(("name", "is_valid"), [("a-b_c", True), ("Acme", False), ("a b", False), ("-a", False)])
def test_the_browser_checks_a_name_before_it_is_sent(chromium, site, name, is_valid):
    """It reads the pattern more strictly than others do, and ignores one that it cannot read."""
    site.is_listed = False
    with opened(chromium, site) as page:
        page.get_by_label("Name of your organization").fill(name)

        assert page.evaluate("document.forms[0].checkValidity()") is is_valid


def test_the_field_has_the_focus_and_says_why_a_name_was_not_accepted(chromium, site):
    """A screen reader begins there; the heading would not say it."""
    site.is_listed, site.notice = False, "provider_name.unknown"
    with opened(chromium, site) as page:
        field = page.get_by_label("Name of your organization")

        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(
            "There is no organization with this name here. Check the spelling, or ask your organization which name to "
            "use. Lowercase letters, digits, hyphens and underscores, such as example-corp."
        )


def test_the_keyboard_goes_from_the_one_used_last_to_the_others(chromium, site):
    """In the order that is seen; Enter chooses."""
    site.last_used = "work"
    with opened(chromium, site) as page:
        for name in ("Continue with Contoso Last used", "Continue with Google", "Continue with GitHub"):
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("The provider")

    assert site.chosen == [{"provider": "github"}]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("titles", [{"a": LONG, "b": "\u05e9\u05dc\u05d5\u05dd"}, dict.fromkeys(TENANTS, LONG)])
def test_the_page_fits_a_phone(chromium, site, direction, titles):
    """Nothing is cut off or needs scrolling sideways, from left to right and from right to left."""
    site.titles, site.texts, site.last_used = titles, {"dir": direction}, next(iter(titles))
    site.notice = "choose_provider.unknown"
    with opened(chromium, site, viewport=PHONE) as page:
        boxes = [box for box in (link.bounding_box() for link in page.get_by_role("link").all()) if box]

        assert len(boxes) >= len(titles)
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_in_a_long_list_a_letter_leads_to_its_titles(chromium, site):
    """300 names are twenty screens of a phone."""
    site.titles = TENANTS
    with opened(chromium, site, viewport=PHONE, java_script_enabled=False) as page:
        page.get_by_role("navigation", name="Go to a letter").get_by_role("link", name="T", exact=True).click()
        expect(page.get_by_role("heading", name="T", exact=True)).to_be_in_viewport()
        page.get_by_role("link", name="T 19", exact=True).click()
        expect(page.locator("h1")).to_have_text("The provider")

    assert site.chosen == [{"provider": "t19"}]


def test_a_notice_is_announced(chromium, site):
    """Before the providers, with a role that screen readers know."""
    site.notice = "choose_provider.unknown"
    with opened(chromium, site) as page:
        expect(page.get_by_role("alert")).to_contain_text("Choose another one.")


def test_logins_at_two_providers_by_the_page(chromium, provider, https_provider, certificate: Certificate, monkeypatch):
    """From the page that was asked for to the choice, the provider and back; the next time, that provider is first."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    port, real = free_port(), {"one": provider, "two": https_provider}
    origin, providers = f"http://localhost:{port}", {}
    for name, each in real.items():
        each.register(client(origin, redirect_uris=[f"{origin}/auth/callback/{name}"]), claims_in_id_token=True)
        providers[name] = Provider(issuer=each.issuer, client_id="web", client_secret=CLIENT_SECRET)

    with (
        serve(protected_app(providers=providers, base_url=f"{origin}/", secret=SECRET), port=port),
        watched(chromium) as context,
    ):
        page = context.new_page()
        page.goto(f"{origin}/private?a=b")
        for link, others in (("Continue with Two", "Continue with One"), ("Continue with One", "Two Last used")):
            expect(page.get_by_role("link", name=others)).to_be_visible()
            page.get_by_role("link", name=link, exact=True).click()
            pick(page, "Alice Adams")
            expect(page).to_have_url(f"{origin}/private?a=b")
            expect(page.locator("#who")).to_have_text("Alice Adams")
            press(page, "Sign out")
            press(page, "Yes, sign me out")
            expect(page).to_have_url(f"{origin}/")
            page.goto(f"{origin}/private?a=b")

        first = page.get_by_role("link", name="Continue with").first
        expect(first).to_have_accessible_name("Continue with One Last used")
