"""The security profiles: what FAPI 2.0 demands of a client, in one table.

It is applied three times: to the settings (`settings/profile_checks.py`), to the provider's metadata before a login
starts (`profile_compatibility.py`), and to what the provider sends (algorithms, and `iss` in the response).

Source: FAPI 2.0 Security Profile (Final), FAPI 2.0 Message Signing (Final).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS

# Settings that are not permitted, each with the reason and the fix; sections are those of the Security Profile.
REFUSED: Mapping[str, str] = {
    "client_secret": "only keys and certificates authenticate a client (§5.3.3.1): remove it",
    "client_assertion_file": (
        "its assertions may have other algorithms and a list as audience (§5.3.3.1, §5.4.1): use client_key"
    ),
    "metadata": "endpoints must come from the provider's own metadata (§5.3.3.1): remove it",
    "internal_url": "endpoints must be called as the provider's metadata has them (§5.3.3.1): remove it",
    "allow_http_hosts": "all connections must use TLS (§5.2.1): remove it",
    "allow_missing_pkce": "PKCE must be used (§5.3.3.2): remove it",
    "allow_missing_nonce": "an ID Token must belong to the login (OpenID Connect Core §3.1.3.7): remove it",
    "allow_code_injection": "PKCE must be used (§5.3.3.2): remove it",
    "allow_missing_access_token": "access tokens must be bound to the client (§5.3.3.1): remove it",
    "allow_hs256": "a shared secret must not sign tokens (§5.4.1): remove it",
    "allow_azp_audiences": (
        "audiences must be trusted one by one (OpenID Connect Core §3.1.3.7): name them in trusted_audiences"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityProfile:
    """What one profile demands.

    Attributes:
        algorithms: of all signatures, those of the app and those of the provider (Security Profile §5.4.1).
        client_auth: the permitted client authentication methods (§5.3.3.1).
        signs_requests: whether the authorization request is signed (Message Signing §5.3.2).
        response_mode: the required one (Message Signing §5.4.2); None for any.
    """

    name: str
    algorithms: tuple[str, ...] = ("PS256", "ES256", "EdDSA", "Ed25519")
    client_auth: tuple[str, ...] = ("private_key_jwt", *CERTIFICATE_METHODS)
    signs_requests: bool = False
    response_mode: str | None = None

    def __str__(self) -> str:
        return f"profile={self.name!r}"


PROFILES: Mapping[str, SecurityProfile] = {
    profile.name: profile
    for profile in (
        SecurityProfile(name="fapi2"),
        SecurityProfile(name="fapi2-message-signing", signs_requests=True, response_mode="jwt"),
    )
}


def find_profile(name: object) -> SecurityProfile | None:
    """Return the profile of this name; None if there is none, or no name."""
    return PROFILES.get(name) if isinstance(name, str) else None
