"""Builds the objects that deal with one provider: logins, tokens and sign-outs there."""

from typing import NamedTuple

from asgi_oidc.composition.sessions import LoginServices, SessionServices
from asgi_oidc.login.start_login import LoginOptions, LoginStarter
from asgi_oidc.logout.sign_out import SignOut
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.provider.connection import ProviderConnection, ProviderSettings
from asgi_oidc.provider.http import Http
from asgi_oidc.settings.settings import ALGORITHMS, Settings
from asgi_oidc.tokens.refresh import Expectations, TokenRefresher
from asgi_oidc.tokens.refresh_lock import RefreshLocks
from asgi_oidc.tokens.resource_tokens import ResourceTokens
from asgi_oidc.tokens.revoke import TokenRevoker


class ProviderServices(NamedTuple):
    """The objects that deal with one provider."""

    provider: ProviderConnection
    http: Http
    client: Client
    logins: LoginStarter
    revoker: TokenRevoker
    refresher: TokenRefresher
    resource_tokens: ResourceTokens
    sign_out: SignOut


def make_provider_services(
    settings: Settings, sessions: SessionServices, login: LoginServices, *, form_path: str
) -> ProviderServices:
    """Build the objects that deal with one provider.

    Args:
        form_path: path of our page for interrupted forms.
    """
    now, repository = sessions.now, sessions.repository
    client = Client(settings.client_id, settings.url_of("callback"), settings.client_secret, settings.client_auth)
    http = Http(settings.http_client)
    provider = ProviderConnection(_provider_settings(settings, client), http, sessions.clock)
    logins = LoginStarter(
        LoginOptions(
            scope=settings.scope,
            parameters=settings.authorization_params,
            response_mode=settings.response_mode,
            strengthen=settings.strengthen,
            base_url=settings.base_url,
            origin=settings.origin,
            form_path=form_path,
        ),
        provider,
        client,
        authenticator=sessions.authenticator,
        sessions=repository,
        transactions=login.transactions,
        loops=login.loops,
        forms=login.forms,
        budget=login.budget,
        stale_cookies=login.stale_cookies,
        now=now,
    )
    revoker = TokenRevoker(provider, repository, sessions.revocations)
    locks = RefreshLocks(repository, provider, sessions.background, now=now)
    expectations = Expectations(settings.client_id, settings.trusted_audiences, settings.claims_from_access_token)
    refresher = TokenRefresher(
        provider,
        repository,
        sessions.revocations,
        sessions.limits,
        locks,
        revoker,
        expectations,
        sessions.background,
        now=now,
    )
    sign_out = SignOut(
        repository,
        sessions.revocations,
        sessions.feed,
        sessions.limits,
        provider,
        revoker,
        sessions.background,
        clock=sessions.clock,
    )
    resource_tokens = ResourceTokens(provider, refresher, locks, now=now)
    return ProviderServices(provider, http, client, logins, revoker, refresher, resource_tokens, sign_out)


def _provider_settings(settings: Settings, client: Client) -> ProviderSettings:
    return ProviderSettings(
        issuer=settings.issuer,
        client=client,
        metadata=settings.metadata,
        algorithms=settings.algorithms or ALGORITHMS,
        algorithms_named=settings.algorithms is not None,
        trusted_audiences=settings.trusted_audiences,
        userinfo=settings.userinfo,
        leeway=settings.leeway,
        claims_from_access_token=settings.claims_from_access_token,
        named_claims=[names for rule in settings.rules for names in rule.requirements.claim_names],
    )
