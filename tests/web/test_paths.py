"""Every reading of a path is kept, and only one spelling of it is canonical."""

from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.web.path_readings import strip_prefix
from asgi_oidc.web.paths import MAX_PATH_LENGTH, PathReadings, read_path


def path(path: str, *, root: str = "", base: str = "", **scope: Any) -> PathReadings:
    return read_path({"path": path, "root_path": root, **scope}, base_path=base)


@pytest.mark.parametrize(
    ("setup", "base", "root", "asked", "readings", "mismatch"),
    [
        ("app at the root", "", "", "/users", {"/users"}, False),
        ("mounted", "/admin", "/admin", "/admin/users", {"/users"}, False),
        ("mounted, with a slash", "/admin", "/admin/", "/admin/users", {"/users", "/admin/users"}, False),
        ("the mount itself", "/admin", "/admin", "/admin", {"/"}, False),
        ("nested", "/a/b", "/a/b", "/a/b/users", {"/users"}, False),
        ("app-level, server says nothing", "/admin", "", "/admin/users", {"/admin/users", "/users"}, False),
        ("stripping proxy", "/api", "", "/users", {"/users"}, False),
        ("uvicorn --root-path", "/api", "/api", "/api/users", {"/users"}, False),
        ("hypercorn, stripping proxy", "/api", "/api", "/users", {"/users"}, False),
        ("root_path without base_url", "", "/api", "/api/users", {"/api/users", "/users"}, True),
        (
            "root_path that a client chose",
            "/app",
            "/app/static",
            "/app/static/x",
            {"/app/static/x", "/static/x", "/x"},
            True,
        ),
        ("a prefix that is no whole segment", "/adm", "/adm", "/admin", {"/admin", "/in"}, False),
    ],
)
def test_the_readings_include_every_possible_interpretation(setup, base, root, asked, readings, mismatch):
    """Where server and settings agree there is one; else every one is kept."""
    found = path(asked, root=root, base=base)

    assert (found.readings, found.mismatch) == (frozenset(readings), mismatch)


@pytest.mark.parametrize(
    ("root", "base", "is_canonical"),
    [
        ("", "", True),
        ("", "/app", True),
        ("/", "/app", True),
        ("/app", "/app", True),
        ("/app/", "/app", True),
        ("/app", "", False),
        ("/ap", "/app", False),
        ("/app/b", "/app", False),
        ("app", "/app", False),
    ],
)
def test_a_path_is_canonical_only_where_the_server_agrees_with_base_url(root, base, is_canonical):
    """Nobody knows where the app starts else, and a client may have said so."""
    assert path("/app/users", root=root, base=base).is_canonical is is_canonical


@pytest.mark.parametrize(("root", "rest"), [("/v1.0", "/users"), ("/v2.0", "/v1x0/users"), ("/v1.0/", "/users")])
def test_a_dot_in_the_root_path_may_stand_for_any_character(root, rest):
    """Starlette took it for a regular expression once."""
    assert path("/v1x0/users", root=root, base="/v1.0").readings == {"/v1x0/users", rest}


@pytest.mark.parametrize("root", ["/x|/y", "/x+", "(/x)", "/x{2}", "/[a-z]", "/x$", "x"])
def test_the_results_of_such_an_expression_cannot_be_listed(root):
    """Every rule holds."""
    assert path("/x/users", root=root).is_unreadable
    assert path("/x/users", root="/" + "x" * MAX_PATH_LENGTH).is_unreadable
    assert not path("/x/users", root="/x").is_unreadable


@pytest.mark.parametrize(
    ("text", "prefix", "rest"),
    [
        ("/a/b", "", "/a/b"),
        ("/a/b", "/a", "/b"),
        ("/a", "/a", "/"),
        ("/a/", "/a", "/"),
        ("/ab", "/a", "/ab"),
        ("/b", "/a", "/b"),
        ("/a//b", "/a", "//b"),
    ],
)
def test_a_prefix_is_taken_off_in_whole_segments(text, prefix, rest):
    """As Starlette's get_route_path does."""
    assert strip_prefix(text, prefix) == rest


@pytest.mark.parametrize(
    "plain",
    ["/", "/a", "/a/", "/a/b.c", "/a-b_c~d", "/a b", "/a@b:c", "/h\u00e9", "/\u6d4b\u8bd5", "/...a", "/.well-known"],
)
def test_a_plain_path_is_canonical(plain):
    """With and without the raw path that the server may give."""
    assert path(plain).is_canonical
    assert path(plain, raw_path=quote(plain, safe="/@:~").encode()).is_canonical


