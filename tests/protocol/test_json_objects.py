"""JSON from outside is read in one way only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.protocol.json_objects import MAX_DEPTH, InvalidJSON, read_array, read_object

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5), st.booleans(), st.sampled_from([None, (",", ":")]))
def test_json_round_trips(members, is_ascii, separators):
    """A strict reader must not be a wrong one."""
    assert read_object(json.dumps(members, ensure_ascii=is_ascii, separators=separators).encode()) == members


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"sub":"a","sub":"b"}',
        b'{"sub":"a","sub":"a"}',
        b'{"sub":"a","\\u0073ub":"b"}',
        b'{"iss":"a","iss":"b"}',
        b'{"iss":"a","\\u0069ss":"b"}',
        b'{"iss":["a"],"iss":["b"]}',
        b'{ "sub": "a", "sub": "b" }',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"b":2}]}',
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=lambda data: ascii(data[:24]),
)
def test_ambiguous_json_is_refused(data):
    """A token that we read one way and another program another way is an attack."""
    with pytest.raises(InvalidJSON):
        read_object(data)


def test_the_same_issuer_twice_is_read():
    """Keycloak's signed authorization responses have it, and every parser reads the same."""
    assert read_object(b'{"iss":"a","aud":"b","iss":"a"}') == {"iss": "a", "aud": "b"}


def nested(levels: int) -> bytes:
    """Make an object of that many levels, itself counted."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_nesting_is_taken_up_to_its_limit():
    """Real tokens have three or four levels."""
    assert read_object(nested(MAX_DEPTH - 1))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, MAX_DEPTH + 2, 200])
def test_nesting_beyond_its_limit_is_refused(levels):
    """Whoever walks through the claims later may do it recursively."""
    with pytest.raises(InvalidJSON, match="deeper"):
        read_object(nested(levels))


def test_many_values_are_not_deep():
    """Brackets alone say nothing."""
    assert read_object(b'{"a":[' + b"[],{}," * MAX_DEPTH + b'"[[[["]}')


@given(st.lists(VALUES, max_size=5))
def test_an_array_round_trips(items):
    """Some user APIs answer with a list."""
    assert read_array(json.dumps(items).encode()) == items


@pytest.mark.parametrize("data", [b"{}", b"null", b"7", b"[", b"[NaN]", b'[{"a":1,"a":2}]', b"[" * 50 + b"]" * 50])
def test_an_array_is_read_as_strictly(data):
    """It comes from the same places."""
    with pytest.raises(InvalidJSON):
        read_array(data)
