"""Exchanges the providers of the apps under test for fake ones, one for each issuer."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.issuer_template import PLACEHOLDER
from asgi_oidc.protocol.jose_signing import public_jwk
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.pytest_plugin.app_provider import ALGORITHM, AppProvider, TermsOfSignIns
from asgi_oidc.pytest_plugin.oauth2_provider import OAuth2Provider
from asgi_oidc.testing import Client as RegisteredClient
from asgi_oidc.testing import serve
from asgi_oidc.testing.authorization import client_auth_metadata

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
        fake.clients[settings.client.client_id] = registration_of(settings.client)
        if settings.client.keys:
            fake.metadata.update(client_auth_metadata(fake.clients.values()))
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
            client=Client(
                client.client_id,
                client.client_secret,
                None if client.auth_methods is None else client.auth_methods[0],
                keys=settings.client.keys,
                signing_alg=settings.client.signing_alg,
            ),
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


def registration_of(client: Client) -> RegisteredClient:
    """Return the client as the fake provider knows it: with the app's own keys, and another secret.

    An app whose assertions are signed by somebody else gets a secret: there is nobody to sign them in a test.
    """
    keys = [public_jwk(key) for key in client.keys] or None
    method = client.auth_method or ""
    if not keys:
        has_secret = client.has_secret or client.assertion_file is not None
        return RegisteredClient(client.client_id, CLIENT_SECRET if has_secret else None)
    if not method.startswith("client_secret_"):
        return RegisteredClient(client.client_id, None, auth_methods=("private_key_jwt",), jwks=keys)
    return RegisteredClient(client.client_id, CLIENT_SECRET, auth_methods=(method,), jwks=keys)


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
