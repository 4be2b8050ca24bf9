"""The texts of one language: English, or what the setting `texts` puts in their place."""

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from asgi_oidc.errors import describe_value
from asgi_oidc.pages.texts import ENGLISH

MAX_TEXT_LENGTH = 2000  # characters of one text
MAX_ID_LENGTH = 60  # characters of an unknown id that a problem quotes
DIRECTIONS = ("ltr", "rtl")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # RFC 5646 §2.1, without private use
_EXAMPLE = '{"action.sign_in": "Log in"}'


@dataclass(frozen=True, slots=True)
class Texts:
    """Finds texts by id, and fills in their placeholders."""

    texts: Mapping[str, str] = field(repr=False)

    def plain(self, text_id: str, **values: str) -> str:
        """Return a plain text."""
        return _fill_in(self.texts[text_id], values)

    def html(self, text_id: str, **values: str) -> str:
        """Return a text as HTML.

        Args:
            values: HTML for the placeholders.
        """
        return _fill_in(escape(self.texts[text_id]), values)

    @property
    def language(self) -> str:
        """The language tag (RFC 5646)."""
        return self.texts["lang"]

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self.texts["dir"]

    @property
    def attributes(self) -> str:
        """The language and direction, as attributes of an element."""
        return f'lang="{escape(self.language)}" dir="{escape(self.direction)}"'


IN_ENGLISH = Texts(ENGLISH)


def translate(texts: Mapping[str, str]) -> Texts:
    """Put texts in the place of English ones; what is not given stays English.

    Args:
        texts: as `read_translation` returns them.
    """
    return Texts({**ENGLISH, **texts})


def read_translation(value: object) -> Mapping[str, str]:
    """Check the texts of one language, by id.

    Raises:
        ValueError: with everything that is wrong, for the developer.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping of ids to texts, such as {_EXAMPLE}, got {describe_value(value)}")
    problems = [
        f"{repr(text_id)[:MAX_ID_LENGTH]}: {problem}"
        for text_id, text in value.items()
        if (problem := _problem(text_id, text))
    ]
    if problems:
        raise ValueError("; ".join(problems))
    return dict(value)


def placeholders(text_id: str) -> list[str]:
    """Name the placeholders of a text."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(ENGLISH[text_id])))


def _problem(text_id: object, text: object) -> str | None:
    """Say what is wrong with one text."""
    if text_id not in ENGLISH:
        [nearest] = difflib.get_close_matches(str(text_id), ENGLISH, n=1, cutoff=0)
        return f"unknown id; the closest one is {nearest!r}"
    if not isinstance(text, str) or not any(unicodedata.category(letter)[0] in "LMNPS" for letter in text):
        return f"must be text, got {describe_value(text)}"
    if len(text) > MAX_TEXT_LENGTH:
        return f"must have at most {MAX_TEXT_LENGTH} characters, got {len(text)}"
    # Format characters stay: some scripts need joiners, and mixed directions need marks.
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        return "must be on one line: remove the line breaks and control characters"
    if text_id == "lang" and not LANGUAGE_TAG.fullmatch(text):
        return f"must be a language tag, such as 'de' or 'pt-BR', got {describe_value(text)}"
    if text_id == "dir" and text not in DIRECTIONS:
        return f"must be 'ltr' or 'rtl', got {describe_value(text)}"
    return _placeholder_problem(str(text_id), text)


def _placeholder_problem(text_id: str, text: str) -> str | None:
    known = placeholders(text_id)
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in known]
    if text_id == "reference" and "{reference}" not in text:
        return "must contain {reference}, by which the log is searched"
    if not unknown:
        return None
    listed = ", ".join(f"{{{name}}}" for name in known)
    return f"unknown placeholder {{{unknown[0]}}}; " + (f"this text has {listed}" if known else "this text has none")


def _fill_in(text: str, values: Mapping[str, str]) -> str:
    # In one pass, so that nothing in a value is taken for a placeholder.
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
