"""A browser is sent back to a path of our own site, or home (the generated attacks are in tests/security)."""

import pytest

from asgi_oidc.web.return_to import MAX_RETURN_TO_LENGTH, ReturnPaths, check_return_to, shorter_paths


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "/a",
        "/a/b/",
        "/a?b=c&d=%20",
        "/a?u=https://x/",
        "/a%20b",
        "/a//b",
        "/authx",
        "/x/auth/login",
        "/a?b[]=1",
        "/@evil",
        "/a;b",
        "/" + "a" * (MAX_RETURN_TO_LENGTH - 1),
        "/.well-known/x",
        "/a..b",
        "/a?../..",
        "/a?q=100%",
        "/a?q=%zz",
    ],
)
def test_a_path_of_our_own_site_is_kept_as_it_is(value):
    """Nothing of it is rewritten, and what browsers leave in a query is fine."""
    assert check_return_to(value, own_paths="/auth") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "//evil.example",
        "///x",
        "/\\evil.example",
        "\\\\evil",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\n",
        "/\t/evil.example",
        "/a\x00",
        "/a%",
        "/a%2",
        "/a%zz",
        " /a",
        "/../a",
        "/a/..",
        "/a/./b",
        "/%2e%2e/a",
        "/a/.%2E/b",
        "/%2E",
        "/" + "a" * MAX_RETURN_TO_LENGTH,
        "/a\\b",
        "/auth",
        "/auth/",
        "/auth/login",
        "/auth/logout?x",
        "/%61uth/login",
        "/auth%2Flogout",
        "/a%2F..%2Fauth",
        "/auth?x",
        "?a",
    ],
)
def test_a_return_path_to_another_site_or_our_own_urls_is_refused(value):
    """RFC 9700 §4.11; going back to our own URLs would log in or out again."""
    assert check_return_to(value, own_paths="/auth") is None


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("/a b", "/a%20b"),
        ("/\u00e9", "/%C3%A9"),
        ("/a?q={x|y}", "/a?q=%7Bx%7Cy%7D"),
        ('/a?q="<x>"', "/a?q=%22%3Cx%3E%22"),
        ("/a\u2028", "/a%E2%80%A8"),
        ("/\uff0fevil.example", "/%EF%BC%8Fevil.example"),
    ],
)
def test_what_browsers_would_encode_is_encoded(value, spelt):
    """A person may have typed it, and the header that it goes into is ASCII."""
    assert check_return_to(value, own_paths="/auth") == spelt


def test_a_backslash_in_a_query_is_data():
    """Browsers leave it there; in a path they would take it for a slash."""
    assert check_return_to("/a?b=c\\d", own_paths="/auth") == "/a?b=c%5Cd"
    assert check_return_to("/a\\d", own_paths="/auth") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/inbox?a=1#/42", "/inbox?a=1#/42"),
        ("/#", "/#"),
        ("/x#a=%20&b=[c]#d?e", "/x#a=%20&b=[c]#d?e"),
        ('/x#"><script>', "/x#%22%3E%3Cscript%3E"),
        ("/x#\u00e9 b", "/x#%C3%A9%20b"),
        ("/x#\r\nlocation: y", None),
        ("/x#" + "y" * 2048, "/x"),
    ],
)
def test_a_fragment_goes_along(given, kept):
    """It never comes to a server by itself, but a single-page app hands it over with the path."""
    assert check_return_to(given, own_paths="/auth") == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/page?" + "q" * MAX_RETURN_TO_LENGTH, "/page"),
        ("/page?" + "q" * MAX_RETURN_TO_LENGTH + "#place", "/page"),
        ("/page?x=1#" + "f" * MAX_RETURN_TO_LENGTH, "/page?x=1"),
    ],
)
def test_what_is_too_long_keeps_its_page(given, kept):
    """A deep link that ends at home has lost its reader."""
    assert check_return_to(given, own_paths="/auth") == kept


@pytest.mark.parametrize(
    ("path", "shorter"),
    [
        ("/page?x=1#y", ["/page?x=1", "/page"]),
        ("/page#y", ["/page"]),
        ("/page?x=1", ["/page"]),
        ("/page", []),
    ],
)
def test_a_path_is_shortened_step_by_step(path, shorter):
    """First the place on the page, then what it was asked for."""
    assert list(dict.fromkeys(shorter_paths(path))) == shorter


@pytest.mark.parametrize(
    "value", ["/cb", "/cb/", "/cb?code=x", "/%63b#a", "https://app.example.com/cb", "https://app.example.com/cb/?x"]
)
def test_a_callback_elsewhere_is_one_of_our_own_paths(value):
    """A login that ends there would start the next one."""
    paths = ReturnPaths("https://app.example.com", "/auth", {"/cb"})

    assert paths.check(value) is None
    assert paths.check("/cb/page") == "/cb/page"
