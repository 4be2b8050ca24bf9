"""Named exceptions for providers that are not by the book, each with its risk and its purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from asgi_oidc import events

STANDARD_LOGOUT, COGNITO_LOGOUT = "standard", "cognito"
END_SESSION_PARAMETERS = (STANDARD_LOGOUT, COGNITO_LOGOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderExceptions:
    """The settings for a provider that deviates from the specifications; see `ProviderKeywords`.

    Each of them skips only the check that it names.
    """

    metadata_url: str | None = None
    internal_url: str | None = None
    end_session_parameters: str = STANDARD_LOGOUT
    allow_http_hosts: frozenset[str] = frozenset()
    allow_missing_nonce: bool = False
    allow_missing_pkce: bool = False
    allow_code_injection: bool = False
    allow_missing_access_token: bool = False
    allow_hs256: bool = False
    allow_azp_audiences: bool = False

    @property
    def in_use(self) -> list[str]:
        """The names of the exceptions that are made."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]


class Reason(NamedTuple):
    """Why an exception is logged.

    Attributes:
        risk: what can happen because of it.
        purpose: which providers need it.
    """

    risk: str
    purpose: str


REASONS: Mapping[str, Reason] = {
    "metadata_url": Reason(
        "anyone who controls this URL decides where users sign in and which keys are trusted",
        "a provider whose metadata is not below its issuer, such as Azure AD B2C",
    ),
    "internal_url": Reason(
        "the client secret and tokens are sent to this URL instead of the issuer",
        "a provider that has another address inside the network, such as Keycloak in Docker Compose or Kubernetes",
    ),
    "end_session_parameters": Reason(
        "a logout at the provider has no state: users come back to post_logout_redirect_uri, never to return_to",
        "Amazon Cognito, whose logout is not that of OpenID Connect",
    ),
    "allow_http_hosts": Reason(
        "anyone who can read traffic to these hosts sees the client secret and tokens, and can sign in as any user",
        "calls to a provider inside a network that only trusted programs can read",
    ),
    "allow_missing_nonce": Reason(
        "an ID Token is not bound to the login that requested it",
        "a provider that does not return the nonce",
    ),
    "allow_missing_pkce": Reason(
        "an authorization code is not bound to the login that requested it",
        "a provider that refuses a code_verifier",
    ),
    "allow_code_injection": Reason(
        "anyone who gets hold of a user's unused authorization code can sign in as that user",
        "a provider that has neither PKCE nor the nonce, such as LinkedIn",
    ),
    "allow_missing_access_token": Reason(
        "userinfo is not called for logins without one, and access_token() raises an error",
        "a provider that returns only an ID Token if no API is requested, such as Azure AD B2C",
    ),
    "allow_hs256": Reason(
        "anyone who knows the client secret can forge tokens for any user",
        "a provider that signs the tokens of this client with its secret",
    ),
    "allow_azp_audiences": Reason(
        "audiences of ID Tokens are not compared with trusted_audiences if azp is this client",
        "a provider that names all clients of a project, such as Zitadel",
    ),
}


def log_exceptions(exceptions: ProviderExceptions, *, provider: str) -> None:
    """Log each exception of a provider, with its risk.

    Args:
        provider: its name, or its issuer if it has no name.
    """
    for setting in exceptions.in_use:
        reason = REASONS[setting]
        events.log(
            events.PROVIDER_EXCEPTION,
            provider=provider,
            setting=setting,
            risk=reason.risk,
            purpose=reason.purpose,
        )
