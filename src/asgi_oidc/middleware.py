"""`OIDCMiddleware`, the entry point: reads the settings and dispatches each connection by its ASGI scope type."""

from __future__ import annotations  # help() then shows `ASGIApp` instead of what it stands for

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Unpack
from weakref import WeakSet

from asgi_oidc.asgi.resource_metadata_app import ResourceMetadataApp
from asgi_oidc.composition import ChangeProvider, compose, follow_files
from asgi_oidc.errors import OIDCError, UnsupportedScope
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.health import Health
from asgi_oidc.policy.explain import Explanation
from asgi_oidc.safe_urls import without_origin
from asgi_oidc.sessions.user_sessions import UserSessions
from asgi_oidc.settings.environment import read_environment, variables_in
from asgi_oidc.settings.help_text import lists_settings
from asgi_oidc.settings.keywords import Keywords
from asgi_oidc.settings.settings import read_settings
from asgi_oidc.settings.watched_files import WatchedFiles
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send

# For the pytest plugin, which gives every middleware a fake provider: those made before its test, and those made in it.
_living: WeakSet[OIDCMiddleware] = WeakSet()
_when_made: list[Callable[[OIDCMiddleware], None]] = []


@lists_settings
class OIDCMiddleware:
    """Sign-in with OpenID Connect around any ASGI app.

    Every path needs a signed-in user, except those that `public` names. The app finds the user in
    `scope["user"]`, the granted scopes in `scope["auth"]` and the session in `scope["oidc"]`.

        app = OIDCMiddleware(
            app,
            issuer="https://id.example.com",
            client_id="web",
            client_secret="...",
            base_url="https://app.example.com",
            secret="...",
            public=["/", "/static/*"],
        )

    Args:
        app: the app to protect.
        clock: returns seconds since the epoch; tests can pass their own.
        settings: the keywords, described at https://github.com/asgi-oidc/asgi-oidc/blob/main/examples/reference/settings.md

    Raises:
        SettingsError: the settings are invalid; it lists every problem with its fix.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.time, **settings: Unpack[Keywords]) -> None:
        self._app = app
        try:
            # "Sanitized": an exception leaves without the frames below this one, whose variables hold secrets.
            self._settings = call_sanitized(read_settings, settings)
        finally:
            del settings  # the keywords hold secrets, and error reporters record the variables of this frame
        # All objects below this class, wired together: one serves each kind of connection, others answer the methods.
        self._composition = call_sanitized(compose, app, self._settings, clock)
        _living.add(self)
        for tell in _when_made:
            tell(self)

    @classmethod
    def from_env(
        cls,
        app: ASGIApp,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Any,  # not `Keywords`: those that are required may come from variables
    ) -> OIDCMiddleware:
        """Create a middleware from `OIDC_...` environment variables; keywords take precedence over them.

        Every variable that is set must be valid, even one that a keyword replaces. Secrets, certificates and URLs of
        stores that are in files (`OIDC_SECRET_FILE`) are read again when the file changes.

        Args:
            environ: the variables; by default, those of the process.

        Raises:
            SettingsError: the settings are invalid; it lists every problem with its fix.
        """
        try:
            return call_sanitized(cls._from_env, app, os.environ if environ is None else environ, clock, settings)
        finally:
            del environ, settings  # a traceback shows the variables of this frame

    @classmethod
    def _from_env(
        cls, app: ASGIApp, environ: Mapping[str, str], clock: Callable[[], float], settings: Mapping[str, Any]
    ) -> OIDCMiddleware:
        files = WatchedFiles(environ, settings)  # first: a file that changes meanwhile is then noticed later
        from_variables, problems = read_environment(environ)
        variables = {name: variable for name, variable in variables_in(environ).items() if name not in settings}
        settings = {**from_variables, **settings}
        # Checked here, so that a problem names its variable: the constructor knows the keywords only.
        read_settings(settings, earlier_problems=problems, variables=variables)
        middleware = cls(app, clock=clock, **settings)
        middleware._follow(files, clock)
        return middleware

    def _follow(self, files: WatchedFiles, clock: Callable[[], float]) -> None:
        self._composition = follow_files(self._composition, files, self._settings, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            UnsupportedScope: the scope type is not one that this middleware can protect.
        """
        if scope["type"] == "http":
            await self._composition.serve_http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._composition.serve_websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._composition.lifespan.serve(scope, receive, send)
        else:
            raise UnsupportedScope(detail=f"expected scope type http, websocket or lifespan, got {scope['type']!r}")

    @property
    def app(self) -> ASGIApp:
        """The wrapped app. It can be replaced, for example by tests and instrumentation."""
        return self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = app
        for handler in self._composition.handlers:
            handler.app = app

    def _recompose(
        self, changes: Mapping[str, Any], clock: Callable[[], float], change: ChangeProvider
    ) -> Callable[[], None]:
        """Serve with changed settings and other connections to the providers. Only the pytest plugin calls this.

        Args:
            changes: by the names of `Settings`, checked already.
            change: applied to the settings of each provider before it is connected to.

        Returns:
            What undoes it: the sessions and caches from before are there again.
        """
        before = self._settings, self._composition

        def undo() -> None:
            self._settings, self._composition = before
            self.app = self._app  # it may have been replaced meanwhile

        self._settings = replace(self._settings, **changes)
        self._composition = call_sanitized(compose, self._app, self._settings, clock, change=change)
        return undo

    @property
    def base_url(self) -> str:
        """The public URL of the wrapped app; the first one, if it is served on several hosts."""
        return self._settings.base_url

    def covers(self, path: str) -> bool:
        """Return whether a path, as browsers see it, or a whole URL is below `base_url`."""
        path = without_origin(path, self._settings.origins).partition("#")[0].partition("?")[0]
        # Compared with a slash at the end, so that `/adminx` is not below `/admin`.
        return f"{path}/".startswith(f"{self._settings.base_path}/")

    @property
    def sessions(self) -> UserSessions:
        """The sessions of all users, to list and to end.

        Raises:
            OIDCError: no store is set, so sessions exist only in the browsers' cookies.
        """
        sessions = self._composition.user_sessions
        if sessions is None:
            raise OIDCError("no_store", "sessions exist only in the browsers' cookies; to list and end them, set store")
        return sessions

    @property
    def protected_resource_metadata(self) -> ResourceMetadataApp:
        """The metadata of the API (RFC 9728), as an ASGI app.

        A middleware around the whole site serves it itself. One that is mounted below a path never gets the requests
        for it, so the outer app routes them here; `paths` lists where clients look:

            for path in admin.protected_resource_metadata.paths:
                outer.routes.append(Route(path, admin.protected_resource_metadata))

        Raises:
            OIDCError: the setting `bearer` is missing, so there is no API.
        """
        metadata = self._composition.resource_metadata
        if metadata is None:
            raise OIDCError("no_bearer", "there is no API to describe; to accept access tokens, set bearer")
        metadata.is_routed = True
        return metadata

    async def health(self) -> Health:
        """Check whether this process works: its store, and the metadata and keys of the providers; never raises.

        It is what `health_path` answers, with names, codes and details that outsiders do not get; it works without that
        setting, too. Results are used for five seconds, however often it is called. Metadata and keys are fetched only
        if they are due.
        """
        return await self._composition.health()

    def explain(self, path: str, method: str = "GET") -> Explanation:
        """Explain which patterns and rules apply to a path, and what follows; `print()` shows it as a table.

        Args:
            path: as browsers see it, such as `/admin/users`.
            method: an HTTP method, or `WEBSOCKET`.

        Raises:
            ValueError: the method is unknown.
        """
        return self._composition.explainer.explain(path, method)

    def explain_all(self) -> str:
        """List all `public` patterns and rules, as a table."""
        return self._composition.explainer.explain_all()

    @property
    def routes(self) -> Any:
        """The routes of the wrapped app: Starlette looks for them on a mounted app to build its URLs."""
        return getattr(self.app, "routes", [])

    def __repr__(self) -> str:
        # Only the class of the app: its own repr may show a password that it was created with.
        base_url = self.base_url if hasattr(self, "_settings") else None  # None until the settings are read
        return f"OIDCMiddleware(<{type(self.app).__name__}>, base_url={base_url!r})"
