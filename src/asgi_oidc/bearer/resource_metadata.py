"""The metadata of an API: where clients get tokens for it, and which (OAuth 2.0 Protected Resource Metadata, RFC 9728).

A client that gets a 401 finds its URL in the challenge, or makes it from the URL of the API.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from asgi_oidc.protocol.issuer_template import PLACEHOLDER
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.web.cors import ANY_ORIGIN, answer_public_preflight
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, json_response

WELL_KNOWN_PATH = "/.well-known/oauth-protected-resource"
METHODS = ("GET", "HEAD", "OPTIONS")
MAX_LISTED_TENANTS = 50  # issuers; with more tenants, the one URL that stands for all of them is listed

IssuerLookup = Callable[[], Awaitable[Sequence[str]]]


class ProtectedResource(NamedTuple):
    """An API, as clients know it.

    Attributes:
        url: its identifier, which tokens have in `aud` if the provider supports resource indicators (RFC 8707).
        path: that of the URL, without a `/` at the end.
        scopes: that its rules require.
    """

    url: str
    path: str
    scopes: tuple[str, ...] = ()

    @property
    def metadata_path(self) -> str:
        """The path of its metadata at its origin (RFC 9728 §3.1)."""
        return f"{WELL_KNOWN_PATH}{self.path}"

    @property
    def metadata_url(self) -> str:
        """The URL of its metadata."""
        return f"{origin_of(check_url(self.url))}{self.metadata_path}"


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """Answers requests for the metadata of the APIs on one host.

    Attributes:
        resources: at least one; the first is described at the path without an addition.
        members: further members of the metadata, the same for all of them.
        find_issuers: returns the issuers of the tokens that count.
    """

    resources: Sequence[ProtectedResource]
    members: Mapping[str, object]
    find_issuers: IssuerLookup = field(repr=False)

    def resource_at(self, path: str) -> ProtectedResource | None:
        """Return the API whose metadata is at a path; None if there is none."""
        path = path.rstrip("/")
        if path == WELL_KNOWN_PATH:
            return self.resources[0]
        return next((resource for resource in self.resources if resource.metadata_path == path), None)

    async def response(self, request: Request, resource: ProtectedResource) -> Response:
        """Return the response to a request with one of `METHODS`; scripts of any site may read it.

        Raises:
            OIDCError: a provider has to be looked up, and that failed.
        """
        if request.method == "OPTIONS":
            return answer_public_preflight(request, METHODS[:2])
        issuers, scopes = list(await self.find_issuers()), sorted(set(resource.scopes))
        document: dict[str, object] = {
            "resource": resource.url,
            # A member without values is left out (RFC 9728 §3.2).
            **({"authorization_servers": issuers} if issuers else {}),
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": scopes} if scopes else {}),
            **self.members,
        }
        # No cache keeps it: it changes with the rules.
        return json_response(document).with_headers(ANY_ORIGIN)


def resources_of(base_url: str, audiences: Iterable[str]) -> list[ProtectedResource]:
    """Return the APIs on one host: the audiences that are URLs below `base_url`, the shortest first, or `base_url`.

    Clients compare the member `resource` with the URL that they started from (RFC 9728 §3.3).
    """
    base = check_url(base_url)
    base_path = base.path.rstrip("/")
    found = []
    for audience in audiences:
        try:
            url = check_url(audience)
        except ValueError:
            continue  # a name such as `api://default`, or a URL that no browser could have
        if origin_of(url) == origin_of(base) and not url.query and f"{url.path}/".startswith(f"{base_path}/"):
            found.append(ProtectedResource(audience, url.path.rstrip("/")))
    return sorted(found, key=lambda resource: len(resource.path)) or [ProtectedResource(base_url, base_path)]


def issuers_of(provider: ProviderSettings) -> list[str]:
    """Return the issuers of the tokens of a provider: several, if it has several tenants."""
    issuers = provider.issuers
    if isinstance(issuers, str):
        return [issuers]
    if issuers.tenants is not None and len(issuers.tenants) <= MAX_LISTED_TENANTS:
        return sorted(issuers.fill(tenant) for tenant in issuers.tenants)
    metadata_url = provider.metadata_url or issuers.template.replace(PLACEHOLDER, "organizations")
    return [metadata_url.removesuffix("/.well-known/openid-configuration")]
