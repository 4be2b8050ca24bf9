"""A real nginx in front of an app, with its own defaults wherever we can leave them."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.real.processes import Running, answers, running
from tests.real.programs import require

PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
SETTINGS = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
SERVER = """\
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{app};
            {more}
        }}
    }}
"""


@contextlib.contextmanager
def nginx(port: int, *, app: int, more: str = "") -> Iterator[Running]:
    """Let it listen on one port and ask the app on another, with these settings of the proxy besides."""
    server = SERVER.format(port=port, app=app, more=more)
    with nginx_with(server, url=f"http://127.0.0.1:{port}") as process:
        yield process


@contextlib.contextmanager
def nginx_with(server: str, *, url: str, ca: str | None = None) -> Iterator[Running]:
    """Run it with this server block, which answers at the URL, while the block lasts."""
    program = require(shutil.which("nginx", path=PLACES), "nginx", "apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        settings = Path(folder) / "nginx.conf"
        settings.write_text(SETTINGS.format(folder=folder, server=server))
        with running([program, "-e", "stderr", "-p", folder, "-c", str(settings)]) as process:
            process.wait_until(lambda: answers(url, ca=ca), "nginx answers")
            yield process
