"""How many requests per second does a whole server keep, with one worker, if each request needs its user?

Run it as `python -m benchmarks.servers`; it needs `wrk`, `redis-server` and `postgresql`.
"""

import os
from contextlib import ExitStack

from benchmarks.fleet import Server, postgres_server, redis_server, requests_per_second, serving, sign_in
from benchmarks.harness import Figures
from benchmarks.sites import CLAIMS, ID_TOKEN, signed_cookie

ROUNDS = 5
SIGNED = signed_cookie({"user": CLAIMS, "id_token": ID_TOKEN})
SITES = (
    ("bare app", None, "bare app"),
    ("no-op middleware", None, "bare app"),
    ("asgi-oidc", None, "bare app"),
    ("SessionMiddleware", None, "bare app"),
    ("SessionMiddleware + AuthenticationMiddleware", None, "bare app"),
    ("asgi-oidc", "memory", "bare app"),
    ("Starlette", None, "Starlette"),
    ("Starlette in asgi-oidc", None, "Starlette"),
    ("Starlette in SessionMiddleware", None, "Starlette"),
    ("asgi-oidc", "redis", "bare app"),
    ("asgi-oidc", "postgres", "bare app"),
    ("starsessions", "redis", "bare app"),
)
NAMES = {None: "", "memory": ", MemoryStore", "redis": ", Redis", "postgres": ", PostgreSQL"}


def main() -> None:
    """Load all sites in turn, several times, so that other load on the machine affects them alike."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("a server and its load need a core each")
    with ExitStack() as stack:
        provider = stack.enter_context(serving("provider"))
        urls = {"redis": stack.enter_context(redis_server()), "postgres": stack.enter_context(postgres_server())}
        servers: list[tuple[str, str, Server, str]] = []
        for name, store, under in SITES:
            url = urls.get(store or "", store)
            server = stack.enter_context(serving(name, provider=provider.url, store=url, core=cores[0]))
            servers.append((name + NAMES[store], under, server, cookie_for(name, server)))
        rates: dict[str, list[float]] = {label: [] for label, *_ in servers}
        for _ in range(ROUNDS):
            for label, _, server, cookie in servers:
                rates[label].append(requests_per_second(f"{server.url}/orders", cookie, core=cores[-1]))
    figures = Figures("servers")
    best = {label: max(them) for label, them in rates.items()}  # whatever else the machine does only takes away
    for label, under, *_ in servers:
        kept, added = best[label] / best[under], (1 / best[label] - 1 / best[under]) * 1e6
        figures.row(label, best[label], "requests/s", over=under, ratio=round(kept, 2), added_us=round(added, 1))
    figures.save()


def cookie_for(name: str, server: Server) -> str:
    """Sign in, if the site needs it; return the cookies."""
    if "asgi-oidc" in name:
        return sign_in(server.url)
    return sign_in(server.url, "/sign-in") if name == "starsessions" else SIGNED


if __name__ == "__main__":
    main()
