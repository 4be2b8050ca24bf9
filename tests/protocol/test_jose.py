"""Keys are imported one by one, and a signature counts only with a key, an algorithm and a size that we know."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.jose import (
    MAX_HEADER_LENGTH,
    MAX_KEYS,
    MAX_SIGNATURE_LENGTH,
    MAX_TOKEN_LENGTH,
    KeyUnknown,
    VerifyingKey,
    read_key_set_answer,
    verify_token,
)
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.signature_algorithms import HASH_OF_ALGORITHM, KEY_OF_ALGORITHM, token_hash
from asgi_oidc.testing.keys import SigningKey, base64url, compact_jws, left_half_hash, public_parts, signing_key

ALL = tuple(KEY_OF_ALGORITHM)
KEY = signing_key("ES256")
CLAIMS = b'{"sub":"alice"}'


def key_set(*jwks: Any) -> tuple[list[VerifyingKey], list[str]]:
    return read_key_set_answer(Answer(200, {}, json.dumps({"keys": list(jwks)}).encode()))


def keys_of(*signers: SigningKey) -> list[VerifyingKey]:
    usable, skipped = key_set(*(signer.public_jwk() for signer in signers))
    assert not skipped
    return usable


def token_of(header: dict[str, Any], payload: bytes = CLAIMS, signer: SigningKey = KEY) -> str:
    return compact_jws({"alg": signer.alg, "kid": signer.kid, **header}, payload, signer)


# --- key sets


@pytest.mark.parametrize("alg", ["RS256", "PS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_signature_of_every_known_algorithm_is_good(alg):
    """What a provider may choose of our list works."""
    signer = signing_key(alg)

    verified = verify_token(token_of({"typ": "JWT"}, signer=signer), keys_of(signer), ALL)

    assert (verified.alg, verified.typ, verified.claims) == (alg, "JWT", {"sub": "alice"})


@pytest.mark.parametrize(("in_key", "in_token"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA"), (None, "Ed25519")])
def test_eddsa_goes_by_both_of_its_names(in_key, in_token):
    """RFC 9864 renamed it, and providers move at their own pace."""
    signer = signing_key("EdDSA")
    usable, _ = key_set({**signer.public_jwk(), "alg": in_key})

    assert verify_token(token_of({"alg": in_token}, signer=signer), usable, ALL).alg == in_token


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kty": "oct", "k": "c2VjcmV0"}, "kty_unknown"),
        ({"kty": "AKP"}, "kty_unknown"),
        ({"kty": None}, "kty_unknown"),
        ({"use": "enc"}, "use_is_not_sig"),
        ({"use": 7}, "use_is_not_sig"),
        ({"key_ops": ["encrypt"]}, "key_ops_without_verify"),
        ({"key_ops": "verify"}, "key_ops_without_verify"),
        ({"kid": 7}, "kid_or_alg_is_no_text"),
        ({"alg": ["ES256"]}, "kid_or_alg_is_no_text"),
        ({"crv": "P-999"}, None),
        ({"crv": None}, None),
        ({"x": "!!!"}, None),
        ({"x": 7}, None),
        ({"x": None}, None),
        ({"y": "AA"}, None),
    ],
)
def test_a_key_that_we_cannot_use_never_spoils_the_others(changes, why):
    """Providers publish encryption keys, new kinds of keys and mistakes beside what we need."""
    usable, skipped = key_set({**KEY.public_jwk(), **changes}, KEY.public_jwk())

    assert ([key.kid for key in usable], len(skipped)) == ([KEY.kid], 1)
    assert why is None or skipped == [why]


@pytest.mark.parametrize("jwk", [{}, None, 7, [], "key", {"kty": "EC"}, {"kty": "RSA", "n": "AQAB"}, {"kty": ["EC"]}])
def test_invalid_keys_are_skipped(jwk):
    """One bad entry must not lock everybody out."""
    usable, skipped = key_set(jwk, KEY.public_jwk())

    assert (len(usable), len(skipped)) == (1, 1)


def test_odd_members_that_make_no_key_do_not_matter():
    """A certificate that cannot be read says nothing about the key."""
    usable, skipped = key_set({**KEY.public_jwk(), "x5u": 7, "x5c": ["?"], "key_ops": ["verify"], "ext": "yes"})

    assert (len(usable), skipped) == (1, [])


@pytest.mark.parametrize("name", ["use", "alg", "kid", "key_ops"])
def test_members_that_are_null_count_as_missing(name):
    """Some providers write null for what they do not say."""
    usable, _ = key_set({**KEY.public_jwk(), name: None})

    assert verify_token(compact_jws({"alg": "ES256"}, CLAIMS, KEY), usable, ALL)


@pytest.mark.parametrize(("bits", "is_usable"), [(1024, False), (2048, True)])
def test_small_rsa_keys_are_skipped(bits, is_usable):
    """RFC 7518 §3.3 asks for 2048 bits; joserfc only warns."""
    usable, skipped = key_set(signing_key("RS256", rsa_bits=bits).public_jwk())

    assert (len(usable), skipped) == ((1, []) if is_usable else (0, ["rsa_size"]))


def test_huge_rsa_keys_are_skipped():
    """To check a signature with one costs seconds."""
    modulus = base64url((2**8200 + 1).to_bytes(1026, "big"))

    assert key_set({"kty": "RSA", "n": modulus, "e": "AQAB"})[0] == []


@pytest.mark.parametrize("members", [{}, {"keys": None}, {"keys": {}}, {"keys": [{}] * (MAX_KEYS + 1)}])
def test_an_invalid_key_set_is_refused(members):
    """More keys than any provider publishes are an attack or a mistake."""
    with pytest.raises(AnswerRejected) as caught:
        read_key_set_answer(Answer(200, {}, json.dumps(members).encode()))

    assert caught.value.code == "jwks_malformed"


# --- which key


def test_one_kid_on_keys_of_several_kinds_works():
    """The key is chosen by its kind too."""
    others = [signing_key("RS256"), signing_key("EdDSA"), signing_key("ES384")]
    usable, _ = key_set(*({**one.public_jwk(), "kid": "same"} for one in [*others, KEY]))

    assert verify_token(token_of({"kid": "same"}), usable, ALL).claims == {"sub": "alice"}


def test_one_kid_on_two_keys_of_one_kind_works():
    """Each that fits is tried."""
    usable, _ = key_set(*({**one.public_jwk(), "kid": "same"} for one in (signing_key("ES256", 1), KEY)))

    assert verify_token(token_of({"kid": "same"}), usable, ALL)


def test_a_token_without_kid_is_tried_with_every_key_that_fits():
    """RFC 7515 §4.1.4: kid is optional."""
    header = {"alg": "ES256"}
    token = compact_jws(header, CLAIMS, KEY)

    assert verify_token(token, keys_of(signing_key("RS256"), signing_key("ES256", 1), KEY), ALL)


def test_an_unknown_kid_is_distinguished():
    """A newer set may have it."""
    with pytest.raises(KeyUnknown) as caught:
        verify_token(token_of({"kid": "made-up"}), keys_of(KEY), ALL)

    assert caught.value.code == "kid_unknown"


def test_without_kid_a_signature_of_no_known_key_may_be_of_a_new_one():
    """The key may simply not be here yet."""
    token = compact_jws({"alg": "ES256"}, CLAIMS, signing_key("ES256", 1))

    with pytest.raises(KeyUnknown):
        verify_token(token, keys_of(KEY), ALL)


@pytest.mark.parametrize("alg", ["ES384", "RS256", "EdDSA"])
def test_a_key_of_another_kind_is_not_the_one(alg):
    """RFC 8725 §3.1: an algorithm is used with its own kind of key only."""
    with pytest.raises(KeyUnknown):
        verify_token(token_of({"alg": alg}), keys_of(KEY), ALL)


def test_a_key_that_names_another_algorithm_is_not_the_one():
    """A key for PS256 is not used with RS256."""
    signer = signing_key("RS256")
    usable, _ = key_set({**signer.public_jwk(), "alg": "PS256"})

    with pytest.raises(KeyUnknown):
        verify_token(token_of({}, signer=signer), usable, ALL)


# --- which token


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES256K", "RS1", "", None, 7, ["ES256"]])
def test_an_algorithm_that_is_not_allowed_is_refused(alg):
    """RFC 8725 §3.1, §3.2: `none` and shared secrets never count, whatever the settings say."""
    with pytest.raises(TokenRejected) as caught:
        verify_token(token_of({"alg": alg}), keys_of(KEY), (*ALL, "none", "HS256", "ES256K", "RS1", ""))

    assert caught.value.code == "alg_not_allowed"


def test_an_algorithm_that_was_not_asked_for_is_refused():
    """Only the names that the caller gives count."""
    with pytest.raises(TokenRejected) as caught:
        verify_token(token_of({}), keys_of(KEY), ["RS256"])

    assert caught.value.code == "alg_not_allowed"


def test_a_signature_of_another_key_is_refused():
    """Under the name of ours."""
    token = compact_jws({"alg": "ES256", "kid": KEY.kid}, CLAIMS, signing_key("ES256", 1))

    with pytest.raises(TokenRejected) as caught:
        verify_token(token, keys_of(KEY), ALL)

    assert caught.value.code == "signature"


def test_a_signature_longer_than_that_of_any_key_is_refused():
    """It is not even decoded."""
    header, claims, _ = token_of({}).split(".")

    with pytest.raises(TokenRejected) as caught:
        verify_token(f"{header}.{claims}.{'A' * (MAX_SIGNATURE_LENGTH + 1)}", keys_of(KEY), ALL)

    assert caught.value.code == "signature"


@settings(max_examples=60)
@given(st.data())
def test_no_changed_character_of_a_token_stays_good(data):
    """Also the last bits of base64url, which lenient decoders drop."""
    token = token_of({})
    position = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("AZaz09-_.=+/ ").filter(lambda letter: letter != token[position]))

    with pytest.raises(TokenRejected):
        verify_token(token[:position] + other + token[position + 1 :], keys_of(KEY), ALL)


def header_of(members: bytes) -> str:
    return urlsafe_b64encode(members).rstrip(b"=").decode() + ".e30.c2ln"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "token_malformed"),
        ("a.b", "token_malformed"),
        ("a.b.c.d.e", "token_malformed"),
        ("\u00e4.b.c", "token_malformed"),
        ("a.b.c" + "x" * MAX_TOKEN_LENGTH, "token_malformed"),
        ("A" * (MAX_HEADER_LENGTH + 1) + ".b.c", "token_malformed"),
        ("!!!.b.c", "token_malformed"),
        ("a.b.c", "token_malformed"),
        (header_of(b"[]"), "token_malformed"),
        (header_of(b'{"alg":"ES256","alg":"none"}'), "token_malformed"),
        (header_of(b'{"alg":"ES256","crit":["b64"],"b64":false}'), "header_crit"),
        (header_of(b'{"alg":"ES256","crit":[]}'), "header_crit"),
        (header_of(b'{"alg":"ES256","b64":true}'), "header_crit"),
        (header_of(b'{"alg":"ES256","kid":7}'), "header_malformed"),
        (header_of(b'{"alg":"ES256","typ":{}}'), "header_malformed"),
    ],
    ids=lambda value: value[:30],
)
def test_a_malformed_token_is_refused(token, code):
    """Sizes and dots are checked before anything is decoded."""
    with pytest.raises(TokenRejected) as caught:
        verify_token(token, keys_of(KEY), ALL)

    assert (type(caught.value), caught.value.code) == (TokenRejected, code)


FOREIGN = signing_key("ES256", 1)


@pytest.mark.parametrize(
    "brought",
    [
        {"jwk": public_parts(FOREIGN.private, FOREIGN.alg)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"x5t#S256": "aGFzaA"},
        {"pi.atm": {"anything": 1}},
    ],
    ids=lambda header: next(iter(header)),
)
def test_members_of_the_header_that_we_do_not_use_are_ignored(brought):
    """RFC 7515 §4: unknown ones must be ignored; a key that the token brings is never used."""
    usable = keys_of(KEY)

    assert verify_token(token_of(brought), usable, ALL)
    with pytest.raises(TokenRejected):
        verify_token(compact_jws({"alg": "ES256", "kid": KEY.kid, **brought}, CLAIMS, FOREIGN), usable, ALL)


def test_a_long_header_is_taken():
    """x5c makes headers of 2 kB; joserfc alone would refuse more than 512 bytes."""
    assert verify_token(token_of({"x5c": ["M" * 2000]}), keys_of(KEY), ALL)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"text", b'{"sub":"a","sub":"b"}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 90_00 + b"}"]
)
def test_signed_claims_that_are_no_plain_object_are_refused(payload):
    """A good signature makes no good claims."""
    with pytest.raises(TokenRejected) as caught:
        verify_token(token_of({}, payload), keys_of(KEY), ALL)

    assert caught.value.code == "claims_malformed"


@pytest.mark.parametrize("alg", [alg for alg in HASH_OF_ALGORITHM if alg != "Ed25519"])
def test_the_hash_of_an_access_token_is_that_of_the_provider(alg):
    """OIDC Core §3.1.3.6, written twice: here and in the fake provider."""
    assert token_hash(alg, "an-access-token").decode() == left_half_hash("an-access-token", alg)


def test_reprs_show_no_keys_or_claims():
    """Who it is stays out of tracebacks."""
    verified = verify_token(token_of({}), keys_of(KEY), ALL)

    assert "alice" not in repr(verified)
    assert "native" not in repr(keys_of(KEY))


def test_an_rsa_key_with_a_tiny_exponent_is_not_usable():
    """e=1 makes every message its own signature."""
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers()
    modulus = base64url(numbers.n.to_bytes(256, "big"))

    assert key_set({"kty": "RSA", "n": modulus, "e": "AQ"})[0] == []
