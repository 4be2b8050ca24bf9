"""Builds the endpoints behind our own URLs."""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.composition.provider import ProviderServices
from asgi_oidc.composition.sessions import LoginServices, SessionServices
from asgi_oidc.endpoints.backchannel_logout import BackchannelLogoutEndpoint
from asgi_oidc.endpoints.callback import CallbackEndpoint
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.endpoints.form import FormEndpoint
from asgi_oidc.endpoints.frontchannel_logout import FrontchannelLogoutEndpoint
from asgi_oidc.endpoints.login import LoginEndpoint
from asgi_oidc.endpoints.logout import LogoutEndpoint
from asgi_oidc.endpoints.session import SessionEndpoint
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.failed_login_tokens import FailedLoginTokens
from asgi_oidc.login.finish_login import LoginFinisher
from asgi_oidc.login.on_login import OnLogin
from asgi_oidc.login.used_logins import UsedLogins
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.logout.used_logout_tokens import UsedLogoutTokens
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages
from asgi_oidc.settings.settings import Settings
from asgi_oidc.web.return_to import ReturnPaths

ENDPOINTS: Mapping[str, type[Endpoint]] = {
    "login": LoginEndpoint,
    "callback": CallbackEndpoint,
    "logout": LogoutEndpoint,
    "session": SessionEndpoint,
    "backchannel-logout": BackchannelLogoutEndpoint,
    "frontchannel-logout": FrontchannelLogoutEndpoint,
    "form": FormEndpoint,
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
    form_path: str

    def make(self) -> Mapping[str, Endpoint]:
        """Return the endpoints, keyed by the last segment of their paths."""
        makers = (  # in the order of ENDPOINTS
            self._login,
            self._callback,
            self._logout,
            self._session,
            self._backchannel_logout,
            self._frontchannel_logout,
            self._form,
        )
        return {name: make() for name, make in zip(ENDPOINTS, makers, strict=True)}

    def _login(self) -> Endpoint:
        return LoginEndpoint(
            logins=self.provider.logins,
            authentication_requests=self.login.authentication_requests,
            forms=self.login.forms,
            return_paths=self.return_paths,
            form_path=self.form_path,
            now=self.sessions.now,
        )

    def _callback(self) -> Endpoint:
        settings, sessions, login = self.settings, self.sessions, self.login
        repository, revocations = sessions.repository, sessions.revocations
        return CallbackEndpoint(
            provider=self.provider.provider,
            issuer=settings.issuer,
            client_id=settings.client_id,
            scope=settings.scope,
            trusted_audiences=settings.trusted_audiences,
            logins=self.provider.logins,
            sign_in=LoginFinisher(
                repository,
                sessions.authenticator,
                revocations,
                sessions.feed,
                login.transactions,
                login.stale_cookies,
                clock=sessions.clock,
            ),
            on_login=OnLogin(settings.on_login, trusted_email_domains=settings.trusted_email_domains),
            used_logins=UsedLogins(
                sessions.shared, sessions.records, sessions.feed, sessions.replay_cache, now=sessions.now
            ),
            failed_login_tokens=FailedLoginTokens(
                self.provider.revoker, repository, login.transactions, revocations, sessions.limits, now=sessions.now
            ),
            authenticator=sessions.authenticator,
            transactions=login.transactions,
            loops=login.loops,
            forms=login.forms,
            budget=login.budget,
            revocations=revocations,
            failures=self.failures,
            background=sessions.background,
            origin=settings.origin,
            form_path=self.form_path,
            home=settings.home,
            now=sessions.now,
        )

    def _logout(self) -> Endpoint:
        return LogoutEndpoint(
            sign_out=self.provider.sign_out,
            after_logout=self.after_logout,
            states=self.after_logout.states,
            authenticator=self.sessions.authenticator,
            sessions=self.sessions.repository,
            client=self.provider.client,
            loops=self.login.loops,
            forms=self.login.forms,
            pages=self.pages.sign_out,
            urls=self.urls,
            return_paths=self.return_paths,
            background=self.sessions.background,
            now=self.sessions.now,
        )

    def _session(self) -> Endpoint:
        return SessionEndpoint(
            authenticator=self.sessions.authenticator,
            stale_cookies=self.login.stale_cookies,
            limits=self.sessions.limits,
            pages=self.pages,
            urls=self.urls,
        )

    def _backchannel_logout(self) -> Endpoint:
        sessions = self.sessions
        return BackchannelLogoutEndpoint(
            self.provider.provider,
            self.provider.sign_out,
            UsedLogoutTokens(sessions.shared, sessions.records, sessions.replay_cache, now=sessions.now),
            sessions.repository,
            sessions.replay_cache,
            sessions.background,
            has_store=sessions.store is not None,
            now=sessions.now,
        )

    def _frontchannel_logout(self) -> Endpoint:
        return FrontchannelLogoutEndpoint(
            is_on=self.settings.frontchannel_logout,
            issuer=self.settings.issuer,
            authenticator=self.sessions.authenticator,
            sessions=self.sessions.repository,
            pages=self.pages,
            background=self.sessions.background,
        )

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
