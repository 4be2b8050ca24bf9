"""What a page shows, as plain values: what the setting `pages` gets, so that an app can write the HTML itself.

All texts are plain text, and some are chosen by others, such as the name of a user: a template has to escape them.
Jinja2 does so with `autoescape`, Django by default. Only values of the type `SafeHTML` are HTML, and are put in as they
are. All URLs are absolute and of this site, except the `action` of the form of the page `sign_out_at_provider`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple


class SafeHTML(str):
    """HTML that is safe to insert as it is; the autoescaping of Jinja2 and Django leaves it unchanged."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the HTML, for template engines."""
        return str(self)


EMPTY = SafeHTML()


class Action(NamedTuple):
    """A link that looks like a button.

    Attributes:
        label: plain text.
        href: absolute URL. Give the link the `target` of the page.
        is_primary: whether it is the recommended next step; at most one action or button of a page is.
        id: the id that the element must have, because the page's script looks for it; empty if there is none.
    """

    label: str
    href: str
    is_primary: bool = False
    id: str = ""


class HiddenField(NamedTuple):
    """A field of a form that nobody sees."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"HiddenField({self.name!r}, ...)"  # the value may be a secret


class Button(NamedTuple):
    """What sends a form.

    Attributes:
        name, value: what the button adds to the form; empty if it adds nothing.
    """

    label: str
    is_primary: bool = False
    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of a page, with all that it must contain.

    Attributes:
        action: absolute URL.
        method: `post` or `get`.
        fields: hidden fields; the form does not work without them.
        id: the id that the element must have, because the page's script submits it; empty if there is none.
        in_top_window: whether the form needs `target="_top"`.
    """

    action: str
    button: Button
    method: str = "post"
    fields: tuple[HiddenField, ...] = ()
    id: str = ""
    in_top_window: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Page:
    """A page of the middleware.

    Attributes:
        kind: stable id of the page, such as `sign_in`, `forbidden` or `login_expired`.
        status: HTTP status of the response.
        title, text: plain text, in the language of the page.
        actions: links, in order of importance.
        forms: in order of importance.
        reference: what to search the log for; None if nothing was logged.
        reference_text: the reference with its label; empty without one.
        language: language tag (RFC 5646) of the texts, for the attribute `lang`.
        direction: `ltr` or `rtl`, for the attribute `dir`.
        app_name, app_logo: the settings of these names.
        target: the `target` of links: `_top`, because a page may be shown in a frame of this site that is too small for
            a login, or `_self` in a frame of another site (`embedded_in`).
        path: the path that the browser requested. Whoever made the link chose it: do not show it.
        is_fragment: whether htmx or Turbo inserts the response into a page that is already there, so that it must not
            be a whole document.
        frame_id: the id of the `<turbo-frame>` that Turbo looks for; None if it looks for none.
        content: all of this as our own page shows it, without the heading: for a template that only adds a frame.
        style: the stylesheet of our own page, for a `<style>` element.
        script: what must be in a `<script>` element at the end of the page, unchanged; empty if the page needs none.
            The content security policy allows this script and no other.
    """

    kind: str
    status: int
    title: str
    text: str
    actions: tuple[Action, ...] = ()
    forms: tuple[Form, ...] = ()
    reference: str | None = None
    reference_text: str = ""
    language: str = "en"
    direction: str = "ltr"
    app_name: str | None = None
    app_logo: str | None = None
    target: str = "_top"
    path: str = ""
    is_fragment: bool = False
    frame_id: str | None = None
    content: SafeHTML = EMPTY
    style: SafeHTML = EMPTY
    script: SafeHTML = EMPTY

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kind={self.kind!r}, status={self.status})"  # fields of forms are secret


class ProviderWay(NamedTuple):
    """A provider that the user can choose.

    Attributes:
        name: as in the settings.
        title: what people call it, such as "Google".
        label: of the link, such as "Continue with Google".
        href: absolute URL of ours that starts a login there.
        logo: our own drawing, or the initials; `style` has its looks.
        is_last_used: whether this browser last signed in there; that way comes first.
    """

    name: str
    title: str
    label: str
    href: str
    logo: SafeHTML
    is_last_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChooseProviderPage(Page):
    """The page `choose_provider`: the user chooses how to sign in.

    Attributes:
        ways: at least one, in the order in which they are shown.
        last_used_label: what marks the way that was used last.
        notice: says that the requested provider does not exist; None if it was not about that.
    """

    ways: tuple[ProviderWay, ...]
    last_used_label: str
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProviderNamePage(Page):
    """The page `provider_name`: the user types the name of an organization, because the providers cannot be listed.

    Its form needs an `<input>` with these attributes.

    Attributes:
        label, hint: of the input.
        input_name: its `name`.
        pattern: its `pattern`.
        max_length: its `maxlength`.
        notice: says that the last name was not accepted; None for the first attempt.
    """

    label: str
    hint: str
    input_name: str
    pattern: str
    max_length: int
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ForbiddenPage(Page):
    """The page `forbidden`: the signed-in user has no access.

    Attributes:
        user_name, user_email: of the user, as the provider states them; shortened.
        requirement: what the user lacks, in the words of the log, such as `/admin/* needs claims roles`.
    """

    user_name: str
    user_email: str | None
    requirement: str


class FormEntry(NamedTuple):
    """What the user entered in one field of a form.

    Attributes:
        value: shortened; a text such as "(hidden)" for a password.
        is_value: whether `value` is what was entered.
    """

    name: str
    value: str
    is_value: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FormOfferPage(Page):
    """The page `form_offer`: asks after a login whether a form is to be sent; the first form sends it.

    Show `destination` and `entries`: a form that another site made must not be sent blindly.

    Attributes:
        destination: path that it is sent to, shortened.
        destination_label: its label.
        entries: what was entered.
    """

    destination: str
    destination_label: str
    entries: tuple[FormEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FailurePage(Page):
    """A request or a login has failed; `kind` says how it is explained to the user.

    Attributes:
        code: of the error, as in the log.
    """

    code: str


RenderPages = Callable[[Page], str | Awaitable[str | None] | None]
"""Returns the HTML of a page, or None for our own page."""
