"""What people see of wrong settings on the server that they run, with the logging that it has by itself."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asgi_oidc import OIDCMiddleware, SettingsError
from tests.settings.required_settings import REQUIRED

PATIENCE = 60  # seconds for the server to say something
ENVIRON = {f"OIDC_{name.upper()}": str(value) for name, value in REQUIRED.items()}


@contextmanager
def served(app: str, *options: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run uvicorn on a free port; what it and the app say is on stderr."""
    command = [sys.executable, "-m", "uvicorn", f"tests.settings.served_apps:{app}", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, **environ})
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[bytes], words: str) -> str:
    """Read what it says until these words come, or it ends."""
    assert process.stderr is not None
    said, deadline = b"", time.monotonic() + PATIENCE
    while words.encode() not in said:
        ready, _, _ = select.select([process.stderr], [], [], max(0, deadline - time.monotonic()))
        assert ready, said.decode()
        new = os.read(process.stderr.fileno(), 65_536)
        if not new:
            break
        said += new
    return said.decode()


def test_invalid_settings_of_add_middleware_are_on_stderr() -> None:
    """The stack is made when the server has started already: it goes on, and serves 500 for ever."""
    with served("added") as process:
        said = read_until(process, "Uvicorn running on")

    assert "Uvicorn running on" in said
    assert "asgi-oidc: invalid settings:\n  - isuer: " in said
    assert "did you mean issuer?" in said
    assert REQUIRED["secret"] not in said


def test_invalid_settings_of_add_middleware_stop_a_server_that_needs_its_lifespan() -> None:
    """`--lifespan on` is what the guide to frameworks recommends."""
    with served("added", "--lifespan", "on") as process:
        said = read_until(process, "Uvicorn running on")
        status = process.wait(PATIENCE)

    assert ("Uvicorn running on" in said, status != 0) == (False, True)
    assert "asgi-oidc: invalid settings:" in said


def test_valid_settings_start_with_it() -> None:
    """Nothing else is in the way."""
    with served("added_well", "--lifespan", "on") as process:
        said = read_until(process, "Uvicorn running on")

    assert ("Uvicorn running on" in said, "invalid settings" in said) == (True, False)


def test_invalid_variables_stop_the_server() -> None:
    """An app that is made when its module is imported, or by a factory, never starts."""
    with served("from_variables", "--factory", **{**ENVIRON, "OIDC_LEEWAY": "soon"}) as process:
        said = read_until(process, "Uvicorn running on")
        status = process.wait(PATIENCE)

    assert ("Uvicorn running on" in said, status != 0) == (False, True)
    assert "OIDC_LEEWAY" in said


@pytest.mark.parametrize("words", ["OIDC_LEEWAY", "OIDC_ISUER"])
def test_the_error_is_logged_once(words: str, caplog: pytest.LogCaptureFixture) -> None:
    """At CRITICAL, whole, by whatever way the settings come."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(None, environ={**ENVIRON, words: "soon"})  # type: ignore[arg-type]  # never called

    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("asgi_oidc", "CRITICAL", str(caught.value))
    assert words in record.getMessage()


def test_the_error_of_the_constructor_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The same."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(None, **{**REQUIRED, "leeway": 1000})  # type: ignore[arg-type]  # never called

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("CRITICAL", str(caught.value))]
