"""What does a login cost: CPU of our side, and calls to the provider?

Run it as `python -m benchmarks.logins`. The provider answers from memory, with answers that were signed before: what it
takes to sign them is not ours. All in one process, on one core: logins a second are the inverse.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from benchmarks.harness import Harness
from benchmarks.sites import ORIGIN, OurSite

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.in_process import call_app

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
AT_ONCE = 100
SLOWLY = 0.1  # seconds that the provider takes for an answer


class Provider(httpx.AsyncBaseTransport):
    """The fake provider, counted, and slow if need be."""

    def __init__(self, provider: FakeProvider, delay: float = 0) -> None:
        self.calls: Counter[str] = Counter()
        self._inner = httpx.ASGITransport(app=provider)
        self._delay = delay

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.calls[request.url.path.rpartition("/")[2]] += 1
        await asyncio.sleep(self._delay)
        return await self._inner.handle_async_request(request)


async def log_in(site: OurSite) -> None:
    """Sign alice in, with a new browser."""
    await site.browser().sign_in("alice", "/orders")


def lazily(alg: str, *, is_whole: bool) -> Callable[[], Awaitable[None]]:
    """Log in again and again."""
    site: OurSite | None = None

    async def once() -> None:
        nonlocal site
        if site is None:
            provider = FakeProvider(alg=alg)  # type: ignore[arg-type]
            site = OurSite(provider=provider)
            await log_in(site)
        await (log_in(site) if is_whole else provider_alone(site))

    return once


async def provider_alone(site: OurSite) -> None:
    """Do what the browser and the provider do in a login, without us."""
    provider = site.provider
    query = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": f"{ORIGIN}/auth/callback",
        "scope": "openid profile email offline_access",
        "state": "s" * 43,
        "nonce": "n" * 43,
        "code_challenge": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        "code_challenge_method": "S256",
    }
    del query, provider
    raise NotImplementedError
