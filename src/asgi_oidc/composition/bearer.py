"""Builds the objects that accept access tokens; there are none without the setting `bearer`."""

from dataclasses import replace
from typing import NamedTuple

from asgi_oidc.asgi.bearer_notices import BearerNotices
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.bearer.challenges import Challenges
from asgi_oidc.bearer.introspection import Introspection
from asgi_oidc.bearer.on_token import OnToken
from asgi_oidc.bearer.resource_metadata import ResourceMetadata
from asgi_oidc.bearer.token_exchange import TokenExchange
from asgi_oidc.bearer.token_issuers import TokenIssuers
from asgi_oidc.composition.proof_of_possession import make_proofs
from asgi_oidc.composition.resource_metadata import make_resource_metadata
from asgi_oidc.composition.sessions import SessionServices
from asgi_oidc.pages.pages import Pages
from asgi_oidc.policy.bearer_denials import BearerDenials
from asgi_oidc.protocol.access_token import ACCESS_TOKEN_TYPES
from asgi_oidc.protocol.bearer_token import ExpectedToken, token_types
from asgi_oidc.protocol.dpop.check_proof import PROOF_ALGORITHMS
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.settings.bearer_checks import introspecting_provider, providers_that_count, why_none_introspects
from asgi_oidc.settings.settings import Settings


class BearerServices(NamedTuple):
    """The objects that accept access tokens, or deny requests whose token is not enough."""

    tokens: TokenAuthenticator
    challenges: Challenges
    denials: BearerDenials
    metadata: ResourceMetadata
    exchange: TokenExchange


def make_bearer_services(
    settings: Settings, directory: ProviderDirectory, sessions: SessionServices, sealer: Sealer, pages: Pages
) -> BearerServices | None:
    """Build what accepts access tokens on one host; None without the setting `bearer`.

    Args:
        sealer: of this host.
    """
    bearer = settings.bearer
    if bearer is None:
        return None
    expected = ExpectedToken(
        audiences=bearer.audiences,
        token_types=ACCESS_TOKEN_TYPES if bearer.token_types is None else token_types(bearer.token_types),
        allow_missing_audience=bearer.allow_missing_audience,
    )
    introspecting = introspecting_provider(bearer, settings.fixed_providers)
    names = tuple(providers_that_count(bearer, settings.fixed_providers))
    tokens = TokenAuthenticator(
        expected,
        TokenIssuers(directory, names or tuple(bearer.providers or ())),
        make_proofs(settings, bearer, sessions, sealer),
        OnToken(
            bearer.on_token,
            trusted_email_domains=settings.trusted_email_domains,
            claim_mapping=settings.claim_mapping,
        ),
        sessions.revocations,
        sessions.feed,
        None
        if introspecting is None
        else Introspection(expected, lifetime=bearer.introspection_cache, now=sessions.now),
        introspecting=introspecting or "",
        introspects_jwt=bearer.introspect_jwt,
        why_not=why_none_introspects(bearer, settings.fixed_providers),
        leeway=settings.leeway,
        now=sessions.now,
    )
    metadata = make_resource_metadata(settings, bearer, directory, dpop_algorithms=PROOF_ALGORITHMS)
    challenges = _make_challenges(settings, metadata, requires_dpop=bearer.dpop == "require")
    exchange = TokenExchange(tokens, now=sessions.now)
    return BearerServices(tokens, challenges, BearerDenials(challenges, pages), metadata, exchange)


def _make_challenges(settings: Settings, metadata: ResourceMetadata, *, requires_dpop: bool) -> Challenges:
    """Build the challenges of each API; those of the first are for all other paths."""
    made = [Challenges(each.metadata_url, PROOF_ALGORITHMS, requires_dpop) for each in metadata.resources]
    paths = [resource.path.removeprefix(settings.base_path) for resource in metadata.resources]
    others = sorted(zip(paths[1:], made[1:], strict=True), key=lambda pair: len(pair[0]), reverse=True)
    return replace(made[0], narrower=dict(others))


def make_bearer_notices(settings: Settings) -> BearerNotices | None:
    """Build the notices about access tokens; None without the setting `bearer`."""
    bearer = settings.bearer
    if bearer is None:
        return None
    client_ids = [
        provider.client.client_id for provider in providers_that_count(bearer, settings.fixed_providers).values()
    ]
    return BearerNotices(
        allows_missing_audience=bearer.allow_missing_audience,
        client_ids=[client_id for client_id in client_ids if client_id in bearer.audiences],
        is_shared=settings.is_shared,
        is_below_a_path=bool(settings.base_path),
    )
