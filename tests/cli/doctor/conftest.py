"""The command, in an environment without variables of ours."""

import os

import pytest

from asgi_oidc.cli.doctor.cookies import DEPLOYED
from tests.cli.doctor.examined import Doctor


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    for name in [*os.environ]:
        if name.startswith("OIDC_") or name in (*DEPLOYED, "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
            monkeypatch.delenv(name)
    return Doctor(monkeypatch, capsys)
