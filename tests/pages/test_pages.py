"""The library's own pages: nothing from outside becomes markup, and the policy fits the style."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.pages.languages import Translations
from asgi_oidc.pages.layout import Layout
from asgi_oidc.pages.texts import ENGLISH
from asgi_oidc.pages.translation import IN_ENGLISH, Texts
from tests.pages.rendered import LOGIN, Reader, failure_page, navigation, pages

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><base href=//evil.example>",
    "a & b &amp; c",
    "Čapková \u202e \x00",
]

PAGE_CSP = Layout(Translations(IN_ENGLISH)).csp
REQUEST = navigation()
SIGN_OUT_URL = "https://app.example.com/auth/logout"
ERROR_PAGE = failure_page()
CONFIRM_PAGE = pages().sign_out.confirm(REQUEST, action=SIGN_OUT_URL).body
SIGNED_OUT_PAGE = pages().sign_out.signed_out(REQUEST, login=LOGIN, is_everywhere=True).body
FRAME_PAGE = pages().sign_out.in_frame(REQUEST, provider="https://id.example.com").body
PAGES = [ERROR_PAGE, CONFIRM_PAGE, SIGNED_OUT_PAGE, FRAME_PAGE]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_error_page_takes_every_value_as_text(hostile):
    """Whatever a caller passes, the page has the same elements and shows the value."""
    page = Reader(failure_page(texts=Texts(dict.fromkeys(ENGLISH, hostile)), home=hostile, login=hostile))

    assert page.tags == [tag for tag in Reader(ERROR_PAGE).tags if tag != "code"]  # no placeholder for the reference
    assert (page.texts.count(hostile), ("href", hostile) in page.attributes) == (6, True)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_confirm_page_takes_every_value_as_text(hostile):
    """The URLs are ours, and still no reason to trust them."""
    page = Reader(pages(home=hostile).sign_out.confirm(REQUEST, action=hostile).body)

    assert page.tags == Reader(CONFIRM_PAGE).tags
    assert {("action", hostile), ("href", hostile)} <= set(page.attributes)


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_allows_exactly_the_style_of_the_page(page):
    """A wrong hash would leave people with a bare page."""
    [style] = re.findall(rb"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(sha256(style).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in PAGE_CSP


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_script_and_loads_nothing(page):
    """What is not there cannot be turned against the reader."""
    read = Reader(page)

    assert {"script", "img", "link", "iframe", "base"}.isdisjoint(read.tags)
    assert {name for name, _ in read.attributes if name.startswith("on") or name in ("style", "src")} == set()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_signed_out_page_takes_every_value_as_text(hostile):
    """The URL is ours, and still no reason to trust it."""
    page = Reader(pages().sign_out.signed_out(REQUEST, login=hostile, is_everywhere=True).body)

    assert page.tags == Reader(SIGNED_OUT_PAGE).tags
    assert ("href", hostile) in page.attributes


def test_after_a_local_logout_the_page_says_so():
    """On a shared computer that is the half of it."""
    here, everywhere = (
        pages().sign_out.signed_out(REQUEST, login="/", is_everywhere=told).body for told in (False, True)
    )

    assert (b"sign out there too" in here, b"sign out there too" in everywhere) == (True, False)


def test_the_policy_denies_by_default_and_leaves_forms_free():
    """A form-action would stop the redirect to the provider that follows a sign-out."""
    assert PAGE_CSP.startswith("default-src 'none'; ")
    assert [word for word in ("unsafe", "script-src", "form-action") if word in PAGE_CSP] == []


def test_the_first_action_stands_out():
    """One thing to do next, the others beside it."""
    page = failure_page(ProviderUnavailable(), login="/a", home="/b")

    assert (page.count(b"class=first"), b'<a class=first target=_top href="/a">Try again</a>' in page) == (1, True)


def test_the_confirm_page_signs_out_by_post_only():
    """A link would be followed by prefetchers and by other sites."""
    assert b'<form class=actions method=post action="https://app.example.com/auth/logout"><button' in CONFIRM_PAGE
