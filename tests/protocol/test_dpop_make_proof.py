"""The proofs that we make for our own calls, and the keys behind them (RFC 9449 §4.2)."""

import json
import traceback
from hashlib import sha256

import pytest

from asgi_oidc.errors import OIDCError
from asgi_oidc.protocol.dpop.check_proof import ExpectedProof, check_dpop_proof
from asgi_oidc.protocol.dpop.make_proof import DPoPKey, make_dpop_key, read_dpop_key
from asgi_oidc.testing.jws import JWT, read_jwt
from asgi_oidc.testing.keys import base64url

NOW = 1_800_000_000
URL = "https://api.example.com/v1/items/1"
TOKEN = "an-access-token"


def read(proof: str) -> JWT:
    jwt = read_jwt(proof)
    assert jwt is not None
    return jwt


def test_a_proof_has_what_the_specification_asks_for_and_nothing_else():
    """A JWT of its own type, with the public key in its header, for one method and one URL."""
    key = make_dpop_key()
    jwt = read(key.proof("POST", URL, now=NOW, jti="an-id"))

    assert jwt.header.keys() == {"typ", "alg", "jwk"}
    assert (jwt.header["typ"], jwt.header["alg"], jwt.header["jwk"].keys()) == (
        "dpop+jwt",
        "ES256",
        {"kty", "crv", "x", "y"},
    )
    assert jwt.claims == {"jti": "an-id", "htm": "POST", "htu": URL, "iat": NOW}


def test_a_proof_names_the_token_and_the_nonce_that_it_is_for():
    """`ath` is the hash of the token (§4.2), and the nonce is that of the server (§8)."""
    jwt = read(make_dpop_key().proof("GET", URL, now=NOW, jti="an-id", access_token=TOKEN, nonce="a-nonce"))

    assert jwt.claims["ath"] == base64url(sha256(TOKEN.encode()).digest())
    assert jwt.claims["nonce"] == "a-nonce"


@pytest.mark.parametrize("url", [f"{URL}?a=b", f"{URL}#c", f"{URL}?a=b#c?d", f"{URL}#c?d"])
def test_query_and_fragment_are_left_out(url):
    """`htu` is the URL without them (§4.2)."""
    jwt = read(make_dpop_key().proof("GET", url, now=NOW, jti="an-id"))

    assert jwt.claims["htu"] == URL


def test_our_own_check_accepts_our_proofs():
    """The two halves of the library agree."""
    key = make_dpop_key()
    proof = key.proof("GET", URL, now=NOW, jti="an-id", access_token=TOKEN)
    expected = ExpectedProof("GET", "https://api.example.com", "/v1/items/1", TOKEN, key.thumbprint)

    assert check_dpop_proof(proof, expected, now=NOW, leeway=0).jti == "an-id"


def test_a_key_is_the_same_after_it_was_kept_as_text():
    """A session keeps it between two requests, and another process reads it."""
    key = make_dpop_key()
    again = read_dpop_key(key.text)

    assert again == key
    assert again is not None
    assert (
        read(again.proof("GET", URL, now=NOW, jti="x")).header["jwk"]
        == read(key.proof("GET", URL, now=NOW, jti="y")).header["jwk"]
    )
    assert len(key.text) == 43


def test_every_login_has_a_key_of_its_own():
    """A common key would make users linkable at APIs."""
    assert make_dpop_key() != make_dpop_key()


def test_a_session_without_a_key_has_none():
    """Its tokens are bearer tokens."""
    assert read_dpop_key("") is None


GOOD = make_dpop_key().text
ORDER = base64url(bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"))  # of P-256


@pytest.mark.parametrize("text", [GOOD[:-1], GOOD + "A", "A" * 43, ORDER, "!" * 43, "ü" * 43, GOOD + "=", "x"])
def test_a_text_that_is_no_key_is_refused(text):
    """Never a session without proofs: its tokens are bound."""
    with pytest.raises(OIDCError) as error:
        read_dpop_key(text)

    assert error.value.code == "dpop_key_unreadable"
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.value.__traceback__)]
    assert error.value.__cause__ is None
    assert text not in str(frames[-1].values())  # the frame of our own function
    assert text not in str(error.value)


@pytest.mark.parametrize("show", [repr, str, "{!r}".format])
def test_a_key_never_shows_itself(show):
    """Neither in a log nor in what an error reporter records."""
    key = make_dpop_key()

    assert key.text not in show(key)
    assert key.text not in show(DPoPKey(key.signing_key))
    assert json.dumps(key.text) not in show([key])
