"""Metadata that rules out every login says so; metadata that says nothing rules out nothing."""

from typing import Any

import pytest

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import ProviderMetadata, make_metadata
from asgi_oidc.protocol.provider_compatibility import MAX_LISTED, LoginPlan, find_incompatibilities

ISSUER = "https://id.example.com"
ENDPOINTS = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
CONFIDENTIAL = Client("web", "s3cret")
PUBLIC = Client("web")
OURS = ("RS256", "ES256")
PAR = {"pushed_authorization_request_endpoint": f"{ISSUER}/par"}


def metadata_with(**members: object) -> ProviderMetadata:
    return make_metadata(ISSUER, {**ENDPOINTS, **members})


def codes(plan: LoginPlan, **members: object) -> list[str]:
    return [obstacle.code for obstacle in find_incompatibilities(metadata_with(**members), plan)]


OBSTACLES: list[tuple[str, dict[str, Any], LoginPlan]] = [
    ("par_required", {"require_pushed_authorization_requests": True}, LoginPlan(PUBLIC, par="never")),
    ("par_unsupported", {"require_pushed_authorization_requests": True}, LoginPlan(PUBLIC)),
    ("par_unsupported", {"pushed_authorization_request_endpoint": None}, LoginPlan(PUBLIC, par="always")),
    ("request_object_required", {"require_signed_request_object": True}, LoginPlan(PUBLIC)),
    (
        "client_auth_unsupported",
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        LoginPlan(CONFIDENTIAL),
    ),
    ("response_type_unsupported", {"response_types_supported": ["id_token", "code id_token"]}, LoginPlan(PUBLIC)),
    ("grant_type_unsupported", {"grant_types_supported": ["implicit"]}, LoginPlan(PUBLIC)),
    ("pkce_s256_unsupported", {"code_challenge_methods_supported": ["plain"]}, LoginPlan(PUBLIC)),
    ("response_mode_unsupported", {"response_modes_supported": ["query"]}, LoginPlan(PUBLIC, "form_post")),
    ("response_mode_unsupported", {"response_modes_supported": ["form_post"]}, LoginPlan(PUBLIC, "query")),
    ("algorithms_unsupported", {"id_token_signing_alg_values_supported": ["HS256"]}, LoginPlan(PUBLIC, None, OURS)),
    ("dpop_unsupported", {"dpop_signing_alg_values_supported": ["RS256"]}, LoginPlan(PUBLIC, dpop="always")),
    ("response_mode_unsupported", {"response_modes_supported": ["query"]}, LoginPlan(PUBLIC, "form_post.jwt")),
    (
        "algorithms_unsupported",
        {"authorization_signing_alg_values_supported": ["HS256", "none"]},
        LoginPlan(PUBLIC, "jwt", OURS),
    ),
]


@pytest.mark.parametrize(
    ("code", "members", "plan"), OBSTACLES, ids=[f"{it[0]}-{it[2].response_mode}-{it[2].par}" for it in OBSTACLES]
)
def test_metadata_that_makes_login_impossible_is_found(code, members, plan):
    """And it names the member, and what it says."""
    (obstacle,) = find_incompatibilities(metadata_with(**members), plan)

    assert obstacle.code == code
    assert all(name in obstacle.text for name in members)
    assert all(value in obstacle.text for listed in members.values() if isinstance(listed, list) for value in listed)


@pytest.mark.parametrize(
    "plan", [LoginPlan(PUBLIC), LoginPlan(CONFIDENTIAL), LoginPlan(CONFIDENTIAL, "form_post", OURS)]
)
def test_missing_metadata_makes_nothing_impossible(plan):
    """Most providers leave most of them out."""
    assert codes(plan) == []


@pytest.mark.parametrize("odd", [None, [], {}, "S256", 7, [1], [["code"]], False, "true", "yes"])
def test_metadata_of_the_wrong_type_makes_nothing_impossible(odd):
    """Only what is certain stops a login."""
    names = (
        "require_pushed_authorization_requests",
        "require_signed_request_object",
        "response_types_supported",
        "response_modes_supported",
        "authorization_signing_alg_values_supported",
        "grant_types_supported",
        "code_challenge_methods_supported",
    )

    assert codes(LoginPlan(CONFIDENTIAL, "form_post", OURS), **dict.fromkeys(names, odd)) == []


@pytest.mark.parametrize(
    ("plan", "members"),
    [
        (LoginPlan(CONFIDENTIAL), {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}),
        (LoginPlan(PUBLIC), {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),  # few list "none"
        (
            LoginPlan(Client("web", "s3cret", "client_secret_post")),
            {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        ),
        (LoginPlan(PUBLIC, par="always"), PAR),
        (LoginPlan(PUBLIC, par="never"), PAR),
        (LoginPlan(PUBLIC), {**PAR, "require_pushed_authorization_requests": True}),
        (LoginPlan(PUBLIC), {"response_types_supported": ["id_token", "code"]}),
        (LoginPlan(PUBLIC), {"code_challenge_methods_supported": ["plain", "S256"]}),
        (LoginPlan(PUBLIC, "form_post"), {"response_modes_supported": ["query", "form_post"]}),
        (LoginPlan(PUBLIC, "jwt", OURS), {"authorization_signing_alg_values_supported": ["RS512", "RS256"]}),
        (LoginPlan(PUBLIC, None, OURS), {"authorization_signing_alg_values_supported": ["HS256"]}),  # no JWT asked for
        (LoginPlan(PUBLIC), {"response_modes_supported": ["form_post"]}),  # not asked for: the provider chooses
        (LoginPlan(PUBLIC, None, OURS), {"id_token_signing_alg_values_supported": ["HS256", "ES256"]}),
        (LoginPlan(PUBLIC, None, None), {"id_token_signing_alg_values_supported": ["HS256"]}),  # named by the developer
        (LoginPlan(PUBLIC), {"tls_client_certificate_bound_access_tokens": True}),  # it can, and need not
        (LoginPlan(PUBLIC), {"dpop_signing_alg_values_supported": ["ES256"]}),
        (LoginPlan(PUBLIC), {"scopes_supported": ["profile"]}),  # "some may be left out" (Discovery §3)
    ],
    ids=str,
)
def test_a_login_that_may_succeed_is_tried(plan, members):
    """The developer's word counts, and so does what a provider does without saying it."""
    assert codes(plan, **members) == []


def test_all_obstacles_are_listed():
    """One look at the log should do."""
    plan = LoginPlan(CONFIDENTIAL, "form_post", OURS)

    found = codes(plan, **{name: value for _, members, _ in OBSTACLES for name, value in members.items() if members})

    assert len(found) == len(set(found)) >= 6


def test_a_long_list_is_cut():
    """It stands in a log line."""
    theirs = [f"odd-{number}" for number in range(1000)]

    (obstacle,) = find_incompatibilities(metadata_with(code_challenge_methods_supported=theirs), LoginPlan(PUBLIC))

    assert obstacle.text.count("odd-") == MAX_LISTED
    assert ", ..., but asgi-oidc needs S256" in obstacle.text


def test_without_pkce_its_methods_do_not_matter():
    """A login that sends no challenge needs none."""
    plan = LoginPlan(PUBLIC, uses_pkce=False)

    assert codes(plan, code_challenge_methods_supported=["plain"]) == []
