"""Chooses the language of a response by `Accept-Language` (RFC 9110 §12.5.4; lookup, RFC 4647 §3.4)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc.pages.texts import ENGLISH
from asgi_oidc.pages.translation import LANGUAGE_TAG, MAX_ID_LENGTH, Texts, read_translation

MAX_HEADER_LENGTH = 1000  # bytes that are read of the headers; browsers send less than 200
MAX_RANGES = 30
MAX_RANGE_LENGTH = 100  # characters; the longest tags that are registered have 35 (RFC 5646 §4.4.1)
ACCEPT_LANGUAGE = b"accept-language"
VARY = (b"vary", b"accept-language")

# A language range and its quality value, without surrounding white space.
_RANGE = re.compile(r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


@dataclass(frozen=True, slots=True)
class Translations:
    """The texts of one app, in one language or several.

    Attributes:
        default: the texts for everybody whose languages are not there.
        others: by language tag in lower case.
    """

    default: Texts
    others: Mapping[str, Texts] = field(default_factory=dict, repr=False)

    def choose(self, headers: Sequence[bytes]) -> Texts:
        """Return the texts in the language that a user prefers.

        Args:
            headers: all `Accept-Language` headers, in order.
        """
        if not self.others or not headers:
            return self.default
        ranges = read_ranges(headers)
        refused = {tag for tag, quality in ranges if quality == 0}
        for wanted, quality in sorted(ranges, key=lambda each: -each[1]):
            if wanted == "*" or quality == 0:
                continue  # any language will do: so does the default one, after all that are named
            for tag in _lookup_tags(wanted):
                found = self.others.get(tag)
                if found is None and tag == self.default.texts["lang"].lower():
                    found = self.default
                if found is not None and tag not in refused:
                    return found
        return self.default


def read_texts_setting(value: object) -> Mapping[str, Any]:
    """Check the setting `texts`: texts by id, and further languages by tag, with texts by id.

    Raises:
        ValueError: with everything that is wrong, for the developer.
    """
    if not isinstance(value, Mapping):
        return read_translation(value)  # raises
    languages = {tag: texts for tag, texts in value.items() if isinstance(texts, Mapping)}
    problems = _problems({text_id: text for text_id, text in value.items() if text_id not in languages}, "")
    tags: dict[str, object] = {}
    for tag, texts in languages.items():
        if not isinstance(tag, str) or not LANGUAGE_TAG.fullmatch(tag):
            problems.append(f"{repr(tag)[:MAX_ID_LENGTH]}: must be a language tag, such as 'de' or 'pt-BR'")
            continue
        if tag.lower() in tags:
            problems.append(f"{tags[tag.lower()]!r} and {tag!r} are the same language: keep one of them")
        tags[tag.lower()] = tag
        problems += _problems(texts, f"{tag}: ") or _language_problems(tag, texts)
    if problems:
        raise ValueError("; ".join(problems))
    return dict(value)


def make_translations(setting: Mapping[str, Any]) -> Translations:
    """Make the texts of each language; what a language lacks comes from a more general one, else from the default.

    Args:
        setting: as `read_texts_setting` returns it.
    """
    languages = {tag.lower(): (tag, texts) for tag, texts in setting.items() if isinstance(texts, Mapping)}
    default = {**ENGLISH, **{text_id: text for text_id, text in setting.items() if isinstance(text, str)}}
    others = {}
    for lower, (tag, _) in languages.items():
        texts = {**default, "dir": ENGLISH["dir"]}
        for each in reversed(list(_lookup_tags(lower))):
            texts |= languages[each][1] if each in languages else {}
        others[lower] = Texts({**texts, "lang": languages[lower][1].get("lang", tag)})
    return Translations(Texts(default), others)


def _problems(texts: Mapping[Any, Any], where: str) -> list[str]:
    try:
        read_translation(texts)
    except ValueError as exc:
        return [f"{where}{exc}"]
    return []


def _language_problems(tag: str, texts: Mapping[str, str]) -> list[str]:
    own = texts.get("lang", tag)
    same = own.partition("-")[0].lower() == tag.partition("-")[0].lower()
    return [] if same else [f"{tag}: the texts say that their language is {own!r}"]


def read_ranges(headers: Sequence[bytes]) -> list[tuple[str, float]]:
    """Read language ranges, in lower case, and their quality values; what is malformed or long is skipped."""
    text = b",".join(headers)[:MAX_HEADER_LENGTH].decode("latin-1").lower()
    ranges = [
        found for part in text.split(",", MAX_RANGES)[:MAX_RANGES] if (found := _RANGE.fullmatch(part.strip(" \t")))
    ]
    return [
        (found[1], 1.0 if found[2] is None else float(found[2]))
        for found in ranges
        if len(found[1]) <= MAX_RANGE_LENGTH
    ]


def _lookup_tags(language_range: str) -> Iterator[str]:
    """Return the range, and what it becomes by leaving out subtags at its end (RFC 4647 §3.4)."""
    subtags = language_range.split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if len(subtags) > 1 and len(subtags[-1]) == 1:  # a singleton stands for nothing on its own
            subtags.pop()
