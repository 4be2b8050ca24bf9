"""What is packed comes out as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.login.login_transactions import Before, Transaction
from asgi_oidc.sessions.packing.structs import pack, unpack
from asgi_oidc.sessions.sealing import base64url

RANDOM = st.binary(min_size=8, max_size=80).map(base64url)
TEXT = st.one_of(
    st.text(max_size=60),
    RANDOM,
    st.lists(st.one_of(RANDOM, st.text(max_size=20)), min_size=2, max_size=5).map(".".join),
)


@given(TEXT, TEXT, TEXT, st.lists(TEXT, max_size=4), st.one_of(st.none(), st.tuples(TEXT, TEXT)))
def test_logins_round_trip_through_packing(state, nonce, return_to, acr_values, before):
    """Base64url that is not in its one spelling, and text with dots, too."""
    login = Transaction(
        state=state,
        nonce=nonce,
        code_verifier="v" * 43,
        return_to=return_to,
        form_post=True,
        max_age=None,
        acr_values=acr_values,
        created_at=1_800_000_000,
        before=None if before is None else Before(*before),
    )

    assert unpack(pack(login), Transaction) == login


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x91\xc1", b"junk", pack(Before("a", "b")), b"\x90" * 20])
def test_data_of_another_kind_is_an_error(data):
    """Of another release, for one."""
    with pytest.raises(ValueError, match=r"."):
        unpack(data, Transaction)
