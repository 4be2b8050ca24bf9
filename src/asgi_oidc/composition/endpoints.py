"""Builds the endpoints behind our own URLs."""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.composition.providers import ProviderServices
from asgi_oidc.composition.sessions import LoginServices, SessionServices
from asgi_oidc.endpoints.backchannel_logout import BackchannelLogoutEndpoint
from asgi_oidc.endpoints.callback import CallbackEndpoint
from asgi_oidc.endpoints.client_metadata import ClientMetadataEndpoint
from asgi_oidc.endpoints.endpoint import Endpoint, ProviderEndpoint
from asgi_oidc.endpoints.form import FormEndpoint
from asgi_oidc.endpoints.frontchannel_logout import FrontchannelLogoutEndpoint
from asgi_oidc.endpoints.jwks import JwksEndpoint, PublishedKeys
from asgi_oidc.endpoints.login import LoginEndpoint
from asgi_oidc.endpoints.logout import LogoutEndpoint
from asgi_oidc.endpoints.session import SessionEndpoint
from asgi_oidc.login.authorization_responses import AuthorizationResponses
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.failed_login_tokens import FailedLoginTokens
from asgi_oidc.login.finish_login import LoginFinisher
from asgi_oidc.login.login_links import LoginLinks
from asgi_oidc.login.login_parameters import LoginParameters
from asgi_oidc.login.on_login import OnLogin
from asgi_oidc.login.third_party_logins import ThirdPartyLogins
from asgi_oidc.login.used_logins import UsedLogins
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.logout.used_logout_tokens import UsedLogoutTokens
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages
from asgi_oidc.settings.client_document import ENDPOINT as CLIENT_METADATA
from asgi_oidc.settings.client_document import client_document
from asgi_oidc.settings.settings import Settings
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response
from asgi_oidc.web.return_to import ReturnPaths

