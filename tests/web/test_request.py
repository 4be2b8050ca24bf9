"""A request is read once and strictly, and nothing in it can make that fail."""

from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.paths import read_path
from asgi_oidc.web.request import MAX_PARAMETERS, MAX_QUERY_LENGTH, Request, read_form

ORIGIN = "https://app.example.com"
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=10)
NOWHERE = read_path({}, base_path="")
HTML = [("accept", "text/html,*/*;q=0.8")]
NAVIGATE = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]


def request(*headers: tuple[str, str], **scope: Any) -> Request:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    made = {"type": "http", "method": "GET", "path": "/", "headers": pairs, **scope}
    return Request(made, path=read_path(made, base_path=""))


@pytest.mark.parametrize(
    ("headers", "method", "is_navigation"),
    [
        (NAVIGATE, "GET", True),
        (NAVIGATE, "HEAD", True),
        (NAVIGATE, "POST", False),
        (NAVIGATE, "get", False),
        (NAVIGATE[:1], "GET", True),
        ([*NAVIGATE, ("sec-fetch-site", "cross-site")], "GET", True),
        (NAVIGATE[1:], "GET", False),
        ([("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], "GET", False),
        ([("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "")], "GET", False),
        ([*NAVIGATE, ("sec-fetch-dest", "document")], "GET", False),
        ([("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "empty"), *HTML], "GET", True),
        ([("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "empty")], "GET", False),
        ([("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "empty"), *HTML], "GET", False),
        ([*NAVIGATE, ("sec-fetch-mode", "navigate")], "GET", False),
        ([("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), *HTML], "GET", False),
        ([("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), *HTML], "GET", False),
        ([*NAVIGATE, ("sec-purpose", "prefetch")], "GET", False),
        ([*NAVIGATE, ("sec-purpose", "prefetch;prerender")], "GET", False),
        ([*NAVIGATE, ("purpose", "Prefetch")], "GET", False),
        ([*NAVIGATE, ("x-purpose", "prefetch")], "GET", False),
        ([*HTML, ("x-moz", "prefetch")], "GET", False),
        ([*NAVIGATE, ("sec-purpose", "other")], "GET", True),
        (HTML, "GET", True),
        (HTML, "POST", False),
        ([("Accept", "TEXT/HTML")], "GET", True),
        ([("accept", "application/json"), *HTML], "GET", True),
        ([("accept", "*/*")], "GET", False),
        ([("accept", "application/json")], "GET", False),
        ([], "GET", False),
        ([*HTML, ("x-requested-with", "XMLHttpRequest")], "GET", False),
    ],
)
def test_navigations_are_recognised_by_fetch_metadata_or_else_by_accept(headers, method, is_navigation):
    """Only a person who opens a page can be sent to a login."""
    assert request(*headers, method=method).is_navigation is is_navigation


TURBO_STREAM = [("accept", "text/vnd.turbo-stream.html, text/html, application/xhtml+xml")]
HTMX = [("hx-request", "true"), ("accept", "*/*")]
FETCH = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]


@pytest.mark.parametrize(
    ("headers", "kind", "shows_html"),
    [
        (HTML, "http", True),
        ([*FETCH, *HTML], "http", True),
        ([("accept", "TEXT/HTML; q=0.9, */*")], "http", True),
        ([("accept", "application/xhtml+xml")], "http", True),
        (TURBO_STREAM, "http", True),
        ([*FETCH, *HTMX], "http", True),
        ([("hx-request", "true"), ("accept", "application/json")], "http", False),
        ([("hx-request", "false"), ("accept", "*/*")], "http", False),
        ([("accept", "application/json, text/html")], "http", False),
        ([*FETCH, ("accept", "*/*")], "http", False),
        ([], "http", False),
        ([*HTML, ("sec-purpose", "prefetch")], "http", False),
        (HTML, "websocket", False),
    ],
)
def test_a_request_that_prefers_html_is_recognised_by_its_accept_header(headers, kind, shows_html):
    """People never see raw JSON, and a script that asks for anything else always gets it."""
    assert request(*headers, type=kind).shows_html is shows_html


@pytest.mark.parametrize(
    ("method", "content_type", "shows_html"),
    [
        ("POST", "multipart/form-data; boundary=x", True),
        ("POST", "application/json", False),
        ("PUT", "application/x-www-form-urlencoded", False),
    ],
)
def test_a_page_is_opened_by_a_form_or_by_no_person(method, content_type, shows_html):
    """Browsers send nothing else by themselves."""
    headers = [*NAVIGATE, *HTML, ("content-type", content_type)]

    assert request(*headers, method=method).shows_html is shows_html


@pytest.mark.parametrize(
    ("destination", "site", "referer", "ancestors"),
    [
        ("iframe", "same-origin", ORIGIN + "/page", "'self'"),
        ("frame", "same-origin", "", "'self'"),
        ("iframe", "same-site", "https://portal.example.com/", "'self' https://portal.example.com"),
        ("iframe", "same-site", "https://portal.example.com:8443/x", "'self' https://portal.example.com:8443"),
        ("iframe", "same-site", "https://a.example.com;script-src *", "'self'"),
        ("iframe", "same-site", "https://a.example.com*", "'self'"),
        ("iframe", "same-site", "", "'self'"),
        ("iframe", "cross-site", "https://evil.example/", "'none'"),
        ("iframe", "none", "", "'none'"),
        ("document", "same-origin", ORIGIN + "/page", "'none'"),
        ("image", "same-origin", ORIGIN + "/page", "'none'"),
    ],
)
def test_only_pages_of_this_site_may_frame_an_answer(destination, site, referer, ancestors):
    """A page of another site has no session in its frames, and could only lead a click astray."""
    headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", destination), ("sec-fetch-site", site)]

    assert request(*headers, ("referer", referer)).frame_ancestors == ancestors


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ([], ""),
        ([("referer", ORIGIN + "/a")], ORIGIN + "/a"),
        ([*HTMX, ("hx-current-url", ORIGIN + "/b"), ("referer", ORIGIN + "/a")], ORIGIN + "/b"),
        ([*HTMX, ("referer", ORIGIN + "/a")], ORIGIN + "/a"),
        ([("hx-current-url", ORIGIN + "/b"), ("referer", ORIGIN + "/a")], ORIGIN + "/a"),
    ],
)
def test_the_current_page_is_taken_from_htmx_or_else_from_the_referer(headers, url):
    """A referrer policy may hide it."""
    assert request(*headers).page_url == url


@pytest.mark.parametrize(
    ("headers", "denies"),
    [
        ([], False),
        (HTML, False),
        ([("accept", "*/*")], False),
        ([("accept", "application/json")], True),
        ([("x-requested-with", "XMLHttpRequest")], True),
        (NAVIGATE, False),
        ([("sec-fetch-mode", "cors")], True),
        ([("sec-fetch-dest", "image")], True),
        ([*NAVIGATE, ("sec-purpose", "prefetch")], True),
        ([*HTML, ("purpose", "prefetch")], True),
    ],
)
def test_a_program_can_say_that_it_opens_no_page(headers, denies):
    """A plain link in an old browser, or curl, may start a login by the login URL."""
    assert request(*headers).denies_navigation is denies


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ([("sec-fetch-site", "same-origin")], True),
        ([("sec-fetch-site", "same-site")], False),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "none")], False),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")], False),
        ([("sec-fetch-site", "cross-site"), ("origin", ORIGIN)], False),
        ([("origin", ORIGIN)], True),
        ([("origin", "null")], False),
        ([("origin", ORIGIN + ".evil.example")], False),
        ([("origin", "https://evil.example"), ("referer", ORIGIN + "/")], False),
        ([("referer", ORIGIN)], True),
        ([("referer", ORIGIN + "/page?x")], True),
        ([("referer", ORIGIN + ".evil.example/")], False),
        ([("referer", ORIGIN + "@evil.example/")], False),
        ([], False),
    ],
)
def test_same_origin_requests_are_recognised_by_the_best_header_available(headers, is_ours):
    """A weaker sign never counts beside a stronger one."""
    assert request(*headers).is_same_origin(ORIGIN) is is_ours


def test_a_duplicate_header_counts_as_missing():
    """Which of the two would count?"""
    asked = request(("X-A", "1"), ("x-a", "2"), ("x-b", "3"))

    assert (asked.header(b"x-a"), asked.has(b"x-a"), asked.header(b"x-b"), asked.has(b"x-c")) == (
        None,
        True,
        "3",
        False,
    )


def test_mutable_header_lists_are_copied():
    """Some servers give lists, and an app may change its own."""
    origin = bytearray(b"https://evil.example")
    asked = Request({"headers": [[b"origin", origin]]}, NOWHERE)

    origin[:] = b"https://app.example.com"

    assert asked.header(b"origin") == "https://evil.example"


def test_cookies_of_all_headers_are_read():
    """HTTP/2 splits them; those of others nobody asks for."""
    asked = request(("cookie", "oidc-a=1; theme=dark"), ("Cookie", "oidc-b=2"))

    assert asked.cookies == {"oidc-a": "1", "oidc-b": "2"}


def test_a_scope_with_nothing_in_it_is_a_request():
    """A websocket has no method, and some servers leave out what is empty."""
    asked = Request({"type": "websocket"}, path=NOWHERE)

    assert (asked.method, asked.query, dict(asked.cookies), asked.parameters()) == ("GET", b"", {}, [])


@pytest.mark.parametrize("method", [bytearray(b"GET"), None, 7])
def test_a_method_that_is_not_text_is_unknown(method):
    """Some servers have bytes of their own kinds."""
    asked = Request({"method": method, "query_string": bytearray(b"a=1")}, path=NOWHERE)

    assert (asked.is_safe, asked.is_navigation, asked.parameters()) == (False, False, [("a", "1")])


@given(
    st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=20)), max_size=5), st.binary(max_size=30), st.text()
)
def test_no_request_makes_reading_raise(headers, query, path):
    """Only reading the parameters may refuse, and with our own error."""
    scope = {"path": path, "headers": headers, "query_string": query}
    asked = Request(scope, path=read_path(scope, base_path="/admin"))

    assert asked.is_navigation in (True, False)
    assert asked.denies_navigation in (True, False)
    assert asked.is_same_origin(ORIGIN) in (True, False)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_a_form_is_read_as_it_was_written(pairs):
    """In order, doubled names and empty values too."""
    written = [(name, value) for name, value in pairs if name or value]

    assert read_form(urlencode(written).encode()) == written


@given(TEXT.filter(bool))
def test_parameters_are_those_of_the_query(value):
    """Decoded once."""
    asked = request(query_string=f"a={quote_plus(value)}&a=".encode())

    assert asked.parameters() == [("a", value), ("a", "")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"a=" + b"x" * MAX_QUERY_LENGTH, "parameters_too_long"),
        (b"&".join([b"a=1"] * (MAX_PARAMETERS + 1)), "parameters_malformed"),
        (b"a=%ff", "parameters_malformed"),
        (b"%c3%28=1", "parameters_malformed"),
        (b"a=\xc3\xa4", "parameters_malformed"),
    ],
    ids=["long", "many", "value", "name", "raw"],
)
def test_a_form_beyond_its_bounds_is_refused(data, code):
    """Bytes, number and charset."""
    with pytest.raises(RequestRejected) as caught:
        read_form(data)

    assert (caught.value.code, caught.value.status) == (code, 400)


def test_a_form_within_its_bounds_is_read():
    """As many parameters as there may be."""
    assert len(read_form(b"&".join([b"a=1"] * MAX_PARAMETERS))) == MAX_PARAMETERS


@pytest.mark.parametrize(
    ("query", "target"),
    [(b"", "/a%20b"), (b"c=d&e", "/a%20b?c=d&e"), (b"\xc3\xa9", "/a%20b?\u00e9"), (b"\xff", "/a%20b?\ufffd")],
)
def test_the_target_is_what_the_browser_asked_for(query, target):
    """Path and query, as far as they can be known."""
    assert request(path="/a b", query_string=query).target == target


def test_the_repr_of_a_request_shows_no_secrets():
    """Cookies and codes stay out of tracebacks."""
    asked = request(("cookie", "a=s3cret"), ("x", "s3cret"), query_string=b"code=s3cret")

    assert "s3cret" not in repr(asked)


@pytest.mark.parametrize(
    ("headers", "is_subresource"),
    [
        ([], False),
        ([("sec-fetch-dest", "document")], False),
        ([("sec-fetch-dest", "empty")], False),
        ([("sec-fetch-dest", "image")], True),
        ([("sec-fetch-dest", "iframe")], True),
        ([("sec-fetch-dest", "document"), ("sec-fetch-dest", "image")], True),
    ],
)
def test_subresources_are_recognised_by_sec_fetch_dest(headers, is_subresource):
    """A picture in a guest book must not sign its readers out."""
    assert request(*headers).is_subresource is is_subresource


@pytest.mark.parametrize(
    ("headers", "is_sent_by_other_site"),
    [
        ([], False),
        ([("sec-fetch-site", "none"), ("sec-fetch-user", "?1")], False),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-user", "?1")], False),
        ([("sec-fetch-site", "same-origin")], True),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-user", "?1")], True),
        ([("sec-fetch-site", "same-site")], True),
        ([("referer", ORIGIN + "/x")], False),
        ([("referer", "https://id.example.com/")], True),
    ],
)
def test_cross_site_navigations_are_recognised_by_fetch_metadata_or_else_by_the_referer(headers, is_sent_by_other_site):
    """A loop leads here; a person types or clicks."""
    assert request(*headers).is_sent_by_other_site(ORIGIN) is is_sent_by_other_site
