"""A signed request says the same as an unsigned one, to one provider, for a few minutes."""

from base64 import urlsafe_b64decode
from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_signing import read_signing_key
from asgi_oidc.protocol.metadata import ProviderMetadata, make_metadata
from asgi_oidc.protocol.request_object import choose_request_key, sign_request
from asgi_oidc.testing import ClientKey

ISSUER, NOW = "https://id.example.com", 1_800_000_000
EC, RSA = read_signing_key(ClientKey().pem), read_signing_key(ClientKey("PS256").pem)


def metadata(**more: object) -> ProviderMetadata:
    members = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return make_metadata(ISSUER, {**members, **more})


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    read = [msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in (header, claims)]
    return read[0], read[1]


def test_the_object_has_the_parameters_and_says_for_whom_and_until_when():
    """RFC 9101 §4, FAPI 2.0 Message Signing §5.3.2: `aud` is one text; an hour at most from `nbf` to `exp`."""
    header, claims = decoded(
        sign_request({"client_id": "web", "scope": "openid"}, EC, issuer=ISSUER, now=NOW, jti="an-id")
    )

    assert header == {"alg": "ES256", "kid": EC.kid, "typ": "oauth-authz-req+jwt"}
    assert claims == {
        "client_id": "web",
        "scope": "openid",
        "iss": "web",
        "aud": ISSUER,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        "jti": "an-id",
    }


@pytest.mark.parametrize(
    ("name", "value", "claim"),
    [
        ("max_age", "300", 300),
        ("max_age", "soon", "soon"),
        ("authorization_details", '[{"type":"payment"}]', [{"type": "payment"}]),
        ("claims", '{"id_token":{"acr":null}}', {"id_token": {"acr": None}}),
        ("claims", "no json", "no json"),
        ("resource", ("https://a", "https://b"), ["https://a", "https://b"]),
        ("login_hint", "[1]", "[1]"),
        ("state", "300", "300"),
    ],
)
def test_numbers_and_json_are_what_they_are(name, value, claim):
    """RFC 9101 §4, OIDC Core §6.1: text only where the parameter is text."""
    _, claims = decoded(sign_request({"client_id": "web", name: value}, EC, issuer=ISSUER, now=NOW, jti="x"))

    assert claims[name] == claim


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "nbf", "iat", "jti"])
def test_a_parameter_replaces_no_claim_of_the_object(name):
    """`authorization_params` may contain anything."""
    _, claims = decoded(sign_request({"client_id": "web", name: "mine"}, EC, issuer=ISSUER, now=NOW, jti="x"))

    assert claims[name] != "mine"


@pytest.mark.parametrize(
    ("key", "supported", "alg", "chosen"),
    [
        (EC, None, None, "ES256"),
        (EC, "ES256", None, "ES256"),
        (EC, ["none", "ES256"], None, "ES256"),
        (RSA, None, None, "PS256"),
        (RSA, ["RS256", "PS384"], None, "PS384"),
        (RSA, ["PS256"], "RS512", "RS512"),
    ],
    ids=str,
)
def test_the_algorithm_is_as_set_or_the_best_in_common(key, supported, alg, chosen):
    """The developer's word counts."""
    client = Client("web", keys=(key, EC))

    found = choose_request_key(metadata(request_object_signing_alg_values_supported=supported), client, alg)

    assert (found.alg, found.kid) == (chosen, key.kid)


@pytest.mark.parametrize(
    ("client", "supported", "code"),
    [
        (Client("web", "a-secret"), None, "request_object_required"),
        (Client("web", keys=(EC,)), ["none", "RS256"], "request_object_unsupported"),
        (Client("web", keys=(EC,)), ["none"], "request_object_unsupported"),
    ],
    ids=["no key", "another key", "no signature"],
)
def test_a_request_is_never_signed_less_strongly(client, supported, code):
    """An object without a signature least of all."""
    with pytest.raises(AnswerRejected) as caught:
        choose_request_key(metadata(request_object_signing_alg_values_supported=supported), client, None)

    assert caught.value.code == code
