"""How often is the provider called when many concurrent requests need a new token: one session, four processes, Redis?

Run it as `python -m benchmarks.refresh`; it needs `redis-server`.
"""

import asyncio
import time
from collections import Counter

import httpx
from benchmarks.fleet import free_port, redis_server, serving, sign_in
from benchmarks.harness import Figures

from asgi_oidc.testing import FakeProvider, serve

AT_ONCE = 100
PROCESSES = 4
ROUNDS = 5
LIFETIME = 2  # seconds of the first access token, so that it is over after one
SLOW = 0.1  # seconds that the provider takes for each answer


async def burst(url: str, cookie: str) -> Counter[tuple[int, str]]:
    """Request the token concurrently, on a connection each; count the responses."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, headers={"cookie": cookie}, timeout=30) as client:
        answers = await asyncio.gather(*(client.get(f"{url}/token") for _ in range(AT_ONCE)))
    return Counter((answer.status_code, answer.text) for answer in answers)


def main() -> None:
    """Let the token expire, then request it; repeat that several times."""
    port = free_port()
    provider = FakeProvider(issuer=f"http://127.0.0.1:{port}", alg="ES256")
    provider.signed_in_as = next(iter(provider.personas.values()))
    calls = []
    with (
        serve(provider, port=port) as at,
        redis_server() as redis,
        serving("token", provider=at.url, store=redis, WEB_CONCURRENCY=str(PROCESSES)) as app,
    ):
        provider.latency = SLOW
        for _ in range(ROUNDS):
            provider.access_token_lifetime = LIFETIME
            cookie = sign_in(app.url)
            provider.access_token_lifetime = 3600
            time.sleep(LIFETIME)
            del provider.calls[:]
            answers = asyncio.run(burst(app.url, cookie))
            if list(answers.values()) != [AT_ONCE] or next(iter(answers))[0] != 200:
                raise RuntimeError(f"not {AT_ONCE} times the same good answer: {answers}")
            calls.append(sum(call.path.endswith("/token") for call in provider.calls))
    name = f"calls to refresh for {AT_ONCE} requests at once, {PROCESSES} processes, most of {ROUNDS} rounds"
    figures = Figures("refresh")
    figures.row(name, max(calls), "calls")
    figures.save()


if __name__ == "__main__":
    main()
