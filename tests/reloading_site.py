"""A site whose secrets are in files that the test changes; it looks at them when the test says so."""

import os
import threading
from pathlib import Path
from typing import Any

from asgi_oidc import OIDCMiddleware
from asgi_oidc.composition.reloading import INTERVAL
from tests.protected_site import NOW, SECRET, Site

LOOKS = 3  # until a change is in use: one finds it, one finds it again, and one applies it


def wait_for_readers() -> None:
    """Wait until the files are read."""
    for thread in threading.enumerate():
        if thread.name == "asgi-oidc files":
            thread.join()


class ReloadingSite(Site):
    """A site in a process that reads some settings from files.

    Args:
        files: by setting; each is written to `folder` unless it is there.
        settings: of the middleware.
    """

    def __init__(self, folder: Path, files: dict[str, str] | None = None, **settings: Any) -> None:
        self.folder = folder
        self.files = {"secret": SECRET, **(files or {})}
        super().__init__(**{**self.files, **settings})
        for setting, text in self.files.items():
            if not self.path(setting).exists():
                self.write(setting, text)
        environ = {f"OIDC_{setting.upper()}_FILE": str(self.path(setting)) for setting in self.files}
        keywords = {name: value for name, value in self.settings.items() if name not in self.files}
        self.middleware = OIDCMiddleware.from_env(self.app, environ=environ, clock=self.clock, **keywords)

    def path(self, setting: str) -> Path:
        """Return the file of a setting."""
        return self.folder / setting

    def write(self, setting: str, text: str) -> None:
        """Write the file of a setting, long ago by the clock of the site."""
        self.path(setting).write_text(text)
        os.utime(self.path(setting), (NOW - 86_400, NOW - 86_400))

    async def look(self) -> None:
        """Let the process look at the files once."""
        self.clock.advance(INTERVAL)
        await self.call("/public/look")
        wait_for_readers()

    async def change(self, setting: str, text: str) -> None:
        """Write a file, and let the process use it."""
        self.write(setting, text)
        for _ in range(LOOKS):
            await self.look()
