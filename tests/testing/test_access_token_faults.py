"""Each named fault of an access token does what its sentence says, checked with joserfc and plain JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import ACCESS_TOKEN_CLAIMS, ACCESS_TOKEN_SIGNING, ID_TOKEN_SIGNING
from tests.testing.relying_party import NOW
from tests.testing.token_reading import decoded, verified

API = "https://api.example.com"
ELSEWHERE = "https://someone-else.example.com"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
Claims = dict[str, Any]


def token_with(provider: FakeProvider, fault: str) -> str:
    with provider.fault(fault):
        return provider.access_token("alice", audience=API, claims={"jti": "a-jti"})


# What differs from a good token; `...` for a claim that is missing.
CLAIMS: dict[str, Claims] = {
    "access_token_wrong_iss": {"iss": ELSEWHERE},
    "access_token_no_iss": {"iss": ...},
    "access_token_iss_list": {"iss": ["https://id.example.com"]},
    "access_token_wrong_aud": {"aud": "https://another-api.example.com"},
    "access_token_other_auds": {"aud": ["https://another-api.example.com", "stock"]},
    "access_token_client_aud": {"aud": "web"},
    "access_token_no_aud": {"aud": ...},
    "access_token_aud_empty": {"aud": []},
    "access_token_aud_null": {"aud": None},
    "access_token_aud_number": {"aud": 7},
    "access_token_no_exp": {"exp": ...},
    "access_token_exp_1e300": {"exp": 1e300},
    "access_token_exp_true": {"exp": True},
    "access_token_exp_text": {"exp": "1900000000"},
    "access_token_exp_null": {"exp": None},
    "access_token_iat_text": {"iat": "1700000000"},
    "access_token_nbf_text": {"nbf": "soon"},
    "access_token_sub_empty": {"sub": ""},
    "access_token_sub_number": {"sub": 12345},
    "access_token_sub_too_long": {"sub": "s" * 256},
    "access_token_scope_number": {"scope": 7},
    "access_token_nonce": {"nonce": "nonce-of-a-login"},
    "access_token_at_hash": {"at_hash": "MDEyMzQ1Njc4OWFiY2RlZg"},
    "access_token_events": {"events": {EVENT: {}}},
    "access_token_cnf_text": {"cnf": "jkt"},
    "access_token_cnf_empty": {"cnf": {}},
    "access_token_cnf_null": {"cnf": None},
    "access_token_cnf_jkt_number": {"cnf": {"jkt": 7}},
    "access_token_cnf_unknown": {"cnf": {"urn:example:method": "x"}},
    "access_token_expired": {"iat": NOW - 7200, "exp": NOW - 3600},
    "access_token_iat_future": {"iat": NOW + 3600, "exp": NOW + 7200},
    "access_token_not_yet": {"nbf": NOW + 3600, "exp": NOW + 7200},
    "access_token_lasts_ten_years": {"exp": NOW + 315_360_000},
    "access_token_exp_before_iat": {"iat": NOW + 20, "exp": NOW - 10},
}


@pytest.mark.parametrize("fault", CLAIMS)
def test_faults_of_the_claims_are_well_signed_and_spoil_nothing_else(provider, fault):
    """A token that is wrong in two ways would not show which one was noticed."""
    _, good = verified(provider, provider.access_token("alice", audience=API, claims={"jti": "a-jti"}))
    header, payload = verified(provider, token_with(provider, fault))

    changed = {name: value for name, value in {**json.loads(good), **CLAIMS[fault]}.items() if value is not ...}
    assert json.loads(payload) == changed != json.loads(good)
    assert header["typ"] == "at+jwt"


HEADERS: dict[str, Claims] = {
    "access_token_typ_logout": {"typ": "logout+jwt"},
    "access_token_typ_id_token": {"typ": "id_token+jwt"},
    "access_token_typ_dpop": {"typ": "dpop+jwt"},
    "access_token_typ_event": {"typ": "secevent+jwt"},
    "access_token_typ_introspection": {"typ": "token-introspection+jwt"},
    "access_token_typ_number": {"typ": 7},
    "access_token_b64": {"b64": False},
    "access_token_kid_number": {"kid": 7},
    "access_token_alg_unknown": {"alg": "RS257"},
    "access_token_crit": {"crit": ["urn:example:must"], "urn:example:must": True},
}


@pytest.mark.parametrize("fault", HEADERS)
def test_faults_of_the_header_are_well_signed(provider, fault):
    """The header alone is wrong: a reader that checks the signature alone would take it."""
    header, payload = verified(provider, token_with(provider, fault))

    assert header == {"alg": "RS256", "kid": provider.key.kid, "typ": "at+jwt"} | HEADERS[fault]
    assert json.loads(payload)["sub"] == "alice"


BADLY_SIGNED: dict[str, Callable[[Claims], Any]] = {
    "access_token_alg_none": lambda header: header["alg"] == "none",
    "access_token_bad_signature": lambda header: header["alg"] == "RS256",
    "access_token_foreign_key": lambda header: header["kid"] == "rs256-2048-1",
    "access_token_made_up_kid": lambda header: header["kid"].startswith("made-up-"),
    "access_token_hs256_with_public_key": lambda header: header["alg"] == "HS256",
    "access_token_hs256_with_oct_key": lambda header: header["alg"] == "HS256",
    "access_token_small_rsa_key": lambda header: header["kid"] == "small",
    "access_token_embedded_jwk": lambda header: header["jwk"]["kty"] == "RSA" and "kid" not in header,
    "access_token_five_parts": lambda header: header["enc"] == "A256GCM",
    "access_token_jku": lambda header: header["jku"] == "https://collector.example.org/jwks",
    "access_token_x5u": lambda header: header["x5u"] == "https://collector.example.org/certificate.pem",
    "access_token_duplicate_alg": lambda header: header["alg"] == "RS256",
}


@pytest.mark.parametrize("fault", BADLY_SIGNED)
def test_badly_signed_tokens_do_not_verify(provider, fault):
    """Joserfc, given our keys and algorithm, refuses each of them."""
    provider.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round
    token = token_with(provider, fault)

    assert BADLY_SIGNED[fault](json.loads(decoded(token.partition(".")[0])))
    assert token.count(".") == (4 if fault == "access_token_five_parts" else 2)
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, KeySet.import_key_set({"keys": provider.published_keys}), algorithms=["RS256"])


WELL_SIGNED: dict[str, Callable[[Claims, bytes], Any]] = {
    "access_token_no_kid": lambda header, _: sorted(header) == ["alg", "typ"],
    "access_token_duplicate_sub": lambda _, payload: payload.count(b'"sub":') == 2,
    "access_token_duplicate_aud": lambda _, payload: payload.count(b'"aud":') == 2,
    "access_token_lone_surrogate": lambda _, payload: b"\\ud800" in payload,
    "access_token_deep_claims": lambda _, payload: payload.count(b"[") >= 20_000,
    "access_token_exp_nan": lambda _, payload: b'"exp":NaN' in payload,
    "access_token_array_payload": lambda _, payload: payload.startswith(b"["),
    "access_token_huge": lambda _, payload: len(payload) > 100_000,
}


@pytest.mark.parametrize("fault", WELL_SIGNED)
def test_odd_payloads_are_well_signed(provider, fault):
    """The signature is good, so the reader itself has to be careful."""
    assert WELL_SIGNED[fault](*verified(provider, token_with(provider, fault)))


def test_every_wrong_signature_of_an_id_token_is_one_of_an_access_token():
    """The two are signed alike, and so can go wrong alike; but only ID Tokens have an algorithm by registration."""
    signed_alike = ID_TOKEN_SIGNING.keys() - {"id_token_another_alg"}
    names = {name.replace("id_token", "access_token", 1) for name in signed_alike}

    assert names <= set(ACCESS_TOKEN_SIGNING)
    assert set(ACCESS_TOKEN_CLAIMS) == set(CLAIMS)


@pytest.mark.parametrize("fault", [*ACCESS_TOKEN_CLAIMS, *ACCESS_TOKEN_SIGNING])
def test_faults_of_access_tokens_spare_other_tokens(provider, fault):
    """A test of an API may sign somebody in first."""
    id_token, logout_token = provider.id_token(sid="a-sid"), provider.logout_token(jti="a-jti")
    with provider.fault(fault):
        assert (provider.id_token(sid="a-sid"), provider.logout_token(jti="a-jti")) == (id_token, logout_token)
        assert provider.access_token("alice", audience=API, opaque=True).startswith("at-")
