"""The proxies of the guide to deployment, really run: sign-in, a websocket and a stream come through each of them."""

import contextlib
import re
import secrets
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from asgi_oidc.testing import Browser, Client, FakeProvider, Persona, serve
from tests.examples.guides import EXAMPLES, blocks, read_guide
from tests.real.certificates import Certificate, make_certificate
from tests.real.nginx import PLACES
from tests.real.processes import answers, free_port, running
from tests.real.programs import require
from tests.real.servers import PYTHON

pytestmark = pytest.mark.real

FOLDER = EXAMPLES / "deployment"
GUIDE = read_guide("deployment")
# Large enough to overflow what nginx takes from an app by default.
GROUPS = [secrets.token_urlsafe(27) for _ in range(110)]  # nothing that could be compressed
ERIN = Persona("erin", "Erin Everywhere", "erin@example.com", {"groups": GROUPS})
CLIENT = Client("web", "web-secret")
NGINX_HERE = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
"""
NGINX_PLACES = "".join(f"    {kind}_temp_path {{folder}}/{kind};\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))


@dataclass(frozen=True)
class Site:
    """What a proxy needs to know: where it listens, where the app does, and its files."""

    port: int
    app: int
    folder: Path
    certificate: Certificate


def nginx_file(site: Site, *, location: str | None = None) -> Path:
    """Write the nginx.conf of the guide, with this machine's ports and paths, or with another location."""
    text = (FOLDER / "nginx.conf").read_text(encoding="utf-8")
    if location is not None:
        begin, end = text.index("        location / {"), text.rindex("    }\n}")
        text = text[:begin] + location + text[end:]
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};").replace("listen 443", f"listen {site.port}")
    text = text.replace("/etc/nginx/certs/tls.crt", site.certificate.chain)
    text = text.replace("/etc/nginx/certs/tls.key", site.certificate.key)
    text = text.replace("app:8000", f"127.0.0.1:{site.app}").replace("app.example.com", "localhost")
    places = NGINX_PLACES.format(folder=site.folder) + f"    client_body_temp_path {site.folder}/body;\n"
    text = NGINX_HERE.format(folder=site.folder) + text.replace(
        "http {\n", f"http {{\n    access_log off;\n{places}", 1
    )
    return written(site.folder / "nginx.conf", text)


def nginx_command(settings: Path) -> list[str]:
    """Find nginx."""
    program = require(shutil.which("nginx", path=PLACES), "nginx", "apt-get install nginx-light")
    return [program, "-e", "stderr", "-p", str(settings.parent), "-c", str(settings)]


def caddy_file(site: Site, text: str) -> Path:
    """Write a Caddyfile of the guide, with this machine's ports and certificate."""
    text = text.replace("app:8000", f"127.0.0.1:{site.app}")
    tls = f"\ttls {site.certificate.chain} {site.certificate.key}\n"
    text = text.replace("app.example.com {\n", f"https://localhost:{site.port} {{\n{tls}")
    return written(site.folder / "Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)


def caddy_command(settings: Path) -> list[str]:
    """Find Caddy."""
    program = require(shutil.which("caddy"), "Caddy", "apt-get install caddy")
    return [program, "run", "--adapter", "caddyfile", "--config", str(settings)]


def written(path: Path, text: str) -> Path:
    """Write a file."""
    path.write_text(text, encoding="utf-8")
    return path


def proxy_command(name: str, site: Site) -> list[str]:
    """Give what starts a proxy of the guide."""
    match name:
        case "nginx":
            return nginx_command(nginx_file(site))
        case "nginx, small buffers":
            settings = nginx_file(site)
            lines = settings.read_text(encoding="utf-8").splitlines()
            return nginx_command(written(settings, "\n".join(line for line in lines if "proxy_buffer" not in line)))
        case "nginx, prefix":
            return nginx_command(nginx_file(site, location=blocks(GUIDE, "nginx")[0]))
        case "Caddy":
            return caddy_command(caddy_file(site, (FOLDER / "Caddyfile").read_text(encoding="utf-8")))
        case _:
            return caddy_command(
                caddy_file(site, re.findall(r"```\n(app\.example\.com \{.*?)```", GUIDE, re.DOTALL)[0])
            )


@contextlib.contextmanager
def started(command: Sequence[str], site: Site, environ: dict[str, str]) -> Iterator[None]:
    """Run the app and the proxy in front of it."""
    prefix = environ["OIDC_BASE_URL"].removeprefix(f"https://localhost:{site.port}")
    uvicorn = [*PYTHON, "uvicorn", "--app-dir", str(FOLDER), "app:app", "--port", str(site.app)]
    uvicorn += ["--root-path", prefix] if prefix else []
    home = {"XDG_DATA_HOME": str(site.folder), "XDG_CONFIG_HOME": str(site.folder), "HOME": str(site.folder)}
    with running(uvicorn, environ) as app, running(command, home) as proxy:
        app.wait_until(lambda: answers(f"http://127.0.0.1:{site.app}/"), "the app answers")
        proxy.wait_until(
            lambda: answers(f"https://localhost:{site.port}/", ca=site.certificate.ca), "the proxy answers"
        )
        yield
        assert "host_mismatch" not in app.said, app.said
        assert "mount_mismatch" not in app.said, app.said


@contextlib.asynccontextmanager
async def browsing(name: str, folder: Path) -> AsyncIterator[tuple[Browser, str, ssl.SSLContext]]:
    """Open a browser on the app behind a proxy; give it with the path of the app, and what trusts the proxy."""
    site = Site(free_port(), free_port(), folder, make_certificate(folder))
    command, prefix = proxy_command(name, site), "/app" if "prefix" in name else ""
    provider = FakeProvider(clients=[CLIENT], personas=[ERIN], alg="ES256")
    trust = ssl.create_default_context(cafile=site.certificate.ca)
    with serve(provider) as served:
        provider.issuer = served.url
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT.client_id,
            "OIDC_CLIENT_SECRET": str(CLIENT.client_secret),
            "OIDC_BASE_URL": f"https://localhost:{site.port}{prefix}",
            "OIDC_SECRET": secrets.token_urlsafe(32),
            "OIDC_PUBLIC": "/",
        }
        with started(command, site, environ):
            async with httpx.AsyncHTTPTransport(verify=trust) as network:
                origin = f"https://localhost:{site.port}"
                yield Browser(network, origin, {provider.issuer: network}), prefix, trust


