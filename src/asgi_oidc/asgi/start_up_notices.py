"""Logs warnings at start-up about configurations that would otherwise fail unnoticed in production."""

from collections.abc import Callable, Collection

from asgi_oidc import events
from asgi_oidc.asgi.bearer_notices import BearerNotices
from asgi_oidc.asgi.worker_processes import is_one_of_several
from asgi_oidc.policy.policy import Policy
from asgi_oidc.provider.certificate_notices import log_certificate_problems
from asgi_oidc.provider.provider_exceptions import log_exceptions
from asgi_oidc.provider.provider_settings import ProviderSettings

# By what this process keeps in memory only: the notice if it is the only process, and the one if it is one of several.
NOTICES = {
    "logout": (
        (
            events.LOGOUT_IN_THIS_PROCESS,
            "sign-outs are remembered in this process only",
            "set store or logout_store to a RedisStore or PostgresStore before you run several processes",
        ),
        (
            events.LOGOUT_NOT_SHARED,
            "a sign-out does not reach the other processes: saved copies of session cookies stay valid there",
            "set store or logout_store to a RedisStore or PostgresStore",
        ),
    ),
    "sessions": (
        (
            events.SESSIONS_IN_THIS_PROCESS,
            "sessions are in the memory of this process: a restart signs all users out",
            "set store to a RedisStore or PostgresStore, or leave it out to keep sessions in cookies",
        ),
        (
            events.SESSIONS_NOT_SHARED,
            "each process has its own MemoryStore: users lose their sessions whenever another process answers",
            "set store to a RedisStore or PostgresStore, or leave it out to keep sessions in cookies",
        ),
    ),
}


class StartUpNotices:
    """Logs once what this process does not share, which paths it may not protect, and exceptions for providers.

    Attributes:
        are_logged: whether that has been done.
    """

    __slots__ = (
        "_app_logo",
        "_base_path",
        "_base_url",
        "_bearer",
        "_clock",
        "_has_store",
        "_is_shared",
        "_policy",
        "_providers",
        "are_logged",
    )

    def __init__(
        self,
        policy: Policy,
        *,
        base_url: str,
        base_path: str,
        has_store: bool,
        is_shared: bool,
        providers: Collection[ProviderSettings] = (),
        bearer: BearerNotices | None = None,
        app_logo: str | None = None,
        clock: Callable[[], float],
    ) -> None:
        """Set up the notices.

        Args:
            providers: those that are known at start-up.
            has_store: whether sessions are in a store.
            is_shared: whether revocations are in a store, where other processes find them, and this one does after
                a restart.
            bearer: those about access tokens; None if none are accepted.
            app_logo: path of the logo on pages.
            clock: returns seconds since the epoch.
        """
        self._policy = policy
        self._base_url = base_url
        self._base_path = base_path
        self._has_store = has_store
        self._is_shared = is_shared
        self._providers = providers
        self._bearer = bearer
        self._app_logo = app_logo
        self._clock = clock
        self.are_logged = False

    def log_once(self, *, without_lifespan: bool = False) -> None:
        """Log the notices, unless that has been done.

        Args:
            without_lifespan: the app was called without a lifespan, so the notices appear among the log lines of
                requests: of those about memory, only warnings are logged.
        """
        if self.are_logged:
            return
        self.are_logged = True
        self._log_what_is_not_shared(without_lifespan=without_lifespan)
        self._warn_about_root_paths()
        self._warn_about_bypassable_rules()
        self._warn_about_logo()
        for provider in self._providers:
            log_exceptions(provider.exceptions, provider=provider.name or provider.issuer)
            log_certificate_problems(provider, clock=self._clock)
        if self._bearer is not None:
            self._bearer.log()

    def _warn_about_root_paths(self) -> None:
        """Warn if the app strips a path prefix that `base_url` does not end with: each page then has two addresses."""
        for root_path in sorted(self._policy.mounts.root_paths):
            if not f"{self._base_path}/".endswith(f"{root_path.rstrip('/')}/"):
                events.log(
                    events.ROOT_PATH_OF_APP,
                    root_path=root_path,
                    base_url=self._base_url,
                    what="the app sets a root path (FastAPI(root_path=...), FORCE_SCRIPT_NAME) that is not in base_url",
                    fix="make base_url end with the path under which browsers reach the app, or remove that root path",
                )

    def _log_what_is_not_shared(self, *, without_lifespan: bool) -> None:
        """Log what this process keeps in memory only: sessions or sign-outs."""
        if self._is_shared:
            return
        is_warning = is_one_of_several()
        if is_warning or not without_lifespan:
            single_process, several_processes = NOTICES["sessions" if self._has_store else "logout"]
            event, what, fix = several_processes if is_warning else single_process
            events.log(event, what=what, fix=fix)

    def _warn_about_logo(self) -> None:
        """Warn if the logo needs a signed-in user, because most pages are for people who are not."""
        path = None if self._app_logo is None else self._app_logo.partition("?")[0]
        if path is None or not path.startswith(f"{self._base_path}/"):
            return  # another app serves it
        if not self._policy.is_public_url(path, self._base_path):
            events.log(
                events.LOGO_NOT_PUBLIC,
                app_logo=path,
                what="pages for people who are not signed in cannot show the logo: its path is not public",
                fix="add the path to public",
            )

    def _warn_about_bypassable_rules(self) -> None:
        """Warn about apps whose routing we cannot inspect, if they might serve `/adminx` as `/admin` and `x`."""
        bypassable = self._policy.bypassable_rules()
        if bypassable:
            events.log(
                events.MOUNTS_UNKNOWN,
                app=", ".join(bypassable),
                rules=", ".join(dict.fromkeys(path for paths in bypassable.values() for path in paths)),
                what="asgi-oidc does not know how this app matches paths: if it serves '/adminx' as '/admin' and 'x', "
                "a rule for '/admin/*' does not protect that path",
                fix="set plain_prefixes to the paths that it matches that way, such as ['/admin'], or to [] if none",
            )
