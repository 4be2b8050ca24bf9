"""Builds the metadata of the APIs that accept access tokens; there is none without the setting `bearer`."""

from collections.abc import Mapping, Sequence

from asgi_oidc.asgi.resource_metadata_app import ResourceMetadataApp
from asgi_oidc.bearer.resource_metadata import (
    WELL_KNOWN_PATH,
    IssuerLookup,
    ProtectedResource,
    ResourceMetadata,
    issuers_of,
    resources_of,
)
from asgi_oidc.policy.endpoint_paths import OwnUrl
from asgi_oidc.policy.requirements import BEARER
from asgi_oidc.policy.rules import Rule
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.safe_urls import authorities_of, check_url
from asgi_oidc.settings.bearer import Bearer
from asgi_oidc.settings.bearer_checks import providers_that_count
from asgi_oidc.settings.settings import Settings

ENDPOINT = "resource-metadata"


def make_resource_metadata(
    settings: Settings, bearer: Bearer, directory: ProviderDirectory, *, dpop_algorithms: Sequence[str]
) -> ResourceMetadata:
    """Build the metadata of the APIs on one host.

    Args:
        dpop_algorithms: those of DPoP proofs that are accepted.
    """
    return ResourceMetadata(
        [
            resource._replace(scopes=_scopes(settings.rules, resource.path.removeprefix(settings.base_path)))
            for resource in _resources(settings, bearer)
        ],
        _members(settings, bearer, dpop_algorithms),
        _issuer_lookup(settings, bearer, directory),
    )


def make_resource_metadata_app(
    hosts: Sequence[tuple[str, ResourceMetadata | None]],
) -> ResourceMetadataApp | None:
    """Build the ASGI app with the metadata of all hosts.

    Args:
        hosts: `base_url` and metadata of each.
    """
    described = [(base_url, metadata) for base_url, metadata in hosts if metadata is not None]
    if not described:
        return None
    by_host = {
        authority.encode("ascii"): metadata
        for base_url, metadata in described
        for authority in authorities_of(check_url(base_url))
    }
    return ResourceMetadataApp(by_host, described[0][1])


def resource_metadata_aliases(settings: Settings) -> Mapping[str, OwnUrl]:
    """Return the paths of the metadata below `base_url`.

    At the root of a site, these are the paths where clients look. Below a path, a proxy or the outer app can pass
    requests for them on.
    """
    if settings.bearer is None:
        return {}
    paths = [
        resource.metadata_path for host in settings.for_each_host() for resource in _resources(host, settings.bearer)
    ]
    return dict.fromkeys((WELL_KNOWN_PATH, *paths), OwnUrl(ENDPOINT))


def _resources(settings: Settings, bearer: Bearer) -> list[ProtectedResource]:
    return resources_of(settings.base_url, bearer.audiences)


def _members(settings: Settings, bearer: Bearer, dpop_algorithms: Sequence[str]) -> dict[str, object]:
    members: dict[str, object] = {}
    if settings.app_name is not None:
        members["resource_name"] = settings.app_name
    members["dpop_signing_alg_values_supported"] = list(dpop_algorithms)
    if bearer.dpop == "require":
        members["dpop_bound_access_tokens_required"] = True
    if bearer.mtls == "require" or bearer.client_certificate_header is not None:
        members["tls_client_certificate_bound_access_tokens"] = True
    return members


def _scopes(rules: Sequence[Rule], path: str) -> tuple[str, ...]:
    """Return the scopes that the rules of an API require of tokens.

    Args:
        path: of the API, below `base_url`.
    """
    return tuple(scope for rule in rules if _is_inside(rule, path) for scope in rule.requirements.scopes)


def _is_inside(rule: Rule, path: str) -> bool:
    if BEARER not in rule.requirements.accepted_credentials:
        return False
    stem = f"{rule.pattern.stem}/"
    return stem.startswith(f"{path}/") or (not rule.pattern.is_exact and f"{path}/".startswith(stem))


def _issuer_lookup(settings: Settings, bearer: Bearer, directory: ProviderDirectory) -> IssuerLookup:
    counted = providers_that_count(bearer, settings.fixed_providers)
    known = [issuer for provider in counted.values() for issuer in issuers_of(provider)]

    async def find() -> Sequence[str]:
        if known:
            return known
        found = [await directory.find(name, is_sealed=True) for name in bearer.providers or ()]
        return [issuer for connection in found if connection is not None for issuer in issuers_of(connection.settings)]

    return find
