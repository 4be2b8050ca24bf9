"""Renders every page there is, and reads it as a browser does."""

from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.languages import Translations
from asgi_oidc.pages.layout import Layout
from asgi_oidc.pages.pages import Pages, make_pages
from asgi_oidc.pages.providers import Choice
from asgi_oidc.pages.translation import IN_ENGLISH, Texts
from asgi_oidc.web.paths import read_path
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

ORIGIN = "https://app.example.com"
HOME = f"{ORIGIN}/"
LOGIN = f"{ORIGIN}/auth/login"


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags, attributes and texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def navigation(path: str = "/page", **headers: str) -> Request:
    """Make the request of a browser that opens a page."""
    named = {"accept": "text/html", **headers}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": pairs}
    return Request(scope, path=read_path(scope, base_path=""))


def pages(texts: Texts = IN_ENGLISH, *, app: str | None = None, home: str = HOME) -> Pages:
    """Make the pages of an app."""
    return make_pages(Translations(texts), app_name=app, home=home)


def failures(texts: Texts = IN_ENGLISH, *, app: str | None = None, home: str = HOME, login: str = LOGIN) -> Failures:
    """Make what answers failed requests of an app."""
    return Failures(
        Layout(Translations(texts), app),
        ORIGIN,
        home,
        login_url=lambda return_to: login,
        another_account_url=lambda return_to: login,
        delete_login_count=lambda cookies: [b"count=gone"],
    )


def failure_page(error: OIDCError | None = None, **options: Any) -> bytes:
    """Render the page of a failure."""
    return failures(**options).response(navigation(), error or RequestRejected("x")).body


def every_page(
    texts: Texts = IN_ENGLISH, *, app: str | None = None, user: str = "Ana", url: str = HOME
) -> Mapping[str, bytes]:
    """Render every page but those of the failures."""
    shown = every_response(pages(texts, app=app, home=url), user=user, url=url)
    return {name: response.body for name, response in shown.items()}


def every_response(made: Pages, *, user: str = "Ana", url: str = HOME) -> Mapping[str, Response]:
    """Make the response with every page but those of the failures."""
    request = navigation()
    stopped: dict[str, Any] = {"back": url}
    show: Mapping[str, Callable[[], Response]] = {
        "sign_in": lambda: made.sign_in.required(request, login=url, is_step_up=False),
        "sign_in_step_up": lambda: made.sign_in.required(request, login=url, is_step_up=True),
        "sign_in_window": lambda: made.sign_in.in_window(request, url),
        "sign_in_window_done": lambda: made.sign_in.window_done(request, home=url),
        "keeping_fragment": lambda: made.sign_in.keeping_fragment(request, login=url),
        "choose_provider": lambda: made.providers.choose(
            request,
            [Choice(user, user, url), Choice("drawn", user, url, "key")],
            last_used="drawn",
            notice="choose_provider.unknown",
        ),
        "choose_among_many": lambda: made.providers.choose(request, [Choice(user, user, url)] * 40, last_used=None),
        "ask_provider_name": lambda: made.providers.ask_name(request, action=url, fields={user: user}),
        "ask_provider_name_again": lambda: made.providers.ask_name(
            request, action=url, fields={}, notice="provider_name.unknown"
        ),
        "forbidden": lambda: made.denied.forbidden(
            request, name=user, email=user + "@", another_account=url, reference=user, requirement=user
        ),
        "form_not_sent": lambda: made.forms.not_sent(request, login=url, is_step_up=False, **stopped),
        "form_not_sent_step_up": lambda: made.forms.not_sent(request, login=url, is_step_up=True, back=None),
        "form_kept": lambda: made.forms.kept(request, action=url, sealed=user, is_step_up=False, **stopped),
        "form_kept_step_up": lambda: made.forms.kept(request, action=url, sealed=user, is_step_up=True, back=None),
        "form_lost": lambda: made.forms.lost(request, back=url),
        "form_not_found": lambda: made.forms.not_found(request, back=url),
        "form_of_other_user": lambda: made.forms.of_other_user(request, name=user, back=url),
        "form_offer": lambda: made.forms.offer(
            request,
            name=user,
            origin="",
            target="/orders?a=b",
            pairs=[(user, user), ("password", user), ("empty", "")],
            discard=url,
        ),
        "sign_out": lambda: made.sign_out.confirm(request, action=url),
        "sign_out_at_provider": lambda: made.sign_out.at_provider(
            request, action=url, fields={user: user}, provider="https://id.example.com", back=HOME
        ),
        "signed_out": lambda: made.sign_out.signed_out(request, login=url, is_everywhere=True),
        "signed_out_here_only": lambda: made.sign_out.signed_out(request, login=url, is_everywhere=False),
        "in_frame": lambda: made.sign_out.in_frame(request, provider="https://id.example.com"),
    }
    return {name: shown() for name, shown in show.items()}
