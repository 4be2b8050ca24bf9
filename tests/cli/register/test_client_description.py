"""What is registered follows from the settings alone."""

from typing import Any

import pytest

from asgi_oidc.settings.client_description import choose_registered_method, describe_client
from asgi_oidc.testing import ClientKey
from tests.certificate_texts import LEAF, SELF_SIGNED
from tests.cli.register.registering_app import ISSUER, ORIGIN, Command, make_app

KEY = ClientKey()
PLAIN = {
    "client_uri": f"{ORIGIN}/",
    "application_type": "web",
    "redirect_uris": [f"{ORIGIN}/auth/callback"],
    "post_logout_redirect_uris": [ORIGIN],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "openid profile email",
    "backchannel_logout_uri": f"{ORIGIN}/auth/backchannel-logout",
    "backchannel_logout_session_required": True,
    "token_endpoint_auth_method": "client_secret_basic",
}


def described(register: Command, *arguments: str, **settings: Any) -> dict[str, Any]:
    said = register("--dry-run", *arguments, **settings)
    assert said.status == 0, said.err
    return said.members


def test_a_plain_client(register):
    """Nothing is registered that was not asked for: some providers refuse members that they do not know."""
    assert described(register) == PLAIN


LOGOUT = f"{ORIGIN}/auth/frontchannel-logout"
# Settings, and the members that they add or change; None for those that they remove.
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"client_auth": "none"}, {"token_endpoint_auth_method": "none"}),
    ({"app_name": "Acme"}, {"client_name": "Acme"}),
    ({"app_logo": "/logo.svg"}, {"logo_uri": f"{ORIGIN}/logo.svg"}),
    ({"scope": "openid offline_access"}, {"scope": "openid offline_access"}),
    (
        {"post_logout_redirect_uri": "https://www.example.com/"},
        {"post_logout_redirect_uris": ["https://www.example.com/"]},
    ),
    (
        {"frontchannel_logout": True},
        {"frontchannel_logout_uri": LOGOUT, "frontchannel_logout_session_required": True},
    ),
    ({"par": "always"}, {"require_pushed_authorization_requests": True}),
    ({"dpop": "always"}, {"dpop_bound_access_tokens": True}),
    ({"dpop": "auto"}, {"dpop_bound_access_tokens": True}),
    ({"algorithms": ["ES256"]}, {"id_token_signed_response_alg": "ES256"}),
    (
        {"authorization_details": [{"type": "a"}, {"type": "a"}, {"type": "b"}]},
        {"authorization_details_types": ["a", "b"]},
    ),
    (
        {"client_key": KEY.pem, "request_object": True},
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": f"{ORIGIN}/auth/jwks",
            "request_object_signing_alg": "ES256",
            "require_signed_request_object": True,
        },
    ),
    ({"userinfo_signed_response_alg": "ES256"}, {"userinfo_signed_response_alg": "ES256"}),
    (
        {"client_key": KEY.pem},
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": f"{ORIGIN}/auth/jwks",
        },
    ),
]


@pytest.mark.parametrize(("settings", "members"), SETTINGS, ids=lambda value: ",".join(value))
def test_settings_and_what_they_register(register, settings, members):
    """A table of the members that each setting adds or changes."""
    register.provider.metadata |= {"dpop_signing_alg_values_supported": ["ES256"]}
    methods = ["client_secret_basic", "private_key_jwt", "none"]
    register.provider.metadata["token_endpoint_auth_methods_supported"] = methods

    assert described(register, **settings) == PLAIN | members


def test_keys_by_value_are_public(register):
    """For a provider that cannot reach the app yet."""
    found = described(register, "--jwks", "inline", client_key=KEY.pem)

    [key] = found["jwks"]["keys"]
    assert ("jwks_uri" in found, "d" in key, key["kid"], key["use"]) == (False, False, KEY.kid, "sig")


def test_all_hosts_are_registered(register):
    """Each has a callback and a page after the sign-out."""
    found = described(register, base_url=[ORIGIN, "https://two.example.com"])

    assert found["redirect_uris"] == [f"{ORIGIN}/auth/callback", "https://two.example.com/auth/callback"]
    assert found["post_logout_redirect_uris"] == [ORIGIN, "https://two.example.com"]


def test_a_provider_gets_no_url_that_it_cannot_reach(register):
    """An app on this machine gets no logout tokens from a provider on the network; its keys are sent by value."""
    found = described(register, base_url="http://localhost:8000", client_key=KEY.pem)

    assert (ISSUER.startswith("https://id"), "backchannel_logout_uri" in found, "jwks_uri" in found) == (
        True,
        False,
        False,
    )
    assert found["jwks"]["keys"]


@pytest.mark.parametrize(
    ("certificate", "method", "subject"),
    [
        (LEAF.both, "tls_client_auth", "CN=web"),
        (SELF_SIGNED.both, "self_signed_tls_client_auth", None),
    ],
    ids=["issued", "self-signed"],
)
def test_a_certificate_is_registered_by_its_subject_or_itself(register, certificate, method, subject):
    """RFC 8705 §2.1.2, §2.2.2: the provider looks for one that nobody has issued among the keys."""
    settings = make_app(register.provider, client_certificate=certificate, http_client=...)._settings
    [provider] = settings.fixed_providers.values()

    chosen = choose_registered_method(provider.client, ["tls_client_auth", "self_signed_tls_client_auth"])
    found: Any = describe_client(settings, provider, auth_method=chosen)

    keys = found.get("jwks", {"keys": []})["keys"]
    assert (chosen, found.get("tls_client_auth_subject_dn")) == (method, subject)
    assert [(key["kty"], len(key["x5c"])) for key in keys] == ([] if subject else [("EC", 1)])
