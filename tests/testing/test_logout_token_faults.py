"""Each named fault of a logout token does what its sentence says, checked with joserfc and plain JSON."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import ID_TOKEN_SIGNING, LOGOUT_TOKEN_CLAIMS, LOGOUT_TOKEN_SIGNING
from tests.testing.relying_party import NOW

Token = dict[str, Any]
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def keys_of(provider: FakeProvider) -> KeySet:
    return KeySet.import_key_set({"keys": provider.published_keys})


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# fault: (what is seen of the claims, its value; the good token has another)
CLAIMS: list[tuple[str, Callable[[Token], Any], Any]] = [
    ("logout_token_wrong_iss", lambda it: it["iss"], "https://someone-else.example.com"),
    ("logout_token_no_iss", lambda it: "iss" in it, False),
    ("logout_token_wrong_aud", lambda it: it["aud"], "another-client"),
    ("logout_token_extra_aud", lambda it: it["aud"], ["web", "another-client"]),
    ("logout_token_no_aud", lambda it: "aud" in it, False),
    ("logout_token_no_iat", lambda it: "iat" in it, False),
    ("logout_token_iat_future", lambda it: (it["iat"], it["exp"]), (NOW + 3600, NOW + 7200)),
    ("logout_token_iat_old", lambda it: (it["iat"], it["exp"]), (NOW - 86_400, NOW + 120)),
    ("logout_token_iat_text", lambda it: it["iat"], str(NOW)),
    ("logout_token_no_exp", lambda it: "exp" in it, False),
    ("logout_token_expired", lambda it: (it["iat"], it["exp"]), (NOW - 420, NOW - 300)),
    ("logout_token_exp_text", lambda it: it["exp"], str(NOW + 120)),
    ("logout_token_exp_1e300", lambda it: it["exp"], 1e300),
    ("logout_token_no_jti", lambda it: "jti" in it, False),
    ("logout_token_jti_empty", lambda it: it["jti"], ""),
    ("logout_token_jti_number", lambda it: it["jti"], 12345),
    ("logout_token_jti_too_long", lambda it: len(it["jti"]), 256),
    ("logout_token_no_events", lambda it: "events" in it, False),
    ("logout_token_events_list", lambda it: it["events"], [EVENT]),
    ("logout_token_other_event", lambda it: (len(it["events"]), EVENT in it["events"]), (1, False)),
    ("logout_token_event_not_object", lambda it: it["events"], {EVENT: True}),
    ("logout_token_nonce", lambda it: it.get("nonce"), "a-nonce"),
    ("logout_token_no_sub_no_sid", lambda it: ("sub" in it, "sid" in it), (False, False)),
    ("logout_token_sub_empty", lambda it: it["sub"], ""),
    ("logout_token_sub_number", lambda it: it["sub"], 12345),
    ("logout_token_sub_too_long", lambda it: len(it["sub"]), 256),
    ("logout_token_sid_empty", lambda it: it["sid"], ""),
    ("logout_token_sid_number", lambda it: it["sid"], 12345),
    ("logout_token_sid_too_long", lambda it: len(it["sid"]), 256),
]


@pytest.mark.parametrize(("fault", "look", "seen"), CLAIMS)
def test_faults_of_the_claims_are_well_signed(provider, fault, look, seen):
    """Only the claim is wrong: a reader that checks the signature alone would take it."""
    good = jwt.decode(provider.logout_token(sid="a-sid"), keys_of(provider))
    with provider.fault(fault):
        spoilt = jwt.decode(provider.logout_token(sid="a-sid"), keys_of(provider))

    assert look(spoilt.claims) == seen
    assert look(good.claims) != seen
    assert spoilt.header == good.header


@pytest.mark.parametrize("fault", [name for name, _, _ in CLAIMS])
def test_faults_of_the_claims_spoil_nothing_else(provider, fault):
    """A token that is wrong in two ways would not show which one was noticed."""
    good = jwt.decode(provider.logout_token(sid="a-sid", jti="a-jti"), keys_of(provider)).claims
    with provider.fault(fault):
        spoilt = jwt.decode(provider.logout_token(sid="a-sid"), keys_of(provider)).claims

    changed = {name for name in good | spoilt if name != "jti" and good.get(name) != spoilt.get(name)}
    in_pairs = ({"iat", "exp"}, {"sub", "sid"})
    assert len(changed) == (0 if "jti" in fault else 1) or changed in in_pairs


def test_jti_that_is_too_long_is_new_each_time(provider):
    """Else a reader could refuse it for being seen before, and not for its length."""
    with provider.fault("logout_token_jti_too_long"):
        seen = {jwt.decode(provider.logout_token(), keys_of(provider)).claims["jti"] for _ in range(3)}

    assert len(seen) == 3


def test_token_of_another_type_is_well_signed(provider):
    """The header alone is wrong: what is made for one use must not do for another (RFC 8725 §3.11)."""
    with provider.fault("logout_token_wrong_typ"):
        token = jwt.decode(provider.logout_token(), keys_of(provider))

    assert (token.header["typ"], token.claims["sub"]) == ("at+jwt", "alice")


BADLY_SIGNED: list[tuple[str, Callable[[Token], Any], Any]] = [
    ("logout_token_alg_none", lambda header: header["alg"], "none"),
    ("logout_token_bad_signature", lambda header: header["alg"], "RS256"),
    ("logout_token_foreign_key", lambda header: header["kid"], "rs256-2048-1"),
    ("logout_token_made_up_kid", lambda header: header["kid"][:8], "made-up-"),
    ("logout_token_crit", lambda header: header["crit"], ["urn:example:must"]),
    ("logout_token_hs256_with_public_key", lambda header: header["alg"], "HS256"),
    ("logout_token_hs256_with_oct_key", lambda header: header["alg"], "HS256"),
    ("logout_token_small_rsa_key", lambda header: header["kid"], "small"),
    ("logout_token_embedded_jwk", lambda header: (header["jwk"]["kty"], "kid" in header), ("RSA", False)),
    ("logout_token_five_parts", lambda header: header["enc"], "A256GCM"),
]


@pytest.mark.parametrize(("fault", "look", "seen"), BADLY_SIGNED)
def test_badly_signed_tokens_do_not_verify(provider, fault, look, seen):
    """Joserfc, given our keys and algorithm, refuses each of them."""
    provider.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round
    with provider.fault(fault):
        token = provider.logout_token()

    assert look(json.loads(decoded(token.partition(".")[0]))) == seen
    assert token.count(".") == (4 if fault == "logout_token_five_parts" else 2)
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, keys_of(provider), algorithms=["RS256"])


@pytest.mark.parametrize("fault", ["logout_token_hs256_with_public_key", "logout_token_hs256_with_oct_key"])
def test_hmac_faults_fool_clients_that_use_public_values_as_secrets(provider, fault):
    """An attack that could not work on anybody would test nothing."""
    pem = provider.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with provider.fault(fault):
        token = provider.logout_token()

    secret = pem if fault.endswith("public_key") else b"secret-secret-secret-secret"
    start, _, signature = token.rpartition(".")
    assert decoded(signature) == hmac.digest(secret, start.encode(), "sha256")


WELL_SIGNED: list[tuple[str, Callable[[Token, bytes], Any], Any]] = [
    ("logout_token_no_kid", lambda header, _: sorted(header), ["alg", "typ"]),
    ("logout_token_duplicate_sub", lambda _, payload: payload.count(b'"sub":'), 2),
    ("logout_token_lone_surrogate", lambda _, payload: b"\\ud800" in payload, True),
    ("logout_token_deep_claims", lambda _, payload: payload.count(b"["), 20_000),
    ("logout_token_array_payload", lambda _, payload: type(json.loads(payload)), list),
    ("logout_token_huge", lambda _, payload: len(payload) > 100_000, True),
]


@pytest.mark.parametrize(("fault", "look", "seen"), WELL_SIGNED)
def test_odd_payloads_are_well_signed(provider, fault, look, seen):
    """The signature is good, so the reader itself has to be careful."""
    with provider.fault(fault):
        token = provider.logout_token()

    start, _, signature = token.rpartition(".")
    header, _, payload = start.partition(".")
    key = provider.key.private.public_key()
    key.verify(decoded(signature), start.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert look(json.loads(decoded(header)), decoded(payload)) == seen


def test_every_wrong_signature_of_an_id_token_is_one_of_a_logout_token():
    """The two are signed alike, and so can go wrong alike; but only ID Tokens have an algorithm by registration."""
    signed_alike = ID_TOKEN_SIGNING.keys() - {"id_token_another_alg"}
    names = {name.replace("id_token", "logout_token") for name in signed_alike}

    assert set(LOGOUT_TOKEN_SIGNING) - names == {"logout_token_wrong_typ"}
    assert names <= set(LOGOUT_TOKEN_SIGNING)


@pytest.mark.parametrize("fault", [*LOGOUT_TOKEN_CLAIMS, *LOGOUT_TOKEN_SIGNING])
def test_faults_of_logout_tokens_spare_id_tokens(provider, fault):
    """A test of logout signs somebody in first."""
    good = provider.id_token(sid="a-sid")
    with provider.fault(fault):
        assert provider.id_token(sid="a-sid") == good


@pytest.mark.parametrize("fault", ["id_token_wrong_iss", "id_token_alg_none", "refresh_bad_signature"])
def test_faults_of_id_tokens_spare_logout_tokens(provider, fault):
    """Each token is wrong by faults of its own name."""
    with provider.fault(fault):
        token = jwt.decode(provider.logout_token(), keys_of(provider))

    assert token.claims["iss"] == provider.issuer
