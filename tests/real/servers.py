"""The servers in front of an app, each as the process that people run."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.real.certificates import Certificate
from tests.real.processes import Running, answers, running

PYTHON = (sys.executable, "-m")

COMMANDS: Mapping[str, Sequence[str]] = {
    "uvicorn-h11": (*PYTHON, "uvicorn", "--http", "h11", "--host", "127.0.0.1", "--port", "{port}", "{app}"),
    "uvicorn-httptools": (
        *(*PYTHON, "uvicorn", "--http", "httptools", "--host", "127.0.0.1"),
        *("--port", "{port}", "{app}"),
    ),
    "hypercorn-asyncio": (*PYTHON, "hypercorn", "-k", "asyncio", "--bind", "127.0.0.1:{port}", "{app}"),
    "hypercorn-trio": (*PYTHON, "hypercorn", "-k", "trio", "--bind", "127.0.0.1:{port}", "{app}"),
    "granian": (
        *(*PYTHON, "granian", "--interface", "asgi", "--host", "127.0.0.1"),
        *("--port", "{port}", "{app}"),
    ),
}
ROOT_PATH: Mapping[str, Sequence[str]] = {
    "uvicorn-httptools": ("--root-path",),
    "hypercorn-asyncio": ("--root-path",),
    "granian": ("--url-path-prefix",),
}
TLS: Mapping[str, Sequence[str]] = {
    "uvicorn": ("--ssl-certfile", "{chain}", "--ssl-keyfile", "{key}"),
    "hypercorn": ("--certfile", "{chain}", "--keyfile", "{key}"),
}


@contextlib.contextmanager
def server(
    kind: str,
    app: str,
    *,
    port: int,
    environ: Mapping[str, str],
    certificate: Certificate | None = None,
    root_path: str = "",
) -> Iterator[Running]:
    """Serve an app, named as `package.module:name`, while the block lasts; it answers when the block begins.

    Args:
        root_path: what a proxy in front takes off the paths.
    """
    words = {"port": port, "app": app}
    command = COMMANDS[kind]
    if root_path:
        command = (*command, *ROOT_PATH[kind], root_path)
    if certificate:
        words |= {"chain": certificate.chain, "key": certificate.key}
        command = (*command, *TLS[kind.partition("-")[0]])
    scheme, ca = ("https", certificate.ca) if certificate else ("http", None)
    with running([word.format(**words) for word in command], environ) as process:
        url = f"{scheme}://127.0.0.1:{port}/"
        process.wait_until(lambda: answers(url, ca=ca), f"{kind} answers")
        yield process
