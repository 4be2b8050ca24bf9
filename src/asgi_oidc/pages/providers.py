"""The pages where a user chooses a provider, and the same choice for a program."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from asgi_oidc.pages.layout import Layout, hidden_field
from asgi_oidc.pages.logos import logo_html
from asgi_oidc.pages.page import Button, ChooseProviderPage, Form, HiddenField, ProviderNamePage, ProviderWay, SafeHTML
from asgi_oidc.pages.translation import Texts
from asgi_oidc.pages.untrusted import shorten
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

MAX_BUTTONS = 8  # providers that are shown as large buttons; more are a compact list, by title
MAX_UNGROUPED = 30  # providers in a compact list; more are grouped by their first letter
MAX_IN_JSON = 50  # providers in a 401; every program gets it with each request, and few show as many
OTHER_LETTERS = "#"  # heading of titles that begin with a digit or sign
MAX_NAME_LENGTH = 64  # characters of a provider's name in a URL
# Browsers read it with the flag `v`, which requires the last `-` to be escaped (HTML, "The pattern attribute").
NAME_PATTERN = rf"[a-z0-9][a-z0-9_\-]{{0,{MAX_NAME_LENGTH - 1}}}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider that a user can choose.

    Attributes:
        name: of the provider, as in a URL.
        title: what people call it, such as "Google"; may be of any length.
        url: absolute URL of ours that starts a login there.
        logo: id of one of our drawings (`DRAWINGS`); without one, its initials are shown.
    """

    name: str
    title: str
    url: str
    logo: str | None = None

    @property
    def label(self) -> str:
        """The title as it is shown: on one line, short, and never empty."""
        return shorten(self.title).strip() or self.name


def provider_members(choices: Sequence[Choice]) -> Mapping[str, object]:
    """Return the choice for a program, as members of its 401: `providers`, and how many of them are left out.

    `login_url` leads to the page that shows all.
    """
    if not choices:
        return {}
    listed = [{"name": choice.name, "title": choice.label, "login_url": choice.url} for choice in choices[:MAX_IN_JSON]]
    left_out = len(choices) - len(listed)
    return {"providers": listed, "providers_left_out": left_out} if left_out else {"providers": listed}


@dataclass(frozen=True, slots=True)
class ProviderPages:
    """The pages where a user chooses a provider."""

    layout: Layout

    def choose(
        self, request: Request, choices: Sequence[Choice], *, last_used: str | None, notice: str | None = None
    ) -> Response:
        """Show the providers as links.

        Args:
            choices: at least one; up to `MAX_BUTTONS` keep their order, more are sorted by title.
            last_used: name of the provider that this browser last signed in with; it comes first.
            notice: id of a text above them, which says that the requested one does not exist.
        """
        texts = self.layout.texts_for(request)
        last = [choice for choice in choices if choice.name == last_used]
        others = [choice for choice in choices if choice.name != last_used]
        if len(choices) <= MAX_BUTTONS:
            lists = _buttons(texts, [*last, *others], last_used)
        else:
            others.sort(key=_sort_key)
            lists = (_buttons(texts, last, last_used) if last else "") + _many(texts, others)
        page = ChooseProviderPage(
            kind="choose_provider",
            status=_status(notice),
            title=self._title(texts),
            text=texts.plain("choose_provider.text"),
            ways=tuple(_way(texts, choice, last_used) for choice in (*last, *others)),
            last_used_label=texts.plain("choose_provider.last_used"),
            notice=None if notice is None else texts.plain(notice),
        )
        content = f"{_notice(texts, notice)}<p>{texts.html('choose_provider.text')}</p>{lists}"
        return self.layout.respond(request, page, content, further_csp="form-action 'none'")

    def ask_name(
        self, request: Request, *, action: str, fields: Mapping[str, str], notice: str | None = None
    ) -> Response:
        """Ask for the name of a provider where they cannot be listed.

        The policy of this page does not restrict forms: Chromium also checks the redirects after a form against
        `form-action`, and this one is redirected to a provider that is not known yet.

        Args:
            action: absolute URL of ours that starts a login; without a query, which browsers replace.
            fields: what it gets besides the field `provider`.
            notice: id of a text that says why the last name was not accepted.
        """
        texts = self.layout.texts_for(request)
        form = Form(
            action=action,
            button=Button(texts.plain("action.continue"), is_primary=True),
            method="get",
            fields=tuple(HiddenField(name, value) for name, value in fields.items()),
        )
        page = ProviderNamePage(
            kind="provider_name",
            status=_status(notice),
            title=self._title(texts),
            text="",
            forms=(form,),
            label=texts.plain("provider_name.label"),
            hint=texts.plain("provider_name.hint"),
            input_name="provider",
            pattern=NAME_PATTERN,
            max_length=MAX_NAME_LENGTH,
            notice=None if notice is None else texts.plain(notice),
        )
        described = "aria-describedby=hint" if notice is None else 'aria-invalid=true aria-describedby="notice hint"'
        content = (
            f'{_notice(texts, notice)}<form class=question action="{escape(action)}">'
            f"{''.join(map(hidden_field, form.fields))}"
            f"<label for=provider>{texts.html('provider_name.label')}</label>"
            f"<input id=provider name=provider required autofocus {described} "
            f'maxlength={MAX_NAME_LENGTH} pattern="{NAME_PATTERN}" title="{texts.html("provider_name.hint")}" '
            "autocomplete=organization autocapitalize=none autocorrect=off spellcheck=false inputmode=url dir=ltr>"
            f"<p class=hint id=hint>{texts.html('provider_name.hint')}</p>"
            f"<div class=actions><button class=first>{texts.html('action.continue')}</button></div></form>"
        )
        return self.layout.respond(request, page, content)

    def _title(self, texts: Texts) -> str:
        app = self.layout.app_name
        return texts.plain("choose_provider.title") if app is None else texts.plain("sign_in.title_with_app", app=app)