@pytest.fixture
def anyio_backend() -> str:
    """The app and the proxy are other processes: one backend is enough on our side."""
    return "asyncio"


@pytest.mark.parametrize("name", ["nginx", "nginx, prefix", "Caddy", "Caddy, prefix"])
async def test_a_user_with_a_large_session_signs_in_and_out_behind_it(name, tmp_path):
    """The largest answers are those that sign in."""
    async with browsing(name, tmp_path) as (browser, prefix, _):
        home = await browser.get(f"{prefix}/")
        me = await browser.sign_in("erin", f"{prefix}/me")
        out = await browser.submit(button="Sign out")
        after = await browser.fetch(f"{prefix}/me")

    assert (home.status_code, "Welcome" in home.text, home.history) == (200, True, ())
    assert (me.status_code, me.path, "Hello, Erin Everywhere" in me.text) == (200, f"{prefix}/me", True)
    assert (out.status_code, "Welcome" in out.text, after.status_code) == (200, True, 401)


async def test_nginx_answers_502_to_a_large_session_without_the_buffers_of_the_guide(tmp_path):
    """Else they would be superstition."""
    async with browsing("nginx, small buffers", tmp_path) as (browser, _, _):
        me = await browser.sign_in("erin", "/me")

    assert me.status_code == 502


@pytest.mark.parametrize("name", ["nginx", "Caddy"])
async def test_a_websocket_and_the_first_event_of_a_stream_come_through_it(name, tmp_path):
    """A proxy that buffers would keep the event until the stream ends, a minute later."""
    async with browsing(name, tmp_path) as (browser, _, trust):
        await browser.sign_in("erin", "/me")
        cookie = browser.jar.header(browser.origin + "/", is_same_site=True, is_safe_navigation=True)
        headers = {"origin": browser.origin, "cookie": cookie}
        address = browser.origin.replace("https:", "wss:") + "/greeting"
        async with connect(address, additional_headers=headers, ssl=trust) as websocket:
            greeting = await websocket.recv()
        async with (
            httpx.AsyncClient(verify=trust, trust_env=False, timeout=20) as client,
            client.stream("GET", browser.origin + "/events", headers={"cookie": cookie}) as stream,
        ):
            event = await anext(stream.aiter_lines())

    assert (greeting, event) == ("Hello, Erin Everywhere", "data: 0")


def test_nginx_takes_the_configuration_of_the_guide(tmp_path):
    """`nginx -t` is what an operator would try first."""
    site = Site(free_port(), free_port(), tmp_path, make_certificate(tmp_path))

    done = subprocess.run([*nginx_command(nginx_file(site)), "-t"], capture_output=True, text=True, check=False)

    assert (done.returncode, "syntax is ok" in done.stderr) == (0, True), done.stderr
