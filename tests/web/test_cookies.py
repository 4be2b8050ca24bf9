"""Cookies are read strictly and written from one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookies import MAX_HEADER_SIZE, Cookies, CookieStyle

HTTPS, LOOPBACK = CookieStyle(secure=True), CookieStyle(secure=False)
NAMES = st.text("abcXYZ019_.-", min_size=1, max_size=8)
VALUES = st.text("abcXYZ019_.~-", max_size=12)


@pytest.mark.parametrize(
    ("style", "same_site", "line"),
    [
        (HTTPS, "Lax", b"__Host-s=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure"),
        (HTTPS, "None", b"__Host-s=v; Path=/; Max-Age=9; HttpOnly; SameSite=None; Secure"),
        (LOOPBACK, "Lax", b"s=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax"),
        (LOOPBACK, None, b"s=v; Path=/; Max-Age=9; HttpOnly"),
    ],
)
def test_a_cookie_is_written_by_its_style_alone(style, same_site, line):
    """RFC 6265bis §4.1.3.2: __Host- with Secure and Path=/, never with Domain."""
    assert style.set_cookie(style.name("s"), "v", max_age=9, same_site=same_site) == line


@pytest.mark.parametrize("style", [HTTPS, LOOPBACK])
def test_a_deleted_cookie_is_gone_from_a_browser(style):
    """The same attributes, or browsers ignore the line."""
    url = "https://app.example.com/x" if style.secure else "http://localhost/x"
    jar = CookieJar(lambda: 1000)

    jar.receive(style.set_cookie(style.name("s"), "v", max_age=9).decode(), url)
    kept = [cookie.name for cookie in jar]
    jar.receive(style.delete_cookie(style.name("s")).decode(), url)

    assert (kept, list(jar), jar.refused) == ([style.name("s")], [], [])


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.integers(0, 6))
def test_what_a_browser_sends_is_what_is_read(cookies, cut):
    """In one header, or in several as HTTP/2 may send them (RFC 9113 §8.2.3)."""
    pairs = [f"{name}={value}".encode() for name, value in cookies.items()]
    headers = [header for part in (pairs[:cut], pairs[cut:]) if (header := b"; ".join(part))]

    assert Cookies(b";".join(headers)) == cookies


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b" a = 1 ;\tb=2\t", {"a": "1", "b": "2"}),
        (b"a=1; other=x y", {"a": "1", "other": "x y"}),
        (b'a="1"', {"a": '"1"'}),
        (b"a=1=2", {"a": "1=2"}),
        (b"a=%31", {"a": "%31"}),
        (b"a=\xff", {"a": "\xff"}),
        (b"a", {}),
        (b"=1", {}),
        (b"a=1; a=2", {}),
        (b"a=1; a=1", {}),
        (b"a=1; b=2; a=3", {"b": "2"}),
        (b"\xa0a=1", {}),
        (b"\x0ba=1", {}),
        (b"\x1ca=1", {}),
        (b"a =1; a=2", {}),
        (b'"a"=1', {}),
        (b"a[]=1", {}),
        (b"a,b=1", {}),
        (b"$Version=1; a=2", {"a": "2"}),
        (b";;;a=1;;", {"a": "1"}),
    ],
)
def test_a_cookie_header_is_read_unambiguously(header, found):
    """No white space, no quoting and no doubling turns a planted cookie into ours."""
    assert dict(Cookies(header)) == found


def test_no_repr_shows_cookie_values():
    """They stand in tracebacks."""
    assert repr(Cookies(b"a=s3cret; b=2")) == "Cookies(a, b)"


def test_a_name_in_two_cookie_headers_is_left_out():
    """Somebody planted one of the two."""
    assert Cookies(b"a=1; b=2;a=3") == {"b": "2"}


@pytest.mark.parametrize(("size", "is_read"), [(MAX_HEADER_SIZE, True), (MAX_HEADER_SIZE + 1, False)])
def test_oversized_cookie_headers_are_not_read(size, is_read):
    """Everything that comes in is bounded."""
    assert bool(Cookies(b"a=" + b"1" * (size - 2))) is is_read


PIECES = st.sampled_from([b"our", b"our-1", b"x-our", b"o", b"=", b";", b"; ", b"\t", b" ", b"a", b"\xa0", b'"', b"1"])


@given(st.lists(PIECES, max_size=24).map(b"".join))
def test_lookups_by_prefix_and_by_name_agree(header):
    """Values with the same letters, doubled names and odd blanks mean the same, read in a hurry or not."""
    everything = dict(Cookies(header))

    assert dict(Cookies(header, "our")) == {name: value for name, value in everything.items() if "our" in name}
    assert Cookies(header).beginning_with("our") == {
        name: value for name, value in everything.items() if name.startswith("our")
    }


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_cookie_header_makes_reading_raise(headers):
    """What a browser sends is never an error of ours."""
    found = Cookies(b";".join(headers))

    assert all(name.isascii() for name in found)
