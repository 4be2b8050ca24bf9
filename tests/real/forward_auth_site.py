"""An app that is not ASGI behind a real proxy, and `asgi-oidc serve`, which the proxy asks."""

import base64
import contextlib
import hashlib
import json
import re
import secrets
import shutil
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from asgi_oidc.forward_auth import ForwardAuth
from asgi_oidc.testing import Client, FakeProvider, Persona, serve
from asgi_oidc.web.asgi_types import ASGIApp
from tests.examples.guides import EXAMPLES
from tests.real.certificates import Certificate, make_certificate
from tests.real.nginx import PLACES
from tests.real.processes import Running, answers, free_port, running
from tests.real.programs import require

FOLDER = EXAMPLES / "forward-auth"
COMMAND = str(Path(sys.executable).parent / "asgi-oidc")
CLIENT = Client("web", "web-secret")
GROUPS = ["a,b", "c d", "ünïcödé", '"]']
ALICE = Persona("alice", "Alice Adams", "alice@example.com", {"groups": GROUPS})
BOB = Persona("bob", "Bob Brown", "bob@example.com", {"email_verified": False})
IDENTITY = ("X-User", "X-Email", "X-Groups", "X-Identity")
PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8
WEBSOCKET_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
NGINX_PLACES = "".join(
    f"    {kind}_temp_path {{folder}}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


class EchoApp(BaseHTTPRequestHandler):
    """An app that knows nothing of us: it tells which request reached it, with all headers, exactly as they came."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        told = {
            "method": self.command,
            "path": self.path,
            "headers": [[name, value] for name, value in self.headers.items()],
            "body": self.rfile.read(length).decode("latin-1"),
        }
        if self.headers.get("upgrade", "").lower() == "websocket":
            self._open_websocket(json.dumps(self.headers.get("x-user")).encode())
            return
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_HEAD = do_POST = do_OPTIONS = _answer  # noqa: N815  # names of the base class

    def _open_websocket(self, text: bytes) -> None:
        """Accept, say one short text, and close."""
        key = self.headers.get("sec-websocket-key", "") + WEBSOCKET_MAGIC
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.write(bytes([0x81, len(text)]) + text + bytes([0x88, 0]))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
        """Say nothing."""


@dataclass(frozen=True)
class ForwardAuthSite:
    """All addresses of the site.

    Attributes:
        origins: of each proxy.
        oidc: of `asgi-oidc serve` itself.
        server: its process; None if it runs in this one.
    """

    origins: dict[str, str]
    oidc: str
    provider: FakeProvider
    certificate: Certificate
    server: Running | None

    @property
    def trust(self) -> ssl.SSLContext:
        """What trusts the proxies."""
        return ssl.create_default_context(cafile=self.certificate.ca)


@contextlib.contextmanager
def forward_auth_site(
    proxies: Sequence[str],
    *,
    clock: Callable[[], float] = time.time,
    wrap: Callable[[ForwardAuth], ASGIApp] | None = None,
    environ: dict[str, str] | None = None,
) -> Iterator[ForwardAuthSite]:
    """Run the app, the provider, `asgi-oidc serve` and the proxies while the block lasts.

    Args:
        clock: of everything.
        wrap: makes something of `ForwardAuth`, which runs in this process then.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forward-auth-")))
        certificate = make_certificate(folder)
        provider = FakeProvider(clients=[CLIENT], personas=[ALICE, BOB], alg="ES256", clock=clock)
        provider.issuer = stack.enter_context(serve(provider)).url
        app = stack.enter_context(echo_app())
        ports, oidc = {name: free_port() for name in proxies}, free_port()
        origins = {name: f"https://localhost:{port}" for name, port in ports.items()}
        variables = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT.client_id,
            "OIDC_CLIENT_SECRET": str(CLIENT.client_secret),
            "OIDC_BASE_URL": ",".join(origins.values()),
            "OIDC_SECRET": secrets.token_urlsafe(32),
            "OIDC_PUBLIC": "/,/public/*",
            "OIDC_RULES": '[{"path": "/staff/*", "claims": {"groups": "c d"}}]',
            "OIDC_PLAIN_PREFIXES": "",
            "OIDC_SCOPE": "openid profile email",
            "OIDC_KEEP_FORMS": "true",
            **(environ or {}),
        }
        server = None
        if wrap is None:
            key = folder / "key.pem"
            key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, NoEncryption()))
            server = stack.enter_context(running(serve_command(oidc, key), variables))
        else:
            inside = ForwardAuth.from_env(
                trusted_proxies=["127.0.0.1"], headers={"X-User": "sub"}, environ=variables, clock=clock
            )
            stack.enter_context(serve(wrap(inside), port=oidc, proxy_headers=False, ws="none"))
        for name, port in ports.items():
            settings = config_file(name, folder, port=port, app=app, oidc=oidc, certificate=certificate)
            home = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
            proxy = stack.enter_context(running(proxy_command(name, settings), home))
            proxy.wait_until(partial(answers, origins[name], ca=certificate.ca), f"{name} answers")
        url = f"http://127.0.0.1:{oidc}"
        if server is not None:
            server.wait_until(lambda: answers(url), "asgi-oidc serve answers")
        yield ForwardAuthSite(origins, url, provider, certificate, server)


