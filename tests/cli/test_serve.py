"""The command `asgi-oidc serve` as a shell runs it: what it refuses to start with, and what it says."""

import os
import secrets
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from asgi_oidc.cli.main import main
from tests.real.processes import Running, free_port, running

WITHOUT_UVICORN = """\
import sys
sys.modules["uvicorn"] = None  # how Python says: not to be found
from asgi_oidc.cli.main import main
sys.exit(main(["serve"]))
"""
SETTINGS = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_BASE_URL": "https://app.example.com",
    "OIDC_SECRET": secrets.token_urlsafe(32),
    "OIDC_PUBLIC": "/public/*",
}
ASKED = {
    "x-forwarded-method": "GET",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "app.example.com",
    "x-forwarded-uri": "/public/x",
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that a server needs, in the environment."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ASGI_OIDC_SERVE", "")


def command(*arguments: str) -> list[str]:
    """Give the command line."""
    return [sys.executable, "-m", "asgi_oidc", "serve", *arguments]


def is_ready(process: Running, client: httpx.Client, url: str) -> bool:
    """Say whether the server answers."""
    try:
        client.get(url, headers=ASKED)
    except httpx.TransportError:
        return False
    return True


def test_without_uvicorn_the_extra_is_named():
    """The fix is in the message."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UVICORN], capture_output=True, text=True, timeout=30, check=False
    )

    fix = "asgi-oidc: serve needs uvicorn: pip install 'asgi-oidc[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", fix)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--workers", "0"],
        ["--workers", "x"],
        ["--header", "X-User"],
        ["--header", "=sub"],
        ["--header", "X-User="],
    ],
)
def test_wrong_arguments_are_a_usage_error(arguments, capsys):
    """As everywhere."""
    with pytest.raises(SystemExit) as end:
        main(["serve", *arguments])

    assert (end.value.code, "usage: asgi-oidc serve" in capsys.readouterr().err) == (2, True)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--header", "X-User=sub", "--header", "X-User=email"], "a name occurs twice"),
        (["--header", "User=sub"], "expected a header name of its own with a dash"),
        (["--trusted-proxy", "0.0.0.0/0"], "would trust everybody"),
        (["--trusted-proxy", "proxy"], "is not a proxy"),
        (["--token-claim", "email"], "needs token_header"),
        (["--token-header", "X-Identity", "--workers", "2"], "set --signing-key to a file"),
        (["--token-header", "X-Identity", "--signing-key", "/nowhere"], "cannot read /nowhere: No such file"),
    ],
)
def test_options_that_cannot_work_are_one_line_with_the_reason(arguments, problem, capsys):
    """No traceback."""
    status = main(["serve", *arguments])

    said = capsys.readouterr()
    assert (status, said.out) == (1, "")
    assert said.err.startswith("asgi-oidc: ")
    assert problem in said.err


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "is in use"), ("192.0.2.1", "cannot be used")])
def test_an_address_that_cannot_be_used_names_the_options(host, reason, capsys):
    """One line with the fix, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status = main(["serve", "--host", host, "--port", str(port), "--trusted-proxy", "127.0.0.1"])

    said = capsys.readouterr()
    assert (status, said.out) == (1, "")
    assert f"{host}:{port} {reason}" in said.err
    assert "choose another with --host or --port" in said.err


def test_invalid_settings_are_listed_with_their_variables(capsys, monkeypatch):
    """As the middleware lists them."""
    for name in [name for name in os.environ if name.startswith("OIDC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASGI_OIDC_SERVE", "")
    status = main(["serve"])

    said = capsys.readouterr().err
    assert (status, "Traceback" in said) == (1, False)
    assert "OIDC_BASE_URL" in said


def test_it_says_where_it_listens_warns_without_a_proxy_and_ends_cleanly():
    """Whoever forgets the option has to see why everything is refused."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/forward-auth"
    with running(command("--port", str(port)), SETTINGS) as process, httpx.Client(trust_env=False) as client:
        process.wait_until(lambda: is_ready(process, client, url), "it answers")
        answer = client.get(url, headers=ASKED)
        process.process.send_signal(signal.SIGTERM)
        process.process.wait(timeout=20)
        said = process.said

    assert answer.status_code == 403
    assert "no proxy is trusted" in said
    assert f"answers proxies at http://127.0.0.1:{port}" in said
    assert "code=proxy_not_trusted" in said
    assert "Traceback" not in said


def test_a_unix_socket_is_a_trusted_proxy_if_it_is_named(tmp_path):
    """Its file permissions say who may connect."""
    path = tmp_path / "socket"
    options = ("--uds", str(path), "--trusted-proxy", "unix", "--header", "X-User=sub")
    with running(command(*options), SETTINGS) as process:
        process.wait_until(lambda: f"answers proxies at unix:{path}" in process.said and path.exists(), "it listens")
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://asgi-oidc") as client:
            answer = client.get("/forward-auth", headers=ASKED)

    assert (answer.status_code, answer.headers["x-user"]) == (200, "")
