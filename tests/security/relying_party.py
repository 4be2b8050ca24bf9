"""A relying party in a process of its own, which says how much memory and time a provider's answer cost it.

Run as `python -m tests.security.relying_party <provider URL> <what it does> <backend> <deed>`;
prints one JSON object.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx

from asgi_oidc import OIDCMiddleware

from .attacked_site import SECRET, CountingApp, Exchange, http_scope

ASKS_JSON = (b"accept", b"application/json")


async def log_in(url: str, kind: str) -> None:
    """Let a login fail on one harmless answer, then on the one that matters."""
    started = await fail(url, "/harmless")
    before, began = peak_memory(), time.process_time()
    answer = await fail(url, f"/{kind}")
    figures = {
        "warm_up": started["error"],
        "error": answer["error"],
        "grown": peak_memory() - before,
        "seconds": time.process_time() - began,  # of a processor: others may be busy as well
    }
    print(json.dumps(figures))


async def just_get(url: str, kind: str) -> None:
    """Get the answer as httpx would, which unpacks it: what is spared."""
    before = peak_memory()
    async with httpx.AsyncClient() as client:
        await client.get(f"{url}/{kind}")
    print(json.dumps({"grown": peak_memory() - before}))


def peak_memory() -> int:
    """Say the most memory that this process has had so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had before it became us
        return int(status.read_text("ascii").partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def fail(url: str, path: str) -> Any:
    """Log in with a provider whose token endpoint answers oddly, and give our answer."""
    middleware = OIDCMiddleware(
        CountingApp(),
        issuer=url,
        client_id="web",
        client_secret="web-secret",
        base_url="http://localhost:8000",
        secret=SECRET,
        metadata={"authorization_endpoint": f"{url}/a", "token_endpoint": url + path, "jwks_uri": f"{url}/jwks"},
    )
    begun = Exchange({"type": "http.request", "body": b""})
    await middleware(http_scope("/auth/login"), begun.receive, begun.send)
    [cookie], [location] = begun.headers(b"set-cookie"), begun.headers(b"location")
    state = dict(parse_qsl(urlsplit(location.decode()).query))["state"]
    back = Exchange({"type": "http.request", "body": b""})
    headers = [ASKS_JSON, (b"cookie", cookie.partition(b";")[0])]
    query = f"code=c&state={state}".encode()
    await middleware(http_scope("/auth/callback", headers=headers, query_string=query), back.receive, back.send)
    return json.loads(back.body)


if __name__ == "__main__":
    anyio.run({"log_in": log_in, "just_get": just_get}[sys.argv[4]], sys.argv[1], sys.argv[2], backend=sys.argv[3])
