"""Finds what a provider's metadata lacks for the security profile of a client (FAPI 2.0 Security Profile §5.3.2)."""

from collections.abc import Collection, Iterator

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import choose_method
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS, Client
from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.metadata import ENDPOINTS, ProviderMetadata, texts_of
from asgi_oidc.protocol.security_profile import SecurityProfile


def missing_in_metadata(
    metadata: ProviderMetadata, profile: SecurityProfile, client: Client, *, response_mode: str | None, uses_dpop: bool
) -> list[str]:
    """Return everything that the metadata lacks, each as a text that names the member.

    Args:
        client: how it authenticates depends on the metadata.
        response_mode: the requested one; None for the default.
        uses_dpop: whether a key of the session binds the tokens, and not the certificate of the client.
    """
    return [
        *_endpoint_gaps(metadata),
        *_client_gaps(metadata, profile, client),
        *_request_gaps(metadata),
        *_response_gaps(metadata, profile, response_mode),
        *_token_gaps(metadata, profile, uses_dpop=uses_dpop),
    ]


def _endpoint_gaps(metadata: ProviderMetadata) -> Iterator[str]:
    for name in ENDPOINTS:
        if str(getattr(metadata, name) or "").lower().startswith("http:"):
            yield f"{name} must use https"


def _client_gaps(metadata: ProviderMetadata, profile: SecurityProfile, client: Client) -> Iterator[str]:
    """Yield what is missing if the client would not authenticate: its certificate would only bind the tokens."""
    try:
        method = choose_method(client, metadata.auth_methods)
    except AnswerRejected:
        return  # that has a code of its own
    if method not in profile.client_auth:
        yield f"token_endpoint_auth_methods_supported must have {' or '.join(CERTIFICATE_METHODS)}"


def _request_gaps(metadata: ProviderMetadata) -> Iterator[str]:
    if metadata.pushed_authorization_request_endpoint is None:
        yield "pushed_authorization_request_endpoint is missing"
    # A provider that does not list the member does not support PKCE (RFC 8414 §2).
    if "S256" not in texts_of(metadata.code_challenge_methods_supported):
        yield "code_challenge_methods_supported must have S256"


def _response_gaps(metadata: ProviderMetadata, profile: SecurityProfile, response_mode: str | None) -> Iterator[str]:
    if response_mode not in SIGNED_MODES:  # a signed response always has `iss` (JARM §2.1)
        if metadata.authorization_response_iss_parameter_supported is not True:
            yield "authorization_response_iss_parameter_supported must be true"
        return
    yield from _algorithm_gap(metadata, "authorization_signing_alg_values_supported", profile.algorithms)


def _token_gaps(metadata: ProviderMetadata, profile: SecurityProfile, *, uses_dpop: bool) -> Iterator[str]:
    yield from _algorithm_gap(metadata, "id_token_signing_alg_values_supported", profile.algorithms)
    if uses_dpop:
        if "ES256" not in texts_of(metadata.dpop_signing_alg_values_supported):
            yield "dpop_signing_alg_values_supported must have ES256"
    elif metadata.tls_client_certificate_bound_access_tokens is not True:
        yield "tls_client_certificate_bound_access_tokens must be true, or dpop (OIDC_DPOP) be always"


def _algorithm_gap(metadata: ProviderMetadata, member: str, accepted: Collection[str]) -> Iterator[str]:
    listed = texts_of(getattr(metadata, member))
    if listed and not set(listed) & set(accepted):
        yield f"{member} must have one of {', '.join(accepted)}"
