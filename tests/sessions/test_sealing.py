"""A sealed value opens only for us, for its kind, under its name, for this middleware."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.sessions.sealing import KINDS, NONCE, TAG, Sealer, bound_to, derive

ONE, TWO = b"1" * 16 + b"a" * 16, b"2" * 32
CONTEXT = ("https://id.example.com", "web", "https://app.example.com")
SEALER = Sealer([ONE], context=CONTEXT)


@given(st.binary(max_size=5000), st.sampled_from(KINDS), st.text(max_size=20))
def test_sealed_values_round_trip(value, kind, name):
    """Whatever it holds, in characters that a cookie can carry."""
    text = SEALER.seal(kind, name, value)

    assert SEALER.open(kind, name, text) == value
    assert text.isascii()
    assert "=" not in text


@given(st.text(alphabet=st.one_of(st.characters(), st.characters(categories=["Cs"])), max_size=200))
def test_no_text_makes_unsealing_raise(text):
    """Whatever a browser sends, it is a value of ours or nothing."""
    assert SEALER.open("session", "name", text) is None


@given(st.integers(0, 10_000), st.sampled_from("AZaz09-_=+/. ~"))
def test_no_changed_character_stays_good(position, other):
    """Also the last bits of base64url, which lenient decoders drop."""
    text = SEALER.seal("session", "name", b"a value of some length")
    position %= len(text)
    changed = text[:position] + other + text[position + 1 :]

    assert SEALER.open("session", "name", changed) == (b"a value of some length" if changed == text else None)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_only_one_spelling_of_a_value_is_good(size):
    """Lenient decoders drop the last bits, so that up to 16 texts would be the same value."""
    text = SEALER.seal("session", "name", b"x" * size)
    letters = string.ascii_letters + string.digits + "-_"

    good = [letter for letter in letters if SEALER.open("session", "name", text[:-1] + letter) is not None]

    assert good == [text[-1]]


@pytest.mark.parametrize(("ours", "other"), [("-", "+"), ("_", "/")])
def test_the_standard_base64_alphabet_is_refused(ours, other):
    """The same bytes in plain base64."""
    text = next(text for text in iter(lambda: SEALER.seal("session", "name", b"x" * 48), "") if ours in text)

    assert SEALER.open("session", "name", text.replace(ours, other)) is None


@pytest.mark.parametrize(
    ("kind", "name", "sealer"),
    [
        ("login", "name", SEALER),
        ("tokens", "name", SEALER),
        ("seen", "name", SEALER),
        ("session", "other", SEALER),
        ("session", "", SEALER),
        ("session", "name", Sealer([TWO], context=CONTEXT)),
        ("session", "name", Sealer([ONE], context=("https://other.example.com", *CONTEXT[1:]))),
        ("session", "name", Sealer([ONE], context=(CONTEXT[0], "spa", CONTEXT[2]))),
        ("session", "name", Sealer([ONE], context=(*CONTEXT[:2], "https://other.example.com"))),
        ("session", "name", Sealer([ONE], context=(CONTEXT[0] + "web", "", CONTEXT[2]))),
    ],
)
def test_a_sealed_value_cannot_stand_in_for_another(kind, name, sealer):
    """Kind, name, issuer, client and origin are bound in."""
    assert sealer.open(kind, name, SEALER.seal("session", "name", b"value")) is None


def test_the_first_secret_seals_and_all_open():
    """So that a secret can be changed while people are signed in."""
    rotated = Sealer([TWO, ONE], context=CONTEXT)
    old = SEALER.seal("session", "name", b"value")
    new = rotated.seal("session", "name", b"value")

    assert (rotated.open("session", "name", old), rotated.open("session", "name", new)) == (b"value", b"value")
    assert SEALER.open("session", "name", new) is None


def test_the_same_value_is_never_sealed_alike():
    """Else two cookies could be told to be equal."""
    assert SEALER.seal("session", "name", b"value") != SEALER.seal("session", "name", b"value")


@pytest.mark.parametrize("size", [0, 1, NONCE, NONCE + TAG - 1])
def test_a_value_that_is_too_short_does_not_open(size):
    """There is no room for a nonce and a tag."""
    assert SEALER.open("session", "name", "A" * ((size * 4 + 2) // 3)) is None


def test_an_empty_value_can_be_sealed():
    """The shortest that there is."""
    text: Any = SEALER.seal("session", "name", b"")

    assert SEALER.open("session", "name", text) == b""


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_the_context_is_encoded_unambiguously(one, two):
    """Else a part could borrow characters of its neighbour."""
    assert (bound_to(*one) == bound_to(*two)) is (one == two)


def test_keys_differ_by_secret_purpose_and_salt():
    """None tells anything about another."""
    keys = [
        derive(ONE, "a"),
        derive(TWO, "a"),
        derive(ONE, "b"),
        derive(ONE, "a", salt=b"s"),
        derive(ONE, "a", salt=b"t"),
    ]

    assert len(set(keys)) == len(keys)
    assert derive(ONE, "a", salt=b"s") == keys[3]
    assert [len(derive(ONE, "a", length=length)) for length in (8, 32)] == [8, 32]
