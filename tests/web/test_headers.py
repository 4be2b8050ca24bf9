"""Names of headers are read once for all requests that bring the same ones, and mean what they say each time."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.web.headers import MAX_LIST_LENGTH, MAX_LISTS, MAX_NAMES, _cached, read_names

NAMES = st.one_of(
    st.sampled_from([b"cookie", b"Cookie", b"host", b"x-http-method", b"X_Method-Override", b"\n", b""]),
    st.binary(max_size=6),
)


def headers(*names: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, b"value") for name in names]


@given(st.lists(NAMES, max_size=6), st.booleans())
def test_a_list_that_was_seen_before_says_the_same(names, is_known):
    """Whatever stands in a name, a line break too: no list is taken for another one."""
    if not is_known:
        _cached.clear()
    read_names(headers(*b"\n".join(names).split(b"\n")))

    found = read_names(headers(*names))

    lowered = [name.lower() for name in names]
    assert found.count == len(names)
    assert found.positions == {
        name: [place for place, each in enumerate(lowered) if each == name] for name in set(lowered)
    }
    assert set(found.overrides) == {b"x-http-method", b"x_method-override"} & set(lowered)
    assert list(found.cookies) == found.positions.get(b"cookie", [])


def test_a_line_break_in_a_name_plants_nothing_for_others():
    """As many names, and the same bytes in between."""
    read_names(headers(b"cookie\nhost", b"a"))

    assert read_names(headers(b"cookie", b"host\na")).cookies == [0]


def test_the_same_names_are_read_once():
    """That is what makes it fast."""
    names = read_names(headers(b"host", b"cookie"))

    assert read_names(headers(b"host", b"cookie")) is names


@pytest.mark.parametrize(("size", "is_kept"), [(MAX_LIST_LENGTH, True), (MAX_LIST_LENGTH + 1, False)])
def test_a_long_list_is_not_kept(size, is_kept):
    """Some servers take any."""
    names = read_names(headers(b"x" * size))

    assert (read_names(headers(b"x" * size)) is names) is is_kept


@pytest.mark.parametrize(("count", "is_kept"), [(MAX_NAMES, True), (MAX_NAMES + 1, False)])
def test_a_list_of_many_names_is_not_kept(count, is_kept):
    """However short they are: each takes room of its own."""
    names = read_names(headers(*[b"a"] * count))

    assert (read_names(headers(*[b"a"] * count)) is names) is is_kept


def test_made_up_header_names_use_little_memory():
    """Nobody has to sign in for that."""
    tracemalloc.start()
    for number in range(3 * MAX_LISTS):
        read_names(headers(*[b"%d-%d" % (number, place) for place in range(MAX_NAMES)]))
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 0 < held <= most < 4_000_000


def test_so_many_lists_are_kept_and_no_more():
    """Anybody can make names up."""
    for number in range(3 * MAX_LISTS):
        read_names(headers(b"x-%d" % number))

    assert 0 < len(_cached) <= MAX_LISTS


def test_names_may_come_as_other_bytes():
    """ASGI says byte strings; some servers have views of them."""
    pairs: Any = [(memoryview(b"Cookie"), b"a=1"), (bytearray(b"host"), b"a")]

    assert read_names(pairs).cookies == [0]