@pytest.mark.parametrize(
    ("base", "asked", "raw"),
    [
        ("/app", "/users/", b"/app/userX"),
        ("/app", "/userX", b"/app/user"),
        ("/app", "/user/", b"/other/user"),
        ("", "/user/", b"/user"),
    ],
)
def test_a_mount_takes_off_its_path_and_nothing_else(base, asked, raw):
    """Else the path and the raw path say different things."""
    assert path("/user/", raw_path=b"/app/user", base="/app").is_canonical
    assert not path(asked, raw_path=raw, base=base).is_canonical


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "a",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/.",
        "/..",
        "/a/../b",
        "/a/./b",
        "/...",
        "/a;b",
        "/a\\b",
        "/a%2fb",
        "/a%",
        "/a?b",
        "/a#b",
        "/a\x00",
        "/a\n",
        "/a\x7f",
        "/ a",
        "/a ",
        "/a\xa0",
        "/／a",
        "/a․",
        "/a\u200b",
        "/a�",
        "/a|b",
        "/é",
        "/‥/x",
        "/a\u2028b",
    ],
)
def test_an_odd_path_is_not_canonical(odd):
    """Some server, proxy or framework would read it as another one."""
    assert not path(odd).is_canonical


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        ("/a/b", b"/a%2fb"),
        ("/a/b", b"/a%2Fb"),
        ("/a.b", b"/a%2eb"),
        ("/ab", b"/%61b"),
        ("/a", b"/a?x"),
        ("/a", b"/b"),
        ("/a", b"/a/"),
        ("/a", "/a"),
        ("/a", b"http://host/a"),
        ("/a", b"/a\x00"),
        ("/a%", b"/a%25"),
        ("/a", b"/a%"),
        ("/a", b"/a%4"),
        ("/\u00e9", b"/\xc3\xa9"),
        ("/a b", b"/a+b"),
    ],
)
def test_a_raw_path_that_says_something_else_is_not_canonical(asked, raw):
    """Some frameworks route by the one, some by the other."""
    assert not path(asked, raw_path=raw).is_canonical


@pytest.mark.parametrize(
    ("asked", "raw", "reading"),
    [
        ("/users/", b"/app/users", "/users"),
        ("/users/", b"/app/users/", "/users/"),
        ("/users", b"/app/users", "/users"),
        ("/h\u00e9 b/", b"/app/h%C3%A9%20b", "/h\u00e9 b"),
        ("/", b"/app", "/"),
        ("/", b"/app/", "/"),
    ],
)
def test_a_mount_may_leave_the_raw_path_whole_and_add_a_slash(asked, raw, reading):
    """Litestar does; all is as the browser asked for it."""
    found = path(asked, base="/app", raw_path=raw)

    assert (found.is_canonical, found.readings, found.external) == (True, frozenset({reading}), raw.decode())


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        ("/users/", b"/app//users"),
        ("/users/", b"/apps/users"),
        ("/users/", b"/users"),
        ("/users//", b"/app/users/"),
        ("/users/", b"/app/%75sers"),
        ("/users/", b"/app/users%2f"),
        ("/users/", b"/app/users;x"),
        ("/", b"/ap"),
        ("/users/", b"/app/app/users"),
    ],
)
def test_a_mount_that_changes_more_makes_a_path_odd(asked, raw):
    """So that nothing opens."""
    assert not path(asked, base="/app", raw_path=raw).is_canonical


@pytest.mark.parametrize(
    ("asked", "scope", "base", "external"),
    [
        ("/users", {}, "", "/users"),
        ("/h\u00e9 b", {}, "", "/h%C3%A9%20b"),
        ("/a/b", {"raw_path": b"/a%2Fb"}, "", "/a%2Fb"),
        ("/a/b", {"raw_path": b"/other"}, "", "/a/b"),
        ("/admin/users", {}, "/admin", "/admin/users"),
        ("/users", {}, "/admin", "/admin/users"),
        ("/users/", {"raw_path": b"/admin/users"}, "/admin", "/admin/users"),
        ("/users/", {"raw_path": b"/admin/users/"}, "/admin", "/admin/users/"),
        ("/h\u00e9/", {"raw_path": b"/admin/h%c3%a9"}, "/admin", "/admin/h%c3%a9"),
        ("/h\u00e9/", {"raw_path": "/admin/h\u00e9".encode()}, "/admin", "/admin/h%C3%A9"),
        ("/", {"raw_path": b"/admin"}, "/admin", "/admin"),
        ("/users/", {"raw_path": b"/other"}, "/admin", "/admin/users/"),
        ("/b/users", {"root": "/b"}, "/a/b", "/a/b/users"),
        ("/b/users", {"root": "/b/"}, "/a/b", "/a/b/users"),
        ("/bus", {"root": "/b"}, "/a/b", "/a/b/bus"),
        ("/b/users", {"root": "/c"}, "/a/b", "/a/b/b/users"),
        ("/\ud800", {}, "", "/%ED%A0%80"),
    ],
)
def test_the_external_path_is_what_the_browser_asked_for(asked, scope, base, external):
    """After the login the browser comes back to that very page."""
    assert path(asked, base=base, **scope).external == external


@given(st.text(), st.sampled_from(["", "/admin"]), st.sampled_from(["", "/admin", "/x/"]), st.binary(max_size=10))
def test_any_path_has_readings_and_is_in_one_spelling_canonical(text, base, root, raw):
    """Nothing fails, and what is canonical is what it says: decoding it changes nothing."""
    found = path(text, root=root, base=base, raw_path=raw)

    assert 1 <= len(found.readings) <= 8
    assert found.external.isascii()
    if found.is_canonical:
        assert unquote_to_bytes(raw) == text.encode()
        assert "//" not in text
        assert "%" not in text


@given(st.lists(st.text("abc.-_~ \u00e9", min_size=1), min_size=1, max_size=4))
def test_adding_a_mount_undoes_stripping_it(segments):
    """A mounted path and the same path behind a stripping proxy come back to the same URL."""
    inner = "/" + "/".join(segments)

    assert path("/admin" + inner, root="/admin", base="/admin").external == path(inner, base="/admin").external


def test_an_oversized_path_is_protected_without_being_read():
    """Judging a path costs time by its length, and anyone can send a long one."""
    path = "/static/" + "a" * MAX_PATH_LENGTH

    found = read_path({"path": path, "raw_path": path.encode()}, base_path="/app")

    assert (found.is_canonical, found.external) == (False, "/app/")
