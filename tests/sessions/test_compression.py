"""Texts of tokens are compressed, and UUIDs in them take 16 bytes; what comes out is what went in."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.sessions.packing.compression import RAW, compress, decompress
from asgi_oidc.sessions.packing.uuids import MAX_UUIDS, put_uuids, take_uuids

UUIDS = st.uuids().map(str)
TEXTS = st.lists(st.one_of(UUIDS, UUIDS.map(str.upper), st.text("abc09-,"), st.just("\0")), max_size=12).map(
    lambda parts: "".join(parts).encode()
)


@given(st.binary(max_size=3000))
def test_compressed_texts_come_back(text):
    """Also those that get no smaller."""
    assert decompress(compress(text), most=len(text)) == text


@pytest.mark.parametrize(
    "data",
    [
        compress(b"x" * 501),
        compress(bytes(100_000_000)),
        compress(b"x" * 500)[:-2],
        b"\xffjunk",
        b"",
        zlib.compress(b"x" * 500),
    ],
    ids=["too long", "a bomb", "cut", "junk", "nothing", "with a header"],
)
def test_data_that_we_did_not_compress_is_an_error(data):
    """It is sealed, so nobody else can send it; and a fault of ours must not fill the memory."""
    with pytest.raises(ValueError, match=r"compressed|longer than stated"):
        decompress(data, most=500)


def test_a_text_of_tokens_is_found_in_the_dictionary():
    """Small tokens have nothing else to refer to."""
    text = b'{"iss":"https://auth.example.com","sub":"alice","email":"alice@example.com","email_verified":true}'
    stream = zlib.compressobj(9, zlib.DEFLATED, RAW)

    assert len(compress(text)) < 0.7 * len(stream.compress(text) + stream.flush())


@given(TEXTS)
def test_uuids_come_back(text):
    """At any place, and in the spelling of the text."""
    assert put_uuids(*take_uuids(text)) == text


@given(st.lists(UUIDS, min_size=1, max_size=30), st.data())
def test_each_uuid_is_in_the_table_once(uuids, data):
    """Two tokens often contain the same groups, in another order."""
    again = data.draw(st.permutations(uuids))
    text = ",".join([*uuids, *again]).encode()

    without, table = take_uuids(text)

    assert (put_uuids(without, table), len(table)) == (text, 16 * len(set(uuids)))


def test_a_repeated_list_of_uuids_takes_one_placeholder_each():
    """Compressed, that is almost nothing."""
    uuids = ",".join(f"00000000-0000-4000-8000-{number:012}" for number in range(100)).encode()

    without, table = take_uuids(uuids + b";" + uuids)

    assert (len(without), len(table)) == (100 + 99 + 1 + 3 + 99 + 99, 1600)


def test_uuids_that_no_index_can_name_stay_in_the_text():
    """Two bytes name 64,009 of them."""
    text = ",".join(f"00000000-0000-4000-8000-{number:012}" for number in range(MAX_UUIDS + 2)).encode()

    without, table = take_uuids(text)

    assert (put_uuids(without, table), len(table)) == (text, 16 * MAX_UUIDS)


@pytest.mark.parametrize("text", [b"\x01\x01", b"\x02\x03\x04", b"\x02\x03"])
def test_a_uuid_that_is_missing_is_an_error(text):
    """The table belongs to another text."""
    with pytest.raises(ValueError, match="a UUID is missing"):
        put_uuids(text, bytes(16))
