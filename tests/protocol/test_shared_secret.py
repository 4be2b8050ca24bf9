"""A token may be signed with the client secret where that is allowed; no other key then verifies it."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256, sha384, sha512
from hmac import digest
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.id_token import Expected, check_id_token
from asgi_oidc.protocol.jose import (
    MIN_SECRET_LENGTH,
    KeyUnknown,
    names_shared_secret,
    read_key_set_answer,
    read_shared_secret,
    verify_token,
    verify_with_secret,
)
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.testing.keys import left_half_hash, signing_key

SECRET = "a-client-secret-of-thirty-two-by"
KEY = read_shared_secret(SECRET)
NAMED = ["RS256", "HS256"]
HASHES = {"HS256": sha256, "HS384": sha384, "HS512": sha512}


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def token_of(header: dict[str, Any], *, secret: bytes = SECRET.encode(), claims: Any = None) -> str:
    """Sign as RFC 7515 says, with nothing of the library."""
    parts = [json.dumps({"alg": "HS256", **header}).encode(), json.dumps(claims or {"sub": "alice"}).encode()]
    signed = ".".join(map(encoded, parts))
    return f"{signed}.{encoded(digest(secret, signed.encode(), HASHES.get(header.get('alg', ''), sha256)))}"


def code_of(token: str, algorithms: Any = NAMED) -> str:
    with pytest.raises(TokenRejected) as caught:
        verify_with_secret(token, KEY, algorithms)
    return caught.value.code


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"kid": "any"}, {"jwk": {"kty": "oct", "k": "AAAA"}}])
def test_the_client_secret_verifies_a_token(header):
    """OIDC Core §10.1; whatever the header says about keys."""
    verified = verify_with_secret(token_of(header), KEY, NAMED)

    assert (verified.alg, verified.typ, verified.claims) == ("HS256", header.get("typ"), {"sub": "alice"})


@pytest.mark.parametrize("secret", ["", "x" * 31, "ü" * 15])
def test_a_short_secret_is_no_key(secret):
    """RFC 7518 §3.2: anyone who has a token can guess short ones."""
    with pytest.raises(ValueError, match=f"at least {MIN_SECRET_LENGTH} bytes, got {len(secret.encode())}"):
        read_shared_secret(secret)


@pytest.mark.parametrize("secret", ["x" * 32, "ü" * 16])
def test_the_bytes_of_a_secret_count(secret):
    """Those of its UTF-8 form."""
    token = token_of({}, secret=secret.encode())

    assert verify_with_secret(token, read_shared_secret(secret), NAMED)


@pytest.mark.parametrize("alg", ["HS384", "HS512", "RS256", "ES256", "none", "None", "hs256", "", None, 7, ["HS256"]])
def test_no_other_algorithm_is_checked_with_the_secret(alg):
    """RFC 8725 §3.1, even if the settings name it."""
    assert code_of(token_of({"alg": alg}) if isinstance(alg, str) else token_with(alg), [*NAMED, str(alg)]) == (
        "alg_not_allowed"
    )


def token_with(alg: Any) -> str:
    return f"{encoded(json.dumps({'alg': alg}).encode())}.e30.c2ln"


def test_hs256_counts_only_where_it_is_named():
    """It is an exception."""
    assert code_of(token_of({}), ["RS256"]) == "alg_not_allowed"


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"another-client-secret-of-32-bytes", SECRET.encode()[:-1]])
def test_another_secret_is_refused(secret):
    """Of another client of the same provider, for instance."""
    assert code_of(token_of({}, secret=secret)) == "signature"


def test_a_token_without_a_signature_is_refused():
    """Its third part is empty."""
    assert code_of(token_of({}).rpartition(".")[0] + ".") == "signature"


def public_forms() -> list[bytes]:
    """Bytes that could be mistaken for the key: all of them are public."""
    signer = signing_key("RS256")
    public = signer.private.public_key()
    jwk = signer.public_jwk()
    return [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk).encode(),
        jwk["n"].encode(),
    ]


@pytest.mark.parametrize("public", public_forms(), ids=["pem", "stripped", "der", "jwk", "modulus"])
@pytest.mark.parametrize("header", [{}, {"kid": signing_key("RS256").kid}])
def test_a_public_key_never_stands_in_for_the_secret(public, header):
    """RFC 8725 §2.1: anyone could sign with it, because it is public."""
    keys, _ = read_key_set_answer(Answer(200, {}, json.dumps({"keys": [signing_key("RS256").public_jwk()]}).encode()))
    token = token_of(header, secret=public)

    assert code_of(token) == "signature"
    with pytest.raises(TokenRejected) as caught:
        verify_token(token, keys, NAMED)
    assert caught.value.code == "alg_not_allowed"


def test_the_secret_never_stands_in_for_a_public_key():
    """A token that names RS256 is checked with the provider's keys alone."""
    token = token_of({"alg": "RS256"})

    with pytest.raises(KeyUnknown):
        verify_token(token, [], NAMED)


@settings(max_examples=60)
@given(st.data())
def test_no_changed_character_of_a_token_stays_good(data):
    """Also the last bits of base64url, which lenient decoders drop."""
    token = token_of({})
    position = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("AZaz09-_.=+/ ").filter(lambda letter: letter != token[position]))

    with pytest.raises(TokenRejected):
        verify_with_secret(token[:position] + other + token[position + 1 :], KEY, NAMED)


@pytest.mark.parametrize(
    ("token", "named"),
    [
        (token_of({}), True),
        (token_of({"alg": "HS512"}), False),
        (token_with("RS256"), False),
        (token_with(None), False),
    ],
)
def test_a_token_says_whether_the_secret_is_to_check_it(token, named):
    """Its algorithm, before anything is verified."""
    assert names_shared_secret(token) is named


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.b.c.d.e", f"{encoded(b'[]')}.b.c"])
def test_a_malformed_token_is_refused(token):
    """As with any other key."""
    with pytest.raises(TokenRejected) as caught:
        names_shared_secret(token)

    assert code_of(token) == caught.value.code == "token_malformed"


@pytest.mark.parametrize(("of", "passes"), [("an-access-token", True), ("another", False)])
def test_the_access_token_is_bound_by_sha256(of, passes):
    """OIDC Core §3.1.3.6: the hash of the signature's algorithm."""
    claims = {"iss": "i", "sub": "a", "aud": "web", "exp": 1060, "iat": 1000, "nonce": "n"}
    token = token_of({}, claims={**claims, "at_hash": left_half_hash(of, "RS256")})
    verified = verify_with_secret(token, KEY, NAMED)
    expected = Expected(issuer="i", client_id="web", nonce="n", access_token="an-access-token")
    if passes:
        check_id_token(verified, expected, now=1000, leeway=30)
        return

    with pytest.raises(TokenRejected) as caught:
        check_id_token(verified, expected, now=1000, leeway=30)
    assert caught.value.code == "claim_at_hash"


def test_reprs_show_no_secret():
    """They stand in tracebacks."""
    assert SECRET not in repr(KEY)
    assert "native" not in repr(KEY)
