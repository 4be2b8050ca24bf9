"""The app that `init` writes runs as it is: `doctor` finds nothing in it, and a user signs in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.cli.env_file import read_env_file
from asgi_oidc.cli.find_app import load
from asgi_oidc.cli.init.frameworks import FRAMEWORKS, app_source
from asgi_oidc.cli.init.providers import PROVIDERS
from asgi_oidc.cli.main import main
from asgi_oidc.testing import Browser, Client, FakeProvider, Response, serve
from tests.real.processes import answers, free_port, running

ADDRESSES = {
    "local": "http://127.0.0.1:9400",
    "entra": "8eaef023-2b34-4da1-9baa-8bc8c9d6a490",
    "okta": "acme.okta.com",
    "auth0": "acme.eu.auth0.com",
    "keycloak": "https://id.example.com/realms/shop",
    "cognito": "eu-central-1_AbCdEf123",
    "gitlab": "https://gitlab.com",
    "other": "https://id.example.com",
}
# Django can be configured once in a process, so it has one of its own.
IN_PROCESS = [name for name in FRAMEWORKS if name != "django"]


def init(framework: str, provider: str, *options: str) -> int:
    address = ["--address", ADDRESSES[provider]] if provider in ADDRESSES else []
    return main(["init", "--framework", framework, "--provider", provider, *address, "--yes", *options])


def fill_in(folder: Path) -> None:
    """Do what the next steps say: set what the provider shows."""
    env = folder / ".env"
    lines = [line + "shown-by-the-provider" if line.endswith("=") else line for line in env.read_text().splitlines()]
    env.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("framework", "provider"),
    [*((name, "local") for name in IN_PROCESS), *(("asgi", name) for name in PROVIDERS if name != "local")],
)
def test_doctor_finds_nothing_in_what_init_writes(framework, provider, folder, capsys):
    """Each framework, and each provider."""
    assert init(framework, provider, "--base-url", "https://app.example.com") == 0
    fill_in(folder)
    capsys.readouterr()

    status = main(["doctor", "--env-file", ".env", "--offline", "app:app"])

    assert (status, capsys.readouterr().out.rstrip().splitlines()[-1]) == (0, "Nothing to fix.")


@pytest.mark.parametrize("framework", IN_PROCESS)
async def test_a_user_signs_in_to_the_app_that_was_written(framework, folder):
    """At a provider on a port of its own, as with `asgi-oidc provider`."""
    provider = FakeProvider(clients=[Client(client_secret="secret-for-development")])
    with serve(provider) as server:
        provider.issuer = server.url
        init(framework, "local", "--address", server.url)
        os.environ.update(read_env_file(folder / ".env"))
        app: Any = load("app:app")
        async with httpx.AsyncHTTPTransport() as network:
            page = await Browser(app, "http://127.0.0.1:8000", {server.url: network}).sign_in("alice", "/me")

    assert (page.status_code, page.path, "Hello, Alice Adams" in page.text) == (200, "/me", True)


@pytest.mark.parametrize("framework", ["django"])
def test_the_commands_that_init_prints_start_the_app(framework, folder, capsys):
    """A project of its own, from the first command to a user who has signed in."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    provider = FakeProvider(clients=[Client(client_secret="secret-for-development")])
    with serve(provider) as server:
        provider.issuer = server.url
        init(framework, "local", "--address", server.url, "--base-url", origin)
        doctor, serve_app = (line.split(". ", 1)[1].split() for line in capsys.readouterr().out.splitlines()[-2:])
        found = subprocess.run(command(doctor), capture_output=True, text=True, check=False)
        with running(command(serve_app), cwd=folder) as process:
            process.wait_until(lambda: answers(f"{origin}/"), "the app answers")
            page = anyio.run(sign_in_over_the_network, origin, server.url)

    assert (found.returncode, found.stdout.rstrip().splitlines()[-1]) == (0, "Nothing to fix.")
    assert (page.status_code, "Hello, Alice Adams" in page.text) == (200, True)


async def sign_in_over_the_network(origin: str, issuer: str) -> Response:
    async with httpx.AsyncHTTPTransport() as network:
        return await Browser(network, origin, {issuer: network}).sign_in("alice", "/me")


def command(words: list[str]) -> list[str]:
    """Run a program of this environment."""
    return [sys.executable, "-m", words[0].replace("-", "_"), *words[1:]]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_app_has_the_style_of_this_project(framework, tmp_path):
    """People build on it."""
    path = tmp_path / "app.py"
    path.write_text(app_source(framework))

    checked = [
        subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, str(path)], capture_output=True, text=True, check=False
        )
        for arguments in (
            ["check", "--isolated", "--line-length", "120"],
            ["format", "--check", "--isolated", "--line-length", "120"],
        )
    ]

    assert [each.stdout for each in checked if each.returncode] == []