def _way(texts: Texts, choice: Choice, last_used: str | None) -> ProviderWay:
    return ProviderWay(
        name=choice.name,
        title=choice.label,
        label=texts.plain("choose_provider.continue", provider=choice.label),
        href=choice.url,
        logo=SafeHTML(logo_html(choice.logo, choice.label)),
        is_last_used=choice.name == last_used,
    )


def _buttons(texts: Texts, choices: Sequence[Choice], last_used: str | None) -> str:
    return _list("choices", (_button(texts, choice, is_last_used=choice.name == last_used) for choice in choices))


def _button(texts: Texts, choice: Choice, *, is_last_used: bool) -> str:
    label = texts.html("choose_provider.continue", provider=_title(choice))
    badge = f" <span class=badge>{texts.html('choose_provider.last_used')}</span>"
    return _link(choice, label, badge if is_last_used else "")


def _many(texts: Texts, choices: Sequence[Choice]) -> str:
    """Write a compact list, or one for each first letter below links to those."""
    if len(choices) <= MAX_UNGROUPED:
        return _compact_list(choices)
    groups = [(letter, list(group)) for letter, group in groupby(choices, key=_first_letter)]
    index = "".join(f"<a href=#group{number}>{escape(letter)}</a>" for number, (letter, _) in enumerate(groups))
    label = texts.html("choose_provider.index")
    lists = "".join(
        f"<h2 id=group{number}>{escape(letter)}</h2>{_compact_list(group)}"
        for number, (letter, group) in enumerate(groups)
    )
    return f'<nav class=index aria-label="{label}">{index}</nav><div class=groups>{lists}</div>'


def _notice(texts: Texts, notice: str | None) -> str:
    return "" if notice is None else f"<p class=notice id=notice role=alert>{texts.html(notice)}</p>"


def _status(notice: str | None) -> int:
    return 200 if notice is None else 404


def _list(kind: str, items: Iterable[str]) -> str:
    # Safari announces a list without bullets as a list only if it has the role.
    return f'<ul class="{kind}" role=list>{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _compact_list(choices: Iterable[Choice]) -> str:
    return _list("choices compact", (_link(choice, _title(choice)) for choice in choices))


def _link(choice: Choice, label: str, badge: str = "") -> str:
    logo = logo_html(choice.logo, choice.label)
    return f'<a href="{escape(choice.url)}">{logo}<span class=name><span>{label}</span>{badge}</span></a>'


def _title(choice: Choice) -> str:
    return f"<bdi>{escape(choice.label)}</bdi>"


def _sort_key(choice: Choice) -> tuple[bool, str, str]:
    """Sort what begins with a letter last; accents count only between titles that are the same without them."""
    accented = unicodedata.normalize("NFKD", choice.label.casefold())
    plain = "".join(letter for letter in accented if not unicodedata.combining(letter))
    return plain[:1].isalpha(), plain, accented


def _first_letter(choice: Choice) -> str:
    is_letter, plain, _ = _sort_key(choice)
    return plain[0].upper()[0] if is_letter else OTHER_LETTERS
