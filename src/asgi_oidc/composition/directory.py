"""Builds the connections to the providers; nothing is fetched from a provider before it is needed."""

from collections.abc import Callable, Mapping
from functools import partial

from asgi_oidc.provider.call_limit import MAX_CALLS, MAX_CALLS_PER_PROVIDER, CallLimit
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import FixedDirectory, ProviderDirectory
from asgi_oidc.provider.http import MAX_CONNECTIONS, Http, OwnClient
from asgi_oidc.provider.oauth2_connection import OAuth2Connection
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.openid_connection import OpenIDConnection
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.provider.source_directory import SourceDirectory
from asgi_oidc.provider.token_verifier import Expectations
from asgi_oidc.settings.certificate_checks import unapplied_certificates
from asgi_oidc.settings.settings import Settings
from asgi_oidc.settings.several_providers import read_found_provider

ChangeProvider = Callable[[ProviderSettings], ProviderSettings]
"""Returns the settings to connect with; the pytest plugin exchanges the provider for a fake one."""


def unchanged(provider: ProviderSettings) -> ProviderSettings:
    """Return the settings as they are."""
    return provider


def make_directory(
    settings: Settings, clock: Callable[[], float], *, change: ChangeProvider
) -> tuple[ProviderDirectory, OwnClient]:
    """Build the directory of all providers, and the HTTP client of those that have none of their own."""
    own_client = OwnClient(max_connections=MAX_CONNECTIONS if settings.is_flat else MAX_CALLS)
    make = _connection_maker(settings, own_client, clock, change)
    if settings.providers is None or isinstance(settings.providers, Mapping):
        return FixedDirectory(settings.fixed_providers, make), own_client
    read = partial(_read_found_provider, http_client=settings.http_client)
    return SourceDirectory(settings.providers.get, read, make, clock), own_client


def _read_found_provider(name: str, value: object, *, http_client: object) -> ProviderSettings:
    provider = read_found_provider(name, value)
    if problems := unapplied_certificates({name: provider}, http_client):
        raise ValueError(problems[0])
    return provider


def _connection_maker(
    settings: Settings, own_client: OwnClient, clock: Callable[[], float], change: ChangeProvider
) -> Callable[[ProviderSettings], ProviderConnection]:
    source_of = settings.claim_mapping.source_of
    named_claims = [tuple(map(source_of, names)) for rule in settings.rules for names in rule.requirements.claim_names]
    expectations = Expectations(leeway=settings.leeway, named_claims=named_claims)
    all_calls = CallLimit(MAX_CALLS)

    def make(found: ProviderSettings) -> ProviderConnection:
        provider = change(found)
        # A single provider need not leave room for others.
        limits = () if settings.is_flat else (CallLimit(MAX_CALLS_PER_PROVIDER), all_calls)
        http = Http(
            provider.http_client or settings.http_client,
            own=own_client,
            limits=limits,
            provider=provider.name,
            tls=provider.tls,
        )
        if isinstance(provider, OAuth2Settings):
            return OAuth2Connection(provider, http, clock)
        return OpenIDConnection(provider, expectations, http, clock)

    return make
