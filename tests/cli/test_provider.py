"""`asgi-oidc provider`: who can sign in there, what it prints, and what it refuses."""

import json
import re
import secrets
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.cli.main import main
from asgi_oidc.cli.provider.development_provider import (
    DevelopmentProvider,
    InvalidKeyFile,
    kept_signing_key,
    new_signing_key,
)
from asgi_oidc.cli.provider.personas import InvalidPersonas, PersonasFile, made_up, read_personas
from asgi_oidc.testing import Browser, Response
from tests.protected_site import App

PATIENCE = 30  # seconds
ORIGIN = "https://app.example.com"
STAFF = [
    {"sub": "dana", "name": "Dana Doe", "email": "dana@acme.com", "groups": ["staff"], "claims": {"tenant": "acme"}},
    {"sub": "emil@acme.com"},
]


@pytest.fixture
def staff(tmp_path: Path) -> Path:
    path = tmp_path / "personas.json"
    path.write_text(json.dumps(STAFF))
    return path


def app_of(issuer: str, client_secret: str | None, **settings: Any) -> tuple[OIDCMiddleware, App]:
    """Return an app with the settings that the command prints."""
    app = App()
    settings |= {"issuer": issuer, "client_id": "web", "client_secret": client_secret, "base_url": ORIGIN}
    return OIDCMiddleware(app, secret=secrets.token_urlsafe(32), **settings), app


async def sign_in(app: OIDCMiddleware, issuer: str, sub: str) -> Response:
    """Walk through a login at a provider on a port."""
    async with httpx.AsyncHTTPTransport() as network:
        return await Browser(app, ORIGIN, {issuer: network}).sign_in(sub, "/me")


async def get_keys(provider: DevelopmentProvider) -> int:
    """Be an app that fetches the keys."""
    async with provider.http_client() as client:
        return (await client.get("https://id.example.com/jwks")).status_code


def test_a_login_works_with_the_settings_that_it_prints(staff: Path):
    """As a developer does it: start it, copy three lines, pick a user; Ctrl-C is a clean end."""
    command = [
        sys.executable,
        "-m",
        "asgi_oidc",
        "provider",
        "--port",
        "0",
        "--personas",
        str(staff),
        "--persona",
        "zoe",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], PATIENCE)[0]
            said = "".join(process.stdout.readline() for _ in range(9))
            found = dict(re.findall(r"^  (OIDC_\w+)=(.+)$", said, re.MULTILINE))
            middleware, app = app_of(found["OIDC_ISSUER"], found["OIDC_CLIENT_SECRET"])
            page = anyio.run(sign_in, middleware, found["OIDC_ISSUER"], "dana")
        finally:
            process.send_signal(signal.SIGINT)
            code, problems = process.wait(PATIENCE), process.communicate()[1]

    assert (page.status_code, app.scope["user"].claims["groups"]) == (200, ["staff"])
    assert "  dana: Dana Doe, dana@acme.com\n  emil@acme.com: Emil, emil@acme.com\n  zoe: Zoe, zoe@" in said
    assert (code, problems) == (0, "")


def test_users_of_the_file_are_as_it_says(staff: Path):
    """`groups` is a claim; what is left out is made up."""
    dana, emil = read_personas(staff).values()

    assert (dana.name, dana.claims) == ("Dana Doe", {"groups": ["staff"], "tenant": "acme"})
    assert (emil.sub, emil.email, emil.claims) == ("emil@acme.com", "emil@acme.com", {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "expected a list such as"),
        ('{"alice": {}}', "expected a list such as"),
        ('[{"sub": "a", "role": "x"}]', "unknown field `role`"),
        ('[{"name": "A"}]', "missing required field `sub`"),
        ("[]", "expected at least one user"),
        ('[{"sub": ""}]', "each with a sub that is not empty"),
        ('[{"sub": "a"}, {"sub": "a"}]', "two users have the same sub"),
    ],
)
def test_a_mistake_in_the_file_is_told(tmp_path: Path, content: str, told: str):
    """With what was expected."""
    path = tmp_path / "personas.json"
    path.write_text(content)

    with pytest.raises(InvalidPersonas, match=re.escape(told)):
        read_personas(path)


