"""Keycloak holds clients to its FAPI 2.0 profiles, as our tests need it."""

from typing import Any

import httpx
import pytest

from tests.real.keycloak import PROFILES, Keycloak

pytestmark = pytest.mark.real

STRONG: dict[str, Any] = {
    "clientAuthenticatorType": "client-jwt",
    "redirectUris": ["https://app.example.com/auth/callback"],
}
WEAKER: dict[str, dict[str, Any]] = {
    "a secret": STRONG | {"clientAuthenticatorType": "client-secret"},
    "http": STRONG | {"redirectUris": ["http://app.example.com/auth/callback"]},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_client_becomes_what_the_profile_asks_for(keycloak_server: Keycloak, profile: str) -> None:
    """Algorithms, bound tokens and consent are set when it is saved; a policy is not asked when it is made."""
    client_id = keycloak_server.add_client(**STRONG, attributes={"profile": profile})
    before = keycloak_server.attributes_of(client_id)
    keycloak_server.save_again(client_id)
    after = keycloak_server.attributes_of(client_id)

    binding = "dpop.bound.access.tokens" if "dpop" in profile else "tls.client.certificate.bound.access.tokens"
    assert (before.get(binding), after[binding]) == (None, "true")
    assert after["id.token.signed.response.alg"] == after["user.info.response.signature.alg"] == "PS256"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("members", WEAKER.values(), ids=WEAKER)
def test_a_weaker_client_is_not_saved(keycloak_server: Keycloak, profile: str, members: dict[str, Any]) -> None:
    """The profile has keys and certificates, and https."""
    client_id = keycloak_server.add_client(**members, attributes={"profile": profile})

    with pytest.raises(httpx.HTTPStatusError, match="400") as refused:
        keycloak_server.save_again(client_id)

    assert refused.value.response.json()["error"] == "invalid_client_metadata"
