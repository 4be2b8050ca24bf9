"""Our own responses can be kept by nobody, framed by nobody, and read in one way only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.web.response import Response, json_response, problem, redirect, response_with_body

EVERY = [
    redirect("https://a/"),
    response_with_body(400, b"<p>", (b"content-type", b"text/html")),
    json_response({}),
    problem(401, "code", "Title"),
]


@pytest.mark.parametrize("response", EVERY, ids=["redirect", "body", "json", "problem"])
def test_every_response_is_uncacheable_and_says_its_length(response):
    """Browsers and proxies must not guess."""
    headers = dict(response.headers)

    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert headers[b"content-length"] == str(len(response.body)).encode()


def test_a_redirect_is_a_303():
    """A 307 would repeat a form with its password at the other end (RFC 9700 §4.12)."""
    response = redirect("https://app.example.com/x")

    assert (response.status, dict(response.headers)[b"location"]) == (303, b"https://app.example.com/x")


def test_a_problem_has_the_members_of_its_standard():
    """RFC 9457 §3.1, and our stable name."""
    response = problem(401, "login_required", "Please sign in", login_url="https://a/auth/login")

    assert (response.status, dict(response.headers)[b"content-type"]) == (401, b"application/problem+json")
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Please sign in",
        "status": 401,
        "error": "login_required",
        "login_url": "https://a/auth/login",
    }


@given(st.dictionaries(st.text(), st.text()))
def test_json_is_ascii_and_says_what_it_was_given(members):
    """No reader can take the bytes for another charset."""
    body = json_response(members).body

    assert body.isascii()
    assert json.loads(body) == members


def test_headers_and_cookies_are_added_at_the_end():
    """A response is a value: the old one stays as it is."""
    first = Response(200, ((b"a", b"1"),))

    second = first.with_headers((b"b", b"2")).with_cookies([b"c=3", b"d=4"])

    assert first.headers == ((b"a", b"1"),)
    assert second.headers[1:] == ((b"b", b"2"), (b"set-cookie", b"c=3"), (b"set-cookie", b"d=4"))


def test_the_repr_of_a_response_shows_no_cookies_or_body():
    """They stand in tracebacks."""
    assert "s3cret" not in repr(json_response({"a": "s3cret"}).with_cookies([b"s3cret"]))
