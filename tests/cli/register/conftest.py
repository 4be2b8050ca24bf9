"""The command, in an environment without variables of ours."""

import os

import pytest

from asgi_oidc.cli.register.saved_values import ACCESS_TOKEN, CLIENT_URI, INITIAL_ACCESS_TOKEN
from tests.cli.register.registering_app import Command


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name in [*os.environ]:
        if name.startswith("OIDC_") or name.endswith((ACCESS_TOKEN, CLIENT_URI, INITIAL_ACCESS_TOKEN)):
            monkeypatch.delenv(name)
    return Command(monkeypatch, capsys)
