"""Exchanges the providers of the apps under test for fake ones, one for each issuer."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.issuer_template import PLACEHOLDER
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.pytest_plugin.app_provider import ALGORITHM, AppProvider, TermsOfSignIns
from asgi_oidc.pytest_plugin.oauth2_provider import OAuth2Provider
from asgi_oidc.testing import Client as RegisteredClient
from asgi_oidc.testing import serve

CLIENT_SECRET = "client-secret-for-tests-of-32-bytes-and-more"  # noqa: S105  # no provider knows it

ANY_TENANT = "00000000-aaaa-4bbb-8ccc-000000000001"  # of an app that accepts all tenants of Microsoft Entra


class FakeProviders:
    """All fake providers of one test."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_issuer: dict[tuple[str, ...], TermsOfSignIns] = {}

    def find(self, settings: ProviderSettings) -> TermsOfSignIns:
        """Return the fake provider for these settings of an app."""
        key = (settings.issuer, settings.endpoints_digest, tenant_of(settings))
        fake = self._by_issuer.get(key)
        if fake is None:
            fake = self._by_issuer[key] = self._make(settings)
        known = settings.client
        secret = CLIENT_SECRET if known.secret or known.secret_signer else None
        fake.clients[known.client_id] = RegisteredClient(known.client_id, secret)
        return fake

    @contextlib.contextmanager
    def on_a_port(self, settings: ProviderSettings) -> Iterator[str]:
        """Serve the fake provider of an app on a free port until the block ends; return its issuer there."""
        fake = self.find(settings)
        before = fake.issuer
        with serve(fake) as running:
            fake.issuer = running.url
            key = (running.url, settings.endpoints_digest, tenant_of(settings))
            self._by_issuer[key] = fake
            try:
                yield running.url
            finally:
                del self._by_issuer[key]
                fake.issuer = before

    def change(self, settings: ProviderSettings) -> ProviderSettings:
        """Return the settings with which an app reaches the fake provider instead of its own.

        What says where the provider is, and how the app proves who it is, becomes that of the fake one. All that
        decides which logins are accepted stays: the issuer, scopes, claims, audiences, tenants and domains.
        """
        fake = self.find(settings)
        client = fake.clients[settings.client.client_id]
        changed = replace(
            settings,
            client=Client(client.client_id, client.client_secret),
            http_client=fake.http_client(),
            exceptions=replace(settings.exceptions, metadata_url=None, internal_url=None, allow_hs256=False),
        )
        return (
            changed if isinstance(settings, OAuth2Settings) else replace(changed, metadata={}, algorithms=(ALGORITHM,))
        )

    def _make(self, settings: ProviderSettings) -> TermsOfSignIns:
        if isinstance(settings, OAuth2Settings):
            return OAuth2Provider(settings, clock=self._clock)
        issuer = settings.issuer.replace(PLACEHOLDER, tenant_of(settings))
        fake = AppProvider(issuer, personas=(), clients=(), alg=ALGORITHM, clock=self._clock)
        if settings.exceptions.allow_missing_pkce:
            fake.pkce = "optional"
        if settings.entra is not None:
            fake.key_issuer = fake.metadata["issuer"] = settings.issuer
            fake.sends_iss = fake.metadata["authorization_response_iss_parameter_supported"] = False
        return fake


def tenant_of(settings: ProviderSettings) -> str:
    """Return the tenant of Microsoft Entra whose users sign in."""
    tenants = None if settings.entra is None else settings.entra.template.tenants
    return next(iter(tenants or ()), ANY_TENANT)


def claims_needed_by(settings: ProviderSettings) -> dict[str, object]:
    """Return the claims without which the app accepts nobody: the tenant, or the organization."""
    needed: dict[str, object] = {}
    if settings.entra is not None:
        needed["tid"] = tenant_of(settings)
    if settings.hosted_domains:
        needed["hd"] = sorted(settings.hosted_domains)[0]
    return needed
