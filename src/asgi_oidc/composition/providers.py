"""Builds the objects that deal with providers: logins, tokens and sign-outs there."""

from typing import NamedTuple

from asgi_oidc.asgi.hidden_cookies import without_cookies
from asgi_oidc.composition.sessions import LoginServices, SessionServices
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.logins import Logins
from asgi_oidc.login.provider_choice import ChooseProvider, ProviderChoice
from asgi_oidc.login.provider_list import ProviderList
from asgi_oidc.login.start_login import LoginSite, LoginStarter, WindowPage
from asgi_oidc.logout.sign_out import SignOut
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.settings.settings import Settings
from asgi_oidc.tokens.recheck import SessionRechecks
from asgi_oidc.tokens.refresh import TokenRefresher
from asgi_oidc.tokens.refresh_lock import RefreshLocks
from asgi_oidc.tokens.resource_tokens import ResourceTokens
from asgi_oidc.tokens.revoke import TokenRevoker


class ProviderServices(NamedTuple):
    """The objects that deal with providers."""

    choice: ProviderChoice
    provider_list: ProviderList
    starter: LoginStarter
    logins: Logins
    revoker: TokenRevoker
    refresher: TokenRefresher
    resource_tokens: ResourceTokens
    sign_out: SignOut
    rechecks: SessionRechecks | None


def make_provider_services(
    settings: Settings,
    directory: ProviderDirectory,
    sessions: SessionServices,
    login: LoginServices,
    urls: EndpointUrls,
    *,
    form_path: str,
    window_page: WindowPage | None,
) -> ProviderServices:
    """Build the objects that deal with providers.

    Args:
        form_path: path of our page for interrupted forms.
        window_page: what a frame gets instead of a redirect to the provider; None if no frame may start logins.
    """
    now, repository, session_providers = sessions.now, sessions.repository, sessions.providers
    choice = ProviderChoice(directory, _choose_provider(settings, login.cookie_tag))
    starter = LoginStarter(
        LoginSite(
            base_url=settings.base_url,
            origin=settings.origin,
            form_path=form_path,
            redirect_uri=settings.redirect_uri,
        ),
        authenticator=sessions.authenticator,
        sessions=repository,
        transactions=login.transactions,
        loops=login.loops,
        forms=login.forms,
        budget=login.budget,
        stale_cookies=login.stale_cookies,
        now=now,
        window_page=window_page,
    )
    revoker = TokenRevoker(session_providers, repository, sessions.revocations)
    locks = RefreshLocks(repository, session_providers, sessions.background, now=now)
    refresher = TokenRefresher(
        repository,
        sessions.revocations,
        sessions.limits,
        locks,
        revoker,
        sessions.background,
        sessions.session_tokens,
        claim_mapping=settings.claim_mapping,
        now=now,
    )
    sign_out = SignOut(
        repository,
        sessions.revocations,
        sessions.feed,
        sessions.limits,
        session_providers,
        revoker,
        sessions.session_tokens,
        sessions.background,
        clock=sessions.clock,
    )
    return ProviderServices(
        choice=choice,
        provider_list=ProviderList(choice, urls, login.last_provider, is_named=not settings.is_flat),
        starter=starter,
        logins=Logins(choice, starter, urls),
        revoker=revoker,
        refresher=refresher,
        resource_tokens=ResourceTokens(session_providers, refresher, locks, now=now),
        sign_out=sign_out,
        rechecks=None
        if settings.recheck is None
        else SessionRechecks(repository, refresher, locks, interval=settings.recheck, now=now),
    )


def _choose_provider(settings: Settings, cookie_tag: str) -> ChooseProvider | None:
    choose, tag = settings.choose_provider, cookie_tag.encode("ascii")
    if choose is None or not settings.hide_cookies:
        return choose
    return lambda scope: choose({**scope, "headers": without_cookies(scope["headers"], tag)})