def test_a_changed_file_counts_at_once_and_a_mistake_changes_nothing(staff: Path, capsys: pytest.CaptureFixture[str]):
    """The provider keeps running while a developer edits."""
    provider = DevelopmentProvider("https://id.example.com", signing_key=new_signing_key())
    provider.users = PersonasFile(staff, made_up(["zoe"]))

    staff.write_text('[{"sub": "frida"}]')
    anyio.run(get_keys, provider)
    after_change = list(provider.personas)
    staff.write_text('[{"sub": "fri')
    anyio.run(get_keys, provider)

    assert after_change == list(provider.personas) == ["frida", "zoe"]
    assert "the users stay as they were" in capsys.readouterr().err
    staff.unlink()
    assert provider.users.newest() is None


async def test_scripts_of_other_origins_may_call_what_they_need_and_not_the_login_page():
    """A single-page app without a backend runs at another port."""
    provider = DevelopmentProvider("https://id.example.com", signing_key=new_signing_key())
    async with provider.http_client() as client:
        preflight = await client.options("https://id.example.com/token")
        keys = await client.get("https://id.example.com/jwks")
        login = await client.get("https://id.example.com/authorize")

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "*")
    assert (keys.status_code, keys.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-origin" not in login.headers


def test_each_run_has_a_key_of_its_own_unless_a_file_keeps_it(tmp_path: Path):
    """With the same id for another key, apps would refuse tokens until their cache is old."""
    path = tmp_path / "key.pem"

    first, second = kept_signing_key(path), kept_signing_key(path)

    assert first.public_jwk() == second.public_jwk()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len({new_signing_key().kid, new_signing_key().kid, first.kid}) == 3
    assert DevelopmentProvider(signing_key=first).published_keys == [first.public_jwk()]


@pytest.mark.parametrize("content", ["no key", ""])
def test_a_wrong_key_file_is_told(tmp_path: Path, content: str):
    """It may be a certificate, or empty."""
    path = tmp_path / "key.pem"
    path.write_text(content)

    with pytest.raises(InvalidKeyFile, match="expected an RSA key in PEM"):
        kept_signing_key(path)
    with pytest.raises(InvalidKeyFile, match="No such file"):
        kept_signing_key(tmp_path / "no-folder" / "key.pem")


def test_an_elliptic_key_is_told(tmp_path: Path):
    """Its signatures have another algorithm than the metadata says."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path, key = tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(InvalidKeyFile, match=r"expected an RSA key$"):
        kept_signing_key(path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com"])
def test_other_machines_are_kept_out_unless_that_is_asked_for(host: str, capsys: pytest.CaptureFixture[str]):
    """At this provider, anyone can sign in as anyone."""
    assert main(["provider", "--host", host]) == 1
    assert "anyone there could sign in as anyone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--personas", "no-such-file.json"], "no-such-file.json: No such file or directory"),
        (["--persona", "zoe", "--signed-in-as", "bob"], "nobody has the sub 'bob'; there are zoe"),
        (["--key", "no-such-folder/key.pem"], "no-such-folder/key.pem: No such file or directory"),
    ],
)
def test_a_wrong_option_is_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    """Before anything is served."""
    assert main(["provider", *arguments]) == 1
    assert f"asgi-oidc: {told}" in capsys.readouterr().err


def test_a_taken_port_is_told(capsys: pytest.CaptureFixture[str]):
    """With the option that chooses another one."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["provider", "--port", str(taken.getsockname()[1])]) == 1

    assert "is in use; choose another with --port" in capsys.readouterr().err


def test_without_uvicorn_the_command_says_what_to_install():
    """It is an extra."""
    code = (
        'import sys; sys.modules["uvicorn"] = None\nfrom asgi_oidc.cli.main import main\nsys.exit(main(["provider"]))'
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert (done.returncode, done.stderr) == (
        1,
        "asgi-oidc: the provider needs uvicorn: pip install 'asgi-oidc[cli]'\n",
    )
