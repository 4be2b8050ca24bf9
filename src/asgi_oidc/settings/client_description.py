"""Describes this app as a client, from the settings: what a registration sends, and what its document publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from asgi_oidc.protocol.authorization_details import joined, types_of
from asgi_oidc.protocol.client_auth import choose_algorithm, choose_method
from asgi_oidc.protocol.client_jwks import client_jwks
from asgi_oidc.protocol.client_metadata import ClientRequirements, ClientUrls, client_metadata
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS, Client
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, supports_dpop
from asgi_oidc.protocol.registered_certificate import certificate_jwk, is_self_signed, subject_of
from asgi_oidc.protocol.request_object import choose_request_key
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, is_loopback
from asgi_oidc.settings.settings import Settings

BY_AUTHORITY, SELF_SIGNED = CERTIFICATE_METHODS
ID_TOKEN_ALG = "id_token_signed_response_alg"  # noqa: S105  # the name of a member
DEFAULT_ALGORITHM = "RS256"  # of ID Tokens, if nothing else is registered (OpenID Connect Registration 1.0 §2)


def describe_client(
    settings: Settings,
    provider: ProviderSettings,
    *,
    auth_method: str,
    metadata: ProviderMetadata | None = None,
    keys_by_value: bool = False,
) -> dict[str, object]:
    """Return the metadata of this app as a client of one provider.

    Args:
        settings: those of the middleware; all of its hosts are described.
        auth_method: a `token_endpoint_auth_method`.
        metadata: of the provider; None if it is not known, and only the settings count.
        keys_by_value: whether to send the public keys, instead of the URL where they are published.
    """
    urls = client_urls(settings, provider, keys_by_value=keys_by_value)
    requirements = _requirements(settings, provider, auth_method, metadata=metadata, jwks_uri=urls.jwks_uri)
    return client_metadata(urls, requirements, scope=provider.scope, name=settings.app_name)


def client_urls(settings: Settings, provider: ProviderSettings, *, keys_by_value: bool = False) -> ClientUrls:
    """Return the URLs of this app that a provider has to know. Arguments as in `describe_client`."""
    hosts = settings.for_each_host()
    can_call_us = _is_reachable(settings.base_url, provider)
    name = provider.name
    logo = None if settings.app_logo is None else f"{settings.origin}{settings.app_logo}"
    return ClientUrls(
        redirect_uris=[host.redirect_uri(provider) for host in hosts],
        post_logout_redirect_uris=list(dict.fromkeys(host.landing_url for host in hosts)),
        backchannel_logout_uri=settings.provider_url("backchannel-logout", name) if can_call_us else None,
        frontchannel_logout_uri=(
            settings.provider_url("frontchannel-logout", name) if provider.frontchannel_logout else None
        ),
        jwks_uri=(settings.url_of("jwks") if public_keys(provider) and can_call_us and not keys_by_value else None),
        client_uri=settings.home,
        logo_uri=logo,
    )


def public_keys(provider: ProviderSettings) -> Sequence[Mapping[str, object]]:
    """Return the public keys of this client, as JWKs."""
    return client_jwks([provider.client])["keys"]


def _requirements(
    settings: Settings,
    provider: ProviderSettings,
    auth_method: str,
    *,
    metadata: ProviderMetadata | None,
    jwks_uri: str | None,
) -> ClientRequirements:
    plan = provider.login_plan
    required_by_rules = [rule.authentication.authorization_details for rule in settings.rules]
    keys: list[Mapping[str, object]] = [] if jwks_uri else [*public_keys(provider)]
    certificate = provider.client.certificate
    if auth_method == SELF_SIGNED and certificate is not None:
        keys = [*public_keys(provider), certificate_jwk(certificate)]  # the provider looks for it among the keys
    uses_dpop = plan.dpop == "always" or (plan.dpop == "auto" and metadata is not None and supports_dpop(metadata))
    return ClientRequirements(
        auth_method=auth_method,
        auth_signing_alg=_assertion_alg(provider.client, auth_method, metadata),
        jwks=keys,
        subject_dn=subject_of(certificate) if certificate is not None and auth_method == BY_AUTHORITY else None,
        request_object_signing_alg=_request_alg(plan, metadata),
        pushes_requests=plan.par == "always" if metadata is None else plan.is_pushed(metadata),
        binds_tokens_by_dpop=uses_dpop,
        # Only if a profile demands bound tokens: the calls of the app to other APIs would need the certificate, too.
        binds_tokens_by_certificate=certificate is not None and provider.profile is not None and not uses_dpop,
        authorization_details_types=types_of(joined(provider.authorization_details, *required_by_rules)),
        response_algs=_response_algs(provider, metadata),
    )


def _assertion_alg(client: Client, auth_method: str, metadata: ProviderMetadata | None) -> str | None:
    if auth_method != "private_key_jwt" or not client.keys:
        return client.signing_alg
    return choose_algorithm(client, auth_method, [] if metadata is None else metadata.auth_algorithms_of("token"))


def _request_alg(plan: LoginPlan, metadata: ProviderMetadata | None) -> str | None:
    """Return the algorithm of signed authorization requests; None if they are not signed."""
    if metadata is not None:
        is_signed = plan.is_signed(metadata)
        return choose_request_key(metadata, plan.client, plan.request_object_signing_alg).alg if is_signed else None
    if not plan.request_object or not plan.client.keys:
        return None
    return plan.request_object_signing_alg or plan.client.keys[0].alg


def _response_algs(provider: ProviderSettings, metadata: ProviderMetadata | None) -> dict[str, str]:
    """Return the algorithms that the settings name, and that of ID Tokens if the provider's default is refused."""
    named = {setting: value for setting, _, value in provider.pinned.named()}
    if ID_TOKEN_ALG in named or DEFAULT_ALGORITHM in provider.algorithms:
        return named
    offered = (metadata.id_token_signing_alg_values_supported if metadata else None) or list(provider.algorithms)
    chosen = next((alg for alg in provider.algorithms if alg in offered), None)
    return named if chosen is None else {**named, ID_TOKEN_ALG: chosen}


def _is_reachable(base_url: str, provider: ProviderSettings) -> bool:
    """Whether the provider can call this app: over the network, or because both are on this machine."""
    split = check_url(base_url)
    return not is_loopback(split.hostname or "") or is_loopback(check_url(provider.origin).hostname or "")


def choose_registered_method(client: Client, supported: Sequence[str]) -> str:
    """Choose how the client will authenticate.

    A client without any credentials gets a secret from the provider; a public one says so, by `client_auth`.

    Args:
        supported: `token_endpoint_auth_methods_supported` of the provider's metadata.

    Raises:
        AnswerRejected: no method in common.
    """
    if client.auth_method is None and not client.is_confidential:
        client = replace(client, secret="to be made by the provider")  # noqa: S106  # no secret, and sent nowhere
    method = choose_method(client, supported)
    certificate = client.certificate
    if client.auth_method is None and method == BY_AUTHORITY and certificate is not None:
        return SELF_SIGNED if is_self_signed(certificate) and SELF_SIGNED in supported else method
    return method
