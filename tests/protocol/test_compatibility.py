"""Metadata that rules out every login says so; metadata that says nothing rules out nothing."""

from typing import Any

import pytest

from asgi_oidc.protocol.client import Client
from asgi_oidc.protocol.compatibility import MOST_LISTED, Plan, find_obstacles
from asgi_oidc.protocol.metadata import ProviderMetadata, make_metadata

ISSUER = "https://id.example.com"
ENDPOINTS = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
CONFIDENTIAL = Client("web", f"{ISSUER}/cb", "s3cret")
PUBLIC = Client("web", f"{ISSUER}/cb")
OURS = ("RS256", "ES256")


def metadata_with(**members: object) -> ProviderMetadata:
    return make_metadata(ISSUER, {**ENDPOINTS, **members})


def codes(plan: Plan, **members: object) -> list[str]:
    return [obstacle.code for obstacle in find_obstacles(metadata_with(**members), plan)]


OBSTACLES: list[tuple[str, dict[str, Any], Plan]] = [
    ("par_required", {"require_pushed_authorization_requests": True}, Plan(PUBLIC)),
    ("request_object_required", {"require_signed_request_object": True}, Plan(PUBLIC)),
    ("client_auth_unsupported", {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, Plan(CONFIDENTIAL)),
    ("response_type_unsupported", {"response_types_supported": ["id_token", "code id_token"]}, Plan(PUBLIC)),
    ("grant_type_unsupported", {"grant_types_supported": ["implicit"]}, Plan(PUBLIC)),
    ("pkce_s256_unsupported", {"code_challenge_methods_supported": ["plain"]}, Plan(PUBLIC)),
    ("response_mode_unsupported", {"response_modes_supported": ["query"]}, Plan(PUBLIC, "form_post")),
    ("response_mode_unsupported", {"response_modes_supported": ["form_post"]}, Plan(PUBLIC, "query")),
    ("algorithms_unsupported", {"id_token_signing_alg_values_supported": ["HS256"]}, Plan(PUBLIC, None, OURS)),
]


@pytest.mark.parametrize(
    ("code", "members", "plan"), OBSTACLES, ids=[f"{it[0]}-{it[2].response_mode}" for it in OBSTACLES]
)
def test_what_rules_out_every_login_is_found(code, members, plan):
    """And it names the member, and what it says."""
    (obstacle,) = find_obstacles(metadata_with(**members), plan)

    assert obstacle.code == code
    assert all(name in obstacle.text for name in members)
    assert all(value in obstacle.text for listed in members.values() if isinstance(listed, list) for value in listed)


@pytest.mark.parametrize("plan", [Plan(PUBLIC), Plan(CONFIDENTIAL), Plan(CONFIDENTIAL, "form_post", OURS)])
def test_a_member_that_is_missing_rules_out_nothing(plan):
    """Most providers leave most of them out."""
    assert codes(plan) == []


@pytest.mark.parametrize("odd", [None, [], {}, "S256", 7, [1], [["code"]], False, "true", "yes"])
def test_a_member_of_an_odd_type_rules_out_nothing(odd):
    """Only what is certain stops a login."""
    names = (
        "require_pushed_authorization_requests",
        "require_signed_request_object",
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "code_challenge_methods_supported",
    )

    assert codes(Plan(CONFIDENTIAL, "form_post", OURS), **dict.fromkeys(names, odd)) == []


@pytest.mark.parametrize(
    ("plan", "members"),
    [
        (Plan(CONFIDENTIAL), {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}),
        (Plan(PUBLIC), {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),  # few list "none"
        (
            Plan(Client("web", f"{ISSUER}/cb", "s3cret", "client_secret_post")),
            {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        ),
        (Plan(PUBLIC), {"response_types_supported": ["id_token", "code"]}),
        (Plan(PUBLIC), {"code_challenge_methods_supported": ["plain", "S256"]}),
        (Plan(PUBLIC, "form_post"), {"response_modes_supported": ["query", "form_post"]}),
        (Plan(PUBLIC), {"response_modes_supported": ["form_post"]}),  # not asked for: the provider chooses
        (Plan(PUBLIC, None, OURS), {"id_token_signing_alg_values_supported": ["HS256", "ES256"]}),
        (Plan(PUBLIC, None, None), {"id_token_signing_alg_values_supported": ["HS256"]}),  # named by the developer
        (Plan(PUBLIC), {"tls_client_certificate_bound_access_tokens": True}),  # it can, and need not
        (Plan(PUBLIC), {"dpop_signing_alg_values_supported": ["ES256"]}),
        (Plan(PUBLIC), {"scopes_supported": ["profile"]}),  # "some may be left out" (Discovery §3)
    ],
    ids=str,
)
def test_what_may_still_succeed_is_tried(plan, members):
    """The developer's word counts, and so does what a provider does without saying it."""
    assert codes(plan, **members) == []


def test_several_obstacles_are_all_told():
    """One look at the log should do."""
    plan = Plan(CONFIDENTIAL, "form_post", OURS)

    found = codes(plan, **{name: value for _, members, _ in OBSTACLES for name, value in members.items() if members})

    assert len(found) == len(set(found)) >= 6


def test_a_long_list_is_cut():
    """It stands in a log line."""
    theirs = [f"odd-{number}" for number in range(1000)]

    (obstacle,) = find_obstacles(metadata_with(code_challenge_methods_supported=theirs), Plan(PUBLIC))

    assert obstacle.text.count("odd-") == MOST_LISTED
    assert ", ..., but asgi-oidc needs S256" in obstacle.text
