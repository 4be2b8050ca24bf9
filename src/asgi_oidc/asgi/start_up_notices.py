"""Warnings at start-up: what nobody would notice before it matters."""

from asgi_oidc import events
from asgi_oidc.asgi.worker_processes import is_one_of_several
from asgi_oidc.policy.policy import Policy

# What is kept in memory: what to say when this process is the only one, and when it is one of several.
NOTICES = {
    "logout": (
        (
            events.LOGOUT_IN_THIS_PROCESS,
            "sign-outs are remembered in this process only",
            "set store or logout_store to a RedisStore before you run several processes",
        ),
        (
            events.LOGOUT_NOT_SHARED,
            "a sign-out does not reach the other processes: saved copies of session cookies stay valid there",
            "set store or logout_store to a RedisStore",
        ),
    ),
    "sessions": (
        (
            events.SESSIONS_IN_THIS_PROCESS,
            "sessions are in the memory of this process: a restart signs everybody out",
            "set store to a RedisStore, or leave it out to keep sessions in cookies",
        ),
        (
            events.SESSIONS_NOT_SHARED,
            "each process has its own MemoryStore: users lose their sessions whenever another process answers",
            "set store to a RedisStore, or leave it out to keep sessions in cookies",
        ),
    ),
}


class StartUpNotices:
    """Says once what this process cannot share, and which paths it cannot protect.

    Attributes:
        are_told: whether that was done.
    """

    __slots__ = ("_base_path", "_base_url", "_has_store", "_is_shared", "_policy", "are_told")

    def __init__(self, policy: Policy, *, base_url: str, base_path: str, has_store: bool, is_shared: bool) -> None:
        """Set up the notices.

        Args:
            has_store: whether sessions are in a store.
            is_shared: whether revocations are kept where other processes, and this one when it starts anew, find them.
        """
        self._policy = policy
        self._base_url = base_url
        self._base_path = base_path
        self._has_store = has_store
        self._is_shared = is_shared
        self.are_told = False

    def tell(self, *, is_late: bool = False) -> None:
        """Log the notices, the first time.

        Args:
            is_late: no lifespan came; then only a warning is worth a line between those of requests.
        """
        if self.are_told:
            return
        self.are_told = True
        self._tell_what_a_sign_out_reaches(is_late=is_late)
        self._tell_of_root_paths()
        self._tell_of_rules_that_may_be_bypassed()

    def _tell_of_root_paths(self) -> None:
        """Warn if the app removes a path prefix that is not in `base_url`: then its pages have two addresses."""
        for root_path in sorted(self._policy.mounts.root_paths):
            if not f"{self._base_path}/".endswith(f"{root_path.rstrip('/')}/"):
                events.log(
                    events.ROOT_PATH_OF_APP,
                    root_path=root_path,
                    base_url=self._base_url,
                    what="the app sets a root path (FastAPI(root_path=...), FORCE_SCRIPT_NAME) that is not in base_url",
                    fix="make base_url end with the path under which browsers reach the app, or remove that root path",
                )

    def _tell_what_a_sign_out_reaches(self, *, is_late: bool) -> None:
        """Say what this process alone knows, sessions or sign-outs."""
        if self._is_shared:
            return
        is_warning = is_one_of_several()
        if is_warning or not is_late:
            alone, among_others = NOTICES["sessions" if self._has_store else "logout"]
            event, what, fix = among_others if is_warning else alone
            events.log(event, what=what, fix=fix)

    def _tell_of_rules_that_may_be_bypassed(self) -> None:
        """Warn about apps that may match plain prefixes and cannot be inspected."""
        bypassable = self._policy.bypassable_rules()
        if bypassable:
            events.log(
                events.MOUNTS_UNKNOWN,
                app=", ".join(bypassable),
                rules=", ".join(dict.fromkeys(path for paths in bypassable.values() for path in paths)),
                what="asgi-oidc cannot tell how this app matches paths: if it serves '/adminx' as '/admin' and 'x', "
                "a rule for '/admin/*' does not protect that",
                fix="set plain_prefixes to the paths that it matches that way, such as ['/admin'], or to [] if none",
            )
