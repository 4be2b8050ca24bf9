"""A page can be framed, scripted and kept by nobody."""

import pytest

from asgi_oidc.pages.languages import Translations
from asgi_oidc.pages.layout import Layout
from asgi_oidc.pages.page import Page
from asgi_oidc.pages.translation import IN_ENGLISH
from asgi_oidc.web.response import Response
from tests.pages.rendered import navigation

LAYOUT = Layout(Translations(IN_ENGLISH))
PAGE = Page(kind="any", status=400, title="Title", text="")


def shown() -> Response:
    return LAYOUT.respond(navigation(), PAGE, "<p>")


def framed() -> Response:
    title, text = "frontchannel_logout.title", "frontchannel_logout.text"
    return LAYOUT.framed(navigation(), title, text, ancestors="https://id.example.com")


@pytest.mark.parametrize(
    "response",
    [shown(), framed()],
    ids=["page", "frame"],
)
def test_every_page_is_uncacheable_and_says_its_length(response):
    """Browsers and proxies must not guess."""
    headers = dict(response.headers)

    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert headers[b"content-length"] == str(len(response.body)).encode()


def test_a_page_runs_no_script_and_stands_in_no_frame():
    """Clickjacking a sign-out, for one."""
    headers = dict(shown().headers)

    assert headers[b"content-security-policy"].startswith(b"default-src 'none'; style-src 'sha256-")
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert headers[b"x-frame-options"] == b"DENY"


def test_a_frame_runs_no_script_and_stands_in_frames_of_one_origin():
    """That of the provider; X-Frame-Options knows no such thing."""
    headers = dict(framed().headers)

    policy = headers[b"content-security-policy"].split(b"; ")
    assert (policy[0], policy[-1]) == (b"default-src 'none'", b"frame-ancestors https://id.example.com")
    assert b"x-frame-options" not in headers
