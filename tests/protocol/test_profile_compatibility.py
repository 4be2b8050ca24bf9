"""A provider that cannot do what a security profile demands is found before a login starts, with all that it lacks."""

from typing import Any

import pytest

from asgi_oidc.protocol.certificate_pair import read_certificate_pair
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_signing import read_signing_key
from asgi_oidc.protocol.metadata import make_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.security_profile import PROFILES, find_profile
from asgi_oidc.testing import ClientCertificate, ClientKey
from tests.protocol.test_provider_compatibility import ISSUER, PAR, metadata_with

ALGORITHMS = PROFILES["fapi2"].algorithms
STRONG: dict[str, object] = {
    **PAR,
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
    "dpop_signing_alg_values_supported": ["ES256"],
    "id_token_signing_alg_values_supported": ["RS256", "PS256"],
    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt", "tls_client_auth"],
}
SIGNING: dict[str, object] = {
    "authorization_response_iss_parameter_supported": None,
    "authorization_signing_alg_values_supported": ["PS256"],
    "response_modes_supported": ["query", "jwt"],
}
KEY, CERTIFICATE = ClientKey("ES256"), ClientCertificate("web")
CLIENT = Client("web", keys=(read_signing_key(KEY.pem),))
WITH_CERTIFICATE = Client("web", certificate=read_certificate_pair(CERTIFICATE.pem_with_key))
BOUND = {"dpop_signing_alg_values_supported": None, "tls_client_certificate_bound_access_tokens": True}


def plan_with(profile: str = "fapi2", **changes: Any) -> LoginPlan:
    return LoginPlan(
        **{"client": CLIENT, "algorithms": ALGORITHMS, "par": "always", "dpop": "always", **changes},
        profile=find_profile(profile),
    )


def texts(plan: LoginPlan, **members: object) -> list[str]:
    return [
        obstacle.text
        for obstacle in find_incompatibilities(metadata_with(**{**STRONG, **members}), plan)
        if obstacle.code == "profile_unsupported"
    ]


@pytest.mark.parametrize(
    ("plan", "members"),
    [
        (plan_with(), {}),
        (plan_with(), {"id_token_signing_alg_values_supported": None}),
        (plan_with("fapi2-message-signing", response_mode="jwt"), SIGNING),
        (plan_with(response_mode="jwt"), SIGNING),
        (plan_with(dpop="never"), BOUND),
    ],
    ids=["dpop", "unlisted algorithms", "message signing", "signed responses", "certificate"],
)
def test_a_provider_that_can_do_it_all_is_accepted(plan, members):
    """Nothing more than the profile says is demanded."""
    assert find_incompatibilities(metadata_with(**{**STRONG, **members}), plan) == []


LACKS: list[tuple[LoginPlan, dict[str, object], str]] = [
    (plan_with(), {"pushed_authorization_request_endpoint": None}, "pushed_authorization_request_endpoint is missing"),
    (plan_with(), {"code_challenge_methods_supported": None}, "code_challenge_methods_supported must have S256"),
    (plan_with(), {"code_challenge_methods_supported": ["plain"]}, "code_challenge_methods_supported must have S256"),
    (
        plan_with(),
        {"authorization_response_iss_parameter_supported": None},
        "authorization_response_iss_parameter_supported must be true",
    ),
    (plan_with(), {"dpop_signing_alg_values_supported": None}, "dpop_signing_alg_values_supported must have ES256"),
    (
        plan_with(),
        {"dpop_signing_alg_values_supported": ["RS256"]},
        "dpop_signing_alg_values_supported must have ES256",
    ),
    (
        plan_with(),
        {"id_token_signing_alg_values_supported": ["RS256", "HS256"]},
        "id_token_signing_alg_values_supported must have one of PS256, ES256, EdDSA, Ed25519",
    ),
    (
        plan_with("fapi2-message-signing", response_mode="jwt"),
        {**SIGNING, "authorization_signing_alg_values_supported": ["RS256"]},
        "authorization_signing_alg_values_supported must have one of PS256, ES256, EdDSA, Ed25519",
    ),
    (
        plan_with(dpop="never"),
        {**BOUND, "tls_client_certificate_bound_access_tokens": False},
        "tls_client_certificate_bound_access_tokens must be true, or dpop (OIDC_DPOP) be always",
    ),
    (
        plan_with(client=WITH_CERTIFICATE, dpop="never"),
        {**BOUND, "token_endpoint_auth_methods_supported": ["none"]},
        "token_endpoint_auth_methods_supported must have tls_client_auth or self_signed_tls_client_auth",
    ),
]


@pytest.mark.parametrize(("plan", "members", "missing"), LACKS, ids=[it[2].partition(" ")[0] for it in LACKS])
def test_what_is_missing_is_named(plan, members, missing):
    """The operator of the provider has to know what to enable."""
    (text,) = texts(plan, **members)

    assert text.endswith(f"needs more of the provider: {missing}: enable it there")


@pytest.mark.parametrize("local", ["http://127.0.0.1:8080", "HTTP://127.0.0.1:8080"])
def test_an_endpoint_on_this_machine_needs_https_too(local):
    """Without a profile, http on loopback is fine; a scheme may be written in upper case (RFC 3986 §3.1)."""
    endpoints = {name: f"{local}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    metadata = make_metadata(local, {**STRONG, **endpoints})

    (obstacle,) = find_incompatibilities(metadata, plan_with())
    assert "authorization_endpoint must use https; token_endpoint must use https; jwks_uri must" in obstacle.text


def test_everything_that_is_missing_is_in_one_error():
    """And no other text names a fix that the profile does not permit."""
    members = {
        "authorization_endpoint": f"{ISSUER}/a",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }
    found = find_incompatibilities(metadata_with(**members), plan_with())

    assert [obstacle.code for obstacle in found] == ["profile_unsupported"]
    assert found[0].text.count(";") == 4
    assert "set par" not in found[0].text


def test_an_unknown_profile_is_none():
    """The reader of the setting reports it."""
    assert [find_profile(name) for name in (None, "fapi1", ["fapi2"])] == [None, None, None]
