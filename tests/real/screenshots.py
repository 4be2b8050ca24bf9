"""Shoot every page that people see, in light and dark: `python -m tests.real.screenshots FOLDER`."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

from asgi_oidc import LoginRefused, MemoryStore, OIDCMiddleware, Rule
from asgi_oidc.pages import Page as OurPage
from asgi_oidc.testing import Client, FakeProvider, Persona, serve
from tests.real import programs
from tests.real.app import PUBLIC, bare_app
from tests.real.demo import demo
from tests.real.processes import free_port
from tests.real.rules_site import (
    ELSEWHERE,
    OVER,
    Site,
    fill_in,
    has_another_clock,
    is_as_it_should_be,
    loses_session,
    other_pages,
    pick,
    press,
    site,
)
from tests.real.test_chromium_providers import LOGIN, TENANTS, choosing_site

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
SIZES = {"wide": {"width": 1100, "height": 800}, "phone": {"width": 360, "height": 740}}
SCHEMES = ("light", "dark")
NAME = "Orders & Returns"  # of the app; the pages of `shoot_loops` are without one

GERMAN = json.loads((Path(__file__).parents[2] / "examples" / "pages" / "german.json").read_text(encoding="utf-8"))
ARABIC = {
    "lang": "ar",
    "dir": "rtl",
    "login_cookie_missing.title": "تعذر إكمال تسجيل الدخول",
    "login_cookie_missing.text": "لم يرسل متصفحك ملف تعريف الارتباط. اسمح بملفات تعريف الارتباط ثم حاول مرة أخرى.",
    "action.try_again": "حاول مرة أخرى",
    "action.home": "الصفحة الرئيسية",
    "reference": "المرجع: {reference}",
    "choose_provider.title": "تسجيل الدخول",
    "sign_in.title_with_app": "تسجيل الدخول إلى {app}",
    "choose_provider.text": "اختر طريقة تسجيل الدخول.",
    "choose_provider.continue": "المتابعة باستخدام {provider}",
    "choose_provider.last_used": "آخر استخدام",
    "choose_provider.unknown": "طريقة تسجيل الدخول هذه غير موجودة هنا. اختر طريقة أخرى.",
    "sign_out.title": "تسجيل الخروج؟",
    "sign_out.text_with_app": "هل تريد تسجيل الخروج من {app}؟",
    "action.sign_out": "تسجيل الخروج",
    "action.stay_signed_in": "البقاء",
}

# What a person meets when this goes wrong at the provider.
FAULTS = {
    "provider-down": "discovery_down",
    "cancelled": "callback_error_access_denied",
    "wrong-answer": "id_token_bad_signature",
    "code-run-out": "token_oauth_error",
    "no-state": "callback_no_state",
    "wrong-state": "callback_wrong_state",
}


async def refuse_user(user: object, claims: object) -> None:
    """Admit nobody."""
    raise LoginRefused("not on the list")


async def stumble(user: object, claims: object) -> None:
    """Be an app with a mistake."""
    raise RuntimeError("a mistake")


async def pack(user: object, claims: dict[str, object]) -> None:
    """Give a user more than cookies hold."""
    claims["photo"] = "x" * 20_000


class DownStore(MemoryStore):
    """A store whose server is gone."""

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        raise ConnectionError


PAGES = Path(__file__).parents[2] / "examples" / "pages"
LOOKS: dict[str, dict[str, Any]] = {
    "green": {"primary": "#0b6e4f", "dark": {"primary": "#57d9a3"}},
    "yellow": {"primary": "#ffd400"},  # on white, a colour that nothing can be written in
    "sand": {
        "primary": "#8c2f1b",
        "background": "#f4ecdf",
        "card": "#fffaf2",
        "text": "#2b1d14",
        "dark": {"primary": "#f0a58f", "background": "#17110c", "card": "#221a13", "text": "#f4e9dc"},
    },
}

# What goes wrong where a browser is sent to sign in again and again, and on which path.
LOOPS = {
    "without-cookie": (loses_session, "/page"),
    "with-cookie": (has_another_clock, "/page"),
    "signed-in": (is_as_it_should_be, "/never"),
}

# What a person meets when the app's own side goes wrong.
SETTINGS: dict[str, dict[str, Any]] = {
    "not-admitted": {"on_login": refuse_user},
    "mistake-of-the-app": {"on_login": stumble},
    "too-large": {"on_login": pack},
    "store-down": {"store": DownStore()},
}


def main(folder: Path) -> None:
    """Shoot them all; the names of the files say what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=programs.chromium(), args=["--no-sandbox"])
        for shots in (
            shoot_errors,
            shoot_translations,
            shoot_looks,
            shoot_own_pages,
            shoot_rules,
            shoot_frames,
            shoot_forms,
            shoot_loops,
            shoot_demo,
            shoot_providers,
        ):
            for path in shots(chromium, folder):
                print(path)
        chromium.close()


