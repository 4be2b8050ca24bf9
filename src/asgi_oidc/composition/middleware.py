"""Builds one middleware: the objects that serve each kind of connection, and those behind its public methods."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from asgi_oidc.asgi.audited_requests import audited
from asgi_oidc.asgi.bearer_notices import BearerNotices
from asgi_oidc.asgi.frame_ancestors import FrameAncestors
from asgi_oidc.asgi.hosts import ByHost
from asgi_oidc.asgi.http_requests import HttpRequests
from asgi_oidc.asgi.lifespan import Lifespan
from asgi_oidc.asgi.resource_metadata_app import ResourceMetadataApp
from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.asgi.websockets import Websockets
from asgi_oidc.audit.reporting import Reporter
from asgi_oidc.composition.audit import AuditServices, make_audit_services
from asgi_oidc.composition.bearer import make_bearer_notices
from asgi_oidc.composition.directory import ChangeProvider, make_directory, unchanged
from asgi_oidc.composition.endpoints import ENDPOINTS, PROVIDER_ENDPOINTS
from asgi_oidc.composition.host import Host, compose_host
from asgi_oidc.composition.proof_of_possession import without_foreign_certificates
from asgi_oidc.composition.providers import ProviderServices
from asgi_oidc.composition.replaceable import Replaceable, SecretUsers
from asgi_oidc.composition.resource_metadata import make_resource_metadata_app, resource_metadata_aliases
from asgi_oidc.composition.sessions import SessionServices, make_shared_services
from asgi_oidc.endpoints.jwks import PublishedKeys
from asgi_oidc.health import Health
from asgi_oidc.health.readiness import Readiness
from asgi_oidc.policy.endpoint_paths import EndpointPaths
from asgi_oidc.policy.explain import Explainer
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.policy.policy import Policy
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.provider.http import OwnClient
from asgi_oidc.safe_urls import authorities_of, check_url
from asgi_oidc.sessions.session_providers import SessionProviders
from asgi_oidc.sessions.session_records import RecordsOfStore
from asgi_oidc.sessions.user_sessions import UserSessions
from asgi_oidc.settings.settings import Settings
from asgi_oidc.web.asgi_types import ASGIApp


# Not a tuple: the search for mounts would find what serves requests among the items, and take it for other apps.
@dataclass(frozen=True, slots=True, repr=False)
class Composition:
    """The objects that `OIDCMiddleware` calls.

    Attributes:
        http, websockets: those of the first host.
        serve_http, serve_websocket: serve a request or a handshake on any host.
        handlers: all objects that call the app.
        user_sessions: None if sessions are not in a store.
        resource_metadata: None without the setting `bearer`.
        health: checks the health of this process.
        replaceable: what can get new values while the app runs.
    """

    http: HttpRequests
    websockets: Websockets
    serve_http: ASGIApp
    serve_websocket: ASGIApp
    lifespan: Lifespan
    handlers: Sequence[HttpRequests | Websockets | Lifespan]
    explainer: Explainer
    user_sessions: UserSessions | None
    resource_metadata: ResourceMetadataApp | None
    health: Callable[[], Awaitable[Health]]
    replaceable: Replaceable

    def __repr__(self) -> str:
        return "Composition(...)"


def compose(
    app: ASGIApp, settings: Settings, clock: Callable[[], float], *, change: ChangeProvider = unchanged
) -> Composition:
    """Build the objects of one middleware.

    Args:
        app: the app to protect.
        clock: returns seconds since the epoch.
        change: applied to the settings of each provider before it is connected to.
    """
    directory, own_client = make_directory(settings, clock, change=change)
    shared = make_shared_services(settings, SessionProviders(directory), clock)
    readiness = Readiness(directory, shared.shared, key=f"{shared.record_names.tag}:health", clock=clock)
    policy = _make_policy(app, settings)
    bearer_notices = make_bearer_notices(settings)
    notices = _make_notices(settings, policy, bearer_notices, clock)
    published_keys = PublishedKeys({name: each.client for name, each in settings.fixed_providers.items()})
    hosts = [
        compose_host(app, each, directory, shared, policy, notices, readiness, published_keys)
        for each in settings.for_each_host()
    ]
    first = hosts[0]
    resource_metadata = make_resource_metadata_app(
        [(host.settings.base_url, None if host.bearer is None else host.bearer.metadata) for host in hosts]
    )
    if bearer_notices is not None:
        bearer_notices.metadata_app = resource_metadata
    audit = make_audit_services(settings, shared)
    reporter = None if audit is None else audit.reporter
    lifespan = _make_lifespan(app, own_client, directory, hosts, notices, audit)
    return Composition(
        http=first.http,
        websockets=first.websockets,
        serve_http=_serve_all(settings, [(host, host.http.serve) for host in hosts], reporter),
        serve_websocket=_serve_all(settings, [(host, host.websockets.serve) for host in hosts], reporter),
        lifespan=lifespan,
        handlers=(*(each.http for each in hosts), *(each.websockets for each in hosts), lifespan),
        explainer=_make_explainer(settings, policy),
        user_sessions=_make_user_sessions(settings, first.sessions, first.provider, reporter),
        resource_metadata=resource_metadata,
        health=readiness.health,
        replaceable=_make_replaceable(settings, directory, hosts, published_keys, reporter),
    )


def _serve_all(settings: Settings, hosts: Sequence[tuple[Host, ASGIApp]], reporter: Reporter | None) -> ASGIApp:
    """Return what serves all hosts, around it what only some settings need."""
    serve = [audited(serve, reporter, base_url=host.settings.base_url) for host, serve in hosts]
    served = without_foreign_certificates(settings, _by_host(settings, serve))
    return FrameAncestors(served, settings.embedded_in) if settings.embedded_in else served


def _by_host(settings: Settings, serve: Sequence[ASGIApp]) -> ASGIApp:
    """Return what serves all hosts; an app on a single host pays nothing for it."""
    if len(serve) == 1:
        return serve[0]
    served = {
        authority.encode("ascii"): serve_host
        for base_url, serve_host in zip(settings.base_urls, serve, strict=True)
        for authority in authorities_of(check_url(base_url))
    }
    return ByHost(served, serve[0])


def _make_policy(app: ASGIApp, settings: Settings) -> Policy:
    return Policy(
        settings.public,
        settings.rules,
        base_path=settings.base_path,
        endpoint_paths=EndpointPaths(
            settings.auth_path,
            (*ENDPOINTS, *PROVIDER_ENDPOINTS),
            with_provider=() if settings.is_flat else PROVIDER_ENDPOINTS,
            aliases={**resource_metadata_aliases(settings), **settings.callback_aliases},
            canonical=settings.health_urls,
        ),
        mounts=MountTable(app, prefixes=settings.plain_prefixes),
    )


def _make_notices(
    settings: Settings, policy: Policy, bearer: BearerNotices | None, clock: Callable[[], float]
) -> StartUpNotices:
    return StartUpNotices(
        policy,
        base_url=settings.base_url,
        base_path=settings.base_path,
        has_store=settings.store is not None,
        is_shared=settings.is_shared,
        providers=settings.fixed_providers.values(),
        bearer=bearer,
        app_logo=settings.app_logo,
        clock=clock,
    )


def _make_lifespan(
    app: ASGIApp,
    own_client: OwnClient,
    directory: ProviderDirectory,
    hosts: Sequence[Host],
    notices: StartUpNotices,
    audit: AuditServices | None,
) -> Lifespan:
    sessions = hosts[0].sessions
    return Lifespan(
        app,
        own_client,
        notices,
        sessions.feed,
        sessions.shared,
        polls=sessions.store is None or hosts[0].settings.bearer is not None,
        wait_for_background_work=(
            *(host.provider.refresher.drained for host in hosts),
            *(host.provider.rechecks.drained for host in hosts if host.provider.rechecks is not None),
            *(host.provider.resource_tokens.drained for host in hosts),
            *(host.bearer.exchange.drained for host in hosts if host.bearer is not None),
            *(host.bearer.tokens.drained for host in hosts if host.bearer is not None),
            sessions.background.drained,
            directory.drained,
            sessions.feed.drained,
        ),
        deliver_events=None if audit is None else audit.trail.drained,
        reporter=None if audit is None else audit.reporter,
    )


def _make_replaceable(
    settings: Settings,
    directory: ProviderDirectory,
    hosts: Sequence[Host],
    published_keys: PublishedKeys,
    reporter: Reporter | None,
) -> Replaceable:
    sessions = hosts[0].sessions
    stores = {
        **({} if settings.store is None or sessions.store is None else {"store": sessions.store}),
        **({} if settings.logout_store is None or sessions.shared is None else {"logout_store": sessions.shared}),
    }
    users = SecretUsers(
        [host.sealer for host in hosts],
        sessions.record_names,
        sessions.revocations,
        [host.sessions.repository for host in hosts],
    )
    return Replaceable(users, directory, stores, published_keys, reporter)


def _make_explainer(settings: Settings, policy: Policy) -> Explainer:
    return Explainer(
        policy,
        settings.public,
        base_urls=settings.base_urls,
        origins=settings.origins,
        base_path=settings.base_path,
        auth_path=settings.auth_path,
        further_paths=(*settings.callback_paths, *settings.health_urls, *resource_metadata_aliases(settings)),
        accepts_tokens=settings.bearer is not None,
    )


def _make_user_sessions(
    settings: Settings, sessions: SessionServices, provider: ProviderServices, reporter: Reporter | None
) -> UserSessions | None:
    if sessions.store is None:
        return None
    return UserSessions(
        RecordsOfStore(sessions.store, sessions.record_names, sessions.limits),
        sessions.revocations,
        sessions.feed,
        provider.sign_out.everywhere,
        sessions.background,
        issuer=settings.issuer if settings.is_flat else None,
        now=sessions.now,
        reporter=reporter,
    )
