"""What is packed comes out as it was, in fewer bytes where it holds tokens."""

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.login.login_transactions import Before, Transaction
from asgi_oidc.sessions.cookie_packing import MAX_UNPACKED_SIZE, compress, decompress, pack, unpack
from asgi_oidc.sessions.sealing import base64url
from asgi_oidc.sessions.session import Tokens, encode, write_claims
from tests.sessions.test_session import TOKENS

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


@given(TEXT, TEXT, st.one_of(st.none(), TEXT), st.lists(TEXT, max_size=4))
def test_tokens_round_trip_through_packing(id_token, access_token, refresh_token, scopes):
    """A JWT, or anything that looks like one."""
    tokens = msgspec.structs.replace(
        TOKENS, id_token=id_token, access_token=access_token, refresh_token=refresh_token, scopes=scopes
    )

    unpacked = unpack(pack(tokens), Tokens)

    assert encode(unpacked) == encode(tokens)


def test_claims_keep_numbers_that_msgpack_does_not_know():
    """A provider may use one as an id."""
    tokens = msgspec.structs.replace(TOKENS, written_claims=write_claims({"id": 10**30, "share": 0.1}))

    assert unpack(pack(tokens), Tokens).claims == {"id": 10**30, "share": 0.1}


def test_a_jwt_takes_a_quarter_less():
    """It is base64url within base64url else."""
    jwt = ".".join([base64url(bytes(60)), base64url(bytes(900)), base64url(bytes(256))])
    tokens = msgspec.structs.replace(TOKENS, id_token=jwt)

    assert len(pack(tokens)) < len(encode(tokens)) - len(jwt) // 4


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x91\xc1", b"junk", pack(Before("a", "b")), b"\x90" * 20])
def test_data_of_another_kind_is_an_error(data):
    """Of another release, for one."""
    with pytest.raises(ValueError, match=r"."):
        unpack(data, Tokens)


@given(st.binary(max_size=MAX_UNPACKED_SIZE))
def test_compressed_values_round_trip(content):
    """Also where it gets no smaller by that."""
    compressed = compress(content)

    assert compressed is not None
    assert decompress(compressed) == content


def test_oversized_data_is_not_compressed():
    """How much goes into cookies should not be a matter of luck."""
    assert (compress(bytes(MAX_UNPACKED_SIZE)) is None, compress(bytes(MAX_UNPACKED_SIZE + 1))) == (False, None)


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(bytes(MAX_UNPACKED_SIZE + 1)),
        zlib.compress(bytes(100_000_000)),
        zlib.compress(b"x" * 500)[:-5],
        b"\x78junk",
        b"",
        pack(TOKENS),
    ],
    ids=["a byte too long", "a bomb", "cut", "junk", "nothing", "packed alone"],
)
def test_data_that_we_did_not_compress_is_an_error(data):
    """It is sealed, so nobody else can send it; and a fault of ours must not fill the memory."""
    with pytest.raises(ValueError, match=r"zlib|too long"):
        decompress(data)
