"""Gives the objects of one middleware the new values of settings in files, while the app runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Thread

import anyio

from asgi_oidc import events
from asgi_oidc.audit import SettingReloaded
from asgi_oidc.audit.reporting import report, reporting
from asgi_oidc.composition.middleware import Composition
from asgi_oidc.composition.replaceable import Replaceable
from asgi_oidc.provider.certificate_notices import log_certificate_problems
from asgi_oidc.sessions.secret_rotation import SecretRotation
from asgi_oidc.settings.settings import Settings
from asgi_oidc.settings.watched_files import TOGETHER, Change, SettingFile, WatchedFiles
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send

INTERVAL = 2.0  # seconds between two looks at the files; a change takes effect after two to three of them
IDLE = 3 * INTERVAL  # seconds without a look, after which a request waits for one: the values may be hours old
MAX_WAIT = 0.5  # seconds that it waits; a file system may hang
MAX_SILENCE = 60  # seconds that a look may take before it is reported: a file system hangs


def follow_files(
    composition: Composition, files: WatchedFiles, settings: Settings, clock: Callable[[], float]
) -> Composition:
    """Return a composition whose settings follow their files; the same one if no setting is in a file that is watched.

    Args:
        clock: returns seconds since the epoch.
    """
    if not files.files:
        return composition
    reloading = Reloading(files, composition.replaceable, settings, clock)
    composition.lifespan.poll(reloading.look, interval=INTERVAL)
    return replace(
        composition,
        serve_http=_looking(composition.serve_http, reloading),
        serve_websocket=_looking(composition.serve_websocket, reloading),
    )


def _looking(serve: ASGIApp, reloading: "Reloading") -> ASGIApp:
    """Return what also looks at the files when it serves: mounted apps, and apps on some servers, get no lifespan."""

    async def look_and_serve(scope: Scope, receive: Receive, send: Send) -> None:
        if reloading.is_idle():
            await reloading.catch_up()
        else:
            reloading.look_if_due()
        await serve(scope, receive, send)

    return look_and_serve


class Reloading:
    """Looks at the files every few seconds, and applies what has changed.

    The files are read in a thread of their own: on a file system that hangs, one thread waits, and nothing else. What a
    look has found is applied at the next one, by the event loop, so that no request sees half of a change.
    """

    def __init__(
        self, files: WatchedFiles, objects: Replaceable, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._files = files
        self._objects = objects
        self._clock = clock
        self._apply_setting: Mapping[str, Callable[[SettingFile, Settings], None]] = {
            "secret": self._apply_secret,
            "client_secret": self._apply_credentials,
            "client_key": self._apply_credentials,
            "client_certificate": self._apply_credentials,
            "client_certificate_key": self._apply_credentials,
            "decryption_key": self._apply_credentials,
            "store": self._apply_store,
            "logout_store": self._apply_store,
        }
        self._looked_at = self._thread_began_at = clock()
        self._thread: Thread | None = None
        self._found: Sequence[Change] = ()
        self._has_reported_silence = False
        written_at = max((file.written_at() for file in files.files if file.setting == "secret"), default=0)
        self._rotation = SecretRotation.begin(settings.secret, written_at=written_at, now=int(clock()))
        if self._rotation.seals_at is not None:
            self._use_secrets(self._rotation)

    def is_idle(self) -> bool:
        """Whether nobody has looked for a while: without a lifespan, nobody does between requests."""
        return abs(self._clock() - self._looked_at) > IDLE

    async def catch_up(self) -> None:
        """Look, and apply what it finds before the request is served: a secret may have leaked since the last one."""
        hangs = self._is_reading()
        self.look(is_first=True)
        if hangs:
            return
        with anyio.move_on_after(MAX_WAIT):
            while self._is_reading():  # noqa: ASYNC110  # another thread reads the files
                await anyio.sleep(0.002)
            self._apply_found()

    def look_if_due(self) -> None:
        """Look unless the last look was just now."""
        if abs(self._clock() - self._looked_at) >= INTERVAL:
            self.look()

    def look(self, *, is_first: bool = False) -> None:
        """Apply what the last look has found, and begin another one; never waits."""
        now = self._looked_at = self._clock()
        self._advance(int(now))
        if self._is_reading():
            self._report_silence(now)
            return
        self._has_reported_silence = False
        self._apply_found()
        read = partial(self._read, is_first=is_first)
        thread, self._thread_began_at = Thread(target=read, name="asgi-oidc files", daemon=True), now
        try:
            thread.start()
        except RuntimeError:  # there are too many threads, or the interpreter is about to end
            return
        self._thread = thread

    def _is_reading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _apply_found(self) -> None:
        found, self._found = self._found, ()
        for change in found:
            self._apply(change)

    def _read(self, *, is_first: bool) -> None:
        try:
            self._found = self._files.look(is_first=is_first)
        except Exception as error:  # noqa: BLE001  # a thread has nobody to tell
            events.log(events.UNEXPECTED_ERROR, error=error)

    def _report_silence(self, now: float) -> None:
        if not self._has_reported_silence and abs(now - self._thread_began_at) > MAX_SILENCE:
            self._has_reported_silence = True
            names = ",".join(file.variable for file in self._files.files)
            events.log(events.SETTING_NOT_RELOADED, variable=names, problem="the file system does not answer")

    def _apply(self, change: Change) -> None:
        if change.settings is None:
            events.log(events.SETTING_NOT_RELOADED, variable=change.file.variable, problem=change.problem)
            return
        try:
            self._apply_setting[change.file.setting](change.file, change.settings)
        except Exception as error:  # noqa: BLE001  # a bug here must stop neither the app nor the other changes
            events.log(events.UNEXPECTED_ERROR, error=error)
            problem = "an error of asgi-oidc: restart the app, or it may go on to use the old value"
            events.log(events.SETTING_NOT_RELOADED, variable=change.file.variable, problem=problem)

    def _apply_secret(self, file: SettingFile, settings: Settings) -> None:
        before, now = self._rotation, int(self._clock())
        self._rotation = rotation = before.change(settings.secret, now=now)
        self._use_secrets(rotation)
        seals_in = None if rotation.seals_at is None else rotation.seals_at - now
        events.log(events.SETTING_RELOADED, variable=file.variable, secrets=len(rotation.listed), seals_in=seals_in)
        removed = len(set(before.listed) - set(rotation.listed))
        if removed:
            events.log(events.SECRET_REMOVED, variable=file.variable, removed=removed)
        self._report(file, removed=removed)

    def _advance(self, now: int) -> None:
        rotation = self._rotation.advance(now=now)
        if rotation is not self._rotation:
            self._rotation = rotation
            self._use_secrets(rotation)
            events.log(events.SECRET_SEALS)

    def _use_secrets(self, rotation: SecretRotation) -> None:
        self._objects.secret_users.replace_secrets(rotation.in_order)

    def _apply_credentials(self, file: SettingFile, settings: Settings) -> None:
        provider = settings.fixed_providers[file.provider]
        self._objects.published_keys.replace_client(file.provider, provider.client)
        known = self._objects.directory.at_once(file.provider)
        if known is not None and known.connection is not None:
            known.connection.replace_settings(provider)
        events.log(events.SETTING_RELOADED, variable=file.variable)
        if file.setting in TOGETHER:
            log_certificate_problems(provider, clock=self._clock)
        self._report(file)

    def _apply_store(self, file: SettingFile, settings: Settings) -> None:
        store = settings.store if file.setting == "store" else settings.logout_store
        if store is not None:
            self._objects.stores[file.setting].replace_store(store)
        events.log(events.SETTING_RELOADED, variable=file.variable)
        self._report(file)

    def _report(self, file: SettingFile, *, removed: int = 0) -> None:
        with reporting(self._objects.reporter):  # the request that is being served, if any, has not caused it
            report(SettingReloaded, variable=file.variable, removed=removed)
