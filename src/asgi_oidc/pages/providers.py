"""The pages where a user chooses a provider, and the same choice for a program."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from asgi_oidc.pages.layout import PAGE_CSP, Layout, hidden_field
from asgi_oidc.pages.logos import logo_html
from asgi_oidc.pages.untrusted import shorten
from asgi_oidc.web.response import Response

MAX_BUTTONS = 8  # providers that are shown as large buttons; more are a compact list, by title
MAX_UNGROUPED = 30  # providers in a compact list; more are grouped by their first letter
MAX_IN_JSON = 50  # providers in a 401; every program gets it with each request, and few show as many
OTHER_LETTERS = "#"  # heading of titles that begin with a digit or sign
MAX_NAME_LENGTH = 64  # characters of a provider's name in a URL
# Browsers read it with the flag `v`, which requires the last `-` to be escaped (HTML, "The pattern attribute").
NAME_PATTERN = rf"[a-z0-9][a-z0-9_\-]{{0,{MAX_NAME_LENGTH - 1}}}"
CHOICE_CSP = f"{PAGE_CSP}; form-action 'none'"


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

    def choose(self, choices: Sequence[Choice], *, last_used: str | None, notice: str | None = None) -> Response:
        """Show the providers as links.

        Args:
            choices: at least one; up to `MAX_BUTTONS` keep their order, more are sorted by title.
            last_used: name of the provider that this browser last signed in with; it comes first.
            notice: id of a text above them, which says that the requested one does not exist.
        """
        last = [choice for choice in choices if choice.name == last_used]
        others = [choice for choice in choices if choice.name != last_used]
        if len(choices) <= MAX_BUTTONS:
            lists = self._buttons([*last, *others], last_used)
        else:
            lists = (self._buttons(last, last_used) if last else "") + self._many(sorted(others, key=_sort_key))
        text = self.layout.texts.html("choose_provider.text")
        return self._page(f"{self._notice(notice)}<p>{text}</p>{lists}", csp=CHOICE_CSP, status=_status(notice))

    def ask_name(self, *, action: str, fields: Mapping[str, str], notice: str | None = None) -> Response:
        """Ask for the name of a provider where they cannot be listed.

        The policy of this page does not restrict forms: Chromium also checks the redirects after a form against
        `form-action`, and this one is redirected to a provider that is not known yet.

        Args:
            action: absolute URL of ours that starts a login; without a query, which browsers replace.
            fields: what it gets besides the field `provider`.
            notice: id of a text that says why the last name was not accepted.
        """
        texts = self.layout.texts
        described = "aria-describedby=hint" if notice is None else 'aria-invalid=true aria-describedby="notice hint"'
        content = (
            f'{self._notice(notice)}<form class=question action="{escape(action)}">'
            f"{''.join(hidden_field(name, value) for name, value in fields.items())}"
            f"<label for=provider>{texts.html('provider_name.label')}</label>"
            f"<input id=provider name=provider required autofocus {described} "
            f'maxlength={MAX_NAME_LENGTH} pattern="{NAME_PATTERN}" title="{texts.html("provider_name.hint")}" '
            "autocomplete=organization autocapitalize=none autocorrect=off spellcheck=false inputmode=url dir=ltr>"
            f"<p class=hint id=hint>{texts.html('provider_name.hint')}</p>"
            f"<div class=actions><button class=first>{texts.html('action.continue')}</button></div></form>"
        )
        return self._page(content, csp=PAGE_CSP, status=_status(notice))

    def _buttons(self, choices: Sequence[Choice], last_used: str | None) -> str:
        return _list("choices", (self._button(choice, is_last_used=choice.name == last_used) for choice in choices))

    def _button(self, choice: Choice, *, is_last_used: bool) -> str:
        texts = self.layout.texts
        label = texts.html("choose_provider.continue", provider=_title(choice))
        badge = f" <span class=badge>{texts.html('choose_provider.last_used')}</span>"
        return _link(choice, label, badge if is_last_used else "")

    def _many(self, choices: Sequence[Choice]) -> str:
        """Write a compact list, or one for each first letter below links to those."""
        if len(choices) <= MAX_UNGROUPED:
            return _compact_list(choices)
        groups = [(letter, list(group)) for letter, group in groupby(choices, key=_first_letter)]
        index = "".join(f"<a href=#group{number}>{escape(letter)}</a>" for number, (letter, _) in enumerate(groups))
        label = self.layout.texts.html("choose_provider.index")
        lists = "".join(
            f"<h2 id=group{number}>{escape(letter)}</h2>{_compact_list(group)}"
            for number, (letter, group) in enumerate(groups)
        )
        return f'<nav class=index aria-label="{label}">{index}</nav><div class=groups>{lists}</div>'

    def _notice(self, notice: str | None) -> str:
        return "" if notice is None else f"<p class=notice id=notice role=alert>{self.layout.texts.html(notice)}</p>"

    def _page(self, content: str, *, csp: str, status: int) -> Response:
        texts, app = self.layout.texts, self.layout.app_name
        title = texts.plain("choose_provider.title") if app is None else texts.plain("sign_in.title_with_app", app=app)
        return self.layout.page(title, content, status=status, csp=csp)


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
