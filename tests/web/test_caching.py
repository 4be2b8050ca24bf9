"""Nothing personal and no cookie of ours can be kept by a shared cache."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_oidc.web.caching import (
    BY_COOKIE_WITHOUT_TOKEN,
    MAX_NAME_LENGTH,
    MAX_NAMES,
    _harmless_names,
    private_headers,
)

Headers = list[tuple[bytes, bytes]]
COOKIE = b"__Host-oidc=x; Path=/"


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for header, value in headers if header.lower() == name]


@pytest.mark.parametrize(
    ("asked", "given_back"),
    [
        ([], b"private"),
        ([b"public, max-age=60"], b"private, max-age=60"),
        ([b"PUBLIC,S-MaxAge=60,max-age=1"], b"private, max-age=1"),
        ([b"s-maxage=60"], b"private"),
        ([b"private"], b"private"),
        ([b"private, max-age=5"], b"private, max-age=5"),
        ([b'private="set-cookie", max-age=5'], b"private, max-age=5"),
        ([b"no-cache"], b"private, no-cache"),
        ([b"max-age=5", b"public, must-revalidate"], b"private, max-age=5, must-revalidate"),
        ([b""], b"private"),
        ([b" , ,"], b"private"),
    ],
)
def test_stricter_cache_headers_of_the_app_are_kept(asked, given_back):
    """RFC 9111 §5.2.2: a browser may keep what no one else may."""
    headers = private_headers([(b"Cache-Control", value) for value in asked])

    assert values(headers, b"cache-control") == [given_back]


@pytest.mark.parametrize("asked", [b"no-store", b"No-Store, max-age=0", b"public, no-store"])
def test_no_store_is_never_weakened(asked):
    """The app knows best what is secret."""
    (value,) = values(private_headers([(b"cache-control", asked)]), b"cache-control")

    assert b"no-store" in value.lower()
    assert b"public" not in value


def test_a_response_with_our_cookie_is_no_store():
    """RFC 9111 §7.3: a kept Set-Cookie would sign strangers in."""
    headers = private_headers([(b"cache-control", b"public, max-age=9"), (b"set-cookie", b"app=1")], [COOKIE, b"b=2"])

    assert values(headers, b"cache-control") == [b"no-store"]
    assert values(headers, b"set-cookie") == [b"app=1", COOKIE, b"b=2"]


@pytest.mark.parametrize(
    ("asked", "given_back"),
    [
        ([], [b"Cookie"]),
        ([b"Accept"], [b"Accept", b"Cookie"]),
        ([b"Accept, cookie"], [b"Accept, cookie"]),
        ([b"*"], [b"*"]),
        ([b"Accept", b"COOKIE"], [b"Accept", b"COOKIE"]),
    ],
)
def test_the_answer_varies_by_cookie(asked, given_back):
    """Two users, two answers."""
    assert values(private_headers([(b"Vary", value) for value in asked]), b"vary") == given_back


@pytest.mark.parametrize(
    ("asked", "given_back"),
    [
        ([], [b"Cookie", b"Authorization"]),
        ([b"authorization"], [b"authorization", b"Cookie"]),
        ([b"Cookie, Authorization"], [b"Cookie, Authorization"]),
        ([b"*"], [b"*"]),
    ],
)
def test_where_tokens_count_the_answer_to_a_session_varies_by_both(asked, given_back):
    """A token decides even where there is a cookie."""
    headers = private_headers([(b"Vary", value) for value in asked], private=BY_COOKIE_WITHOUT_TOKEN)

    assert values(headers, b"vary") == given_back


@pytest.mark.parametrize("name", [b"Surrogate-Control", b"CDN-Cache-Control", b"Cloudflare-CDN-Cache-Control"])
def test_headers_for_shared_caches_are_removed(name):
    """RFC 9213: at the edge they overrule Cache-Control."""
    assert values(private_headers([(name, b"max-age=60"), (b"x", b"y")]), name.lower()) == []


def test_other_headers_stay_as_they_are():
    """Their order and their spelling too."""
    headers = [(b"Content-Type", b"text/html"), (b"ETag", b'"1"'), (b"Content-Type", b"again")]

    assert private_headers(iter(headers))[:3] == headers


def directives_of(value: bytes) -> dict[bytes, bytes]:
    """Read Cache-Control as RFC 9111 §5.2 and RFC 9110 §5.6 do: quoted strings are one word."""
    words, word, is_quoted, is_escaped = [], b"", False, False
    for letter in (value[index : index + 1] for index in range(len(value))):
        if is_escaped:
            is_escaped = False
        elif is_quoted and letter == b"\\":
            is_escaped = True
        elif letter == b'"':
            is_quoted = not is_quoted
        elif letter == b"," and not is_quoted:
            words.append(word)
            word = b""
            continue
        word += letter
    pairs = [one.strip().partition(b"=") for one in (*words, word)]
    return {name.strip().lower(): argument for name, _, argument in pairs if name}


def is_shareable(headers: Headers) -> bool:
    """Decide as a shared cache does that knows every extension, RFC 9111 §5.2.2.3 `must-understand` too."""
    directives = directives_of(b", ".join(values(headers, b"cache-control")))
    if b"private" in directives and not directives[b"private"]:
        return False
    return not (b"no-store" in directives and b"must-understand" not in directives)


WORDS = st.sampled_from(
    [
        b"public",
        b"s-maxage=9",
        b"private",
        b'private="a"',
        b"no-store",
        b"must-understand",
        b"max-age=9",
        b"no-cache",
        b'no-cache="a, b"',
        b'ext="',
        b'"',
        b"",
        b" ",
        b"PUBLIC",
        b"S-MAXAGE =9",
        b"immutable",
        b"=",
        b"\xa0public",
    ]
)
CONTROLS = st.lists(st.lists(WORDS, max_size=5).map(b",".join), max_size=3)


@given(CONTROLS, st.booleans())
@example([b"must-understand, no-store"], False)
@example([b'ext=",no-store'], False)
def test_no_answer_to_a_user_is_ever_shareable(controls, has_cookie):
    """Invariant: whatever the app says, and however oddly."""
    headers: Headers = [(b"cache-control", value) for value in controls]

    assert not is_shareable(private_headers(headers, [COOKIE] if has_cookie else []))


def test_unrelated_header_names_are_cached_within_limits():
    """An app may make names up."""
    for number in range(3 * MAX_NAMES):
        private_headers([(b"x-%d" % number, b"")])
    private_headers([(b"y" * (MAX_NAME_LENGTH + 1), b"")])
    private_headers([(b"z-%d" % number, b"") for number in range(MAX_NAMES + 1)])

    assert 0 < len(_harmless_names) <= MAX_NAMES
    assert not [name for name in _harmless_names if name[:1] in b"yz"]


def test_names_may_come_as_other_bytes():
    """ASGI says byte strings; some apps have views of them."""
    headers: Any = [
        (bytearray(b"Cache-Control"), bytearray(b"public")),
        (memoryview(b"x-a"), b"1"),
        (b"vary", memoryview(b"*")),
    ]

    assert private_headers(headers) == [(b"x-a", b"1"), (b"vary", b"*"), (b"cache-control", b"private")]
    assert private_headers(headers[1:2]) == [(b"x-a", b"1"), *private_headers([])]


@pytest.mark.parametrize("name", [b"Cache-Control", b"VARY", b"X-CDN-Cache-Control", b"Surrogate-Control"])
def test_cache_header_names_are_checked_each_time(name):
    """In whatever case they come, and whatever came with them before."""
    for _ in range(2):
        headers = private_headers([(b"content-type", b"a"), (name, b"*, max-age=60")])

        assert (name, b"*, max-age=60") not in headers or name == b"VARY"
        assert name not in _harmless_names
