"""How does the cost of a request grow with rules, cookies, sessions, sign-outs, concurrent users and processes?

Run it as `python -m benchmarks.growth`. Concurrent users and processes need `wrk`, and are measured as CPU of the
server. It fails if the cost grows faster than its input.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.fleet import requests_per_second, serving, sign_in
from benchmarks.harness import Harness, Make
from benchmarks.requests import OthersSignOut
from benchmarks.sites import OurSite, Site

from asgi_oidc import MemoryStore, Rule

RULES = (0, 10, 100, 500)
COOKIES = (0, 10, 20, 40)
SESSIONS = (1, 100, 1_000, 3_000, 12_000)
SIGN_OUTS = (0, 1_000, 10_000, 100_000)
USERS = (1, 4, 16, 64, 256)
PROCESSES = (1, 2, 4, 8)
SECONDS = 3  # of load
ROUNDS = 2
NEW_PATHS = 6_000  # in turn: more than are remembered


def with_rules(count: int, *, is_new: bool) -> Make:
    """Measure a site with that many rules, the last of which applies to the requested page.

    Args:
        is_new: whether each request is for a path that is not cached.
    """
    rules = [Rule(f"/area-{number}/*", claims={"roles": "nobody"}) for number in range(count - 1)]
    own = [Rule("/orders/*", claims={"email": "alice@example.com"})] if count else []

    async def make() -> Site:
        site = await OurSite(rules=[*rules, *own]).signed_in()
        return replace(site, paths=[f"/orders/{number}" for number in range(NEW_PATHS)]) if is_new else site

    return make


def with_cookies(count: int, *, is_new: bool) -> Make:
    """Measure requests with that many cookies of others."""

    async def make() -> Site:
        site = OurSite()
        own, others = await site.sign_in(), "; ".join(f"other-{number}=value" for number in range(count))
        if not is_new:
            return Site(site.app, ["; ".join(filter(None, (own, others)))])
        again = await site.signed_in_again_and_again(12_000)
        return Site(site.app, ["; ".join(filter(None, (each, others))) for each in again.cookies])

    return make


def with_sessions(count: int) -> Make:
    """Measure that many cookie sessions in turn."""
    return lambda: OurSite().signed_in_again_and_again(count)


def with_records(count: int) -> Make:
    """Measure that many sessions in a store, in turn."""
    return lambda: OurSite(store=MemoryStore(max_sessions=count + 1, max_bytes=1 << 30)).signed_in_again_and_again(
        count
    )


def after_sign_outs(count: int) -> Make:
    """Measure requests after that many sign-outs, with another one before each request."""

    async def make() -> Site:
        site = OurSite()
        asked = await site.signed_in()
        for number in range(count):
            site.watcher.revocations.end(f"earlier-{number}", now=site.watcher.now())
        return replace(asked, app=OthersSignOut(site.app, site.watcher))

    return make


CURVES: dict[str, tuple[tuple[int, ...], Callable[[int], Make]]] = {
    "rules": (RULES, lambda count: with_rules(count, is_new=False)),
    "rules, path not seen before": (RULES, lambda count: with_rules(count, is_new=True)),
    "cookies of others": (COOKIES, lambda count: with_cookies(count, is_new=False)),
    "cookies of others, not seen before": (COOKIES, lambda count: with_cookies(count, is_new=True)),
    "sessions that take turns": (SESSIONS, with_sessions),
    "sessions in MemoryStore that take turns": (SESSIONS, with_records),
    "sign-outs that are remembered": (SIGN_OUTS, after_sign_outs),
}


def cpu_of_a_request(url: str, cookie: str, cpu: Callable[[], float], *, connections: int) -> float:
    """Load a server; return the CPU that its processes spend per request, in seconds."""
    before = cpu()
    answered = requests_per_second(url, cookie, seconds=SECONDS, connections=connections) * SECONDS
    return (cpu() - before) / answered


def servers(harness: Harness) -> None:
    """Measure a whole server with more users and with more processes."""
    for name, counts in (("users at once", USERS), ("processes", PROCESSES)):
        for count in counts:
            workers, connections = (1, count) if counts is USERS else (count, 32)
            with (
                serving("provider") as provider,
                serving("asgi-oidc", provider=provider.url, WEB_CONCURRENCY=str(workers)) as app,
            ):
                url, cookie = f"{app.url}/orders", sign_in(app.url)
                least = min(cpu_of_a_request(url, cookie, app.cpu, connections=connections) for _ in range(ROUNDS))
            harness.row(name, least * 1e6, "us", at=count)


def grows_too_fast(rows: Sequence[Mapping[str, float | str]]) -> list[str]:
    """Return the names of the curves whose cost grows faster than the input."""
    found = []
    for name in dict.fromkeys(str(row["name"]) for row in rows):
        curve = [(float(row["at"]), float(row["value"])) for row in rows if row["name"] == name]
        (first, cost), (last, final) = curve[0], curve[-1]
        more = max(last, 1) / max(first, 1)
        if final / cost > more:
            found.append(f"{name}: {final / cost:.1f} times the cost at {more:.1f} times the input")
    return found


def main() -> int:
    """Measure each curve."""
    harness = Harness("growth", processes=2)
    for _ in range(ROUNDS):
        for name, (counts, make) in CURVES.items():
            for count in counts:
                harness.request(f"{name}: {count}", make(count))
    if not harness.is_main:
        return 0
    for name, (counts, _) in CURVES.items():
        for count in counts:
            harness.row(name, harness.least[f"{name}: {count}"] * 1e6, "us", at=count)
    servers(harness)
    harness.save()
    found = grows_too_fast(harness.figures.rows)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
