"""Logos of providers: our own drawings, and initials that everybody can read."""

import re
from xml.etree import ElementTree

import pytest

from asgi_oidc.pages.logos import DRAWINGS, initials, logo_html
from asgi_oidc.pages.styles import STYLE, TINTS


def luminance(color: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("tint", TINTS)
def test_white_letters_can_be_read_on_every_tile(tint):
    """A contrast of 4.5:1, in light and dark alike (WCAG 2.2, 1.4.3)."""
    [color] = re.findall(rf"\.{tint}{{background:(#\w{{6}})}}", STYLE)

    assert 1.05 / (luminance(color) + 0.05) >= 4.5
    assert re.search(r"\.logo{[^}]*;color:#fff;", STYLE)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_lines_on_a_tile_of_our_colors(name):
    """Nothing in it runs, loads or styles anything: the content security policy would stop it."""
    svg = ElementTree.fromstring(re.sub(r"^<span[^>]*>|</span>$", "", logo_html(name, "Any")))

    allowed = {"viewBox", "d", "cx", "cy", "r", "x", "y", "width", "height", "rx"}
    assert DRAWINGS[name].tint in TINTS
    assert {element.tag for element in svg.iter()} <= {"svg", "path", "circle", "rect"}
    assert {attribute for element in svg.iter() for attribute in element.attrib} <= allowed


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Acme", "A"),
        ("acme corp", "AC"),
        ("The Acme Corporation", "TA"),
        ("Acme-Corp_(EU)", "AC"),
        ("Émile Zola", "ÉZ"),
        ("Пример Один", "ПО"),
        ("ßeta", "S"),
        ("1&1", "1"),
        ("株式会社 例", "株"),
        ("שלום עולם", "ש"),
        ("👍 team", "T"),
        ("👍", "👍"),
        ("<b>", "B"),
        ("<>", "<"),
    ],
)
def test_initials_are_one_or_two_letters(title, expected):
    """Two only in scripts with capitals; letters of others may join to a word."""
    assert initials(title) == expected


def test_initials_are_written_as_text():
    """A title may begin with markup."""
    assert logo_html(None, "<>").endswith("aria-hidden=true>&lt;</span>")


@pytest.mark.parametrize("logo", [None, "", "unknown", "<b>"])
def test_without_a_drawing_there_are_initials_in_a_color_of_the_title(logo):
    """Always the same one, so that people recognise it."""
    tiles = {logo_html(logo, title) for title in ("Acme", "Acme", "Acorn", "Alpha", "Arrow")}

    assert len(tiles) > 1
    assert {re.sub(r'class="logo \w+"', "", tile) for tile in tiles} == {"<span  aria-hidden=true>A</span>"}
    assert logo_html(logo, "Acme") == logo_html(None, "Acme")
