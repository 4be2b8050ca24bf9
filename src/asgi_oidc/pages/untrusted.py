"""Shows what others chose, such as the name of a user: short, printable, and never as markup."""

from html import escape

MAX_NAME_LENGTH = 80  # characters of a name
MAX_VALUE_LENGTH = 200  # characters of a field of a form


def user_html(name: str, email: str | None = None) -> str:
    """Name a user; `<bdi>` keeps a name in another script from reordering the sentence around it."""
    return f"<strong><bdi>{escape(user_text(name, email))}</bdi></strong>"


def user_text(name: str, email: str | None = None) -> str:
    """Name a user in plain text."""
    return shorten(name) if email in (None, name) else f"{shorten(name)} ({shorten(email or '')})"


def app_html(name: str) -> str:
    """Name the app inside a sentence, in whatever direction that runs."""
    return f"<bdi>{escape(name)}</bdi>"


def value_html(text: str) -> str:
    """Show a text of several lines."""
    return f"<bdi>{escape(value_text(text))}</bdi>"


def value_text(text: str) -> str:
    """Cut a text of several lines."""
    cut = text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "\u2026"
    lines = cut.replace("\r\n", "\n").replace("\t", " ").split("\n")
    return "\n".join(_printable(line) for line in lines)


def shorten(text: str) -> str:
    """Cut a text of one line."""
    text = _printable(text)
    return text if len(text) <= MAX_NAME_LENGTH else text[:MAX_NAME_LENGTH] + "\u2026"


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
