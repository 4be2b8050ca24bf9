"""Builds the objects that serve one host."""

from collections.abc import Mapping
from typing import NamedTuple

from asgi_oidc.asgi.app_response import AppResponses
from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.bearer_decisions import BearerDecisions
from asgi_oidc.asgi.bearer_requests import BearerRequests
from asgi_oidc.asgi.bearer_websockets import BearerWebsockets
from asgi_oidc.asgi.endpoint_routing import EndpointRouting
from asgi_oidc.asgi.hidden_cookies import AppScopesWithoutCookies
from asgi_oidc.asgi.http_requests import HttpRequests
from asgi_oidc.asgi.open_responses import OpenResponses
from asgi_oidc.asgi.request_reader import EmbeddedRequestReader, RequestReader
from asgi_oidc.asgi.scope_oidc import SessionTools
from asgi_oidc.asgi.session_watch import SessionWatcher
from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.asgi.websockets import Websockets
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.composition.bearer import BearerServices, make_bearer_services
from asgi_oidc.composition.endpoints import EndpointMaker
from asgi_oidc.composition.providers import ProviderServices, make_provider_services
from asgi_oidc.composition.resource_metadata import ENDPOINT as METADATA_ENDPOINT
from asgi_oidc.composition.sessions import LoginServices, SessionServices, SharedServices, make_services
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.endpoints.health import LIVENESS, READINESS, LivenessEndpoint, ReadinessEndpoint
from asgi_oidc.endpoints.jwks import PublishedKeys
from asgi_oidc.endpoints.resource_metadata import ResourceMetadataEndpoint
from asgi_oidc.health.readiness import Readiness
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_form_saver import InterruptedFormSaver
from asgi_oidc.login.login_loops import LoginLoops
from asgi_oidc.login.login_parameters import ReadAuthentication
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.logout.logout_state import LogoutStates
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.languages import make_translations
from asgi_oidc.pages.pages import Pages, make_pages
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.denials import Denials
from asgi_oidc.policy.policy import Policy
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, ANY_LOGIN, AuthenticationRequest
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.settings.settings import Settings
from asgi_oidc.tokens.api_token import ApiCalls
from asgi_oidc.tokens.recheck import RecheckingAuthenticator, SessionRechecks
from asgi_oidc.web.asgi_types import ASGIApp
from asgi_oidc.web.return_to import ReturnPaths


class Host(NamedTuple):
    """The objects that serve one host."""

    settings: Settings
    sessions: SessionServices
    provider: ProviderServices
    bearer: BearerServices | None
    http: HttpRequests
    websockets: Websockets
    sealer: Sealer


def compose_host(
    app: ASGIApp,
    settings: Settings,
    directory: ProviderDirectory,
    shared: SharedServices,
    policy: Policy,
    notices: StartUpNotices,
    readiness: Readiness,
    published_keys: PublishedKeys,
) -> Host:
    """Build the objects that serve one host; `settings` are those of this host."""
    sessions, login = make_services(settings, shared)
    return_paths = ReturnPaths(
        settings.origin,
        settings.base_path + settings.auth_path,
        frozenset(settings.base_path + path.rstrip("/") for path in (*settings.callback_paths, *settings.health_urls)),
    )
    form_path = f"{return_paths.own_paths}/form"
    read_authentication = settings.authentication_reader()
    urls = _make_urls(settings, sessions, login, read_authentication)
    pages = make_pages(
        make_translations(settings.texts),
        home=settings.home,
        app_name=settings.app_name,
        app_logo=settings.app_logo,
        app_colors=settings.app_colors,
        render=settings.pages,
        embedded_in=settings.embedded_in,
    )
    provider = make_provider_services(
        settings,
        directory,
        sessions,
        login,
        urls,
        form_path=form_path,
        window_page=pages.sign_in.in_window if settings.embedded_in else None,
    )
    rechecks = provider.rechecks
    if rechecks is not None:
        sessions = sessions._replace(
            authenticator=RecheckingAuthenticator(
                rechecks,
                sessions.repository,
                sessions.revocations,
                sessions.limits,
                sessions.providers,
                now=sessions.now,
            )
        )
    failures = _make_failures(settings, pages, urls, login.loops)
    after_logout = _make_after_logout(settings, sessions, login, pages, urls, policy)
    maker = EndpointMaker(
        settings=settings,
        sessions=sessions,
        login=login,
        provider=provider,
        pages=pages,
        failures=failures,
        urls=urls,
        after_logout=after_logout,
        return_paths=return_paths,
        published_keys=published_keys,
        form_path=form_path,
    )
    bearer = make_bearer_services(settings, directory, sessions, login.sealer, pages)
    denials = Denials(
        logins=provider.logins,
        pages=pages,
        failures=failures,
        urls=urls,
        provider_list=provider.provider_list,
        return_paths=return_paths,
        form_saver=InterruptedFormSaver(
            login.forms,
            login.budget,
            sessions.authenticator,
            return_paths,
            is_on=settings.keep_forms,
            now=sessions.now,
        ),
        form_path=form_path,
        keeps_fragment=settings.keep_fragment,
        is_embedded=bool(settings.embedded_in),
        challenges=None if bearer is None else bearer.challenges,
    )
    app_scopes = _make_app_scopes(
        settings, _make_session_tools(settings, sessions, provider, urls, pages, bearer), login.cookie_tag
    )
    tokens = None if bearer is None else bearer.tokens
    access = AccessControl(
        sessions.authenticator,
        app_scopes.make,
        tokens,
        trusted_email_domains=settings.trusted_email_domains,
        leeway=settings.leeway,
        now=sessions.now,
    )
    watcher = _make_watcher(settings, sessions, tokens, rechecks)
    open_responses = OpenResponses(watcher)
    app_responses = AppResponses(
        sessions.repository,
        login.stale_cookies,
        login.budget,
        login.forms,
        open_responses,
        takes_tokens=bearer is not None,
        now=sessions.now,
    )
    decisions = (
        None
        if bearer is None
        else BearerDecisions(bearer.tokens, access, bearer.denials, read_authentication=read_authentication)
    )
    make_reader = EmbeddedRequestReader if settings.embedded_in else RequestReader
    reader = make_reader(
        policy,
        sessions.repository,
        sessions.authenticator,
        at_once=sessions.repository.at_once if rechecks is None else rechecks.at_once,
        base_url=settings.base_url,
    )
    further_endpoints: Mapping[str, Endpoint] = {
        **({} if bearer is None else {METADATA_ENDPOINT: ResourceMetadataEndpoint(bearer.metadata)}),
        READINESS: ReadinessEndpoint(readiness, counts_providers=not settings.is_flat),
        LIVENESS: LivenessEndpoint(),
    }
    endpoint_routing = EndpointRouting(
        {**maker.make(), **further_endpoints}, maker.make_provider_endpoints(), provider.choice, policy, pages, failures
    )
    http = HttpRequests(
        app,
        reader=reader,
        endpoint_routing=endpoint_routing,
        after_logout=after_logout,
        access=access,
        denials=denials,
        app_scopes=app_scopes,
        app_responses=app_responses,
        notices=notices,
        bearer_requests=None if decisions is None else BearerRequests(app, decisions, app_scopes, open_responses),
        read_authentication=read_authentication,
        origin=settings.origin,
        now=sessions.now,
    )
    websockets = Websockets(
        app,
        reader=reader,
        access=access,
        denials=denials,
        failures=failures,
        app_scopes=app_scopes,
        app_responses=app_responses,
        watcher=watcher,
        bearer_websockets=None if decisions is None else BearerWebsockets(app, decisions, app_scopes, watcher),
        read_authentication=read_authentication,
        origin=settings.origin,
        now=sessions.now,
    )
    return Host(settings, sessions, provider, bearer, http, websockets, login.sealer)


