"""The logo of a provider on a page: our own drawing, or its initials; no third-party artwork."""

import re
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

from asgi_oidc.pages.styles import TINTS


class Drawing(NamedTuple):
    """A drawing in white lines on a tile.

    Attributes:
        tint: of the tile, in `TINTS`.
        lines: what is inside an `<svg>` of 24 by 24 units.
    """

    tint: str
    lines: str


_BUILDING = '<path d="M5 20V4h9v16M14 10h5v10M3 20h18M8 8h3M8 12h3M8 16h3"/>'

DRAWINGS: Mapping[str, Drawing] = MappingProxyType(
    {
        # Ready-made providers: drawings of what people do there, because the real logos are trademarks.
        "apple": Drawing("slate", '<rect x="7" y="3" width="10" height="18" rx="2.5"/><path d="M11 17.5h2"/>'),
        "discord": Drawing("indigo", '<path d="M4 5h16v11h-8.5L7 20v-4H4zM8.5 10.5h.01M12 10.5h.01M15.5 10.5h.01"/>'),
        "entra": Drawing("teal", _BUILDING),
        "facebook": Drawing(
            "blue",
            '<circle cx="9" cy="8" r="3.5"/><path d="M3 19.5c0-3.5 2.5-5.5 6-5.5s6 2 6 5.5"/>'
            '<path d="M16.5 5.5a2.8 2.8 0 0 1 0 5.5M17.5 14.2c2.2.6 3.5 2.4 3.5 5.3"/>',
        ),
        "github": Drawing(
            "slate",
            '<circle cx="7" cy="5.5" r="2.2"/><circle cx="7" cy="18.5" r="2.2"/><circle cx="17" cy="8" r="2.2"/>'
            '<path d="M7 7.7v8.6M17 10.2c0 4.3-10 1.8-10 6.1"/>',
        ),
        "gitlab": Drawing("orange", '<path d="M7.5 7l-5 5 5 5M16.5 7l5 5-5 5M13.8 4.5l-3.6 15"/>'),
        "google": Drawing("blue", '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5L20.5 20.5"/>'),
        "linkedin": Drawing(
            "blue", '<rect x="3.5" y="8" width="17" height="11.5" rx="2"/><path d="M9 8V4.5h6V8M3.5 13h17"/>'
        ),
        "x": Drawing("slate", '<path d="M9.5 4l-2.5 16M17 4l-2.5 16M4.5 9h16M3.5 15h16"/>'),
        # For any other
        "company": Drawing("teal", _BUILDING),
        "key": Drawing("orange", '<circle cx="8" cy="16" r="4.5"/><path d="M11.2 12.8L20 4M15.5 8.5l3.5 3.5"/>'),
        "school": Drawing("pink", '<path d="M2 9.5L12 5l10 4.5L12 14zM6 11.5v5c3.5 2.7 8.5 2.7 12 0v-5M22 9.5v6"/>'),
    }
)


def logo_html(logo: str | None, title: str) -> str:
    """Draw the logo of a provider; screen readers skip it, because the title is next to it.

    Args:
        logo: id of a drawing; without one, and for an unknown id, it is the initials.
        title: printable.
    """
    drawing = DRAWINGS.get(logo or "")
    if drawing is None:
        return _tile(_tint(title), escape(initials(title)))
    return _tile(drawing.tint, f'<svg viewBox="0 0 24 24">{drawing.lines}</svg>')


def initials(title: str) -> str:
    """Return one or two letters that stand for a title."""
    letters = [word[0] for word in re.findall(r"[^\W_]+", title)] or [title[:1]]
    # Letters of scripts without capitals may join, or mean another thing together.
    both = len(letters) > 1 and all(letter.lower() != letter.upper() for letter in letters[:2])
    return "".join(letter.upper()[0] for letter in letters[: 1 + both])


def _tint(title: str) -> str:
    return list(TINTS)[crc32(title.encode()) % len(TINTS)]


def _tile(tint: str, content: str) -> str:
    return f'<span class="logo {tint}" aria-hidden=true>{content}</span>'
