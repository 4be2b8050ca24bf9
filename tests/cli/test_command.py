"""The command `asgi-oidc` as a shell runs it: real processes, ports and signals."""

import contextlib
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

import anyio
import httpx
import pytest

from asgi_oidc.cli.main import main
from asgi_oidc.testing import Browser, Response

PATIENCE = 30  # seconds for the process to say or do something

WITHOUT_UVICORN = """\
import sys
sys.modules["uvicorn"] = None  # how Python says: not to be found
from asgi_oidc.cli.main import main
sys.exit(main(["demo"]))
"""


@contextlib.contextmanager
def running_demo(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the demo on free ports and give the process and the two lines that it printed."""
    command = [sys.executable, "-m", "asgi_oidc", "demo", "--port", "0", "--provider-port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, first_lines(process)
        finally:
            process.kill()


def first_lines(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    assert ready, "the demo said nothing"
    return process.stdout.readline() + process.stdout.readline()


def address_in(lines: str) -> str:
    url = r"http://127\.0\.0\.1:[1-9]\d*"
    client = "OIDC_CLIENT_ID=example OIDC_CLIENT_SECRET=example-secret"
    expected = rf"Open ({url}) \(press Ctrl-C to stop\)\nProvider for your own apps: OIDC_ISSUER={url} {client}\n"
    found = re.fullmatch(expected, lines)
    assert found, lines
    return found[1]


async def sign_in_over_the_network(url: str) -> Response:
    """Open the protected page, follow to the provider wherever it listens, pick a person, come back."""
    async with httpx.AsyncHTTPTransport() as network:
        login = "/auth/login?provider=example&return_to=%2Fme"
        there = (await Browser(network, url).get(login, follow=False)).location
        provider = there.partition("/authorize")[0]
        return await Browser(network, url, {provider: network}).sign_in("bob", login)


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_whole_login_and_a_clean_end(signum):
    """The address works as soon as it is printed; ending it is no accident, so nothing looks like one."""
    with running_demo() as (process, lines):
        me = anyio.run(partial(sign_in_over_the_network, address_in(lines)))
        process.send_signal(signum)
        rest, errors = process.communicate(timeout=PATIENCE)

    assert (me.status_code, me.path, "Bob Brown" in me.text) == (200, "/me", True)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize("flag", ["--port", "--provider-port"])
def test_a_port_in_use_names_the_flag(flag, capsys):
    """One line with the fix, no traceback."""
    with taken_port() as port:
        status = main(["demo", "--port", "0", "--provider-port", "0", flag, str(port)])

    said = capsys.readouterr()
    fix = f"asgi-oidc: port {port} is in use; choose another with {flag}\n"
    assert (status, said.out, said.err) == (1, "", fix)


def test_one_port_for_both_is_a_port_in_use(capsys):
    """The app and the provider need one each."""
    with taken_port() as port:
        pass
    status = main(["demo", "--port", str(port), "--provider-port", str(port)])

    assert (status, "choose another with --provider-port" in capsys.readouterr().err) == (1, True)


def test_the_process_ends_with_the_status_of_the_command():
    """Scripts look at the exit status."""
    with taken_port() as port:
        command = [sys.executable, "-m", "asgi_oidc", "demo", "--provider-port", "0", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_without_uvicorn_the_extra_is_named():
    """The fix is in the message."""
    command = [sys.executable, "-c", WITHOUT_UVICORN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    fix = "asgi-oidc: the demo needs uvicorn: pip install 'asgi-oidc[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", fix)


def test_version_is_the_package_version(capsys):
    """For bug reports."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert (end.value.code, capsys.readouterr().out) == (0, f"asgi-oidc {version('asgi-oidc')}\n")


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--help"], ["demo", "--version"]), (["demo", "--help"], ["--port", "--provider-port"])]
)
def test_help_tells_what_there_is(arguments, told, capsys):
    """Nobody should need the README for this."""
    with pytest.raises(SystemExit) as end:
        main(arguments)

    out = capsys.readouterr().out
    assert (end.value.code, [word for word in told if word not in out]) == (0, [])


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--port", "65536"], ["demo", "--port", "-1"]])
def test_invalid_arguments_are_a_usage_error(arguments, capsys):
    """Exit status 2 and the usage, as everywhere."""
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert (end.value.code, capsys.readouterr().err.startswith("usage: asgi-oidc")) == (2, True)
