"""The claims of an access token count where it is one, of this provider, about this user and for this client."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.access_token import ABOUT_THE_TOKEN, check_access_token, user_claim_names, user_claims
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.protocol.jose import Verified

NOW = 1_800_000_000
LEEWAY = 30
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "sub": "alice",
    "aud": "https://api.example.com",
    "client_id": "web",
    "exp": NOW + 300,
}


def check(changes: dict[str, Any], typ: str | None = "at+jwt") -> str | None:
    """Check a token with these changes; `...` leaves a claim out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    token = Verified("RS256", typ, claims)
    try:
        check_access_token(token, issuer=CLAIMS["iss"], sub="alice", client_id="web", now=NOW, leeway=LEEWAY)
    except TokenRejected as error:
        return error.code
    return None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ...},
        {"client_id": ..., "azp": "web"},
        {"client_id": ..., "cid": "web"},
        {"client_id": ..., "appid": "web"},
        {"azp": "web"},
        {"client_id": ..., "aud": "web"},
        {"client_id": ..., "aud": ["account", "web"]},
        {"typ": "Bearer"},
        {"typ": "DPoP"},
        {"token_use": "access"},
        {"exp": NOW - LEEWAY + 1},
        {"nbf": NOW + LEEWAY},
        {"realm_access": {"roles": ["admin"]}},
    ],
    ids=str,
)
def test_an_access_token_for_us_passes(changes):
    """Of whatever provider: each names the client in its own way."""
    assert check(changes) is None


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_its_type_is_that_of_an_access_token_or_says_nothing(typ):
    """Providers from before RFC 9068 write JWT, or nothing."""
    assert check({}, typ) is None


@pytest.mark.parametrize("typ", ["logout+jwt", "id_token+jwt", "dpop+jwt", "jose", "secevent+jwt"])
def test_a_token_of_another_declared_type_is_not_an_access_token(typ):
    """RFC 8725 §3.11."""
    assert check({}, typ) == "token_typ"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "n"}, "token_typ"),
        ({"at_hash": "h"}, "token_typ"),
        ({"c_hash": None}, "token_typ"),
        ({"s_hash": "h"}, "token_typ"),
        ({"events": {}}, "token_typ"),
        ({"typ": "ID"}, "token_typ"),
        ({"typ": "Refresh"}, "token_typ"),
        ({"typ": "Logout"}, "token_typ"),
        ({"typ": None}, "token_typ"),
        ({"typ": ["Bearer"]}, "token_typ"),
        ({"token_use": "id"}, "token_typ"),
        ({"iss": "https://id.example.com/"}, "claim_iss"),
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"client_id": "other"}, "claim_client_id"),
        ({"client_id": ["web"]}, "claim_client_id"),
        ({"client_id": None}, "claim_client_id"),
        ({"azp": "other"}, "claim_client_id"),
        ({"cid": "other"}, "claim_client_id"),
        ({"appid": "other", "aud": "web"}, "claim_client_id"),
        ({"client_id": ...}, "claim_aud"),
        ({"client_id": ..., "aud": ...}, "claim_aud"),
        ({"client_id": ..., "aud": ["other", "webb"]}, "claim_aud"),
        ({"client_id": ..., "aud": {"web": 1}}, "claim_aud"),
        ({"client_id": ..., "aud": "a web b"}, "claim_aud"),
        ({"exp": ...}, "claim_exp"),
        ({"exp": "soon"}, "claim_exp"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"sub": "bob"}, "claim_sub"),
        ({"sub": "Alice"}, "claim_sub"),
        ({"sub": ["alice"]}, "claim_sub"),
        ({"sub": ...}, "claim_sub"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_invalid_or_foreign_access_token_is_refused(changes, code):
    """A well-signed token of the provider for another user, client or purpose gives nobody a role."""
    assert check(changes) == code


def test_an_access_token_says_nothing_about_the_login():
    """Nor what the token is; the rest is about the user."""
    claims = dict.fromkeys(ABOUT_THE_TOKEN, "x") | {"realm_access": {"roles": ["admin"]}, "name": "Alice"}

    assert user_claims(claims) == {"realm_access": {"roles": ["admin"]}, "name": "Alice"}
    assert PROTOCOL_CLAIMS | {"client_id", "scope", "typ"} <= ABOUT_THE_TOKEN


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.\u00fc.c", "a.W10.c", "a.e30.c.d.e"])
def test_an_unreadable_access_token_yields_no_claims(token):
    """One of before may be opaque: the setting was switched on since."""
    assert user_claim_names(token) == frozenset()


def test_an_access_token_yields_claims_about_the_user():
    """And nothing that is about itself."""
    payload = urlsafe_b64encode(b'{"iss":"i","scope":"s","azp":"web","roles":["admin"],"email":null}').decode()

    assert user_claim_names(f"header.{payload.rstrip('=')}.signature") == {"roles", "email"}