def _make_urls(
    settings: Settings, sessions: SessionServices, login: LoginServices, read_authentication: ReadAuthentication
) -> EndpointUrls:
    return EndpointUrls(
        login=settings.url_of("login"),
        logout=settings.url_of("logout"),
        form=settings.url_of("form"),
        base_path=settings.base_path,
        read_authentication=read_authentication,
        sealed=lambda request, form: login.authentication_requests.write(request, now=sessions.now(), form=form),
        provider_names=tuple(settings.fixed_providers),
    )


def _make_failures(settings: Settings, pages: Pages, urls: EndpointUrls, loops: LoginLoops) -> Failures:
    with_another_account = AuthenticationRequest(prompt=ANOTHER_ACCOUNT)
    return Failures(
        pages.layout,
        settings.origin,
        settings.home,
        login_url=lambda return_to: urls.login_for(ANY_LOGIN, return_to),
        another_account_url=lambda return_to: urls.login_for(with_another_account, return_to),
        delete_login_count=loops.delete,
    )


def _make_after_logout(
    settings: Settings,
    sessions: SessionServices,
    login: LoginServices,
    pages: Pages,
    urls: EndpointUrls,
    policy: Policy,
) -> AfterLogout:
    return AfterLogout(
        states=LogoutStates(login.sealer),
        pages=pages.sign_out,
        urls=urls,
        is_public=policy.is_public_url,
        landing_url=settings.landing_url,
        landing_path=settings.landing_path,
        origin=settings.origin,
        base_path=settings.base_path,
        now=sessions.now,
    )


def _make_app_scopes(settings: Settings, tools: SessionTools, cookie_tag: str) -> AppScopes:
    trusted = settings.trusted_email_domains
    if settings.hide_cookies:
        return AppScopesWithoutCookies(tools, trusted_email_domains=trusted, tag=cookie_tag)
    return AppScopes(tools, trusted_email_domains=trusted)


def _make_session_tools(
    settings: Settings,
    sessions: SessionServices,
    provider: ProviderServices,
    urls: EndpointUrls,
    pages: Pages,
    bearer: BearerServices | None,
) -> SessionTools:
    return SessionTools(
        urls=urls,
        refresher=provider.refresher,
        resource_tokens=provider.resource_tokens,
        limits=sessions.limits,
        name_session=sessions.record_names.handle,
        leeway=settings.leeway,
        text=pages.layout.text,
        now=sessions.now,
        api_calls=ApiCalls(now=sessions.now),
        challenges=None if bearer is None else bearer.challenges,
        token_exchange=None if bearer is None else bearer.exchange,
    )


def _make_watcher(
    settings: Settings,
    sessions: SessionServices,
    tokens: TokenAuthenticator | None,
    rechecks: SessionRechecks | None,
) -> SessionWatcher:
    return SessionWatcher(
        sessions.repository,
        sessions.authenticator,
        sessions.revocations,
        sessions.feed,
        sessions.limits,
        tokens,
        # With sessions in cookies, a websocket cannot give the browser a new refresh token.
        rechecks if sessions.store is not None else None,
        is_stored=sessions.store is not None,
        counts_use=settings.websocket_activity,
        now=sessions.now,
    )
