"""How does the cost of a request grow: with rules, cookies, sessions, sign-outs, users at once, and processes?

Run it as `python -m benchmarks.growth`; users at once and processes need `wrk`.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from benchmarks.fleet import requests_per_second, serving, sign_in
from benchmarks.harness import Harness
from benchmarks.sites import OurSite, Site

from asgi_oidc import Rule

RULES = (0, 10, 100, 500)
COOKIES = (0, 10, 20, 40)
SESSIONS = (1, 100, 1_000, 3_000, 12_000)
SIGN_OUTS = (0, 1_000, 10_000, 100_000)
USERS = (1, 4, 16, 64, 256)
PROCESSES = (1, 2, 4)

Make = Callable[[], Awaitable[Site]]


def with_rules(count: int) -> Make:
    """Ask a site with so many rules, of which the last is for the page."""
    rules = [Rule(f"/area-{number}/*", claims={"roles": "nobody"}) for number in range(count - 1)]
    own = [Rule("/orders/*", claims={"email": "alice@example.com"})] if count else []
    return lambda: OurSite(rules=[*rules, *own]).signed_in()


def with_cookies(count: int, *, is_new: bool) -> Make:
    """Send so many cookies of others along."""

    async def make() -> Site:
        site = OurSite()
        own, others = await site.sign_in(), "; ".join(f"other-{number}=value" for number in range(count))
        if not is_new:
            return Site(site.app, ["; ".join(filter(None, (own, others)))])
        again = await site.signed_in_again_and_again(12_000)
        return Site(site.app, ["; ".join(filter(None, (each, others))) for each in again.cookies])

    return make


def with_sessions(count: int) -> Make:
    """Let so many cookies take turns."""
    return lambda: OurSite().signed_in_again_and_again(count)


def after_sign_outs(count: int) -> Make:
    """Remember so many sign-outs."""

    async def make() -> Site:
        site = OurSite()
        asked = await site.signed_in()
        parts = site.app._parts
        for number in range(count):
            parts.ended.end(f"session-{number}", now=parts.now())
        return asked

    return make


CURVES: dict[str, tuple[tuple[int, ...], Callable[[int], Make]]] = {
    "rules": (RULES, with_rules),
    "cookies of others": (COOKIES, lambda count: with_cookies(count, is_new=False)),
    "cookies of others, not seen before": (COOKIES, lambda count: with_cookies(count, is_new=True)),
    "sessions that take turns": (SESSIONS, with_sessions),
    "sign-outs that are remembered": (SIGN_OUTS, after_sign_outs),
}


def servers(harness: Harness) -> None:
    """Put more users, and more processes, on a whole server."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        provider = stack.enter_context(serving("provider"))
        app = stack.enter_context(serving("asgi-oidc", provider=provider.url, core=cores[0]))
        cookie = sign_in(app.url)
        for users in USERS:
            rate = max(
                requests_per_second(f"{app.url}/orders", cookie, connections=users, core=cores[-1]) for _ in range(3)
            )
            harness.row("users at once", 1e6 / rate, "us", at=users)
    for count in PROCESSES:
        if count > len(cores):
            break
        with ExitStack() as stack:
            provider = stack.enter_context(serving("provider"))
            app = stack.enter_context(serving("asgi-oidc", provider=provider.url, WEB_CONCURRENCY=str(count)))
            cookie = sign_in(app.url)
            rate = max(requests_per_second(f"{app.url}/orders", cookie, connections=32) for _ in range(3))
            harness.row("processes", 1e6 / rate * count, "us", at=count)


def main() -> None:
    """Measure each curve."""
    harness = Harness("growth", processes=3, values=3)
    for name, (counts, make) in CURVES.items():
        for count in counts:
            harness.request(f"{name}: {count}", make(count))
    if not harness.is_main:
        return
    for name, (counts, _) in CURVES.items():
        for count in counts:
            harness.row(name, harness.least[f"{name}: {count}"] * 1e6, "us", at=count)
    servers(harness)
    harness.save()


if __name__ == "__main__":
    main()
