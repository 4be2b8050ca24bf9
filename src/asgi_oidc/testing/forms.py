"""Reads the forms, links and frames of a page, as far as a login needs them."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

SUBMITS_ITSELF = re.compile(r"\.submit\(\s*\)")


@dataclass
class Button:
    """A submit button; `text` is its label."""

    name: str
    value: str
    text: str = ""

    def answers_to(self, wanted: str) -> bool:
        """Whether `wanted` names this button, by its text, name or value."""
        return wanted in (self.name, self.value) or wanted.casefold() in self.text.casefold()


@dataclass
class Form:
    """One form with the values that its fields have."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)

    def button(self, wanted: str | None) -> Button | None:
        """Find a button; an exact name, value or text takes precedence over a part of the text."""
        if wanted is None:
            return self.buttons[0] if self.buttons else None
        exact = (button for button in self.buttons if wanted in (button.value, button.name, button.text.strip()))
        return next(exact, next((button for button in self.buttons if button.answers_to(wanted)), None))

    def data(self, button: Button | None, changes: dict[str, str]) -> list[tuple[str, str]]:
        """Return what the form sends: its fields with the changes, and the button."""
        sent = [(name, changes.get(name, value)) for name, value in self.fields]
        known = {name for name, _ in self.fields}
        sent += [(name, value) for name, value in changes.items() if name not in known]
        return [*sent, (button.name, button.value)] if button and button.name else sent


class Page(HTMLParser):
    """The forms, links and frames of a page, and whether a script submits its form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        """(href, text)"""
        self.frames: list[str] = []
        """The URLs that the iframes load."""
        self.submits_itself = False
        self._form: Form | None = None
        self._button: Button | None = None
        self._link: str | None = None
        self._text = ""
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record forms, their fields, links, frames and scripts."""
        attributes = {name: value or "" for name, value in attrs}
        if SUBMITS_ITSELF.search(attributes.get("onload", "")):
            self.submits_itself = True
        match tag:
            case "form":
                method = attributes.get("method", "get").upper()
                self._form = Form(attributes.get("action", ""), method)
                self.forms.append(self._form)
            case "input":
                self._add_input(attributes)
            case "button" if self._form is not None and attributes.get("type", "submit") == "submit":
                self._button = Button(attributes.get("name", ""), attributes.get("value", ""))
                self._form.buttons.append(self._button)
            case "a" if "href" in attributes:
                self._link, self._text = attributes["href"], ""
            case "iframe" if "src" in attributes:
                self.frames.append(attributes["src"])
            case "script":
                self._in_script = True

    def handle_endtag(self, tag: str) -> None:
        """Close the current form, button, link or script."""
        match tag:
            case "form":
                self._form = None
            case "button":
                self._button = None
            case "a" if self._link is not None:
                self.links.append((self._link, self._text.strip()))
                self._link = None
            case "script":
                self._in_script = False

    def handle_data(self, data: str) -> None:
        """Collect the text of buttons, links and scripts."""
        if self._in_script and SUBMITS_ITSELF.search(data):
            self.submits_itself = True
        if self._button is not None:
            self._button.text += data
        if self._link is not None:
            self._text += data

    def _add_input(self, attributes: dict[str, str]) -> None:
        if self._form is None:
            return
        name, value = attributes.get("name", ""), attributes.get("value", "")
        kind = attributes.get("type", "text").lower()
        if kind in ("submit", "image"):
            self._form.buttons.append(Button(name, value, value))
            return
        is_off = kind in ("checkbox", "radio") and "checked" not in attributes
        if name and not is_off and kind not in ("button", "reset"):
            self._form.fields.append((name, value))
