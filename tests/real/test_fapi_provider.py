"""The certified provider in its FAPI 2.0 profile refuses what is weaker, as our tests need it."""

import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.real.real_provider import RealProvider

pytestmark = pytest.mark.real

CALLBACK = "https://app.example.com/auth/callback"
PUBLIC_KEYS = {  # RFC 8037, appendix A
    "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]
}
MTLS_ENDPOINTS = ("token_endpoint", "pushed_authorization_request_endpoint", "userinfo_endpoint")


@pytest.fixture(scope="module")
def caller(fapi_provider: RealProvider) -> Iterator[httpx.Client]:
    """A client without a certificate."""
    trust = ssl.create_default_context(cafile=fapi_provider.ca)
    with httpx.Client(base_url=fapi_provider.issuer, verify=trust, trust_env=False) as client:
        yield client


def test_metadata_offer_what_the_profile_needs_and_nothing_weaker(caller):
    """Keys and certificates alone authenticate a client, and a pushed request alone starts a login."""
    metadata = caller.get("/.well-known/openid-configuration").json()

    methods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
    assert metadata["token_endpoint_auth_methods_supported"] == methods
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "RS256" not in str(metadata)
    for name in MTLS_ENDPOINTS:
        assert metadata["mtls_endpoint_aliases"][name] != metadata[name]


@pytest.mark.parametrize(
    ("member", "value"),
    [("token_endpoint_auth_method", "client_secret_basic"), ("id_token_signed_response_alg", "RS256")],
)
def test_a_weaker_client_is_not_registered(caller, member, value):
    """The provider names what it does not take."""
    answer = caller.post("/reg", json={"redirect_uris": [CALLBACK], "jwks": PUBLIC_KEYS, member: value})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert member in answer.json()["error_description"]


def test_a_request_that_was_not_pushed_is_refused(caller, fapi_provider):
    """Nothing of a request passes through the browser but a reference to it."""
    fapi_provider.register({"client_id": "web", "redirect_uris": [CALLBACK], "jwks": PUBLIC_KEYS})
    query = {"client_id": "web", "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid"}

    answer = caller.get("/auth", params=query)

    refusal = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (refusal["error"], refusal["iss"]) == (["invalid_request"], [fapi_provider.issuer])
    assert refusal["error_description"] == ["Pushed Authorization Request must be used"]