def shoot_demo(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Walk through the demo from first click to sign-out."""
    with demo() as address, new_page(chromium) as page:
        page.goto(address)
        yield from shoot(page, folder, "demo-1-home")
        page.get_by_role("link", name="Sign in", exact=True).click()
        page.get_by_role("link", name="Continue with Example ID").click()
        yield from shoot(page, folder, "demo-2-provider")
        page.get_by_role("button", name="Alice").click()
        yield from shoot(page, folder, "demo-3-signed-in")
        page.goto(address)
        yield from shoot(page, folder, "demo-4-home-signed-in")
        page.goto(f"{address}/no-such-page")
        yield from shoot(page, folder, "demo-5-no-such-page")
        page.get_by_role("button", name="Sign out").click()
        yield from shoot(page, folder, "demo-6-signed-out")
        page.goto(f"{address}/note")
        yield from shoot(page, folder, "demo-7-choice")
        page.get_by_role("link", name="Continue with Example ID").click()
        page.get_by_role("button", name="Erin").click()
        yield from shoot(page, folder, "demo-8-note")
        page.goto(f"{address}/me")
        yield from shoot(page, folder, "demo-9-many-claims")
        page.goto(f"{address}/staff")
        yield from shoot(page, folder, "demo-10-refused")


def shoot_errors(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Make each kind of failure happen and shoot its page."""
    for name, fault in FAULTS.items():
        with app_with(fault) as origin, new_page(chromium) as page:
            page.goto(f"{origin}/private")
            if page.get_by_role("button", name="Alice").is_visible():
                page.get_by_role("button", name="Alice").click()
            yield from shoot(page, folder, f"error-{name}")
    for name, settings in SETTINGS.items():
        with app_with(None, **settings) as origin, new_page(chromium) as page:
            page.goto(f"{origin}/private")
            page.get_by_role("button", name="Alice").click()
            yield from shoot(page, folder, f"error-{name}")
    with app_with("refresh_down", scope="openid offline_access") as origin, new_page(chromium) as page:
        page.goto(f"{origin}/access-token")
        page.get_by_role("button", name="Alice").click()
        yield from shoot(page, folder, "error-not-renewed")
    with app_with(None, authorization_params={"prompt": "login"}) as origin, new_page(chromium) as page:
        page.goto(f"{origin}/private")
        page.get_by_role("button", name="Alice").click()
        late = page.context.new_page()
        late.goto(f"{origin}/auth/login?return_to=/private")
        page.goto(f"{origin}/auth/logout")
        page.get_by_role("button").first.click()
        late.get_by_role("button", name="Alice").click()
        yield from shoot(late, folder, "error-signed-out-meanwhile")
    for error in ("unauthorized_client", "interaction_required"):
        with app_with(None) as origin, new_page(chromium) as page:
            page.goto(f"{origin}/private")
            state = parse_qs(urlsplit(page.url).query)["state"][0]
            page.goto(f"{origin}/auth/callback?error={error}&state={state}")
            yield from shoot(page, folder, f"error-{error}")
    with app_with(None) as origin, new_page(chromium) as page:
        page.goto(f"{origin}/auth/callback?error=x&state=y.2")
        yield from shoot(page, folder, "error-cookie-missing")
        page.goto(f"{origin}/auth/logout")
        yield from shoot(page, folder, "sign-out-asked-for")
    yield from shoot_signed_out(chromium, folder)


def shoot_signed_out(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Sign out where every page is protected, with the provider and without it; and the frame that nobody sees."""
    for name, lacks in (("signed-out", ()), ("signed-out-here-only", ("end_session_endpoint",))):
        with app_with(None, lacks=lacks, public=()) as origin, new_page(chromium) as page:
            page.goto(f"{origin}/private")
            page.get_by_role("button", name="Alice").click()
            page.get_by_role("button", name="Sign out").click()
            yield from shoot(page, folder, name)
    with app_with(None, frontchannel_logout=True) as origin, new_page(chromium) as page:
        page.goto(f"{origin}/auth/frontchannel-logout")
        yield from shoot(page, folder, "frame-of-the-provider")


def shoot_translations(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Show pages in another language, and from right to left."""
    for name, texts in (("german", GERMAN), ("right-to-left", ARABIC)):
        with app_with(None, texts=texts) as origin, new_page(chromium) as page:
            page.goto(f"{origin}/auth/callback?error=x&state=y.2")
            yield from shoot(page, folder, f"{name}-failure")
            page.goto(f"{origin}/auth/logout")
            yield from shoot(page, folder, f"{name}-sign-out")


def shoot_looks(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Show the logo and the colours of apps, in the language of the browser."""
    for name, colors in LOOKS.items():
        look: dict[str, Any] = {"app_logo": "/logo.svg", "app_colors": colors, "texts": {"de": GERMAN}}
        look["public"] = [*PUBLIC, "/logo.svg"]
        with (
            app_with(None, **look) as origin,
            new_page(chromium, locale="de-CH") as page,
        ):
            page.route("**/logo.svg", lambda route: route.fulfill(path=PAGES / "static" / "logo.svg"))
            page.goto(f"{origin}/auth/callback?error=x&state=y.2")
            yield from shoot(page, folder, f"look-{name}-failure")
            page.goto(f"{origin}/auth/logout")
            page.keyboard.press("Tab")
            yield from shoot(page, folder, f"look-{name}-sign-out-focused")
    with choosing_site() as made, new_page(chromium) as page:
        made.titles, made.colors, made.last_used = {"google": "Google", "work": "Contoso"}, LOOKS["green"], "work"
        page.goto(made.origin + LOGIN)
        yield from shoot(page, folder, "look-green-provider")
        made.titles = TENANTS
        page.goto(made.origin + LOGIN)
        yield from shoot(page, folder, "look-green-many-providers")


def shoot_own_pages(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Show the templates of the guide to pages."""
    templates = Environment(loader=FileSystemLoader(PAGES / "templates"), autoescape=True)

    def render(page: OurPage) -> str:
        return templates.get_template("sign_in_pages.html").render(page=page)

    with app_with(None, pages=render) as origin, new_page(chromium) as page:
        page.route("**/site.css", lambda route: route.fulfill(path=PAGES / "static" / "site.css"))
        page.goto(f"{origin}/auth/callback?error=x&state=y.2")
        yield from shoot(page, folder, "own-failure")
        page.goto(f"{origin}/auth/logout")
        yield from shoot(page, folder, "own-sign-out")
    with site(pages=render, keep_forms=True) as made, new_page(chromium) as page:
        page.route("**/site.css", lambda route: route.fulfill(path=PAGES / "static" / "site.css"))
        send_too_late(made, page)
        yield from shoot(page, folder, "own-form-stopped")
        press(page, "Sign in")
        yield from shoot(page, folder, "own-form-offered")


def shoot_rules(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Be turned away by a rule: without the right, without the login that is needed, from another site."""
    rules = [Rule("/admin", claims={"roles": "admin"}), Rule("/vault", acr_values=["urn:example:mfa"])]
    with site(rules=rules, app_name=NAME) as made, new_page(chromium) as page:
        page.goto(f"{made.origin}/admin")
        pick(page, "Bob")
        yield from shoot(page, folder, "rule-forbidden")
        with made.provider.fault("id_token_wrong_acr"):
            page.goto(f"{made.origin}/vault")
            yield from shoot(page, folder, "rule-step-up-not-done")
        with other_pages() as port:
            page.goto(f"http://localhost:{port}{ELSEWHERE}?action={made.origin}/page")
            press(page, "Win")
            yield from shoot(page, folder, "rule-foreign-origin")
    with site(rules=rules) as made, new_page(chromium) as page:
        long = "Wolfeschlegelsteinhausenbergerdorff" * 4
        made.provider.personas = {"long": Persona("long", long, f"{long.lower()}@example.com")}
        page.goto(f"{made.origin}/admin")
        pick(page, "Wolfe")
        yield from shoot(page, folder, "rule-forbidden-long-name")
    with site(keep_fragment=True) as made, new_page(chromium, java_script_enabled=False) as page:
        page.goto(f"{made.origin}/inbox#section")
        yield from shoot(page, folder, "rule-fragment-without-script")


def shoot_frames(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Show a frame in a page of the app, when nobody is signed in."""
    with site(public=["/board"], app_name=NAME) as made, new_page(chromium) as page:
        made.app.extra = '<iframe src="/part" style="width:100%;height:22rem;border:1px solid gray"></iframe>'
        page.goto(f"{made.origin}/board")
        page.frame_locator("iframe").get_by_role("link", name="Sign in").wait_for()
        yield from shoot(page, folder, "frame-sign-in")
        page.evaluate("document.querySelector('iframe').src = '/auth/callback?error=x&state=y.2'")
        page.frame_locator("iframe").get_by_text("Reference").wait_for()
        yield from shoot(page, folder, "frame-failure")


def shoot_forms(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Send a form too late: told or kept, and what is said after the login, also to somebody else."""
    with site(app_name=NAME) as made, new_page(chromium) as page:
        send_too_late(made, page)
        yield from shoot(page, folder, "form-1-stopped")
        page.get_by_role("link", name="Sign in").click()
        yield from shoot(page, folder, "form-2-lost")
    with site(keep_forms=True) as made, new_page(chromium) as page:
        send_too_late(made, page)
        yield from shoot(page, folder, "form-1-stopped-and-kept")
        press(page, "Sign in")
        yield from shoot(page, folder, "form-2-again")
    with site(keep_forms=True) as made, new_page(chromium) as page:
        send_too_late(made, page)
        page.context.clear_cookies(domain="127.0.0.1")  # the provider forgets her
        press(page, "Sign in")
        pick(page, "Bob")
        yield from shoot(page, folder, "form-2-of-somebody-else")
    with site(keep_forms=True, rules=[Rule("/save", max_age=0)]) as made, new_page(chromium) as page:
        send_too_late(made, page, by=60)
        yield from shoot(page, folder, "form-1-needs-more")


def send_too_late(made: Site, page: Page, *, by: int = OVER) -> None:
    """Fill in a form, and send it when the session, or the login, is too old."""
    page.goto(f"{made.origin}/edit")
    pick(page, "Alice")
    fill_in(page)
    made.clock.advance(by)
    press(page, "Save")


def shoot_loops(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Be sent to sign in again and again."""
    for name, (around, path) in LOOPS.items():
        with site(around, public=()) as made, new_page(chromium) as page:
            page.goto(made.origin + path)
            pick(page, "Alice")
            yield from shoot(page, folder, f"loop-{name}")


def shoot_providers(chromium: Chromium, folder: Path) -> Iterator[Path]:
    """Choose a provider: among a few, among many, and by its name."""
    few, some = {"google": "Google", "github": "GitHub", "work": "Contoso"}, dict(list(TENANTS.items())[:12])
    with choosing_site() as made, new_page(chromium) as page:
        for name, titles in {"few": few, "some": some, "many": TENANTS}.items():
            made.titles, made.last_used = titles, list(titles)[1]
            page.goto(made.origin + LOGIN)
            yield from shoot(page, folder, f"provider-{name}")
        for name, texts in {"german": GERMAN, "right-to-left": ARABIC}.items():
            made.titles, made.texts, made.notice = few, texts, "choose_provider.unknown"
            page.goto(made.origin + LOGIN)
            yield from shoot(page, folder, f"provider-{name}")
        made.texts, made.is_listed, made.notice = {}, False, "provider_name.unknown"
        page.goto(made.origin + LOGIN)
        yield from shoot(page, folder, "provider-name")


@contextlib.contextmanager
def app_with(fault: str | None, *, lacks: Sequence[str] = (), **settings: Any) -> Iterator[str]:
    """Serve an app and a fake provider that has this fault, and lacks these in its metadata; give the app's origin."""
    provider = FakeProvider(clients=[Client("web", "web-secret")])
    provider.access_token_lifetime = 0  # so that a page that wants a token needs a new one
    port = free_port()
    origin = f"http://localhost:{port}"
    with serve(provider) as running:
        provider.issuer = running.url
        provider.faults |= {fault} if fault else set()
        for member in lacks:
            del provider.metadata[member]
        app = bare_app()
        app.add_middleware(
            OIDCMiddleware,
            issuer=provider.issuer,
            client_id="web",
            client_secret="web-secret",
            base_url=f"{origin}/",
            secret=SECRET,
            **{"public": PUBLIC, "app_name": NAME, **settings},
        )
        with serve(app, port=port):
            yield origin


@contextlib.contextmanager
def new_page(chromium: Chromium, **options: Any) -> Iterator[Page]:
    """Open a browser without a past."""
    context = chromium.new_context(**options)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def shoot(page: Page, folder: Path, name: str) -> Iterator[Path]:
    """Shoot what the page shows, in each scheme and size."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size, viewport in SIZES.items():
            page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
            path = folder / f"{name}-{size}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
            yield path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
