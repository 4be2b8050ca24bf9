"""Runs `asgi-oidc doctor` on an app as the command line does, and reads its report."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware
from asgi_oidc.cli.main import main
from asgi_oidc.testing import Client, FakeProvider

ISSUER = "https://id.example.com"
ORIGIN = "https://app.example.com"
CLIENT_SECRET = "web-client-8Kq2vXw9"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"

app: Any = None
"""What the command examines: `tests.cli.doctor.examined:app`."""


@dataclass(frozen=True)
class Report:
    """What the command said.

    Attributes:
        names: of the findings that are worse than information.
        findings: all of them, by name.
    """

    status: int
    text: str
    names: frozenset[str]
    findings: dict[str, dict[str, str]]


class Doctor:
    """Runs the command."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def examine(self, examined: Any = None, *arguments: str, name: str = "app", **variables: str) -> Report:
        """Examine an app, or without one the environment, and read the JSON."""
        status, text = self.say(examined, "--json", *arguments, name=name, **variables)
        found = [finding for each in json.loads(text)["apps"] for finding in each["findings"]]
        names = frozenset(finding["name"] for finding in found if finding["severity"] != "info")
        return Report(status, text, names, {finding["name"]: finding for finding in found})

    def say(self, examined: Any, *arguments: str, name: str = "app", **variables: str) -> tuple[int, str]:
        """Examine an app, and return the exit status and what was printed."""
        for variable, value in variables.items():
            self._monkeypatch.setenv(variable, value)
        self._monkeypatch.setattr("tests.cli.doctor.examined.app", examined)
        named = [] if examined is None else [f"tests.cli.doctor.examined:{name}"]
        status = main(["doctor", *named, *arguments])
        return status, self._capsys.readouterr().out


def make_provider(issuer: str = ISSUER, **client: Any) -> FakeProvider:
    """Make a provider that knows the app."""
    known = Client(
        **{
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [f"{ORIGIN}/auth/callback"],
            "post_logout_redirect_uris": [ORIGIN],
            **client,
        }
    )
    return FakeProvider(issuer, clients=[known], alg="ES256")


def settings(provider: FakeProvider | None = None, **changes: Any) -> dict[str, Any]:
    """Return settings that are right for a provider, with changes; `...` leaves one out."""
    provider = provider or make_provider()
    values = {
        "issuer": ISSUER,
        "client_id": "web",
        "client_secret": CLIENT_SECRET,
        "base_url": ORIGIN,
        "secret": SECRET,
        "http_client": provider.http_client(),
        **changes,
    }
    return {name: value for name, value in values.items() if value is not ...}


def guarded(provider: FakeProvider | None = None, *, inner: Any = None, **changes: Any) -> OIDCMiddleware:
    """Return an app whose set-up is right but for the changes."""
    return OIDCMiddleware(site() if inner is None else inner, **settings(provider, **changes))


def site(*paths: str) -> Starlette:
    """Return an app with these routes besides the start page."""

    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    return Starlette(routes=[Route(path, answer) for path in ("/", *paths)])


def failing(error: Exception) -> httpx.AsyncClient:
    """Return a client whose calls fail as those of httpx do: with an exception caused by this one."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("failed") from error

    return httpx.AsyncClient(transport=httpx.MockTransport(fail))
