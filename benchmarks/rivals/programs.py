"""The other programs: how each is started so that it keeps the session of a user in cookies."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfH"
SCOPE = "openid profile email offline_access"


@dataclass(frozen=True)
class Registration:
    """What a program needs to know of its provider."""

    issuer: str
    client_id: str
    client_secret: str
    alg: str
    has_email: bool
    port: int


@dataclass(frozen=True)
class Program:
    """A program with its version."""

    name: str
    start: Callable[[Registration], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def running(command: list[str], cwd: Path | None = None) -> Iterator[None]:
    """Run a command for the duration of the block."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def express(registration: Registration) -> Iterator[None]:
    """Run an Express app; `npm install --no-package-lock --prefix benchmarks/rivals` installs what it needs."""
    settings = {
        "port": registration.port,
        "issuer": registration.issuer,
        "clientID": registration.client_id,
        "clientSecret": registration.client_secret,
        "alg": registration.alg,
        "secret": SECRET,
        "scope": SCOPE,
    }
    with running(["node", "express.js", json.dumps(settings)], HERE):
        yield


@contextlib.contextmanager
def oauth2_proxy(registration: Registration) -> Iterator[None]:
    """Run oauth2-proxy, which `go install` installs."""
    local = f"http://localhost:{registration.port}"
    command = [
        "oauth2-proxy",
        "--provider=oidc",
        f"--oidc-issuer-url={registration.issuer}",
        f"--client-id={registration.client_id}",
        f"--client-secret={registration.client_secret}",
        f"--cookie-secret={SECRET}",
        "--cookie-secure=false",
        "--cookie-refresh=1h",
        "--pass-access-token",
        f"--scope={SCOPE}",
        "--code-challenge-method=S256",
        "--insecure-oidc-skip-nonce=false",
        "--skip-provider-button",
        "--email-domain=*",
        f"--oidc-email-claim={'email' if registration.has_email else 'sub'}",
        f"--redirect-url={local}/oauth2/callback",
        f"--http-address=127.0.0.1:{registration.port}",
        "--upstream=static://200",
    ]
    with running(command):
        yield


def mod_auth_openidc(session_type: str) -> Callable[[Registration], contextlib.AbstractContextManager[None]]:
    """Return what runs Apache, from Debian's packages `apache2-bin` and `libapache2-mod-auth-openidc`.

    Args:
        session_type: `OIDCSessionType`.
    """

    @contextlib.contextmanager
    def start(registration: Registration) -> Iterator[None]:
        root = Path(os.environ.get("APACHE_ROOT", "/"))  # where another Debian is, as debootstrap makes one
        folder = Path(tempfile.mkdtemp(dir=root / "tmp"))
        folder.chmod(0o755)
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_text("ok")
        inside = "/" + str(folder.relative_to(root))
        facts = {**vars(registration), "folder": inside, "secret": SECRET, "scope": SCOPE, "session_type": session_type}
        (folder / "apache.conf").write_text((HERE / "apache.conf").read_text().format(**facts))
        try:
            with running(["chroot", str(root), "apache2", "-X", "-f", f"{inside}/apache.conf"]):
                yield
        finally:
            shutil.rmtree(folder)

    return start


PROGRAMS = (
    Program("express-openid-connect 3.4.0", express),
    Program("oauth2-proxy 7.15.6", oauth2_proxy),
    Program("mod_auth_openidc 2.4.17", mod_auth_openidc("client-cookie:store_id_token")),
    Program("the same, no ID Token", mod_auth_openidc("client-cookie")),
)
