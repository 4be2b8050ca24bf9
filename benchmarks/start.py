"""How long does it take to import the library, and until the first visitor is redirected to sign in?

Run it as `python -m benchmarks.start`.
"""

import sys

from benchmarks.harness import Harness

MAKE = """
from asgi_oidc import OIDCMiddleware

async def app(scope, receive, send): ...

app = OIDCMiddleware(app, issuer="https://id.example.com", client_id="web", base_url="https://app.example.com",
    secret="u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw",
    metadata={"authorization_endpoint": "https://id.example.com/authorize", "jwks_uri": "https://id.example.com/jwks",
        "token_endpoint": "https://id.example.com/token"})
"""
VISIT = """
import asyncio

async def receive(): ...

async def send(message):
    assert message.get("status", 303) == 303, message

headers = [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")]
asyncio.run(app({"type": "http", "method": "GET", "path": "/orders", "headers": headers}, receive, send))
"""

PROGRAMS = {
    "python": "pass",
    "import httpx": "import httpx",
    "import asgi_oidc": "import asgi_oidc",
    "from asgi_oidc import OIDCMiddleware": "from asgi_oidc import OIDCMiddleware",
    "the same, and construct it": MAKE,
    "the same, and send the first visitor to sign in": MAKE + VISIT,
    "import authlib.integrations.starlette_client": "from authlib.integrations.starlette_client import OAuth",
}


def main() -> None:
    """Measure whole processes."""
    harness = Harness("start", processes=3)
    for name, program in PROGRAMS.items():
        harness.command(name, sys.executable, "-c", f"exec({program!r})")
    if not harness.is_main:
        return
    for name in PROGRAMS:
        over = harness.least[name] - harness.least["import httpx"]
        harness.row(name, harness.least[name] * 1e3, "ms", over_httpx=round(over * 1e3, 1))
    harness.save()


if __name__ == "__main__":
    main()
