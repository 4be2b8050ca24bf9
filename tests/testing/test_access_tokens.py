"""The fake provider makes access tokens without a login: of any shape, for users and machines."""

import base64
import hashlib
import json
import ssl
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import ClientCertificate, DPoPKey, FakeProvider
from asgi_oidc.testing.access_token_styles import STYLES
from tests.testing.relying_party import NOW

API = "https://api.example.com"


def read(provider: FakeProvider, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a token as an API would: the signature counts."""
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    found = jwt.decode(token, keys, algorithms=[provider.alg])
    return found.header, found.claims


def test_a_users_token_has_the_shape_of_rfc_9068(provider):
    """An API's test needs no login to call the API as somebody."""
    token = provider.access_token("alice", audience=API, scopes=["orders:read"], lifetime=60, claims={"tenant": "acme"})

    header, claims = read(provider, token)
    assert header == {"alg": provider.alg, "kid": provider.key.kid, "typ": "at+jwt"}
    assert claims.pop("jti")
    assert claims == {
        "iss": provider.issuer,
        "sub": "alice",
        "aud": API,
        "client_id": "web",
        "scope": "orders:read",
        "iat": NOW,
        "exp": NOW + 60,
        "auth_time": NOW,
        "roles": ["admin"],
        "tenant": "acme",
    }


def test_claims_and_header_can_be_replaced_and_removed(provider):
    """A test needs tokens that are wrong in one thing."""
    token = provider.access_token(audience=None, header={"typ": "JWT", "kid": ...}, claims={"sub": ..., "exp": 1.5})

    made = jws.extract_compact(token.encode())
    claims = json.loads(made.payload)
    assert made.headers() == {"alg": provider.alg, "typ": "JWT"}
    assert ("sub" in claims, "aud" in claims, claims["exp"]) == (False, False, 1.5)


@pytest.mark.parametrize("opaque", [True, False])
def test_the_provider_knows_its_tokens(provider, opaque):
    """It can be asked about them."""
    token = provider.access_token("bob", audience=[API, "stock"], scopes=["a", "b"], client_id="cli", opaque=opaque)

    info = provider.token_info(token)
    assert (info.active, info.sub, info.client_id, info.scopes) == (True, "bob", "cli", ("a", "b"))
    assert (info.audience, info.expires_at, token.count(".")) == ((API, "stock"), NOW + 3600, 0 if opaque else 2)


# Where each shape has the client and the scopes `openid orders:read` of a user, and what tells a machine.
USER_CLAIMS: dict[str, dict[str, Any]] = {
    "rfc9068": {"client_id": "web", "scope": "openid orders:read"},
    "keycloak": {"azp": "web", "scope": "openid orders:read", "typ": "Bearer"},
    "keycloak-lightweight": {"azp": "web", "scope": "openid orders:read", "typ": "Bearer"},
    "auth0": {"azp": "web", "scope": "openid orders:read", "aud": [API, "https://id.example.com/userinfo"]},
    "okta": {"cid": "web", "scp": ["openid", "orders:read"], "ver": 1},
    "entra": {"azp": "web", "scp": "orders:read", "ver": "2.0"},
    "entra-v1": {"appid": "web", "scp": "orders:read", "ver": "1.0"},
    "cognito": {"client_id": "web", "scope": "openid orders:read", "token_use": "access"},
}
MACHINE_CLAIMS: dict[str, dict[str, Any]] = {
    "rfc9068": {"sub": "web", "client_id": "web"},
    "keycloak": {"azp": "web", "client_id": "web", "preferred_username": "service-account-web"},
    "keycloak-lightweight": {"azp": "web"},
    "auth0": {"sub": "web@clients", "gty": "client-credentials", "azp": "web"},
    "okta": {"sub": "web", "cid": "web", "scp": ["orders:read"]},
    "entra": {"idtyp": "app", "roles": ["orders:read"], "azp": "web"},
    "entra-v1": {"idtyp": "app", "roles": ["orders:read"], "appid": "web"},
    "cognito": {"sub": "web", "client_id": "web", "token_use": "access"},
}


@pytest.mark.parametrize("style", STYLES)
def test_a_users_token_has_the_shape_of_the_provider(provider, style):
    """Each says in its own claims who got the token, and for what."""
    token = provider.access_token("alice", audience=API, scopes=["openid", "orders:read"], style=style)

    header, claims = read(provider, token)
    assert header.get("typ") == STYLES[style][0]
    assert {name: claims[name] for name in USER_CLAIMS[style]} == USER_CLAIMS[style]
    is_full = style != "keycloak-lightweight"
    assert (claims.get("sub"), "aud" in claims) == ("alice" if is_full else None, is_full)


@pytest.mark.parametrize("style", STYLES)
def test_a_machines_token_has_the_shape_of_the_provider(provider, style):
    """An API has to tell programs from people."""
    token = provider.machine_token("web", audience=API, scopes=["orders:read"], style=style)

    _, claims = read(provider, token)
    assert {name: claims[name] for name in MACHINE_CLAIMS[style]} == MACHINE_CLAIMS[style]
    assert {"nonce", "name", "email", "username"}.isdisjoint(claims)


def test_a_token_can_be_bound_to_a_key(provider):
    """As RFC 9449 §6.1 has it."""
    key = DPoPKey()

    _, claims = read(provider, provider.access_token(audience=API, dpop_key=key))

    assert claims["cnf"] == {"jkt": key.thumbprint}


def test_a_token_can_be_bound_to_a_certificate(provider):
    """As RFC 8705 §3.1 has it."""
    certificate = ClientCertificate()

    _, claims = read(provider, provider.machine_token(audience=API, client_certificate=certificate))

    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.pem)).digest()
    assert claims["cnf"] == {"x5t#S256": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()}


def test_unknown_personas_and_styles_are_refused(provider):
    """A typing mistake in a test must not look like a decision of the API."""
    with pytest.raises(ValueError, match="no persona is named 'alise'; expected one of: alice, bob"):
        provider.access_token("alise", audience=API)
    with pytest.raises(ValueError, match="unknown style 'auth1'"):
        provider.machine_token(audience=API, style="auth1")
