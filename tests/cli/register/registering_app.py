"""Runs `asgi-oidc register` for an app as the command line does, at a fake provider that registers clients."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.cli.env_file import read_env_file
from asgi_oidc.cli.main import main
from asgi_oidc.testing import FakeProvider
from tests.protected_site import App

ISSUER = "https://id.example.com"
ORIGIN = "https://app.example.com"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"

app: Any = None
"""What the command registers: `tests.cli.register.registering_app:app`."""


class Said(NamedTuple):
    """What the command said."""

    status: int
    out: str
    err: str

    @property
    def members(self) -> dict[str, Any]:
        """The JSON that it printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    def values(self, folder: Path) -> dict[str, str]:
        """Return the variables that it printed, as the app would read them."""
        path = folder / "printed"
        path.write_text(self.out)
        return read_env_file(path)


def registering_provider() -> FakeProvider:
    """Make a provider at which anybody may register."""
    provider = FakeProvider(ISSUER, clients=[], alg="ES256")
    provider.registers_clients = True
    return provider


def make_app(provider: FakeProvider, **settings: Any) -> OIDCMiddleware:
    """Return an app whose client is not registered yet."""
    values = {
        "issuer": ISSUER,
        "client_id": "not-known-yet",
        "base_url": ORIGIN,
        "secret": SECRET,
        "http_client": provider.http_client(),
        **settings,
    }
    return OIDCMiddleware(App(), **{name: value for name, value in values.items() if value is not ...})


class Command:
    """Runs the command."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.provider = registering_provider()

    def __call__(self, *arguments: str, variables: dict[str, str] | None = None, **settings: Any) -> Said:
        """Register an app with these settings."""
        return self.run(make_app(self.provider, **settings), *arguments, variables=variables)

    def run(self, registered: Any, *arguments: str, variables: dict[str, str] | None = None) -> Said:
        """Register an app; None for the settings of the environment."""
        self._monkeypatch.setattr("tests.cli.register.registering_app.app", registered)
        named = [] if registered is None else ["tests.cli.register.registering_app:app"]
        with self._monkeypatch.context() as patch:
            for name, value in (variables or {}).items():
                patch.setenv(name, value)
            status = main(["register", *named, *arguments])
        said = self._capsys.readouterr()
        return Said(status, said.out, said.err)
