"""The colours of the pages: the setting `app_colors`, its contrast (WCAG 2.2, 1.4.3 and 1.4.11), and the stylesheet."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from asgi_oidc.errors import describe_value
from asgi_oidc.pages.styles import STYLE

MIN_TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3 (AA)
MIN_OUTLINE_CONTRAST = 3.0  # of the ring around what has the focus; WCAG 2.2, 1.4.11
NAMES = ("primary", "background", "card", "text")
DARK = "dark"
LABELS = ("#ffffff", "#000000")  # of the primary button: on any colour, one of them has a contrast of 4.58:1
_COLOR = re.compile(r"#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")
_EXAMPLE = '{"primary": "#0b6e4f", "dark": {"primary": "#57d9a3"}}'
_OF_LIGHT = {"primary": "#1d4ed8", "background": "#f6f7f9", "card": "#ffffff", "text": "#1b1f24"}
_OF_DARK = {"primary": "#8ab4ff", "background": "#0f1216", "card": "#171b21", "text": "#e8ebef"}


class Colors(NamedTuple):
    """The setting `app_colors`, checked: colours by name, as `#rrggbb`."""

    light: Mapping[str, str]
    dark: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Theme:
    """The stylesheet of one app, and the source that allows it in a content security policy (CSP 3 §2.3.1)."""

    style: str
    source: str


def csp_hash(text: str) -> str:
    """Write the source of a content security policy that allows this very script or style (CSP 3 §2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def make_theme(colors: Colors | None) -> Theme:
    """Make the stylesheet; None for our own colours."""
    if colors is None:
        return PLAIN
    light, dark = _variables(colors.light), _variables(colors.dark)
    style = f"{STYLE}:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return Theme(style, csp_hash(style))


def read_app_colors(value: object) -> Colors:
    """Check the setting `app_colors`.

    Raises:
        ValueError: with everything that is wrong, for the developer.
    """
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"must be a mapping of names to colours, such as {_EXAMPLE}, got {describe_value(value)}")
    own = {name: color for name, color in value.items() if name != DARK}
    own_dark = value.get(DARK, {})
    if not isinstance(own_dark, Mapping):
        raise ValueError(f"dark must be a mapping of names to colours, such as {_EXAMPLE}")
    problems = [*_color_problems(own, ""), *_color_problems(own_dark, "dark ")]
    if problems:
        raise ValueError("; ".join(problems))
    light = _OF_LIGHT | {name: _long(color) for name, color in own.items()}
    # The brand stays the same in the dark; a light background does not.
    primary = {"primary": light["primary"]} if "primary" in own else {}
    dark = _OF_DARK | primary | {name: _long(color) for name, color in own_dark.items()}
    problems = [*_contrast_problems(light, ""), *_contrast_problems(dark, "dark ")]
    if problems:
        raise ValueError("; ".join(problems))
    return Colors(light, dark)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").

    Args:
        one, other: as `#rrggbb`.
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _color_problems(colors: Mapping[Any, Any], where: str) -> list[str]:
    unknown = [f"{where}{name!r}: unknown; the names are {', '.join(NAMES)}" for name in colors if name not in NAMES]
    wrong = [
        f"{where}{name}: must be a colour such as '#0b6e4f', got {describe_value(color)}"
        for name, color in colors.items()
        if name in NAMES and not (isinstance(color, str) and _COLOR.fullmatch(color))
    ]
    return unknown + wrong


def _contrast_problems(colors: Mapping[str, str], where: str) -> list[str]:
    return [
        f"{where}text {colors['text']} on {name} {colors[name]} has a contrast of {ratio:.2f}:1; "
        f"it must be at least {MIN_TEXT_CONTRAST}:1, or people cannot read it"
        for name in ("card", "background")
        if (ratio := contrast(colors["text"], colors[name])) < MIN_TEXT_CONTRAST
    ]


def _variables(colors: Mapping[str, str]) -> str:
    primary, background, card, text = (colors[name] for name in NAMES)
    label = max(LABELS, key=lambda each: contrast(each, primary))
    accent = primary if contrast(primary, card) >= MIN_TEXT_CONTRAST else text  # of links without a border
    focus = primary if min(contrast(primary, card), contrast(primary, background)) >= MIN_OUTLINE_CONTRAST else text
    return (
        f"--bg:{background};--card:{card};--ink:{text};--soft:{_soft(text, card)};--line:{_mix(text, card, 0.12)};"
        f"--primary:{primary};--label:{label};--accent:{accent};--focus:{focus}"
    )


def _soft(text: str, card: str) -> str:
    """Return the colour of less important text: as pale as can still be read."""
    shares = (share / 100 for share in range(65, 100, 5))
    return next((mixed for share in shares if contrast(mixed := _mix(text, card, share), card) >= 5), text)


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{int(a * share + b * (1 - share) + 0.5):02x}" for a, b in pairs)


def _long(color: str) -> str:
    digits = color[1:].lower()
    return f"#{digits}" if len(digits) == 6 else f"#{''.join(digit * 2 for digit in digits)}"


def _channels(color: str) -> list[int]:
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(color: str) -> float:
    """Return the relative luminance (WCAG 2.2, "relative luminance")."""
    linear = [
        share / 12.92 if (share := channel / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for channel in _channels(color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PLAIN = Theme(STYLE, csp_hash(STYLE))
