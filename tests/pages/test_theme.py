"""The setting `app_colors`: what is taken, what people could not read, and what becomes of the rest."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.pages.theme import PLAIN, contrast, csp_hash, make_theme, read_app_colors
from tests.protected_site import ORIGIN, Site

COLORS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#767676", "#ffffff", 4.54),  # the lightest grey on white that passes
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_the_contrast_is_that_of_wcag(one, other, ratio):
    """Well-known values of its definition."""
    assert (round(contrast(one, other), 2), contrast(one, other)) == (ratio, contrast(other, one))


@pytest.mark.parametrize(
    ("colors", "problem"),
    [
        ({"text": "#999"}, "text #999999 on card #ffffff has a contrast of 2.85:1; it must be at least 4.5:1"),
        ({"background": "#333"}, "text #1b1f24 on background #333333 has a contrast of 1.31:1"),
        ({"dark": {"card": "#eee"}}, "dark text #e8ebef on card #eeeeee has a contrast of 1.03:1"),
        ({"primary": "red"}, "primary: must be a colour such as '#0b6e4f', got 'red'"),
        ({"primary": "#12345"}, "primary: must be a colour"),
        ({"primary": "#fff}body{display:none"}, "primary: must be a colour"),
        ({"primary": "#fff\n"}, "primary: must be a colour"),
        ({"primary": 0xFFFFFF}, "primary: must be a colour"),
        ({"dark": {"primary": "blue"}}, "dark primary: must be a colour"),
        ({"accent": "#fff"}, "'accent': unknown; the names are primary, background, card, text"),
        ({"dark": {"dark": {}}}, "dark 'dark': unknown"),
        ({"dark": "#000"}, "dark must be a mapping"),
        ({}, "must be a mapping of names to colours"),
        ("#0a5", "must be a mapping of names to colours, such as {"),
    ],
)
def test_colours_that_nobody_can_read_or_that_are_none_stop_the_start(colors, problem):
    """The measured ratio tells how far it is off."""
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_app_colors(colors)


def test_all_wrong_colours_are_named_at_once():
    """A designer fixes them in one go."""
    with pytest.raises(ValueError, match=r"'accent': unknown.*; primary: must be.*; dark text: must be"):
        read_app_colors({"accent": "#fff", "primary": "x", "dark": {"text": "y"}})


def test_the_primary_colour_is_that_of_dark_pages_too():
    """A brand has one colour; a light background is not one for the dark."""
    colors = read_app_colors({"primary": "#0A5", "background": "#fffdf5"})

    assert (colors.light["primary"], colors.light["background"]) == ("#00aa55", "#fffdf5")
    assert (colors.dark["primary"], colors.dark["background"]) == ("#00aa55", "#0f1216")


@given(primary=COLORS, dark=COLORS)
def test_what_stands_on_the_primary_colour_can_always_be_read(primary, dark):
    """The label is dark or light, and the ring of the focus never fades into the page: WCAG 2.2, 1.4.3 and 1.4.11."""
    style = make_theme(read_app_colors({"primary": primary, "dark": {"primary": dark}})).style

    for value in variables(style):
        assert contrast(value["label"], value["primary"]) >= 4.5
        assert contrast(value["accent"], value["card"]) >= 4.5
        assert contrast(value["focus"], value["card"]) >= 3
        assert contrast(value["soft"], value["card"]) >= 4.5


@given(text=COLORS, card=COLORS)
def test_less_important_text_can_be_read_wherever_text_can(text, card):
    """Whatever is accepted, all of the page can be read."""
    try:
        colors = read_app_colors({"text": text, "card": card, "background": card})
    except ValueError:
        assert contrast(text, card) < 4.5
        return
    value, _ = variables(make_theme(colors).style)

    assert contrast(value["soft"], card) >= 4.5


def variables(style: str) -> list[dict[str, str]]:
    """Return the colours of light pages, and those of dark ones."""
    return [dict(re.findall(r"--(\w+):(#\w{6})", found)) for found in re.findall(r":root{[^}]*}", style)[-2:]]


def test_without_colours_the_style_is_our_own():
    """Nothing is added to it."""
    assert make_theme(None) is PLAIN


async def test_the_colours_are_in_the_page_and_its_policy():
    """The policy allows exactly that style."""
    page = await Site(app_colors={"primary": "#0b6e4f"}).browser().get("/auth/callback?state=x.2")

    [style] = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert "--primary:#0b6e4f" in style
    assert f"style-src {csp_hash(style)};" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("app_logo", "is_warned"),
    [("/static/logo.svg?v=1", False), ("/logo.svg", True), (None, False)],
)
async def test_a_logo_that_is_not_public_is_told_at_start_up(app_logo, is_warned, caplog):
    """Nobody who is to sign in would see it."""
    site = Site(app_logo=app_logo, public=["/static/*"])

    await site.browser().get("/static/x")

    assert ("logo_not_public app_logo=/logo.svg" in caplog.text) == is_warned


async def test_a_logo_of_the_outer_app_is_not_our_business(caplog):
    """The app is mounted below a path, and its logo is not."""
    site = Site(app_logo="/logo.svg", base_url=f"{ORIGIN}/admin", public=[])

    await site.browser().get("/admin/x")

    assert "logo_not_public" not in caplog.text


async def test_the_logo_is_above_the_heading_and_nothing_else_may_be_loaded():
    """It stands for the name, which is its alternative text; without it, no image may be loaded."""
    path = "/auth/callback?state=x.2"
    page = await Site(app_name="A & B", app_logo="/static/logo.svg?v=2&x").browser().get(path)
    plain = await Site(app_name="A & B").browser().get(path)

    assert '<main><img class=brand src="/static/logo.svg?v=2&amp;x" alt="A &amp; B"><h1>' in page.text
    assert "; img-src 'self'; base-uri" in page.headers["content-security-policy"]
    assert "img-src" not in plain.headers["content-security-policy"]
