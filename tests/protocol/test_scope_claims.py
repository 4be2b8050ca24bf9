"""The scopes of an access token are read from either claim, and from text or a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.scope_claims import read_scopes

SCOPE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, ()),
        ({"scope": ""}, ()),
        ({"scope": " "}, ()),
        ({"scp": []}, ()),
        ({"scope": "read"}, ("read",)),
        ({"scope": "read write"}, ("read", "write")),
        ({"scope": " read  write "}, ("read", "write")),
        ({"scope": "read read"}, ("read",)),
        ({"scope": ["read", "write"]}, ("read", "write")),
        ({"scp": "read write"}, ("read", "write")),
        ({"scp": ["read", "write", "read"]}, ("read", "write")),
        ({"scope": "read write", "scp": ["write", "read"]}, ("read", "write")),
        ({"scope": "https://api.example.com/orders.read orders:write~1"}, None),
        ({"permissions": ["read"], "roles": ["admin"]}, ()),
    ],
    ids=str,
)
def test_scopes_are_read_in_order(claims, scopes):
    """Each provider writes them in its own way; permissions and roles are none."""
    assert read_scopes(claims) == (tuple(claims["scope"].split()) if scopes is None else scopes)


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": None},
        {"scope": 7},
        {"scope": True},
        {"scope": {"read": True}},
        {"scp": None},
        {"scp": [None]},
        {"scp": ["read", 7]},
        {"scp": [["read"]]},
        {"scp": [""]},
        {"scp": ["read write"]},
        {"scope": "read\twrite"},
        {"scope": "read\n"},
        {"scope": "read\u00a0write"},
        {"scope": 'read"'},
        {"scope": "read\\"},
        {"scope": "l\u00e4sen"},
        {"scope": "read", "scp": ["read", "write"]},
        {"scope": "", "scp": ["write"]},
    ],
    ids=str,
)
def test_malformed_or_contradicting_scopes_are_refused(claims):
    """A scope with a space could become two."""
    with pytest.raises(TokenRejected) as caught:
        read_scopes(claims)

    assert caught.value.code == "claim_scope"


@given(st.lists(SCOPE, unique=True))
def test_a_list_and_its_text_say_the_same(scopes):
    """Round trip."""
    assert read_scopes({"scope": " ".join(scopes)}) == read_scopes({"scp": scopes}) == tuple(scopes)