ENDPOINTS: Mapping[str, type[Endpoint]] = {
    "login": LoginEndpoint,
    "logout": LogoutEndpoint,
    "session": SessionEndpoint,
    "form": FormEndpoint,
    "jwks": JwksEndpoint,
    CLIENT_METADATA: ClientMetadataEndpoint,
}
PROVIDER_ENDPOINTS: Mapping[str, type[ProviderEndpoint]] = {
    "callback": CallbackEndpoint,
    "backchannel-logout": BackchannelLogoutEndpoint,
    "frontchannel-logout": FrontchannelLogoutEndpoint,
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EndpointMaker:
    """Builds the endpoints of one middleware.

    Attributes:
        form_path: path of our page for interrupted forms.
    """

    settings: Settings
    sessions: SessionServices
    login: LoginServices
    provider: ProviderServices
    pages: Pages
    failures: Failures
    urls: EndpointUrls
    after_logout: AfterLogout
    return_paths: ReturnPaths
    published_keys: PublishedKeys
    form_path: str

    def make(self) -> Mapping[str, Endpoint]:
        """Return the endpoints that do not belong to one provider, by name."""
        makers = (
            self._login,
            self._logout,
            self._session,
            self._form,
            self._jwks,
            self._client_metadata,
        )  # as in ENDPOINTS
        return {name: make() for name, make in zip(ENDPOINTS, makers, strict=True)}

    def make_provider_endpoints(self) -> Mapping[str, ProviderEndpoint]:
        """Return the endpoints that belong to one provider, by name."""
        makers = (self._callback, self._backchannel_logout, self._frontchannel_logout)  # as in PROVIDER_ENDPOINTS
        return {name: make() for name, make in zip(PROVIDER_ENDPOINTS, makers, strict=True)}

    def _login(self) -> Endpoint:
        parameters = LoginParameters(self.settings.login_params, self.urls.read_authentication)
        provider, is_named = self.provider, not self.settings.is_flat
        return LoginEndpoint(
            logins=provider.starter,
            links=LoginLinks(
                self.login.authentication_requests,
                parameters,
                self.login.forms,
                self.return_paths,
                self.form_path,
                self.sessions.now,
            ),
            third_party_logins=ThirdPartyLogins(
                provider.choice, parameters, self.return_paths, is_named, self.urls.login
            ),
            choice=provider.choice,
            provider_list=provider.provider_list,
            pages=self.pages.providers,
            authenticator=self.sessions.authenticator,
            origin=self.settings.origin,
            url=self.urls.login,
            is_embedded=bool(self.settings.embedded_in),
        )

    def _callback(self) -> ProviderEndpoint:
        settings, sessions, login = self.settings, self.sessions, self.login
        repository, revocations = sessions.repository, sessions.revocations
        return CallbackEndpoint(
            responses=AuthorizationResponses(login.transactions, now=sessions.now),
            logins=self.provider.starter,
            sign_in=LoginFinisher(
                repository,
                sessions.authenticator,
                revocations,
                sessions.feed,
                login.transactions,
                login.stale_cookies,
                sessions.session_tokens,
                clock=sessions.clock,
            ),
            claim_mapping=settings.claim_mapping,
            on_login=OnLogin(settings.on_login, trusted_email_domains=settings.trusted_email_domains),
            used_logins=UsedLogins(
                sessions.shared, sessions.record_names, sessions.feed, sessions.replay_cache, now=sessions.now
            ),
            failed_login_tokens=FailedLoginTokens(
                self.provider.revoker, repository, login.transactions, revocations, sessions.limits, now=sessions.now
            ),
            authenticator=sessions.authenticator,
            transactions=login.transactions,
            loops=login.loops,
            forms=login.forms,
            last_provider=login.last_provider,
            budget=login.budget,
            revocations=revocations,
            failures=self.failures,
            background=sessions.background,
            origin=settings.origin,
            form_path=self.form_path,
            home=settings.home,
            now=sessions.now,
            window_callback=self._window_callback if settings.embedded_in else None,
        )

    def _window_callback(self, request: Request) -> Response:
        return self.pages.sign_in.window_done(request, home=self.settings.home)

    def _logout(self) -> Endpoint:
        return LogoutEndpoint(
            sign_out=self.provider.sign_out,
            after_logout=self.after_logout,
            states=self.after_logout.states,
            authenticator=self.sessions.authenticator,
            sessions=self.sessions.repository,
            loops=self.login.loops,
            forms=self.login.forms,
            pages=self.pages.sign_out,
            urls=self.urls,
            return_paths=self.return_paths,
            background=self.sessions.background,
            now=self.sessions.now,
            is_embedded=bool(self.settings.embedded_in),
        )

    def _session(self) -> Endpoint:
        return SessionEndpoint(
            authenticator=self.sessions.authenticator,
            stale_cookies=self.login.stale_cookies,
            limits=self.sessions.limits,
            pages=self.pages,
            urls=self.urls,
            provider_list=self.provider.provider_list,
        )

    def _backchannel_logout(self) -> ProviderEndpoint:
        sessions = self.sessions
        return BackchannelLogoutEndpoint(
            self.provider.sign_out,
            UsedLogoutTokens(sessions.shared, sessions.record_names, sessions.replay_cache, now=sessions.now),
            sessions.repository,
            sessions.replay_cache,
            sessions.background,
            has_store=sessions.store is not None,
            now=sessions.now,
        )

    def _frontchannel_logout(self) -> ProviderEndpoint:
        return FrontchannelLogoutEndpoint(
            authenticator=self.sessions.authenticator,
            sessions=self.sessions.repository,
            pages=self.pages,
            background=self.sessions.background,
        )

    def _jwks(self) -> Endpoint:
        return JwksEndpoint(self.published_keys)

    def _client_metadata(self) -> Endpoint:
        return ClientMetadataEndpoint(client_document(self.settings))

    def _form(self) -> Endpoint:
        return FormEndpoint(
            logins=self.provider.logins,
            authenticator=self.sessions.authenticator,
            authentication_requests=self.login.authentication_requests,
            forms=self.login.forms,
            budget=self.login.budget,
            pages=self.pages.forms,
            urls=self.urls,
            origin=self.settings.origin,
            form_path=self.form_path,
            home=self.settings.home,
            now=self.sessions.now,
        )
