"""How long does it take to import the library, and to be ready for the first request?

Run it as `python -m benchmarks.start`.
"""

import sys

from benchmarks.harness import Harness

PROGRAMS = {
    "python": "pass",
    "import httpx": "import httpx",
    "import asgi_oidc": "import asgi_oidc",
    "from asgi_oidc import OIDCMiddleware, and construct it": (
        "from asgi_oidc import OIDCMiddleware; OIDCMiddleware(None, issuer='https://id.example.com', client_id='web', "
        "base_url='https://app.example.com', secret='u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw')"
    ),
    "import authlib.integrations.starlette_client": "from authlib.integrations.starlette_client import OAuth",
}


def main() -> None:
    """Measure whole processes."""
    harness = Harness("start", processes=3, values=5)
    for name, program in PROGRAMS.items():
        harness.command(name, sys.executable, "-c", program)
    if not harness.is_main:
        return
    for name in PROGRAMS:
        over = harness.least[name] - harness.least["import httpx"]
        harness.row(name, harness.least[name] * 1e3, "ms", over_httpx=f"{over * 1e3:+.1f} ms")
    harness.save()


if __name__ == "__main__":
    main()
