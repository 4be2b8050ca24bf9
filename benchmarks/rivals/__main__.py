"""How many bytes of cookies do other programs need for the same tokens? `python -m benchmarks.rivals`.

Each program signs in at the same provider, over HTTP on this machine. See benchmarks/README.md for how to install them.
"""

import socket
import time

import httpx
from benchmarks.cookies import SETS, keep
from benchmarks.rivals.programs import PROGRAMS, Program, Registration
from benchmarks.token_provider import TokenSet, TokenSetProvider

from asgi_oidc.testing.server import serve

PATIENCE = 20.0  # seconds for a program to start
TOO_LARGE = (400, 431)  # what Apache and Node.js answer to cookies that are too large for them


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a program listens on a port.

    Raises:
        TimeoutError: it did not start.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def signed_in(port: int) -> tuple[int, int]:
    """Sign in; return how many bytes the Cookie header of the next request has, and the status of its response.

    Raises:
        RuntimeError: nobody is signed in.
    """
    url = f"http://localhost:{port}/"
    with httpx.Client(follow_redirects=True, timeout=PATIENCE) as browser:
        browser.get(url)
        page = browser.get(url, follow_redirects=False)
    if page.status_code not in (200, *TOO_LARGE):
        raise RuntimeError(f"nobody is signed in: status {page.status_code}")
    return len(page.request.headers.get("cookie", "")), page.status_code


def size(program: Program, token_set: TokenSet) -> tuple[int, int]:
    """Start a program and a provider, and sign in; return what `signed_in` returns."""
    provider = TokenSetProvider(token_set)
    provider.sign_in_as(provider.user.sub)
    with serve(provider) as server:
        provider.issuer = token_set.issuer_at(server.url)
        registration = Registration(
            provider.issuer,
            provider.client.client_id,
            provider.client.client_secret or "",
            token_set.alg,
            has_email="email" in token_set.id_token.claims,
            port=free_port(),
        )
        with program.start(registration):
            wait_for(registration.port)
            return signed_in(registration.port)


def main() -> None:
    """Sign in at each program with each token set."""
    for program in PROGRAMS:
        sizes = {}
        for token_set in SETS:
            sizes[token_set.name], status = size(program, token_set)
            print(f"{program.name:<32}{token_set.name:<45}{sizes[token_set.name]:>8,} {status}", flush=True)
        keep(program.name, sizes)


if __name__ == "__main__":
    main()