def serve_command(port: int, key: Path) -> list[str]:
    """Give the command of the guide, on this port; two processes sign with one key."""
    headers = ("X-User=sub", "X-Email=email", "X-Groups=groups")
    options = [word for header in headers for word in ("--header", header)]
    options += ["--trusted-proxy", "127.0.0.1", "--token-header", "X-Identity", "--signing-key", str(key)]
    return [COMMAND, "serve", "--port", str(port), "--workers", "2", *options]


@contextlib.contextmanager
def echo_app() -> Iterator[int]:
    """Run the app in a thread; give its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EchoApp) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


def config_file(name: str, folder: Path, *, port: int, app: int, oidc: int, certificate: Certificate) -> Path:
    """Write the configuration of the guide, with this machine's ports and paths."""
    file = {"nginx": "nginx.conf", "caddy": "Caddyfile"}[name]
    text = (FOLDER / file).read_text("utf-8")
    text = text.replace("app:8080", f"127.0.0.1:{app}").replace("asgi-oidc:9000", f"127.0.0.1:{oidc}")
    if name == "nginx":
        text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
        text = text.replace("listen 443", f"listen 127.0.0.1:{port}").replace("app.example.com", "localhost")
        text = text.replace("/etc/nginx/certs/tls.crt", certificate.chain)
        text = text.replace("/etc/nginx/certs/tls.key", certificate.key)
        places = NGINX_PLACES.format(folder=folder)
        text = text.replace("http {\n", f"http {{\n    access_log off;\n{places}", 1)
        text = f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\n{text}"
    else:
        tls = f"\tbind 127.0.0.1\n\ttls {certificate.chain} {certificate.key}\n"
        text = text.replace("app.example.com {\n", f"https://localhost:{port} {{\n{tls}")
        text = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text
    path = folder / file
    path.write_text(text, "utf-8")
    return path


def proxy_command(name: str, settings: Path) -> list[str]:
    """Find a proxy, and give what starts it."""
    if name == "nginx":
        program = require(shutil.which("nginx", path=PLACES), "nginx", "apt-get install nginx-light")
        return [program, "-e", "stderr", "-p", str(settings.parent), "-c", str(settings)]
    program = require(shutil.which("caddy"), "Caddy", "apt-get install caddy")
    return [program, "run", "--adapter", "caddyfile", "--config", str(settings)]


def told_headers(told: dict[str, object], name: str) -> list[str]:
    """Give what the app got in a header, in any spelling of its name."""
    headers = told["headers"]
    assert isinstance(headers, list)
    return [value for got, value in headers if re.sub("_", "-", got).lower() == name.lower()]
